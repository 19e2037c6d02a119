//! Tokens: what hosts must know to check them. Never the token itself.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{EnvironmentId, TokenId, UserId, VaultId},
    key::WrappedKey,
    records::{TokenGrant, TokenRecord, TokenState},
    time::Timestamp,
    token::Rights,
    vouch::HolderProof,
};

use super::{
    change::Change,
    columns::{self, damaged, millis},
    environments, grants, names, permission, vaults,
};
use crate::{
    AccountError,
    protocol::{NewToken, TokenInfo, TokenStanding},
};

pub(super) fn create(
    change: &Change<'_>,
    user: &UserId,
    new: &NewToken,
) -> Result<(), AccountError> {
    environments::active(change, &new.environment)?;
    check(change, user, new)?;
    insert(change, new)?;
    for (grant, proof) in new.record.grants.iter().zip(&new.proofs) {
        insert_grant(change, &new.record.id, grant, proof)?;
    }
    environments::count_token_change(change, &new.environment)
}

fn check(change: &Change<'_>, user: &UserId, new: &NewToken) -> Result<(), AccountError> {
    let record = &new.record;
    if record.state != TokenState::Active {
        return Err(AccountError::invalid("a new token is active"));
    }
    if record.expires_at.is_some_and(|at| at <= change.time()) {
        return Err(AccountError::invalid("a new token expires in the future"));
    }
    let known = change
        .prepare_cached("SELECT 1 FROM environment_keys WHERE environment = ? AND id = ?")?
        .exists([new.environment.as_str(), record.key.as_str()])?;
    if !known {
        return Err(AccountError::missing("signing key", record.key));
    }
    if new.proofs.len() != record.grants.len() {
        return Err(AccountError::invalid("each granted vault needs a proof"));
    }
    for grant in &record.grants {
        permission::grantable(change, user, &grant.vault)?;
        grants::require(change, &new.environment, &grant.vault)?;
        check_keys(change, grant)?;
    }
    Ok(())
}

/// The token has the vault's key of every generation in use, newest first: while a rotation is under way it must open
/// both.
fn check_keys(change: &Change<'_>, grant: &TokenGrant) -> Result<(), AccountError> {
    let (oldest, newest) = vaults::generations(change, &grant.vault)?;
    let wrapped = grant.keys.iter().map(WrappedKey::generation);
    if wrapped.eq((oldest..=newest).rev().map(Some)) {
        Ok(())
    } else {
        let held = Some(u64::from(newest));
        Err(AccountError::conflict(
            "the key of vault",
            grant.vault,
            held,
        ))
    }
}

fn insert(change: &Change<'_>, new: &NewToken) -> Result<(), AccountError> {
    let record = &new.record;
    let added = change.run(
        "INSERT OR IGNORE INTO tokens (id, environment, name, key, digest, state, created, expires, public, seq)
         VALUES (?, ?, ?, ?, ?, 'ACTIVE', ?, ?, ?, ?)",
        params![
            record.id.as_str(),
            new.environment.as_str(),
            names::plain(&new.name)?,
            record.key.as_str(),
            record.digest,
            change.now(),
            record.expires_at.map(millis),
            new.public,
            change.seq()
        ],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::conflict("token", record.id, None))
    }
}

fn insert_grant(
    change: &Change<'_>,
    token: &TokenId,
    grant: &TokenGrant,
    proof: &HolderProof,
) -> Result<(), AccountError> {
    let keys = serde_json::to_string(&grant.keys)
        .map_err(|_| AccountError::invalid("wrapped keys cannot be written as JSON"))?;
    let added = change.run(
        "INSERT OR IGNORE INTO token_grants (token, vault, rights, keys, proof) VALUES (?, ?, ?, ?, ?)",
        params![
            token.as_str(),
            grant.vault.as_str(),
            grant.rights.bits(),
            keys,
            proof.0
        ],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::invalid("a token names each vault once"))
    }
}

