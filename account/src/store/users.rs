//! Users: who they are, whether their requests are taken.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{UserId, VaultId},
    key::{OperatorPublic, PublicKey},
};

use super::{
    change::Change,
    columns::{self, damaged},
    managers, names, permission,
};
use crate::{
    AccountError, NewUser,
    protocol::{Role, UserInfo, UserState},
};

/// Puts a user into a built-in group.
pub(super) fn join(change: &Change<'_>, user: &UserId, role: Role) -> Result<(), AccountError> {
    change.run(
        "INSERT OR IGNORE INTO group_members (group_id, user) SELECT id, ?1 FROM groups WHERE role = ?2",
        params![user.as_str(), role.as_str()],
    )?;
    Ok(())
}

pub(super) fn create(change: &Change<'_>, user: &NewUser) -> Result<(), AccountError> {
    let name = names::plain(&user.name)?;
    let added = change.run(
        "INSERT OR IGNORE INTO users (id, name, wrapping, signing, state, created, seq)
         VALUES (?, ?, ?, ?, 'ACTIVE', ?, ?)",
        params![
            user.id.as_str(),
            name,
            user.public.wrapping,
            user.public.signing.as_bytes(),
            change.now(),
            change.seq()
        ],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::conflict("user", user.id, None))
    }
}

/// Takes a user's requests, or refuses them. What is wrapped to them stays.
pub(super) fn suspend(
    change: &Change<'_>,
    caller: &UserId,
    user: &UserId,
    suspended: bool,
) -> Result<(), AccountError> {
    if permission::is_owner(change, user)? {
        permission::owner(change, caller)?;
    }
    present(change, user)?;
    let state = if suspended {
        UserState::Suspended
    } else {
        UserState::Active
    };
    set_state(change, user, state)?;
    require_owner(change)
}

/// Removes a user, and every key wrapped to them. What they read they may have kept: the vaults that are handed back
/// should get new keys.
pub(super) fn remove(
    change: &Change<'_>,
    caller: &UserId,
    user: &UserId,
) -> Result<Vec<VaultId>, AccountError> {
    if permission::is_owner(change, user)? {
        permission::owner(change, caller)?;
    }
    present(change, user)?;
    set_state(change, user, UserState::Removed)?;
    let held = held_vaults(change, user)?;
    for sql in [
        "DELETE FROM group_members WHERE user = ?",
        "DELETE FROM vault_keys WHERE user = ?",
    ] {
        change.run(sql, [user.as_str()])?;
    }
    require_owner(change)?;
    managers::prune(change)?;
    Ok(held)
}

fn set_state(change: &Change<'_>, user: &UserId, state: UserState) -> Result<(), AccountError> {
    change.run(
        "UPDATE users SET state = ?, seq = ? WHERE id = ?",
        params![state.as_str(), change.seq(), user.as_str()],
    )?;
    Ok(())
}

fn held_vaults(db: &Connection, user: &UserId) -> Result<Vec<VaultId>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT vault FROM vault_keys WHERE user = ? ORDER BY vault")?;
    let vaults = statement.query_map([user.as_str()], |row| columns::id(row, "vault"))?;
    Ok(vaults.collect::<Result<_, _>>()?)
}

/// The user was added and not removed.
pub(super) fn present(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = db
        .prepare_cached("SELECT 1 FROM users WHERE id = ? AND state <> 'REMOVED'")?
        .exists([user.as_str()])?;
    found
        .then_some(())
        .ok_or_else(|| AccountError::missing("user", user))
}

/// There is still an active owner.
pub(super) fn require_owner(db: &Connection) -> Result<(), AccountError> {
    let found = db
        .prepare_cached(
            "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user
             WHERE g.role = 'OWNERS' AND u.state = 'ACTIVE'",
        )?
        .exists([])?;
    found.then_some(()).ok_or(AccountError::LastOwner)
}

/// The key that verifies an active user's requests.
pub(super) fn signing_key(
    db: &Connection,
    user: &UserId,
) -> Result<Option<PublicKey>, AccountError> {
    Ok(db
        .prepare_cached("SELECT signing FROM users WHERE id = ? AND state = 'ACTIVE'")?
        .query_row([user.as_str()], |row| columns::public_key(row, "signing"))
        .optional()?)
}

pub(super) fn list(db: &Connection) -> Result<Vec<UserInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT id, name, wrapping, signing, state FROM users WHERE state <> 'REMOVED' ORDER BY id",
    )?;
    let users: Vec<UserInfo> = statement.query_map([], info)?.collect::<Result<_, _>>()?;
    users.into_iter().map(|user| with_roles(db, user)).collect()
}

pub(super) fn one(db: &Connection, user: &UserId) -> Result<UserInfo, AccountError> {
    let found = db
        .prepare_cached("SELECT id, name, wrapping, signing, state FROM users WHERE id = ?")?
        .query_row([user.as_str()], info)
        .optional()?;
    with_roles(
        db,
        found.ok_or_else(|| AccountError::missing("user", user))?,
    )
}

fn info(row: &Row<'_>) -> rusqlite::Result<UserInfo> {
    Ok(UserInfo {
        id: columns::id(row, "id")?,
        name: row.get("name")?,
        public: OperatorPublic {
            wrapping: columns::array(row, "wrapping")?,
            signing: columns::public_key(row, "signing")?,
        },
        state: match row.get_ref("state")?.as_str()? {
            "ACTIVE" => UserState::Active,
            "SUSPENDED" => UserState::Suspended,
            "REMOVED" => UserState::Removed,
            _ => return Err(damaged("state")),
        },
        roles: Vec::new(),
    })
}

fn with_roles(db: &Connection, mut user: UserInfo) -> Result<UserInfo, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user = ? AND g.role = ?",
    )?;
    for role in [Role::Owners, Role::Administrators] {
        if statement.exists(params![user.id.as_str(), role.as_str()])? {
            user.roles.push(role);
        }
    }
    Ok(user)
}
