//! Groups and their members. Two are built in; their members are owners and administrators.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::id::{GroupId, UserId};

use super::{change::Change, columns, managers, names, permission, users};
use crate::{
    AccountError,
    protocol::{GroupInfo, Role},
};

const NAMES: &str = "SELECT id, name FROM groups";

/// Makes a built-in group. Both manage Connect servers from the start.
pub(super) fn create_built_in(
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
    managers::grant(change, None, id)
}

pub(super) fn create(change: &Change<'_>, id: &GroupId, name: &str) -> Result<(), AccountError> {
    let name = names::check(change, "group", NAMES, id.as_str(), name)?;
    let added = change.run(
        "INSERT OR IGNORE INTO groups (id, name, seq) VALUES (?, ?, ?)",
        params![id.as_str(), name, change.seq()],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::conflict("group", id, None))
    }
}

pub(super) fn rename(change: &Change<'_>, id: &GroupId, name: &str) -> Result<(), AccountError> {
    custom(change, id)?;
    let name = names::check(change, "group", NAMES, id.as_str(), name)?;
    change.run(
        "UPDATE groups SET name = ?, seq = ? WHERE id = ?",
        params![name, change.seq(), id.as_str()],
    )?;
    Ok(())
}

pub(super) fn delete(change: &Change<'_>, id: &GroupId) -> Result<(), AccountError> {
    custom(change, id)?;
    for sql in [
        "DELETE FROM manager_grants WHERE group_id = ?",
        "DELETE FROM group_members WHERE group_id = ?",
        "DELETE FROM groups WHERE id = ?",
    ] {
        change.run(sql, [id.as_str()])?;
    }
    managers::prune(change)
}

/// Puts a user into a group. Owners are made by owners.
pub(super) fn add(
    change: &Change<'_>,
    caller: &UserId,
    id: &GroupId,
    user: &UserId,
) -> Result<(), AccountError> {
    if role(change, id)? == Some(Role::Owners) {
        permission::owner(change, caller)?;
    }
    users::present(change, user)?;
    change.run(
        "INSERT OR IGNORE INTO group_members (group_id, user) VALUES (?, ?)",
        [id.as_str(), user.as_str()],
    )?;
    Ok(())
}

/// Takes a user out of a group.
pub(super) fn remove(
    change: &Change<'_>,
    caller: &UserId,
    id: &GroupId,
    user: &UserId,
) -> Result<(), AccountError> {
    if role(change, id)? == Some(Role::Owners) {
        permission::owner(change, caller)?;
    }
    let removed = change.run(
        "DELETE FROM group_members WHERE group_id = ? AND user = ?",
        [id.as_str(), user.as_str()],
    )?;
    if removed == 0 {
        return Err(AccountError::missing("member", user));
    }
    users::require_owner(change)?;
    managers::prune(change)
}

/// Its role, if it is built in.
pub(super) fn role(db: &Connection, id: &GroupId) -> Result<Option<Role>, AccountError> {
    let found: Option<Option<String>> = db
        .prepare_cached("SELECT role FROM groups WHERE id = ?")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let word = found.ok_or_else(|| AccountError::missing("group", id))?;
    Ok(word.as_deref().and_then(parse_role))
}

fn parse_role(word: &str) -> Option<Role> {
    [Role::Owners, Role::Administrators]
        .into_iter()
        .find(|role| role.as_str() == word)
}

fn custom(db: &Connection, id: &GroupId) -> Result<(), AccountError> {
    match role(db, id)? {
        None => Ok(()),
        Some(_) => Err(AccountError::invalid("a built-in group stays as it is")),
    }
}

/// All, built-in ones first, then by name.
pub(super) fn list(db: &Connection) -> Result<Vec<GroupInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT g.*, EXISTS (SELECT 1 FROM manager_grants x WHERE x.group_id = g.id AND x.environment = '') AS manages
         FROM groups g ORDER BY g.role IS NULL, g.role DESC, g.name, g.id",
    )?;
    let mut groups: Vec<GroupInfo> = statement.query_map([], read)?.collect::<Result<_, _>>()?;
    for group in &mut groups {
        group.members = members(db, &group.id)?;
    }
    Ok(groups)
}

fn read(row: &Row<'_>) -> rusqlite::Result<GroupInfo> {
    let role: Option<String> = row.get("role")?;
    Ok(GroupInfo {
        id: columns::id(row, "id")?,
        name: row.get("name")?,
        role: role.as_deref().and_then(parse_role),
        members: Vec::new(),
        manages_servers: row.get("manages")?,
    })
}

fn members(db: &Connection, id: &GroupId) -> Result<Vec<UserId>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT user FROM group_members WHERE group_id = ? ORDER BY user")?;
    let users = statement.query_map([id.as_str()], |row| columns::id(row, "user"))?;
    Ok(users.collect::<Result<_, _>>()?)
}
