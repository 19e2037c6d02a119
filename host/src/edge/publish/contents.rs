//! Contents of files: which chunks an item has, fetched from the account once each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sekisho_account::{AccountError, Device, StoredFile, UsageReport};
use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, VaultId},
    published::{Digest, FileChunks, Files},
    records::Fault,
    seal::Sealed,
};

use super::PublishError;

/// Who has the chunks of files, and counts accesses: the account.
pub trait Contents: Send {
    /// An item's files, by the ids under which their chunks are kept.
    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError>;
    /// A sealed chunk.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError>;
    /// Takes accesses; each counts once by its id.
    fn report(&self, reports: &[UsageReport]) -> Result<(), AccountError>;
}

impl Contents for Arc<dyn Device> {
    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError> {
        (**self).files(vault, item)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError> {
        (**self).chunk(vault, item, file, index)
    }

    fn report(&self, reports: &[UsageReport]) -> Result<(), AccountError> {
        (**self).report_usage(reports)
    }
}

/// What is known of items that have files: at which version, and their chunks by name.
#[derive(Default)]
pub(super) struct Known(BTreeMap<(VaultId, ItemId), (u64, Vec<FileChunks>)>);

impl Known {
    /// Learns what an earlier set says, for an item of this version.
    pub(super) fn learn(&mut self, place: (VaultId, ItemId), version: u64, files: Vec<FileChunks>) {
        self.0.entry(place).or_insert((version, files));
    }

    /// The chunks of all items of a snapshot. What is not known is asked for, and chunks that are not held go to `put`.
    pub(super) fn gather(
        &mut self,
        snapshot: &Snapshot,
        contents: &dyn Contents,
        held: &BTreeSet<Digest>,
        put: &mut dyn FnMut(Digest, Vec<u8>) -> Result<(), PublishError>,
    ) -> Result<Files, PublishError> {
        let mut files = Files::new();
        for vault in snapshot.vaults() {
            for item in snapshot
                .items(&vault.id)
                .filter(|item| item.files.is_some())
            {
                let place = (vault.id, item.id);
                let known = self.0.remove(&place);
                let is_held =
                    |file: &FileChunks| file.chunks.iter().all(|name| held.contains(name));
                let chunks = match known {
                    Some((version, chunks))
                        if version == item.version && chunks.iter().all(is_held) =>
                    {
                        chunks
                    }
                    known => {
                        let known = known.map(|(_, chunks)| chunks).unwrap_or_default();
                        fetch(place, &known, contents, held, put)?
                    }
                };
                files.insert(place, chunks.clone());
                self.0.insert(place, (item.version, chunks));
            }
        }
        self.0.retain(|place, _| files.contains_key(place));
        Ok(files)
    }
}

/// An item's chunks, of which those that were known before and are held need not be fetched: chunks never change.
fn fetch(
    (vault, item): (VaultId, ItemId),
    known: &[FileChunks],
    contents: &dyn Contents,
    held: &BTreeSet<Digest>,
    put: &mut dyn FnMut(Digest, Vec<u8>) -> Result<(), PublishError>,
) -> Result<Vec<FileChunks>, PublishError> {
    let mut files = Vec::new();
    let stored = match contents.files(&vault, &item) {
        // It is gone since: the next snapshot will say so.
        Err(error) if error.fault() == Fault::Missing => return Ok(files),
        stored => stored?,
    };
    for StoredFile {
        file,
        chunks: count,
    } in stored
    {
        let known = known.iter().find(|known| known.file == file);
        let known = known.map_or(&[][..], |known| known.chunks.as_slice());
        let mut chunks: Vec<Digest> = Vec::new();
        for index in 0..count {
            let before = usize::try_from(index)
                .ok()
                .and_then(|index| known.get(index));
            match before.filter(|name| held.contains(name)) {
                Some(name) => chunks.push(*name),
                None => match contents.chunk(&vault, &item, &file, index) {
                    Err(error) if error.fault() == Fault::Missing => break,
                    chunk => {
                        let bytes = chunk?.into_bytes();
                        let name = Digest::of(&bytes);
                        put(name, bytes)?;
                        chunks.push(name);
                    }
                },
            }
        }
        files.push(FileChunks { file, chunks });
    }
    Ok(files)
}
