//! Contents of files: fetched after the items that name them, when the budget allows it. Until then a client that asks
//! for the content is told that it is missing.

use sekisho_account::{AccountError, OperatorError, Request};
use sekisho_core::{
    file::{FileEntry, FilePlace, seal_chunk},
    item::stored::StoredItem,
    seal::Sealed,
};

use super::{Mirror, MirrorError};
use crate::{
    client::{FileAttributes, OpClient, OpError, file_id},
    state::PendingFile,
};

/// Requests that a file costs.
const COST: u64 = 2;

impl<C: OpClient> Mirror<C> {
    /// Fetches what is still to be fetched, as far as the budget goes.
    pub(super) fn fetch_files(&mut self) -> Result<(), MirrorError> {
        while let Some(file) = self.state.files.first().cloned() {
            self.go_on()?;
            self.budget.may_read((self.now)(), COST)?;
            self.fetch_file(&file)?;
            self.state.files.retain(|other| *other != file);
            self.keep()?;
        }
        Ok(())
    }

    fn fetch_file(&mut self, file: &PendingFile) -> Result<(), MirrorError> {
        let Some((place, entry)) = self.place(file)? else {
            return Ok(());
        };
        let attributes = FileAttributes {
            name: entry.name.clone(),
            id: file.file.clone(),
            size: file.size,
        };
        let read = self.ask(|client| client.read_file(file.vault, file.item, &attributes));
        let content = match read {
            Ok(content) => content,
            Err(error @ (OpError::RateLimited | OpError::Unavailable | OpError::Auth)) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::warn!(vault = %file.vault, item = %file.item, %error, "a file is not mirrored");
                let lossy = self.state.lossy.entry(file.item).or_default();
                lossy.push("file content".into());
                return Ok(());
            }
        };
        for (index, chunk) in chunks(&content, entry.chunk_size).enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let Some(position) = entry.position(index) else {
                break;
            };
            let request = Request::PutChunk {
                vault: place.vault,
                item: place.item,
                file: place.file,
                index,
                content: Sealed::from_bytes(seal_chunk(&entry.key, &place, position, chunk)),
            };
            self.operator.call(&request)?;
        }
        Ok(())
    }

    /// Where a file's content belongs, by the item as the account has it; `None` = nowhere any more.
    fn place(&self, file: &PendingFile) -> Result<Option<(FilePlace, FileEntry)>, MirrorError> {
        let Some(id) = file_id(&file.file) else {
            return Ok(None);
        };
        let record = match self.operator.sealed_item(file.vault, file.item) {
            Ok(record) => record,
            Err(OperatorError::Account(
                AccountError::Missing { .. } | AccountError::NoVaultAccess(_),
            )) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let access = self.operator.read_access(file.vault)?;
        let entries = StoredItem::open(&access, &record).and_then(|stored| stored.file_entries());
        let entry = entries
            .unwrap_or_default()
            .into_iter()
            .find(|entry| entry.id == id && entry.size == file.size);
        let place = FilePlace {
            vault: file.vault,
            item: file.item,
            file: id,
        };
        Ok(entry.map(|entry| (place, entry)))
    }
}

/// Pieces of a content; an empty one has one empty piece.
fn chunks(content: &[u8], size: u32) -> impl Iterator<Item = &[u8]> {
    let empty = content.is_empty().then_some(content);
    let size = usize::try_from(size).unwrap_or(usize::MAX).max(1);
    content.chunks(size).chain(empty)
}
