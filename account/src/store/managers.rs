//! Who manages Connect servers: groups, for all servers or, overriding that, for one. Owners always do.

use rusqlite::{Connection, params};
use sekisho_core::id::{EnvironmentId, GroupId, UserId};

use super::{change::Change, columns, environments, groups};
use crate::{
    AccountError,
    protocol::{ManagerList, Role},
};

/// Stands for all servers that have no list of their own.
const ALL: &str = "";

pub(super) fn grant(
    change: &Change<'_>,
    environment: Option<&EnvironmentId>,
    group: &GroupId,
) -> Result<(), AccountError> {
    groups::role(change, group)?;
    let place = place(change, environment)?;
    change.run(
        "INSERT OR IGNORE INTO manager_grants (environment, group_id) VALUES (?, ?)",
        [place, group.as_str()],
    )?;
    Ok(())
}

pub(super) fn revoke(
    change: &Change<'_>,
    environment: Option<&EnvironmentId>,
    group: &GroupId,
) -> Result<(), AccountError> {
    if groups::role(change, group)? == Some(Role::Owners) {
        return Err(AccountError::invalid("owners manage every Connect server"));
    }
    let place = place(change, environment)?;
    let removed = change.run(
        "DELETE FROM manager_grants WHERE environment = ? AND group_id = ?",
        [place, group.as_str()],
    )?;
    if removed == 0 {
        return Err(AccountError::missing("managing group", group));
    }
    prune(change)
}

/// Drops a server's own list.
pub(super) fn reset(change: &Change<'_>, environment: &EnvironmentId) -> Result<(), AccountError> {
    environments::active(change, environment)?;
    change.run(
        "UPDATE environments SET own_managers = 0 WHERE id = ?",
        [environment.as_str()],
    )?;
    change.run(
        "DELETE FROM manager_grants WHERE environment = ?",
        [environment.as_str()],
    )?;
    prune(change)
}

/// Where the grants of a server stand. Its own list begins as the one of all, or a first grant to one group would
/// take the server from all others.
fn place<'e>(
    change: &Change<'_>,
    environment: Option<&'e EnvironmentId>,
) -> Result<&'e str, AccountError> {
    let Some(environment) = environment else {
        return Ok(ALL);
    };
    environments::active(change, environment)?;
    let begun = change.run(
        "UPDATE environments SET own_managers = 1 WHERE id = ? AND own_managers = 0",
        [environment.as_str()],
    )?;
    if begun == 1 {
        change.run(
            "INSERT OR IGNORE INTO manager_grants (environment, group_id)
             SELECT ?1, group_id FROM manager_grants WHERE environment = ?2",
            [environment.as_str(), ALL],
        )?;
    }
    Ok(environment.as_str())
}

/// Drops signing keys that are wrapped to users who manage their server no more.
pub(super) fn prune(change: &Change<'_>) -> Result<(), AccountError> {
    change.run(
        "DELETE FROM environment_key_wraps AS w WHERE NOT EXISTS
             (SELECT 1 FROM server_managers s WHERE s.environment = w.environment AND s.user = w.user)",
        [],
    )?;
    Ok(())
}

/// Who manages a server, or all without a list of their own.
pub(super) fn list(
    db: &Connection,
    environment: Option<&EnvironmentId>,
) -> Result<ManagerList, AccountError> {
    let own = match environment {
        Some(environment) => has_own(db, environment)?,
        None => false,
    };
    let place = environment
        .filter(|_| own)
        .map_or(ALL, EnvironmentId::as_str);
    let groups = managing_groups(db, place)?;
    let mut users = Vec::new();
    for group in &groups {
        users.extend(active_members(db, group)?);
    }
    users.sort_unstable();
    users.dedup();
    Ok(ManagerList { own, groups, users })
}

fn has_own(db: &Connection, environment: &EnvironmentId) -> Result<bool, AccountError> {
    environments::active(db, environment)?;
    Ok(db
        .prepare_cached("SELECT own_managers FROM environments WHERE id = ?")?
        .query_row([environment.as_str()], |row| row.get(0))?)
}

fn managing_groups(db: &Connection, place: &str) -> Result<Vec<GroupId>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM groups WHERE role = 'OWNERS'
             OR id IN (SELECT group_id FROM manager_grants WHERE environment = ?) ORDER BY id",
    )?;
    let groups = statement.query_map([place], |row| columns::id(row, "id"))?;
    Ok(groups.collect::<Result<_, _>>()?)
}

fn active_members(db: &Connection, group: &GroupId) -> Result<Vec<UserId>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT m.user FROM group_members m JOIN users u ON u.id = m.user
         WHERE m.group_id = ? AND u.state = 'ACTIVE'",
    )?;
    let users = statement.query_map(params![group.as_str()], |row| columns::id(row, "user"))?;
    Ok(users.collect::<Result<_, _>>()?)
}
