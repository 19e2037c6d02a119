//! Core's port straight on a snapshot: what a read costs with nothing around it.

use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        Fault, Head, ItemRecord, PartRecord, Records, SigningKeyRecord, TitleMark, TokenRecord,
        VaultRecord,
    },
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};

/// The port.
pub struct OnSnapshot(pub Snapshot);

impl Usage for OnSnapshot {
    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }

    fn note(&self, _: UsageEvent) {}
}

impl Records for OnSnapshot {
    fn head(&self) -> Result<Head, Fault> {
        let head = self.0.head().ok_or(Fault::NotSynchronised)?;
        Ok(Head {
            environment: head.environment,
            account: head.account,
            version: head.version,
            issued_at: head.issued_at,
            max_stale: 86_400,
            max_inline: 100 * 1024,
        })
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        Ok(Vec::new())
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.0.token(id).map(|token| (**token).clone())
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.0.vault(id).map(|vault| (**vault).clone())
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.0.list(vault, after, limit)
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.0.find(vault, mark)
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        let item = self.0.item(vault, item)?;
        Ok(PartRecord {
            id: item.id,
            version: item.version,
            archived: item.archived,
            sealed: item.details.clone(),
        })
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.0.item(vault, item).map(|item| (**item).clone())
    }

    fn chunk(&self, _: &VaultId, _: &ItemId, _: &FileId, _: u32) -> Result<Vec<u8>, Fault> {
        Err(Fault::Missing)
    }
}
