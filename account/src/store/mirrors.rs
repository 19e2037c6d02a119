//! Vaults whose truth is another account. Clients' writes to them are parked until the one who mirrors has done them
//! there; the client waits as long.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{EnvironmentId, ItemId, TokenId, UserId, VaultId},
    records::{DeleteRequest, Expect, PutRequest},
    time::Timestamp,
};

use super::{
    Account, Caller,
    change::{Actor, Change},
    columns, items, permission, tokens, vaults,
};
use crate::{
    AccountError, Response,
    device::GLANCE,
    protocol::{MAX_PARKED_WAIT, Parked, ParkedOutcome, ParkedWrite, Reason, UpstreamVault},
};

/// How long a write waits for someone to take it: with nobody there its client is not kept waiting.
const UNTIL_TAKEN: Duration = Duration::from_secs(10);
/// How long it waits for its end. Clients and proxies give up after a minute.
const UNTIL_DONE: Duration = Duration::from_secs(45);
/// Most writes parked for one vault.
const MAX_PARKED: u64 = 64;
/// How long an outcome is remembered, in milliseconds: a client that tries again gets the same one.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;
/// Most that one answer holds.
const MAX_LIST: u32 = 16;

/// Who mirrors a vault.
pub(super) struct Mirror {
    user: UserId,
    writes: bool,
}

/// Marks a vault. Whoever holds it may: its key is what counts.
pub(super) fn mark(
    change: &Change<'_>,
    user: &UserId,
    vault: &VaultId,
    writes: bool,
    upstream: Option<&UpstreamVault>,
) -> Result<(), AccountError> {
    change.run(
        "INSERT INTO mirrors (vault, user, writes) VALUES (?1, ?2, ?3)
         ON CONFLICT (vault) DO UPDATE SET user = ?2, writes = ?3",
        params![vault.as_str(), user.as_str(), writes],
    )?;
    let Some(upstream) = upstream else {
        return Ok(());
    };
    let settled = change.run(
        "UPDATE mirrors SET moved = 0 WHERE vault = ? AND moved = 1",
        [vault.as_str()],
    )?;
    vaults::align(change, vault, upstream, settled == 1)
}

/// Notes that contents changed whose version is still to be told.
pub(super) fn moved(change: &Change<'_>, vault: &VaultId) -> Result<(), AccountError> {
    change.run(
        "UPDATE mirrors SET moved = 1 WHERE vault = ?",
        [vault.as_str()],
    )?;
    Ok(())
}

pub(super) fn of(db: &Connection, vault: &VaultId) -> Result<Option<Mirror>, AccountError> {
    Ok(db
        .prepare_cached("SELECT user, writes FROM mirrors WHERE vault = ?")?
        .query_row([vault.as_str()], |row| {
            Ok(Mirror {
                user: columns::id(row, "user")?,
                writes: row.get("writes")?,
            })
        })
        .optional()?)
}

/// A vault of its own: for writes that go straight to it.
pub(super) fn require_none(db: &Connection, vault: &VaultId) -> Result<(), AccountError> {
    match of(db, vault)? {
        None => Ok(()),
        Some(_) => Err(AccountError::MirrorReadOnly(*vault)),
    }
}

impl Account {
    /// Whether a client's write must be parked; refused, if nobody would do it.
    pub(super) fn is_parked(&self, vault: &VaultId) -> Result<bool, AccountError> {
        match self.read(|db| of(db, vault))? {
            None => Ok(false),
            Some(Mirror { writes: true, .. }) => Ok(true),
            Some(_) => Err(AccountError::MirrorReadOnly(*vault)),
        }
    }

    /// Parks a write and waits for its end.
    pub(super) fn park(
        &self,
        environment: &EnvironmentId,
        token: &TokenId,
        write: &Parked,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let (vault, id) = (vault_of(write), id_of(write));
        // Its answer was lost on the way: it is the very same sealed item, under the very same nonces.
        let is_again = matches!(write, Parked::Put(_));
        if is_again
            && self
                .read(|db| state(db, &id))?
                .is_some_and(|s| s.word == "DONE")
        {
            return Ok(());
        }
        let actor = Actor {
            who: token.as_str(),
            origin: "device",
            now,
        };
        let objects = [
            environment.as_str(),
            vault.as_str(),
            item_of(write).as_str(),
        ];
        self.change(&actor, "write.park", &objects, |change| {
            tokens::require_write(change, environment, token, &vault)?;
            check(change, write)?;
            insert(change, environment, &vault, &id, write)
        })?;
        self.wait_for_outcome(write, &id, now)
    }

