//! To whom a vault's keys are wrapped. Only who holds a key can wrap it: the account cannot.

use rusqlite::{Connection, params};
use sekisho_core::{
    id::{UserId, VaultId},
    records::VaultType,
};

use super::{change::Change, columns, permission, vaults};
use crate::{AccountError, protocol::VaultWrap};

/// Gives users a vault. Who holds one may always wrap its key to themself in another way.
pub(super) fn share(
    change: &Change<'_>,
    caller: &UserId,
    vault: &VaultId,
    keys: &[VaultWrap],
) -> Result<(), AccountError> {
    let is_own = keys.iter().all(|key| key.user == *caller);
    if permission::vault(change, caller, vault)? == VaultType::Personal && !is_own {
        return Err(AccountError::invalid(
            "a personal vault is its user's alone",
        ));
    }
    for key in keys {
        put_key(change, vault, key)?;
    }
    let (oldest, newest) = vaults::generations(change, vault)?;
    for key in keys {
        for generation in oldest..=newest {
            if !holds(change, vault, &key.user, generation)? {
                return Err(AccountError::conflict(
                    "the key of vault",
                    vault,
                    Some(newest.into()),
                ));
            }
        }
    }
    Ok(())
}

/// Takes a vault from a user. Owners are left to owners, and someone must hold the vault.
pub(super) fn unshare(
    change: &Change<'_>,
    caller: &UserId,
    vault: &VaultId,
    user: &UserId,
) -> Result<(), AccountError> {
    if caller != user && permission::is_owner(change, user)? {
        permission::owner(change, caller)?;
    }
    let removed = change.run(
        "DELETE FROM vault_keys WHERE vault = ? AND user = ?",
        [vault.as_str(), user.as_str()],
    )?;
    if removed == 0 {
        return Err(AccountError::missing("user with access", user));
    }
    if users(change, vault)?.is_empty() {
        return Err(AccountError::invalid(
            "nobody could open the vault any more: share it first, or delete it",
        ));
    }
    Ok(())
}

/// Stores a key wrapped to an active user.
pub(super) fn put_key(
    change: &Change<'_>,
    vault: &VaultId,
    key: &VaultWrap,
) -> Result<(), AccountError> {
    permission::active(change, &key.user).map_err(|error| match error {
        AccountError::NotAuthenticated => AccountError::missing("active user", key.user),
        error => error,
    })?;
    insert(change, vault, key)
}

/// Stores a wrapped key of a generation in use.
pub(super) fn insert(
    change: &Change<'_>,
    vault: &VaultId,
    key: &VaultWrap,
) -> Result<(), AccountError> {
    let generation = key
        .wrapped
        .generation()
        .ok_or_else(|| AccountError::invalid("the vault's key is not wrapped"))?;
    vaults::generation_in_use(change, vault, generation)?;
    change.run(
        "INSERT OR REPLACE INTO vault_keys (vault, user, generation, wrapped, proof) VALUES (?, ?, ?, ?, ?)",
        params![
            vault.as_str(),
            key.user.as_str(),
            generation,
            key.wrapped.as_bytes(),
            key.proof.0
        ],
    )?;
    Ok(())
}

fn holds(
    db: &Connection,
    vault: &VaultId,
    user: &UserId,
    generation: u32,
) -> Result<bool, AccountError> {
    Ok(db
        .prepare_cached("SELECT 1 FROM vault_keys WHERE vault = ? AND user = ? AND generation = ?")?
        .exists(params![vault.as_str(), user.as_str(), generation])?)
}

/// Everyone it is wrapped to, by ascending id.
pub(super) fn users(db: &Connection, vault: &VaultId) -> Result<Vec<UserId>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT user FROM vault_keys WHERE vault = ? ORDER BY user")?;
    let users = statement.query_map([vault.as_str()], |row| columns::id(row, "user"))?;
    Ok(users.collect::<Result<_, _>>()?)
}
