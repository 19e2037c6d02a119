//! Records whose reads come from a published set that is looked up anew now and then, and whose writes go elsewhere.

use alloc::vec::Vec;

use crate::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        SigningKeyRecord, TitleMark, TokenRecord, VaultRecord,
    },
};

/// Who implements it has [`Records`]: it says which set is asked now, and where writes go if they go anywhere.
pub trait Backed {
    /// Asks the set that this request reads.
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault>;

    /// [`Records::foresee`].
    fn foresee(&self, _token: &TokenId, _vault: Option<&VaultId>, _item: Option<&ItemId>) {}

    /// [`Records::chunk`], where it is not in the set.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.ask(|set| set.chunk(vault, item, file, index))
    }

    /// [`Records::put`].
    fn put(&self, _: PutRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }

    /// [`Records::put_chunk`].
    fn put_chunk(&self, _: PutChunkRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }

    /// [`Records::delete`].
    fn delete(&self, _: DeleteRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}

impl<B: Backed> Records for B {
    fn foresee(&self, token: &TokenId, vault: Option<&VaultId>, item: Option<&ItemId>) {
        Backed::foresee(self, token, vault, item);
    }

    fn head(&self) -> Result<Head, Fault> {
        self.ask(|set| set.head())
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        self.ask(|set| set.signing_keys())
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.ask(|set| set.token(id))
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.ask(|set| set.vault(id))
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.ask(|set| set.list(vault, after, limit))
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.ask(|set| set.find(vault, mark))
    }

    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        self.ask(|set| set.version(vault, item))
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        self.ask(|set| set.details(vault, item))
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.ask(|set| set.item(vault, item))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        Backed::chunk(self, vault, item, file, index)
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        Backed::put(self, request)
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        Backed::put_chunk(self, request)
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        Backed::delete(self, request)
    }
}
