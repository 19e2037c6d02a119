//! Vaults: made, renamed, taken out.

use std::collections::BTreeMap;

use sekisho_account::{
    AccountError, OperatorError, Request, operator::OpenVault, protocol::UpstreamVault,
};
use sekisho_core::{id::VaultId, records::VaultType, time::Timestamp, vault::VaultAttributes};

use super::{Mirror, MirrorError, QUARANTINE};
use crate::{
    client::{OpClient, OpError, VaultOverview},
    map::vault_type,
    plan::{KnownVault, VaultStep},
    state::ClosedVault,
};

impl<C: OpClient> Mirror<C> {
    /// The list, and whether it has titles: the first one does, for all of them are needed. Any other costs no key and
    /// survives a vault that cannot be decrypted.
    pub(super) fn list_vaults(&mut self) -> Result<(Vec<VaultOverview>, bool), MirrorError> {
        if self.state.vaults.is_empty() && self.state.closed.is_empty() {
            match self.ask(|client| client.vaults(true)) {
                Ok(listed) => return Ok((listed, true)),
                Err(error) if error.is_of_content() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok((self.ask(|client| client.vaults(false))?, false))
    }

    /// Overviews with titles. If one vault cannot be decrypted, the list of all fails: then each is asked for alone,
    /// and that one is left out until it can be.
    pub(super) fn titles(
        &mut self,
        steps: &[VaultStep],
        listed: &BTreeMap<VaultId, &VaultOverview>,
    ) -> Result<BTreeMap<VaultId, VaultOverview>, MirrorError> {
        match self.ask(|client| client.vaults(true)) {
            Ok(vaults) => Ok(vaults.into_iter().map(|vault| (vault.id, vault)).collect()),
            Err(error) if error.is_of_content() => self.titles_one_by_one(steps, listed),
            Err(error) => Err(error.into()),
        }
    }

    fn titles_one_by_one(
        &mut self,
        steps: &[VaultStep],
        listed: &BTreeMap<VaultId, &VaultOverview>,
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
                    if let Some(listed) = listed.get(&vault) {
                        self.close(listed, &error);
                    }
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
        match self.operator.vault(vault.id) {
            // From a poll that died, from before, or from an earlier title.
            Ok(held) => self.rename(vault, &held)?,
            Err(OperatorError::Account(AccountError::NoVaultAccess(_))) => {
                self.make_vault(vault, kind)?;
                self.rename(vault, &self.operator.vault(vault.id)?)?;
            }
            Err(error) => return Err(error.into()),
        }
        self.mark_vault(vault.id)?;
        let known = self.state.vaults.entry(vault.id).or_insert(KnownVault {
            unfinished: true,
            ..KnownVault::default()
        });
        known.attribute_version = vault.attribute_version;
        // Else its contents are compared next, and that is the end of it.
        let is_all = known.content_version == vault.content_version && !known.unfinished;
        if is_all {
            self.align(vault)?;
        }
        self.keep()
    }

    /// Makes a vault, again if it was withdrawn and is granted anew.
    fn make_vault(&self, vault: &VaultOverview, kind: VaultType) -> Result<(), MirrorError> {
        let (name, description) = (&vault.title, &vault.description);
        let made = self
            .operator
            .create_vault(name, description, kind, Some(vault.id));
        match made {
            Err(OperatorError::Account(AccountError::Conflict { .. })) => self
                .operator
                .restore_vault(name, description, kind, vault.id)?,
            made => drop(made?),
        }
        Ok(())
    }

    /// Gives a vault upstream's title, and the version that it has there.
    fn rename(&self, vault: &VaultOverview, held: &OpenVault) -> Result<(), MirrorError> {
        let wanted = VaultAttributes {
            name: vault.title.clone(),
            description: vault.description.clone(),
        };
        let version = held.attribute_version;
        if held.attributes != wanted || version < vault.attribute_version {
            let next = vault.attribute_version.max(version + 1);
            self.operator
                .edit_vault_to(vault.id, version, next, &wanted)?;
        }
        Ok(())
    }

    /// Tells the account how a vault is upstream, now that all of it is here.
    pub(super) fn align(&self, vault: &VaultOverview) -> Result<(), MirrorError> {
        let upstream = UpstreamVault {
            content_version: vault.content_version,
            created_at: Timestamp::parse_rfc3339(&vault.created_at),
            updated_at: Timestamp::parse_rfc3339(&vault.updated_at),
        };
        self.mirror_vault(vault.id, Some(upstream))
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
        self.mirror_vault(vault, None)
    }

    fn mirror_vault(
        &self,
        vault: VaultId,
        upstream: Option<UpstreamVault>,
    ) -> Result<(), MirrorError> {
        let writes = self.writes;
        self.operator.call(&Request::MirrorVault {
            vault,
            writes,
            upstream,
        })?;
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

    /// Leaves a vault alone that cannot be read, until it changes or a day has passed: each try would cost requests,
    /// and with a core that breaks on it a sign-in.
    pub(super) fn close(&mut self, vault: &VaultOverview, error: &OpError) {
        tracing::warn!(vault = %vault.id, %error, "a vault cannot be read: it stays as it was");
        let closed = ClosedVault {
            reason: error.to_string(),
            versions: (vault.attribute_version, vault.content_version),
            retry: (self.now)().millis() + QUARANTINE,
        };
        self.state.closed.insert(vault.id, closed);
    }

    /// Takes steps out that are about vaults left alone.
    pub(super) fn leave_closed(&mut self, steps: &mut Vec<VaultStep>, listed: &[VaultOverview]) {
        let now = (self.now)().millis();
        for vault in listed {
            if let Some(known) = self.state.vaults.get_mut(&vault.id) {
                known.missed = 0;
            }
        }
        self.state.closed.retain(|id, closed| {
            let vault = listed.iter().find(|vault| vault.id == *id);
            closed.retry > now
                && vault.is_some_and(|vault| {
                    closed.versions == (vault.attribute_version, vault.content_version)
                })
        });
        steps.retain(|step| match step {
            VaultStep::Make(vault) | VaultStep::Rename(vault) | VaultStep::Compare(vault) => {
                !self.state.closed.contains_key(vault)
            }
            VaultStep::Drop(_) => true,
        });
    }

    /// A vault is taken out only when two polls in a row miss it: lists are eventual, and what is taken out takes the
    /// grants of its tokens along.
    pub(super) fn is_missed_once(&mut self, vault: VaultId) -> bool {
        self.state.vaults.get_mut(&vault).is_some_and(|known| {
            known.missed += 1;
            known.missed < 2
        })
    }
}
