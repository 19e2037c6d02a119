//! Environments: Connect servers, their devices and signing keys.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{EnvironmentId, KeyId, UserId},
    key::{DeviceSecret, WrappedKey},
    records::SigningKeyRecord,
    secret::SecretBytes,
    time::Timestamp,
    vouch::{self, EndorsedKey},
};

use super::{
    change::Change,
    columns::{self, damaged},
    grants, names, permission, tokens,
};
use crate::{
    AccountError,
    protocol::{
        DeviceInfo, EnvironmentInfo, EnvironmentKeyInfo, EnvironmentState, KeyWrap, NewEnvironment,
        NextKey,
    },
};

/// Names of deleted ones may be given again.
const NAMES: &str = "SELECT id, name FROM environments WHERE state = 'ACTIVE'";

pub(super) fn create(
    change: &Change<'_>,
    user: &UserId,
    new: &NewEnvironment,
) -> Result<(), AccountError> {
    if !new.wraps.iter().any(|wrap| wrap.user == *user) {
        return Err(AccountError::invalid(
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
    let name = names::check(change, "Connect server", NAMES, new.id.as_str(), &new.name)?;
    let added = change.run(
        "INSERT OR IGNORE INTO environments (id, name, state, created, creator, seq) VALUES (?, ?, 'ACTIVE', ?, ?, ?)",
        params![
            new.id.as_str(),
            name,
            change.now(),
            user.as_str(),
            change.seq()
        ],
    )?;
    if added == 0 {
        return Err(AccountError::conflict("environment", new.id, None));
    }
    insert_device(change, &new.id, &new.device)
}

fn insert_device(
    change: &Change<'_>,
    environment: &EnvironmentId,
    digest: &[u8; 32],
) -> Result<(), AccountError> {
    change.run(
        "INSERT OR IGNORE INTO environment_devices (environment, digest, created) VALUES (?, ?, ?)",
        params![environment.as_str(), digest, change.now()],
    )?;
    Ok(())
}

/// Adds a device secret beside those there are.
pub(super) fn add_device(
    change: &Change<'_>,
    environment: &EnvironmentId,
    digest: &[u8; 32],
) -> Result<(), AccountError> {
    active(change, environment)?;
    insert_device(change, environment, digest)
}

/// Drops every device secret but one.
pub(super) fn keep_device(
    change: &Change<'_>,
    environment: &EnvironmentId,
    digest: &[u8; 32],
) -> Result<(), AccountError> {
    active(change, environment)?;
    change.run(
        "DELETE FROM environment_devices WHERE environment = ? AND digest <> ?",
        params![environment.as_str(), digest],
    )?;
    // None left means that the one to keep was not there: nothing is dropped then.
    let left = change
        .prepare_cached("SELECT 1 FROM environment_devices WHERE environment = ?")?
        .exists([environment.as_str()])?;
    left.then_some(())
        .ok_or_else(|| AccountError::missing("device secret of environment", environment))
}

fn put_key(change: &Change<'_>, new: &NewEnvironment) -> Result<(), AccountError> {
    insert_key(change, &new.id, &new.key, None)?;
    share_key(change, &new.id, &new.key.id, &new.wraps)
}

fn insert_key(
    change: &Change<'_>,
    environment: &EnvironmentId,
    key: &SigningKeyRecord,
    endorsed: Option<&EndorsedKey>,
) -> Result<(), AccountError> {
    let added = change.run(
        "INSERT OR IGNORE INTO environment_keys (environment, id, created, public, endorser, endorsement)
         VALUES (?, ?, ?, ?, ?, ?)",
        params![
            environment.as_str(),
            key.id.as_str(),
            change.now(),
            key.public.as_bytes(),
            endorsed.map(|by| by.by.as_str()),
            endorsed.map(|by| by.signature)
        ],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::conflict("signing key", key.id, None))
    }
}

/// Adds a signing key that an older one vouches for.
pub(super) fn add_key(
    change: &Change<'_>,
    user: &UserId,
    new: &NextKey,
) -> Result<(), AccountError> {
    active(change, &new.environment)?;
    if !new.wraps.iter().any(|wrap| wrap.user == *user) {
        return Err(AccountError::invalid(
            "a new signing key must be wrapped to the one who makes it",
        ));
    }
    let known = signing_keys(change, &new.environment)?;
    let believed = vouch::believe(&new.environment, &known, &[new.key]);
    if believed.len() != known.len() + 1 {
        return Err(AccountError::invalid(
            "a new signing key needs the word of one before it",
        ));
    }
    insert_key(change, &new.environment, &new.key.key, Some(&new.key))?;
    share_key(change, &new.environment, &new.key.key.id, &new.wraps)?;
    // Hosts hear of it with the next page, so there must be one.
    change.run(
        "UPDATE environments SET seq = ? WHERE id = ?",
        params![change.seq(), new.environment.as_str()],
    )?;
    Ok(())
}

/// Wraps a signing key to managers.
pub(super) fn share_key(
    change: &Change<'_>,
    environment: &EnvironmentId,
    key: &KeyId,
    wraps: &[KeyWrap],
) -> Result<(), AccountError> {
    for KeyWrap { user, wrapped } in wraps {
        permission::server(change, user, environment)?;
        change.run(
            "INSERT OR REPLACE INTO environment_key_wraps (environment, key, user, wrapped) VALUES (?, ?, ?, ?)",
            params![
                environment.as_str(),
                key.as_str(),
                user.as_str(),
                wrapped.as_bytes()
            ],
        )?;
    }
    Ok(())
}

fn signing_keys(
    db: &Connection,
    environment: &EnvironmentId,
) -> Result<Vec<SigningKeyRecord>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT id, public FROM environment_keys WHERE environment = ?")?;
    let keys = statement.query_map([environment.as_str()], |row| {
        Ok(SigningKeyRecord {
            id: columns::id(row, "id")?,
            public: columns::public_key(row, "public")?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Every signing key that follows another, for hosts.
pub(super) fn endorsed_keys(
    db: &Connection,
    environment: &EnvironmentId,
) -> Result<Vec<EndorsedKey>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM environment_keys WHERE environment = ? AND endorser IS NOT NULL ORDER BY created, id",
    )?;
    let keys = statement.query_map([environment.as_str()], endorsed)?;
    Ok(keys
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?)
}

fn endorsed(row: &Row<'_>) -> rusqlite::Result<Option<EndorsedKey>> {
    if row.get::<_, Option<String>>("endorser")?.is_none() {
        return Ok(None);
    }
    Ok(Some(EndorsedKey {
        key: SigningKeyRecord {
            id: columns::id(row, "id")?,
            public: columns::public_key(row, "public")?,
        },
        by: columns::id(row, "endorser")?,
        signature: columns::array(row, "endorsement")?,
    }))
}

pub(super) fn rename(
    change: &Change<'_>,
    environment: &EnvironmentId,
    name: &str,
) -> Result<(), AccountError> {
    let name = names::check(change, "Connect server", NAMES, environment.as_str(), name)?;
    let changed = change.run(
        "UPDATE environments SET name = ? WHERE id = ? AND state = 'ACTIVE'",
        [name.as_str(), environment.as_str()],
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
        "DELETE FROM manager_grants WHERE environment = ?",
        [environment.as_str()],
    )?;
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

/// Those in use that the user manages, oldest first.
pub(super) fn list(
    db: &Connection,
    user: &UserId,
    now: Timestamp,
) -> Result<Vec<EnvironmentInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM environments WHERE state = 'ACTIVE'
         AND id IN (SELECT environment FROM server_managers WHERE user = ?) ORDER BY created, id",
    )?;
    let found: Vec<EnvironmentInfo> = statement
        .query_map([user.as_str()], read)?
        .collect::<Result<_, _>>()?;
    found
        .into_iter()
        .map(|info| complete(db, user, info, now))
        .collect()
}

pub(super) fn one(
    db: &Connection,
    user: &UserId,
    environment: &EnvironmentId,
    now: Timestamp,
) -> Result<EnvironmentInfo, AccountError> {
    let found = db
        .prepare_cached("SELECT * FROM environments WHERE id = ?")?
        .query_row([environment.as_str()], read)
        .optional()?;
    let found = found.ok_or_else(|| AccountError::missing("environment", environment))?;
    complete(db, user, found, now)
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
        tokens: 0,
        credits: 0,
        own_managers: row.get("own_managers")?,
        devices: Vec::new(),
        keys: Vec::new(),
    })
}

fn complete(
    db: &Connection,
    user: &UserId,
    mut info: EnvironmentInfo,
    now: Timestamp,
) -> Result<EnvironmentInfo, AccountError> {
    let grants = grants::list(db, &info.id)?;
    info.vaults = grants
        .iter()
        .filter(|grant| grant.granted)
        .map(|grant| grant.vault)
        .collect();
    (info.tokens, info.credits) = tokens::in_force(db, &info.id, now)?;
    info.devices = devices(db, &info.id)?;
    info.keys = keys(db, user, &info.id)?;
    Ok(info)
}

fn devices(db: &Connection, environment: &EnvironmentId) -> Result<Vec<DeviceInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT digest, created FROM environment_devices WHERE environment = ? ORDER BY created DESC, digest",
    )?;
    let devices = statement.query_map([environment.as_str()], |row| {
        Ok(DeviceInfo {
            digest: columns::array(row, "digest")?,
            created_at: columns::time(row, "created")?,
        })
    })?;
    Ok(devices.collect::<Result<_, _>>()?)
}

fn keys(
    db: &Connection,
    user: &UserId,
    environment: &EnvironmentId,
) -> Result<Vec<EnvironmentKeyInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT k.*, w.wrapped FROM environment_keys k
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
            users: Vec::new(),
            endorsed: endorsed(row)?,
        })
    })?;
    let mut keys: Vec<EnvironmentKeyInfo> = keys.collect::<Result<_, _>>()?;
    for key in &mut keys {
        key.users = key_users(db, environment, &key.id)?;
    }
    Ok(keys)
}

fn key_users(
    db: &Connection,
    environment: &EnvironmentId,
    key: &KeyId,
) -> Result<Vec<UserId>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT user FROM environment_key_wraps WHERE environment = ? AND key = ? ORDER BY user",
    )?;
    let users = statement.query_map([environment.as_str(), key.as_str()], |row| {
        columns::id(row, "user")
    })?;
    Ok(users.collect::<Result<_, _>>()?)
}
