//! Environments: Connect servers, their devices and signing keys.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{EnvironmentId, UserId},
    key::{DeviceSecret, WrappedKey},
    secret::SecretBytes,
};

use super::{
    change::Change,
    columns::{self, damaged},
    grants, permission, tokens,
};
use crate::{
    AccountError,
    protocol::{EnvironmentInfo, EnvironmentKeyInfo, EnvironmentState, KeyWrap, NewEnvironment},
};

pub(super) fn create(
    change: &Change<'_>,
    user: &UserId,
    new: &NewEnvironment,
) -> Result<(), AccountError> {
    if !new.wraps.iter().any(|wrap| wrap.user == *user) {
        return Err(AccountError::Invalid(
            "a new environment's key must be wrapped to the one who makes it",
        ));
    }
    insert(change, user, new)?;
    put_key(change, new)?;
    new.vaults
        .iter()
        .try_for_each(|vault| grants::grant(change, user, &new.id, vault))
}

fn insert(change: &Change<'_>, user: &UserId, new: &NewEnvironment) -> Result<(), AccountError> {
    let added = change.run(
        "INSERT OR IGNORE INTO environments (id, name, state, created, creator, seq) VALUES (?, ?, 'ACTIVE', ?, ?, ?)",
        params![
            new.id.as_str(),
            new.name,
            change.now(),
            user.as_str(),
            change.seq()
        ],
    )?;
    if added == 0 {
        return Err(AccountError::conflict("environment", new.id, None));
    }
    change.run(
        "INSERT INTO environment_devices (environment, digest, created) VALUES (?, ?, ?)",
        params![new.id.as_str(), new.device, change.now()],
    )?;
    Ok(())
}

fn put_key(change: &Change<'_>, new: &NewEnvironment) -> Result<(), AccountError> {
    let (environment, key) = (new.id.as_str(), new.key.id.as_str());
    change.run(
        "INSERT INTO environment_keys (environment, id, created, public) VALUES (?, ?, ?, ?)",
        params![environment, key, change.now(), new.key.public.as_bytes()],
    )?;
    for KeyWrap { user, wrapped } in &new.wraps {
        permission::manager(change, user)?;
        change.run(
            "INSERT INTO environment_key_wraps (environment, key, user, wrapped) VALUES (?, ?, ?, ?)",
            params![environment, key, user.as_str(), wrapped.as_bytes()],
        )?;
    }
    Ok(())
}

pub(super) fn rename(
    change: &Change<'_>,
    environment: &EnvironmentId,
    name: &str,
) -> Result<(), AccountError> {
    let changed = change.run(
        "UPDATE environments SET name = ? WHERE id = ? AND state = 'ACTIVE'",
        [name, environment.as_str()],
    )?;
    if changed == 1 {
        Ok(())
    } else {
        Err(AccountError::missing("environment", environment))
    }
}

/// Ends an environment. Its device may still ask, and hears under a signed head that everything is gone and every
/// token revoked: a refusal at the door would leave a connected host serving until its head is stale.
pub(super) fn delete(change: &Change<'_>, environment: &EnvironmentId) -> Result<(), AccountError> {
    active(change, environment)?;
    tokens::revoke_all(change, environment)?;
    for grant in grants::list(change, environment)? {
        if grant.granted {
            grants::revoke(change, environment, &grant.vault)?;
        }
    }
    change.run(
        "DELETE FROM environment_key_wraps WHERE environment = ?",
        [environment.as_str()],
    )?;
    change.run(
        "UPDATE environments SET state = 'DELETED', seq = ? WHERE id = ?",
        params![change.seq(), environment.as_str()],
    )?;
    Ok(())
}

/// Notes that something happened to its tokens.
pub(super) fn count_token_change(
    change: &Change<'_>,
    environment: &EnvironmentId,
) -> Result<(), AccountError> {
    change.run(
        "UPDATE environments SET tokens_version = tokens_version + 1 WHERE id = ?",
        [environment.as_str()],
    )?;
    Ok(())
}

/// It is there and in use.
pub(super) fn active(db: &Connection, environment: &EnvironmentId) -> Result<(), AccountError> {
    let found = db
        .prepare_cached("SELECT 1 FROM environments WHERE id = ? AND state = 'ACTIVE'")?
        .exists([environment.as_str()])?;
    found
        .then_some(())
        .ok_or_else(|| AccountError::missing("environment", environment))
}

/// Whose device this is. Digests are compared in constant time, all of them.
pub(super) fn of_device(
    db: &Connection,
    device: &DeviceSecret,
) -> Result<EnvironmentId, AccountError> {
    let presented = SecretBytes::new(device.digest());
    let mut statement = db.prepare_cached("SELECT environment, digest FROM environment_devices")?;
    let mut rows = statement.query([])?;
    let mut found = None;
    while let Some(row) = rows.next()? {
        if SecretBytes::new(columns::array(row, "digest")?) == presented {
            found = Some(columns::id(row, "environment")?);
        }
    }
    found.ok_or(AccountError::DeviceUnknown)
}

/// Those in use, oldest first.
pub(super) fn list(db: &Connection, user: &UserId) -> Result<Vec<EnvironmentInfo>, AccountError> {
    let mut statement = db
        .prepare_cached("SELECT * FROM environments WHERE state = 'ACTIVE' ORDER BY created, id")?;
    let found: Vec<EnvironmentInfo> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    found
        .into_iter()
        .map(|info| complete(db, user, info))
        .collect()
}

pub(super) fn one(
    db: &Connection,
    user: &UserId,
    environment: &EnvironmentId,
) -> Result<EnvironmentInfo, AccountError> {
    let found = db
        .prepare_cached("SELECT * FROM environments WHERE id = ?")?
        .query_row([environment.as_str()], read)
        .optional()?;
    let found = found.ok_or_else(|| AccountError::missing("environment", environment))?;
    complete(db, user, found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<EnvironmentInfo> {
    Ok(EnvironmentInfo {
        id: columns::id(row, "id")?,
        name: row.get("name")?,
        state: match row.get_ref("state")?.as_str()? {
            "ACTIVE" => EnvironmentState::Active,
            "DELETED" => EnvironmentState::Deleted,
            _ => return Err(damaged("state")),
        },
        created_at: columns::time(row, "created")?,
        creator: columns::id(row, "creator")?,
        tokens_version: columns::number(row, "tokens_version")?,
        vaults: Vec::new(),
        keys: Vec::new(),
    })
}

fn complete(
    db: &Connection,
    user: &UserId,
    mut info: EnvironmentInfo,
) -> Result<EnvironmentInfo, AccountError> {
    let grants = grants::list(db, &info.id)?;
    info.vaults = grants
        .iter()
        .filter(|grant| grant.granted)
        .map(|grant| grant.vault)
        .collect();
    info.keys = keys(db, user, &info.id)?;
    Ok(info)
}

fn keys(
    db: &Connection,
    user: &UserId,
    environment: &EnvironmentId,
) -> Result<Vec<EnvironmentKeyInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT k.id, k.public, w.wrapped FROM environment_keys k
         LEFT JOIN environment_key_wraps w ON w.environment = k.environment AND w.key = k.id AND w.user = ?2
         WHERE k.environment = ?1 ORDER BY k.created DESC, k.id",
    )?;
    let keys = statement.query_map([environment.as_str(), user.as_str()], |row| {
        Ok(EnvironmentKeyInfo {
            id: columns::id(row, "id")?,
            public: columns::public_key(row, "public")?,
            wrapped: row
                .get::<_, Option<Vec<u8>>>("wrapped")?
                .map(WrappedKey::from_bytes),
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}
