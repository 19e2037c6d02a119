//! The WIT import `sekisho:vault/records` on a [`Link`]. Ids are parsed here; what does not parse is nowhere, hence
//! missing.

#[path = "../../../../wit/convert/records.rs"]
mod to;

use std::sync::Arc;

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::Records,
};

use self::to::{fault, missing, place};
use super::bindings::records as wit;
use crate::engine::link::{Link, details_of};

/// Bytes of an item's details that are handed out before anybody has shown to have a right to them.
const MOST_FORESEEN: usize = 64 * 1024;

impl wit::Host for Link {
    /// All records are at hand, and each call costs more than what is copied in vain.
    fn foresee(
        &mut self,
        token: String,
        vault: Option<String>,
        item: Option<String>,
    ) -> wit::Foreseen {
        let token = TokenId::parse(&token).ok();
        let token = token.and_then(|id| self.shared_token(&id).ok());
        let named = vault.zip(item).filter(|_| token.is_some());
        let named = named.and_then(|(vault, item)| place(&vault, &item).ok());
        let item = named.and_then(|(vault, item)| self.shared_item(&vault, &item).ok());
        let item = item.filter(|item| item.details.as_bytes().len() <= MOST_FORESEEN);
        wit::Foreseen {
            head: self.head().ok().map(|head| to::head(&head)),
            token: token.map(|token| to::token(&token)),
            details: item.map(|item| to::part(details_of(&item))),
        }
    }

    fn get_head(&mut self) -> Result<wit::Head, wit::Fault> {
        let head = self.head().map_err(fault)?;
        Ok(to::head(&head))
    }

    fn signing_keys(&mut self) -> Result<Vec<wit::SigningKey>, wit::Fault> {
        let keys = Records::signing_keys(self).map_err(fault)?;
        Ok(keys.iter().map(to::signing_key).collect())
    }

    fn token(&mut self, id: String) -> Result<wit::TokenRecord, wit::Fault> {
        let id = TokenId::parse(&id).map_err(missing)?;
        let token = self.shared_token(&id).map_err(fault)?;
        Ok(to::token(&token))
    }

    fn vault(&mut self, id: String) -> Result<wit::VaultRecord, wit::Fault> {
        let id = VaultId::parse(&id).map_err(missing)?;
        let vault = self.shared_vault(&id).map_err(fault)?;
        Ok(to::vault(&vault))
    }

    fn list(
        &mut self,
        vault: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let after = after
            .map(|id| ItemId::parse(&id))
            .transpose()
            .map_err(missing)?;
        let parts = Records::list(self, &vault, after.as_ref(), limit).map_err(fault)?;
        Ok(parts.into_iter().map(to::part).collect())
    }

    fn find(&mut self, vault: String, mark: Vec<u8>) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let mark = to::mark(mark)?;
        let parts = Records::find(self, &vault, &mark).map_err(fault)?;
        Ok(parts.into_iter().map(to::part).collect())
    }

    fn version(&mut self, vault: String, item: String) -> Result<u64, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        Records::version(self, &vault, &item).map_err(fault)
    }

    fn details(&mut self, vault: String, item: String) -> Result<wit::PartRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        Records::details(self, &vault, &item)
            .map(to::part)
            .map_err(fault)
    }

    fn item(&mut self, vault: String, item: String) -> Result<wit::ItemRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        self.shared_item(&vault, &item)
            .map(|item| to::whole_item(&item))
            .map_err(fault)
    }

    async fn chunk(
        &mut self,
        vault: String,
        item: String,
        file: String,
        index: u32,
    ) -> Result<Vec<u8>, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let file = FileId::parse(&file).map_err(missing)?;
        self.moves_on();
        let chunks = Arc::clone(&self.backing().chunks);
        tokio::task::spawn_blocking(move || chunks.load(&vault, &item, &file, index))
            .await
            .map_err(|_| wit::Fault::Unavailable)?
            .map_err(fault)
    }

    async fn put(&mut self, request: wit::PutRequest) -> Result<(), wit::Fault> {
        let request = to::put_request(request)?;
        self.put_async(request).await.map_err(fault)
    }

    async fn put_chunk(&mut self, request: wit::PutChunkRequest) -> Result<(), wit::Fault> {
        let request = to::put_chunk_request(request)?;
        self.put_chunk_async(request).await.map_err(fault)
    }

    async fn delete(&mut self, request: wit::DeleteRequest) -> Result<(), wit::Fault> {
        let request = to::delete_request(&request)?;
        self.delete_async(request).await.map_err(fault)
    }
}