    fn wait_for_outcome(
        &self,
        write: &Parked,
        id: &str,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let began = Instant::now();
        loop {
            let state = self.read(|db| state(db, id))?;
            match state.as_ref().map(|state| state.word.as_str()) {
                Some("DONE") => return Ok(()),
                Some("CONFLICT") => return Err(AccountError::ConflictUpstream(*item_of(write))),
                Some("REFUSED") => {
                    let reason = state.and_then(|state| state.reason);
                    return Err(AccountError::RefusedUpstream { reason });
                }
                Some("WAITING") if began.elapsed() < UNTIL_TAKEN => {}
                Some("WAITING") => {
                    if self.give_up(&vault_of(write), id, now)? {
                        return Err(AccountError::Unavailable);
                    }
                }
                Some("TAKEN") if began.elapsed() < UNTIL_DONE => {}
                _ => return Err(AccountError::Unavailable),
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Takes a write back that nobody took; `false` = somebody just did.
    fn give_up(&self, vault: &VaultId, id: &str, now: Timestamp) -> Result<bool, AccountError> {
        let actor = Actor {
            who: "account",
            origin: "device",
            now,
        };
        self.change(&actor, "write.unpark", &[vault.as_str()], |change| {
            let sql = "DELETE FROM parked WHERE id = ? AND state = 'WAITING'";
            Ok(change.run(sql, [id])? == 1)
        })
    }

    /// What is parked for a user; waits a while if there is nothing.
    pub(super) fn parked(&self, caller: &Caller, wait: u32) -> Result<Response, AccountError> {
        let until = Instant::now() + Duration::from_millis(wait.min(MAX_PARKED_WAIT).into());
        loop {
            let probe = self.data_version()?;
            let found = self.read(|db| {
                permission::active(db, &caller.user)?;
                list(db, &caller.user)
            })?;
            if !found.is_empty() || Instant::now() >= until {
                return Ok(Response::Parked(found));
            }
            while self.data_version()? == probe && Instant::now() < until {
                std::thread::sleep(GLANCE);
            }
        }
    }
}

fn vault_of(write: &Parked) -> VaultId {
    match write {
        Parked::Put(request) => request.vault,
        Parked::Delete(request) => request.vault,
    }
}

fn item_of(write: &Parked) -> &ItemId {
    match write {
        Parked::Put(request) => &request.item.id,
        Parked::Delete(request) => &request.item,
    }
}

/// Tells writes apart: what is sealed has random nonces, so no two are equal but one that is sent again.
fn id_of(write: &Parked) -> String {
    match write {
        Parked::Put(request) => {
            let details = request.item.details.as_bytes();
            let start = details.get(..details.len().min(48)).unwrap_or_default();
            let start = sekisho_core::encoding::base64url(start);
            format!("put.{}.{}.{start}", request.vault, request.item.id)
        }
        Parked::Delete(request) => {
            let DeleteRequest {
                vault,
                item,
                version,
                ..
            } = request;
            format!("delete.{vault}.{item}.{version}")
        }
    }
}

/// What can be said without asking upstream is said at once: it costs nothing there.
fn check(change: &Change<'_>, write: &Parked) -> Result<(), AccountError> {
    let (vault, item, expect) = match write {
        Parked::Put(request) => {
            let PutRequest {
                vault,
                expect,
                item,
                added,
                dropped,
                ..
            } = &**request;
            items::check_size(item)?;
            vaults::generation_in_use(change, vault, items::generation(item)?)?;
            if !added.is_empty() || !dropped.is_empty() {
                let reason = Some("files are changed in 1Password only".into());
                return Err(AccountError::RefusedUpstream { reason });
            }
            (vault, &item.id, *expect)
        }
        Parked::Delete(request) => {
            let expect = Expect::Version(request.version);
            (&request.vault, &request.item, expect)
        }
    };
    let held = items::record(change, vault, item)?.map(|held| held.version);
    match (expect, held) {
        (Expect::Absent, None) => items::require_unused(change, vault, item),
        (Expect::Version(wanted), Some(held)) if wanted == held => Ok(()),
        (Expect::Version(_), None) => Err(AccountError::missing("item", item)),
        (_, held) => Err(AccountError::conflict("item", item, held)),
    }
}

fn insert(
    change: &Change<'_>,
    environment: &EnvironmentId,
    vault: &VaultId,
    id: &str,
    write: &Parked,
) -> Result<(), AccountError> {
    change.run(
        "DELETE FROM parked WHERE stored < ?",
        [change.now() - REMEMBERED],
    )?;
    let waiting = change
        .prepare_cached(
            "SELECT count(*) AS n FROM parked WHERE vault = ? AND state IN ('WAITING', 'TAKEN')",
        )?
        .query_row([vault.as_str()], |row| columns::number(row, "n"))?;
    if waiting >= MAX_PARKED {
        return Err(AccountError::Unavailable);
    }
    // One that ended, and passes the check again, is another one: an item that came back is deleted again.
    change.run(
        "DELETE FROM parked WHERE id = ? AND state NOT IN ('WAITING', 'TAKEN')",
        [id],
    )?;
    let request = serde_json::to_string(write)
        .map_err(|_| AccountError::invalid("it cannot be written as JSON"))?;
    change.run(
        "INSERT OR IGNORE INTO parked (id, vault, environment, state, stored, request)
         VALUES (?, ?, ?, 'WAITING', ?, ?)",
        params![
            id,
            vault.as_str(),
            environment.as_str(),
            change.now(),
            request
        ],
    )?;
    Ok(())
}

/// How far a parked write is.
struct State {
    word: String,
    reason: Option<Reason>,
}

fn state(db: &Connection, id: &str) -> Result<Option<State>, AccountError> {
    Ok(db
        .prepare_cached("SELECT state, reason FROM parked WHERE id = ?")?
        .query_row([id], |row| {
            let reason: Option<String> = row.get("reason")?;
            Ok(State {
                word: row.get("state")?,
                reason: reason.map(Reason::from),
            })
        })
        .optional()?)
}

fn list(db: &Connection, user: &UserId) -> Result<Vec<ParkedWrite>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT p.* FROM parked p JOIN mirrors m ON m.vault = p.vault
         WHERE m.user = ? AND p.state IN ('WAITING', 'TAKEN') ORDER BY p.number LIMIT ?",
    )?;
    let found = statement.query_map(params![user.as_str(), MAX_LIST], parked)?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn parked(row: &Row<'_>) -> rusqlite::Result<ParkedWrite> {
    let request: String = row.get("request")?;
    Ok(ParkedWrite {
        id: row.get("id")?,
        environment: columns::id(row, "environment")?,
        taken: row.get_ref("state")?.as_str()? == "TAKEN",
        write: serde_json::from_str(&request).map_err(|_| columns::damaged("request"))?,
    })
}

/// The parked write, if the user mirrors its vault.
fn theirs(
    change: &Change<'_>,
    user: &UserId,
    id: &str,
) -> Result<(VaultId, ParkedWrite), AccountError> {
    let found = change
        .prepare_cached("SELECT * FROM parked WHERE id = ? AND state IN ('WAITING', 'TAKEN')")?
        .query_row([id], parked)
        .optional()?
        .ok_or_else(|| AccountError::missing("parked write", id))?;
    let vault = vault_of(&found.write);
    permission::vault(change, user, &vault)?;
    match of(change, &vault)? {
        Some(mirror) if mirror.user == *user => Ok((vault, found)),
        _ => Err(AccountError::NoVaultAccess(vault)),
    }
}

/// Begins a parked write.
pub(super) fn take(change: &Change<'_>, user: &UserId, id: &str) -> Result<(), AccountError> {
    theirs(change, user, id)?;
    change.run("UPDATE parked SET state = 'TAKEN' WHERE id = ?", [id])?;
    Ok(())
}

/// Ends it: what it made is committed in the same transaction.
pub(super) fn finish(
    change: &Change<'_>,
    user: &UserId,
    id: &str,
    outcome: &ParkedOutcome,
) -> Result<(), AccountError> {
    let (vault, found) = theirs(change, user, id)?;
    let state = match outcome {
        ParkedOutcome::Written(settled) => {
            // One change upstream, and so one here.
            let difference = items::place_all(change, &vault, settled)?;
            vaults::touch(change, &vault, difference)?;
            "DONE"
        }
        ParkedOutcome::Deleted => {
            if let Parked::Delete(request) = &found.write
                && items::record(change, &vault, &request.item)?.is_some()
            {
                items::delete(change, &vault, &request.item, None)?;
            }
            "DONE"
        }
        ParkedOutcome::Conflict => "CONFLICT",
        ParkedOutcome::Refused(_) => "REFUSED",
        ParkedOutcome::Unavailable => "UNAVAILABLE",
    };
    let reason = match outcome {
        ParkedOutcome::Refused(reason) => reason.as_ref().map(Reason::as_str),
        _ => None,
    };
    change.run(
        "UPDATE parked SET state = ?, reason = ?, request = '' WHERE id = ?",
        params![state, reason, id],
    )?;
    Ok(())
}
