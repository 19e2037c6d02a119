//! A snapshot as objects.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{
    Digest,
    codec::{self, ItemEntry, Root, VaultEntry},
    tree::{self, Entry},
};
use crate::{
    cache::Snapshot,
    id::{FileId, ItemId, VaultId},
    records::{ItemRecord, SigningKeyRecord, TitleMark, VaultRecord},
};

/// Bytes up to which entries are one node: few, for each read hashes one such node on each level.
const LEAF: usize = 2 * 1024;
/// The same for overviews: many, so that a list needs few.
const PACK: usize = 16 * 1024;

/// A file's chunks by name, in order. Their bytes are the store's already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunks {
    /// Under which id they are kept ([`crate::file::FileEntry::stored`]).
    pub file: FileId,
    /// Their names.
    pub chunks: Vec<Digest>,
}

/// The chunks of items that have files.
pub type Files = BTreeMap<(VaultId, ItemId), Vec<FileChunks>>;

/// A set that is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The root.
    pub root: Digest,
    /// Every object of the set, chunks included.
    pub names: BTreeSet<Digest>,
}

/// Turns a snapshot into objects and hands each to `emit`, children before parents; those that `emit` was given before
/// are the same bytes. Equal snapshots give equal sets.
pub fn lay_out<E>(
    snapshot: &Snapshot,
    keys: &[SigningKeyRecord],
    files: &Files,
    mut emit: impl FnMut(Digest, &[u8]) -> Result<(), E>,
) -> Result<Layout, E> {
    let mut names = BTreeSet::new();
    let mut emit = |name: Digest, bytes: &[u8]| {
        if names.insert(name) {
            emit(name, bytes)
        } else {
            Ok(())
        }
    };
    let tokens: Vec<Entry> = snapshot
        .tokens()
        .map(|token| (token.id.as_bytes().to_vec(), codec::write_token(token)))
        .collect();
    let tokens = tree::build(&tokens, LEAF, &mut emit)?;
    let mut vaults: Vec<Entry> = Vec::new();
    for record in snapshot.vaults() {
        let entry = lay_out_vault(snapshot, record, files, &mut emit)?;
        vaults.push((record.id.as_bytes().to_vec(), entry.write()));
    }
    let vaults = tree::build(&vaults, LEAF, &mut emit)?;
    let root = Root::new(keys, tokens, vaults).write();
    let name = Digest::of(&root);
    emit(name, &root)?;
    let held = |place: &&(VaultId, ItemId)| snapshot.item(&place.0, &place.1).is_ok();
    for place in files.keys().filter(held) {
        let chunks = files.get(place).into_iter().flatten();
        names.extend(chunks.flat_map(|file| file.chunks.iter().copied()));
    }
    Ok(Layout { root: name, names })
}

fn lay_out_vault<E>(
    snapshot: &Snapshot,
    record: &VaultRecord,
    files: &Files,
    emit: &mut impl FnMut(Digest, &[u8]) -> Result<(), E>,
) -> Result<VaultEntry, E> {
    let (mut items, mut overviews, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for item in snapshot.items(&record.id) {
        let key = item.id.as_bytes().to_vec();
        let chunks = files
            .get(&(record.id, item.id))
            .map_or(&[][..], Vec::as_slice);
        items.push((key.clone(), lay_out_item(item, chunks, emit)?.write()));
        overviews.push((key, codec::write_overview(item)));
        if !item.archived {
            marks.extend(
                item.marks
                    .iter()
                    .map(|mark| (mark_key(mark, &item.id), Vec::new())),
            );
        }
    }
    marks.sort_unstable();
    marks.dedup();
    Ok(VaultEntry {
        record: record.clone(),
        items: tree::build(&items, LEAF, emit)?,
        overviews: tree::build(&overviews, PACK, emit)?,
        marks: tree::build(&marks, LEAF, emit)?,
    })
}

fn lay_out_item<E>(
    item: &ItemRecord,
    files: &[FileChunks],
    emit: &mut impl FnMut(Digest, &[u8]) -> Result<(), E>,
) -> Result<ItemEntry, E> {
    let mut put = |bytes: &[u8]| {
        let name = Digest::of(bytes);
        emit(name, bytes).map(|()| name)
    };
    let details = put(item.details.as_bytes())?;
    let rest = codec::write_rest(item).map(|rest| put(&rest)).transpose()?;
    let chunks = if files.is_empty() {
        None
    } else {
        let files = files
            .iter()
            .map(|file| (&file.file, file.chunks.as_slice()));
        Some(put(&codec::write_chunks(files))?)
    };
    Ok(ItemEntry {
        version: item.version,
        archived: item.archived,
        marks: item.marks,
        details,
        rest,
        chunks,
    })
}

/// All items of one mark stand together. Spelled like an identifier, so that branches have 32 children here too.
pub(super) fn mark_key(mark: &TitleMark, item: &ItemId) -> Vec<u8> {
    [
        ItemId::from_entropy(mark.0).as_bytes().as_slice(),
        item.as_bytes(),
    ]
    .concat()
}
