//! Vaults: made, renamed, taken out.

use std::collections::BTreeMap;

use sekisho_account::{AccountError, OperatorError, Request};
use sekisho_core::{id::VaultId, vault::VaultAttributes};

use super::{Mirror, MirrorError};
use crate::{
    client::{OpClient, OpError, VaultOverview},
    map::vault_type,
    plan::{KnownVault, VaultStep},
};

impl<C: OpClient> Mirror<C> {
    /// Overviews with titles. If one vault cannot be decrypted, the list of all fails: then each is asked for alone,
    /// and that one is left out until it can be.
    pub(super) fn titles(
        &mut self,
        steps: &[VaultStep],
    ) -> Result<BTreeMap<VaultId, VaultOverview>, MirrorError> {
        match self.ask(|client| client.vaults(true)) {
            Ok(vaults) => Ok(vaults.into_iter().map(|vault| (vault.id, vault)).collect()),
            Err(error) if error.is_of_content() => self.titles_one_by_one(steps),
            Err(error) => Err(error.into()),
        }
    }

    fn titles_one_by_one(
        &mut self,
        steps: &[VaultStep],
    ) -> Result<BTreeMap<VaultId, VaultOverview>, MirrorError> {
        let mut titles = BTreeMap::new();
        for step in steps {
            let (VaultStep::Make(vault) | VaultStep::Rename(vault)) = *step else {
                continue;
            };
            self.budget.may_read((self.now)(), 1)?;
            match self.ask(|client| client.vault(vault)) {
                Ok(overview) => {
                    titles.insert(vault, overview);
                }
                Err(error) if error.is_of_content() => {
                    tracing::warn!(%vault, %error, "a vault is not mirrored");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(titles)
    }

    /// Makes a vault with the upstream's id and type, or gives it the upstream's title.
    pub(super) fn title_vault(&mut self, vault: &VaultOverview) -> Result<(), MirrorError> {
        let Some(kind) = vault_type(vault.vault_type) else {
            return Ok(());
        };
        let made = if self.state.vaults.contains_key(&vault.id) {
            Err(OperatorError::Account(AccountError::Conflict {
                what: "vault".into(),
                id: vault.id.to_string(),
                held: None,
            }))
        } else {
            let (name, description) = (&vault.title, &vault.description);
            self.operator
                .create_vault(name, description, kind, Some(vault.id))
        };
        match made {
            Ok(_) => {}
            // It is there, from a poll that died or from before; or it was, before it was withdrawn.
            Err(OperatorError::Account(AccountError::Conflict { .. })) => {
                match self.rename(vault) {
                    Err(MirrorError::Account(OperatorError::Account(
                        AccountError::NoVaultAccess(_),
                    ))) => {
                        let (name, description) = (&vault.title, &vault.description);
                        self.operator
                            .restore_vault(name, description, kind, vault.id)?;
                    }
                    renamed => renamed?,
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.mark_vault(vault.id)?;
        let known = self.state.vaults.entry(vault.id).or_insert(KnownVault {
            unfinished: true,
            ..KnownVault::default()
        });
        known.attribute_version = vault.attribute_version;
        self.keep()
    }

    fn rename(&self, vault: &VaultOverview) -> Result<(), MirrorError> {
        let held = self.operator.vault(vault.id)?;
        let wanted = VaultAttributes {
            name: vault.title.clone(),
            description: vault.description.clone(),
        };
        if held.attributes != wanted {
            self.operator
                .edit_vault(vault.id, held.attribute_version, &wanted)?;
        }
        Ok(())
    }

    /// Tells the account once in each run what becomes of clients' writes.
    pub(super) fn mark_vaults(&mut self) -> Result<(), MirrorError> {
        if !self.is_marked {
            for vault in self.state.vaults.keys() {
                match self.mark_vault(*vault) {
                    // The poll that begins finds out what became of it.
                    Err(MirrorError::Account(OperatorError::Account(_))) => {}
                    marked => marked?,
                }
            }
            self.is_marked = true;
        }
        Ok(())
    }

    fn mark_vault(&self, vault: VaultId) -> Result<(), MirrorError> {
        let writes = self.writes;
        self.operator
            .call(&Request::MirrorVault { vault, writes })?;
        Ok(())
    }

    /// Takes a vault out that the service account may not see any more.
    pub(super) fn drop_vault(&mut self, vault: VaultId) -> Result<(), MirrorError> {
        match self.operator.delete_vault(vault) {
            Ok(())
            | Err(OperatorError::Account(
                AccountError::NoVaultAccess(_) | AccountError::Missing { .. },
            )) => {}
            Err(error) => return Err(error.into()),
        }
        tracing::info!(%vault, "a vault was withdrawn in 1Password and is mirrored no more");
        self.state.vaults.remove(&vault);
        self.state.quarantine.retain(|_, held| held.vault != vault);
        self.state.files.retain(|file| file.vault != vault);
        self.known.remove(&vault);
        self.keep()
    }

    /// Whether an error of a list means that the vault went away between two requests.
    pub(super) const fn is_gone(error: &OpError) -> bool {
        matches!(error, OpError::Missing | OpError::Denied)
    }
}
