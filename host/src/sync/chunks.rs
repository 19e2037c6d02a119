//! Pieces of files: from the replica if they were asked for before, else from the account.

use std::sync::Arc;

use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::Fault,
};

use super::Upstream;
use crate::store::ChunkStore;

/// Finds pieces of files. They are sealed, and sealed for their place, so a wrong one does not open.
pub struct Chunks {
    store: Option<ChunkStore>,
    upstream: Arc<dyn Upstream>,
}

impl Chunks {
    /// With a store for what was fetched; without one, everything is fetched each time.
    pub fn new(store: Option<ChunkStore>, upstream: Arc<dyn Upstream>) -> Self {
        Self { store, upstream }
    }

    /// One piece. It blocks.
    pub(crate) fn load(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        if let Some(held) = self.held(vault, item, file, index) {
            return Ok(held);
        }
        let chunk = self
            .upstream
            .chunk(vault, item, file, index)
            .map_err(|error| error.fault())?;
        if let Some(store) = &self.store
            && let Err(error) = store.keep(vault, item, file, index, &chunk)
        {
            tracing::debug!(%error, "a piece of a file is not kept");
        }
        Ok(chunk)
    }

    fn held(&self, vault: &VaultId, item: &ItemId, file: &FileId, index: u32) -> Option<Vec<u8>> {
        self.store.as_ref()?.find(vault, item, file, index).ok()?
    }
}
