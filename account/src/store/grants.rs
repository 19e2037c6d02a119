//! Which vaults an environment has.

use rusqlite::{Connection, params};
use sekisho_core::id::{EnvironmentId, UserId, VaultId};

use super::{
    change::Change,
    columns::{self, number},
    environments, permission,
};
use crate::AccountError;

/// A vault given to an environment, or taken back.
#[derive(Debug, Clone, Copy)]
pub(super) struct VaultGrant {
    pub(super) vault: VaultId,
    pub(super) granted: bool,
    /// Since when.
    pub(super) seq: u64,
}

pub(super) fn grant(
    change: &Change<'_>,
    user: &UserId,
    environment: &EnvironmentId,
    vault: &VaultId,
) -> Result<(), AccountError> {
    environments::active(change, environment)?;
    permission::grantable(change, user, vault)?;
    // What it has already stays as it is: a new number would send all of its items again.
    change.run(
        "INSERT INTO environment_vaults (environment, vault, granted, seq) VALUES (?1, ?2, 1, ?3)
         ON CONFLICT (environment, vault) DO UPDATE SET granted = 1, seq = ?3 WHERE granted = 0",
        params![environment.as_str(), vault.as_str(), change.seq()],
    )?;
    Ok(())
}

/// Takes a vault from an environment and from its tokens.
pub(super) fn revoke(
    change: &Change<'_>,
    environment: &EnvironmentId,
    vault: &VaultId,
) -> Result<(), AccountError> {
    let taken = change.run(
        "UPDATE environment_vaults SET granted = 0, seq = ?3 WHERE environment = ?1 AND vault = ?2 AND granted = 1",
        params![environment.as_str(), vault.as_str(), change.seq()],
    )?;
    if taken == 0 {
        let (environment, vault) = (*environment, *vault);
        return Err(AccountError::OutsideEnvironment { environment, vault });
    }
    let touched = change.run(
        "UPDATE tokens SET seq = ?3 WHERE environment = ?1 AND id IN (SELECT token FROM token_grants WHERE vault = ?2)",
        params![environment.as_str(), vault.as_str(), change.seq()],
    )?;
    if touched > 0 {
        environments::count_token_change(change, environment)?;
    }
    change.run(
        "DELETE FROM token_grants WHERE vault = ?2 AND token IN (SELECT id FROM tokens WHERE environment = ?1)",
        [environment.as_str(), vault.as_str()],
    )?;
    Ok(())
}

/// Takes a vault from every environment.
pub(super) fn revoke_everywhere(change: &Change<'_>, vault: &VaultId) -> Result<(), AccountError> {
    let mut statement = change.prepare_cached(
        "SELECT environment FROM environment_vaults WHERE vault = ? AND granted = 1",
    )?;
    let environments: Vec<EnvironmentId> = statement
        .query_map([vault.as_str()], |row| columns::id(row, "environment"))?
        .collect::<Result<_, _>>()?;
    environments
        .iter()
        .try_for_each(|environment| revoke(change, environment, vault))
}

/// All of an environment's, those taken back included, by ascending vault.
pub(super) fn list(
    db: &Connection,
    environment: &EnvironmentId,
) -> Result<Vec<VaultGrant>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT vault, granted, seq FROM environment_vaults WHERE environment = ? ORDER BY vault",
    )?;
    let grants = statement.query_map([environment.as_str()], |row| {
        Ok(VaultGrant {
            vault: columns::id(row, "vault")?,
            granted: row.get("granted")?,
            seq: number(row, "seq")?,
        })
    })?;
    Ok(grants.collect::<Result<_, _>>()?)
}

/// The environment has the vault.
pub(super) fn require(
    db: &Connection,
    environment: &EnvironmentId,
    vault: &VaultId,
) -> Result<(), AccountError> {
    let found = db
        .prepare_cached(
            "SELECT 1 FROM environment_vaults WHERE environment = ? AND vault = ? AND granted = 1",
        )?
        .exists([environment.as_str(), vault.as_str()])?;
    let (environment, vault) = (*environment, *vault);
    found
        .then_some(())
        .ok_or(AccountError::OutsideEnvironment { environment, vault })
}
