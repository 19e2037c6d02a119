//! Sealed chunks of files.

use rusqlite::{Connection, OptionalExtension, params};
use sekisho_core::{
    file::{CHUNK, CHUNK_OVERHEAD, FilePlace},
    id::{FileId, ItemId, VaultId},
    seal::Sealed,
};
use serde::{Deserialize, Serialize};

use super::change::Change;
use crate::AccountError;

/// A file whose chunks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Under which id they are kept.
    pub file: FileId,
    /// How many there are.
    pub chunks: u32,
}

/// Whether a chunk counts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A client's: only when a write adds its file.
    Staged,
    /// An operator's: it is there to stay.
    Settled,
}

/// How long a staged chunk waits for its file to be added, in milliseconds.
const STAGING_AGE: i64 = 24 * 60 * 60 * 1000;

pub(super) fn put(
    change: &Change<'_>,
    place: &FilePlace,
    index: u32,
    content: &Sealed,
    standing: Standing,
) -> Result<(), AccountError> {
    let limit = CHUNK as usize + CHUNK_OVERHEAD;
    if content.as_bytes().len() > limit {
        return Err(AccountError::TooLarge { limit });
    }
    let added = change.run(
        "INSERT OR IGNORE INTO chunks (vault, item, file, position, stored, settled, content)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            place.vault.as_str(),
            place.item.as_str(),
            place.file.as_str(),
            index,
            change.now(),
            standing == Standing::Settled,
            content.as_bytes()
        ],
    )?;
    // A chunk never changes: a host may have half of the file already. An equal one is a retry.
    if added == 1 || one(change, place, index)? == *content {
        Ok(())
    } else {
        Err(AccountError::conflict("file", place.file, None))
    }
}

/// What a client's write makes of the chunks of its item: those of added files stay, those of dropped ones go, and so
/// do those that waited too long for their file.
pub(super) fn settle(
    change: &Change<'_>,
    vault: &VaultId,
    item: &ItemId,
    added: &[FileId],
    dropped: &[FileId],
) -> Result<(), AccountError> {
    for file in added {
        change.run(
            "UPDATE chunks SET settled = 1 WHERE vault = ? AND item = ? AND file = ?",
            params![vault.as_str(), item.as_str(), file.as_str()],
        )?;
    }
    for file in dropped {
        change.run(
            "DELETE FROM chunks WHERE vault = ? AND item = ? AND file = ?",
            params![vault.as_str(), item.as_str(), file.as_str()],
        )?;
    }
    change.run(
        "DELETE FROM chunks WHERE settled = 0 AND stored < ?",
        [change.now() - STAGING_AGE],
    )?;
    Ok(())
}

/// The files of an item that count, and of how many chunks each is.
pub(super) fn of_item(
    db: &Connection,
    vault: &VaultId,
    item: &ItemId,
) -> Result<Vec<StoredFile>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT file, count(*) AS chunks, max(position) AS last FROM chunks
         WHERE vault = ? AND item = ? AND settled = 1 GROUP BY file ORDER BY file",
    )?;
    let mut rows = statement.query(params![vault.as_str(), item.as_str()])?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let (chunks, last): (u32, u32) = (row.get("chunks")?, row.get("last")?);
        let text: String = row.get("file")?;
        // An upload that an operator gave up in the middle may have holes: no item names it.
        if let Ok(file) = FileId::parse(&text)
            && chunks == last.saturating_add(1)
        {
            files.push(StoredFile { file, chunks });
        }
    }
    Ok(files)
}

pub(super) fn one(db: &Connection, place: &FilePlace, index: u32) -> Result<Sealed, AccountError> {
    let found = db
        .prepare_cached(
            "SELECT content FROM chunks WHERE vault = ? AND item = ? AND file = ? AND position = ?",
        )?
        .query_row(
            params![
                place.vault.as_str(),
                place.item.as_str(),
                place.file.as_str(),
                index
            ],
            |row| row.get(0).map(Sealed::from_bytes),
        )
        .optional()?;
    found.ok_or_else(|| AccountError::missing("file", place.file))
}
