//! Users and the two built-in groups.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{GroupId, UserId},
    key::{OperatorPublic, PublicKey},
};

use super::{change::Change, columns};
use crate::{
    AccountError, NewUser,
    protocol::{Role, UserInfo},
};

/// Makes a built-in group.
pub(super) fn create_group(
    change: &Change<'_>,
    id: &GroupId,
    role: Role,
) -> Result<(), AccountError> {
    let name = match role {
        Role::Owners => "Owners",
        Role::Administrators => "Administrators",
    };
    change.run(
        "INSERT INTO groups (id, name, role, seq) VALUES (?, ?, ?, ?)",
        params![id.as_str(), name, role.as_str(), change.seq()],
    )?;
    Ok(())
}

/// Puts a user into a built-in group.
pub(super) fn join(change: &Change<'_>, user: &UserId, role: Role) -> Result<(), AccountError> {
    change.run(
        "INSERT OR IGNORE INTO group_members (group_id, user) SELECT id, ?1 FROM groups WHERE role = ?2",
        params![user.as_str(), role.as_str()],
    )?;
    Ok(())
}

pub(super) fn create(change: &Change<'_>, user: &NewUser) -> Result<(), AccountError> {
    let added = change.run(
        "INSERT OR IGNORE INTO users (id, name, wrapping, signing, state, created, seq)
         VALUES (?, ?, ?, ?, 'ACTIVE', ?, ?)",
        params![
            user.id.as_str(),
            user.name,
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
    let mut statement =
        db.prepare_cached("SELECT id, name, wrapping, signing, state FROM users ORDER BY id")?;
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
        active: row.get::<_, String>("state")? == "ACTIVE",
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