pub(super) fn rename(change: &Change<'_>, token: &TokenId, name: &str) -> Result<(), AccountError> {
    let name = names::plain(name)?;
    let changed = change.run(
        "UPDATE tokens SET name = ? WHERE id = ?",
        [name.as_str(), token.as_str()],
    )?;
    if changed == 1 {
        Ok(())
    } else {
        Err(AccountError::missing("token", token))
    }
}

/// Ends a token. Ending an ended one changes nothing.
pub(super) fn revoke(change: &Change<'_>, token: &TokenId) -> Result<(), AccountError> {
    let found = change
        .prepare_cached("SELECT environment, state FROM tokens WHERE id = ?")?
        .query_row([token.as_str()], |row| {
            Ok((columns::id(row, "environment")?, state(row)?))
        })
        .optional()?;
    match found {
        None => Err(AccountError::missing("token", token)),
        Some((_, TokenState::Revoked)) => Ok(()),
        Some((environment, TokenState::Active)) => {
            revoke_where(change, "id", token.as_str())?;
            environments::count_token_change(change, &environment)
        }
    }
}

/// Ends every token of an environment.
pub(super) fn revoke_all(
    change: &Change<'_>,
    environment: &EnvironmentId,
) -> Result<(), AccountError> {
    revoke_where(change, "environment", environment.as_str())?;
    environments::count_token_change(change, environment)
}

fn revoke_where(change: &Change<'_>, column: &'static str, id: &str) -> Result<(), AccountError> {
    let keys = format!(
        "UPDATE token_grants SET keys = '[]' WHERE token IN (SELECT id FROM tokens WHERE {column} = ?)"
    );
    change.run(&keys, [id])?;
    let state = format!(
        "UPDATE tokens SET state = 'REVOKED', seq = ?2 WHERE {column} = ?1 AND state = 'ACTIVE'"
    );
    change.run(&state, params![id, change.seq()])?;
    Ok(())
}

/// Everything a host knows of an environment's tokens, each with the number of its last change, by ascending id.
pub(super) fn records(
    db: &Connection,
    environment: &EnvironmentId,
) -> Result<Vec<(u64, TokenRecord)>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT * FROM tokens WHERE environment = ? ORDER BY id")?;
    let mut records: Vec<(u64, TokenRecord)> = statement
        .query_map([environment.as_str()], |row| {
            Ok((columns::number(row, "seq")?, read(row)?))
        })?
        .collect::<Result<_, _>>()?;
    for (_, record) in &mut records {
        record.grants = token_grants(db, &record.id)?;
    }
    Ok(records)
}

fn read(row: &Row<'_>) -> rusqlite::Result<TokenRecord> {
    Ok(TokenRecord {
        id: columns::id(row, "id")?,
        key: columns::id(row, "key")?,
        digest: columns::array(row, "digest")?,
        state: state(row)?,
        expires_at: columns::optional_time(row, "expires")?,
        grants: Vec::new(),
    })
}

fn state(row: &Row<'_>) -> rusqlite::Result<TokenState> {
    match row.get_ref("state")?.as_str()? {
        "ACTIVE" => Ok(TokenState::Active),
        "REVOKED" => Ok(TokenState::Revoked),
        _ => Err(damaged("state")),
    }
}

fn token_grants(db: &Connection, token: &TokenId) -> Result<Vec<TokenGrant>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT vault, rights, keys FROM token_grants WHERE token = ? ORDER BY vault",
    )?;
    let grants = statement.query_map([token.as_str()], |row| {
        let keys: Vec<WrappedKey> =
            serde_json::from_str(row.get_ref("keys")?.as_str()?).map_err(|_| damaged("keys"))?;
        Ok(TokenGrant {
            vault: columns::id(row, "vault")?,
            rights: Rights::from_bits(row.get("rights")?).ok_or_else(|| damaged("rights"))?,
            keys,
        })
    })?;
    Ok(grants.collect::<Result<_, _>>()?)
}

