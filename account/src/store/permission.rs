//! Who may do what. Denied is what nothing here allows.

use rusqlite::{Connection, OptionalExtension, params};
use sekisho_core::{
    id::{EnvironmentId, UserId, VaultId},
    records::VaultType,
};

use super::columns::damaged;
use crate::AccountError;

/// The user exists and is active.
pub(super) fn active(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = db
        .prepare_cached("SELECT 1 FROM users WHERE id = ? AND state = 'ACTIVE'")?
        .exists([user.as_str()])?;
    found.then_some(()).ok_or(AccountError::NotAuthenticated)
}

/// The user manages users, groups and who manages Connect servers.
pub(super) fn administrator(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = db
        .prepare_cached(
            "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id
             WHERE m.user = ? AND g.role IS NOT NULL",
        )?
        .exists([user.as_str()])?;
    found.then_some(()).ok_or(AccountError::NotManager(*user))
}

/// The user decides over owners.
pub(super) fn owner(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = is_owner(db, user)?;
    found.then_some(()).ok_or(AccountError::NotOwner(*user))
}

/// Whether the user is an owner, active or not.
pub(super) fn is_owner(db: &Connection, user: &UserId) -> Result<bool, AccountError> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id
             WHERE m.user = ? AND g.role = 'OWNERS'",
        )?
        .exists([user.as_str()])?)
}

/// The user makes Connect servers, and manages those that have no list of their own.
pub(super) fn servers(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = is_owner(db, user)?
        || db
            .prepare_cached(
                "SELECT 1 FROM group_members m JOIN manager_grants x ON x.group_id = m.group_id
                 WHERE m.user = ? AND x.environment = ''",
            )?
            .exists([user.as_str()])?;
    found.then_some(()).ok_or(AccountError::NotManager(*user))
}

/// The user manages this Connect server. One that is not there is answered alike, but to those who manage all.
pub(super) fn server(
    db: &Connection,
    user: &UserId,
    environment: &EnvironmentId,
) -> Result<(), AccountError> {
    let manages = db
        .prepare_cached("SELECT 1 FROM server_managers WHERE user = ? AND environment = ?")?
        .exists([user.as_str(), environment.as_str()])?;
    if manages {
        return Ok(());
    }
    let exists = db
        .prepare_cached("SELECT 1 FROM environments WHERE id = ?")?
        .exists([environment.as_str()])?;
    servers(db, user)?;
    Err(if exists {
        AccountError::NotManager(*user)
    } else {
        AccountError::missing("environment", environment)
    })
}

/// The user manages at least one Connect server, or could make one.
pub(super) fn some_server(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let manages = db
        .prepare_cached("SELECT 1 FROM server_managers WHERE user = ?")?
        .exists([user.as_str()])?;
    if manages { Ok(()) } else { servers(db, user) }
}

/// The user holds a key of the vault; what it is, to go on deciding. A vault that is not there is answered alike.
pub(super) fn vault(
    db: &Connection,
    user: &UserId,
    vault: &VaultId,
) -> Result<VaultType, AccountError> {
    let kind: Option<String> = db
        .prepare_cached(
            "SELECT v.kind FROM vaults v WHERE v.id = ?1 AND v.deleted = 0
             AND EXISTS (SELECT 1 FROM vault_keys k WHERE k.vault = v.id AND k.user = ?2)",
        )?
        .query_row(params![vault.as_str(), user.as_str()], |row| row.get(0))
        .optional()?;
    let kind = kind.ok_or(AccountError::NoVaultAccess(*vault))?;
    Ok(VaultType::parse(&kind).ok_or_else(|| damaged("kind"))?)
}

/// The user may hand the vault to an environment or a token: they hold its key and its type allows it.
pub(super) fn grantable(db: &Connection, user: &UserId, id: &VaultId) -> Result<(), AccountError> {
    let kind = vault(db, user, id)?;
    if kind.is_grantable() {
        Ok(())
    } else {
        Err(AccountError::NotGrantable { vault: *id, kind })
    }
}
