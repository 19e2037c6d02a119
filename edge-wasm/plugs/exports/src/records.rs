//! The interface `records`. Ids are parsed here; what does not parse is nowhere, hence missing.

#[path = "../../../../wit/convert/records.rs"]
mod to;

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::Records,
};

use self::to::{fault, missing, place};
use crate::{Exports, Instance, bindings::exports::sekisho::vault::records as wit};

impl<I: Instance> wit::Guest for Exports<I> {
    /// What a plug has costs little to ask for, and less than to hand out what nobody wants.
    fn foresee(token: String, vault: Option<String>, item: Option<String>) -> wit::Foreseen {
        // What does not parse is nowhere.
        let vault = vault.and_then(|id| VaultId::parse(&id).ok());
        let item = item.and_then(|id| ItemId::parse(&id).ok());
        if let Ok(token) = TokenId::parse(&token) {
            I::with(|plug| plug.foresee(&token, vault.as_ref(), item.as_ref()));
        }
        wit::Foreseen {
            head: None,
            token: None,
            details: None,
        }
    }

    fn get_head() -> Result<wit::Head, wit::Fault> {
        let head = I::with(Records::head).map_err(fault)?;
        Ok(to::head(&head))
    }

    fn signing_keys() -> Result<Vec<wit::SigningKey>, wit::Fault> {
        let keys = I::with(Records::signing_keys).map_err(fault)?;
        Ok(keys.iter().map(to::signing_key).collect())
    }

    fn token(id: String) -> Result<wit::TokenRecord, wit::Fault> {
        let id = TokenId::parse(&id).map_err(missing)?;
        let token = I::with(|plug| plug.token(&id)).map_err(fault)?;
        Ok(to::token(&token))
    }

    fn vault(id: String) -> Result<wit::VaultRecord, wit::Fault> {
        let id = VaultId::parse(&id).map_err(missing)?;
        let vault = I::with(|plug| plug.vault(&id)).map_err(fault)?;
        Ok(to::vault(&vault))
    }

    fn list(
        vault: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let after = after.map(|id| ItemId::parse(&id));
        let after = after.transpose().map_err(missing)?;
        let parts = I::with(|plug| plug.list(&vault, after.as_ref(), limit)).map_err(fault)?;
        Ok(parts.into_iter().map(to::part).collect())
    }

    fn find(vault: String, mark: Vec<u8>) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let mark = to::mark(mark)?;
        let parts = I::with(|plug| plug.find(&vault, &mark)).map_err(fault)?;
        Ok(parts.into_iter().map(to::part).collect())
    }

    fn version(vault: String, item: String) -> Result<u64, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        I::with(|plug| plug.version(&vault, &item)).map_err(fault)
    }

    fn details(vault: String, item: String) -> Result<wit::PartRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let details = I::with(|plug| plug.details(&vault, &item));
        details.map(to::part).map_err(fault)
    }

    fn item(vault: String, item: String) -> Result<wit::ItemRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let item = I::with(|plug| plug.item(&vault, &item)).map_err(fault)?;
        Ok(to::whole_item(&item))
    }

    fn chunk(vault: String, item: String, file: String, index: u32) -> Result<Vec<u8>, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let file = FileId::parse(&file).map_err(missing)?;
        I::with(|plug| plug.chunk(&vault, &item, &file, index)).map_err(fault)
    }

    fn put(request: wit::PutRequest) -> Result<(), wit::Fault> {
        let request = to::put_request(request)?;
        I::with(|plug| plug.put(request)).map_err(fault)
    }

    fn put_chunk(request: wit::PutChunkRequest) -> Result<(), wit::Fault> {
        let request = to::put_chunk_request(request)?;
        I::with(|plug| plug.put_chunk(request)).map_err(fault)
    }

    fn delete(request: wit::DeleteRequest) -> Result<(), wit::Fault> {
        let request = to::delete_request(&request)?;
        I::with(|plug| plug.delete(request)).map_err(fault)
    }
}