/// Which environment a token is for.
pub(super) fn environment(db: &Connection, token: &TokenId) -> Result<EnvironmentId, AccountError> {
    let found = db
        .prepare_cached("SELECT environment FROM tokens WHERE id = ?")?
        .query_row([token.as_str()], |row| columns::id(row, "environment"))
        .optional()?;
    found.ok_or_else(|| AccountError::missing("token", token))
}

/// How many tokens of an environment may be used now, and how many vaults they reach, each counted for each token.
pub(super) fn in_force(
    db: &Connection,
    environment: &EnvironmentId,
    now: Timestamp,
) -> Result<(u64, u64), AccountError> {
    let counted = db
        .prepare_cached(
            "SELECT count(*) AS tokens, coalesce(sum((SELECT count(*) FROM token_grants g WHERE g.token = t.id)), 0) AS credits
             FROM tokens t WHERE t.environment = ?1 AND t.state = 'ACTIVE' AND (t.expires IS NULL OR t.expires > ?2)",
        )?
        .query_row(params![environment.as_str(), millis(now)], |row| {
            Ok((columns::number(row, "tokens")?, columns::number(row, "credits")?))
        })?;
    Ok(counted)
}

/// Tokens of one environment, or of all in use that the user manages; oldest first.
pub(super) fn list(
    db: &Connection,
    user: &UserId,
    environment: Option<&EnvironmentId>,
    now: Timestamp,
) -> Result<Vec<TokenInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT t.*, u.last FROM tokens t JOIN environments e ON e.id = t.environment
         LEFT JOIN token_uses u ON u.token = t.id
         WHERE e.id IN (SELECT environment FROM server_managers WHERE user = ?2)
             AND (e.id = ?1 OR (?1 IS NULL AND e.state = 'ACTIVE')) ORDER BY t.created, t.id",
    )?;
    let environment = environment.map(EnvironmentId::as_str);
    let mut found: Vec<TokenInfo> = statement
        .query_map(params![environment, user.as_str()], |row| info(row, now))?
        .collect::<Result<_, _>>()?;
    for token in &mut found {
        let grants = token_grants(db, &token.id)?;
        token.vaults = grants.iter().map(|g| (g.vault, g.rights)).collect();
    }
    Ok(found)
}

fn info(row: &Row<'_>, now: Timestamp) -> rusqlite::Result<TokenInfo> {
    let expires_at = columns::optional_time(row, "expires")?;
    Ok(TokenInfo {
        id: columns::id(row, "id")?,
        environment: columns::id(row, "environment")?,
        name: row.get("name")?,
        state: match state(row)? {
            TokenState::Revoked => TokenStanding::Revoked,
            TokenState::Active if expires_at.is_some_and(|at| at <= now) => TokenStanding::Expired,
            TokenState::Active => TokenStanding::Active,
        },
        created_at: columns::time(row, "created")?,
        expires_at,
        last_used: columns::optional_time(row, "last")?,
        vaults: Vec::new(),
    })
}

/// The token may write to the vault now; told apart from one that may not by the reason.
pub(super) fn require_write(
    change: &Change<'_>,
    environment: &EnvironmentId,
    token: &TokenId,
    vault: &VaultId,
) -> Result<(), AccountError> {
    let refused = |why: &'static str| AccountError::TokenRefused {
        token: *token,
        why: why.into(),
    };
    let found = change
        .prepare_cached("SELECT * FROM tokens WHERE id = ? AND environment = ?")?
        .query_row([token.as_str(), environment.as_str()], read)
        .optional()?;
    let record = found.ok_or_else(|| refused("it does not belong to this Connect server"))?;
    if record.state == TokenState::Revoked {
        return Err(refused("it was revoked"));
    }
    if record.expires_at.is_some_and(|at| at <= change.time()) {
        return Err(refused("it has expired"));
    }
    grants::require(change, environment, vault)?;
    let grants = token_grants(change, token)?;
    match grants.iter().find(|grant| grant.vault == *vault) {
        None => Err(refused("it has no access to the vault")),
        Some(grant) if !grant.rights.can_write() => Err(refused("it may not write to the vault")),
        Some(_) => Ok(()),
    }
}
