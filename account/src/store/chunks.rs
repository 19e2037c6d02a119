//! Sealed chunks of files.

use rusqlite::{Connection, OptionalExtension, params};
use sekisho_core::{
    file::{CHUNK, CHUNK_OVERHEAD, FilePlace},
    seal::Sealed,
};

use super::change::Change;
use crate::AccountError;

pub(super) fn put(
    change: &Change<'_>,
    place: &FilePlace,
    index: u32,
    content: &Sealed,
) -> Result<(), AccountError> {
    let limit = CHUNK as usize + CHUNK_OVERHEAD;
    if content.as_bytes().len() > limit {
        return Err(AccountError::TooLarge { limit });
    }
    let added = change.run(
        "INSERT OR IGNORE INTO chunks (vault, item, file, position, content) VALUES (?, ?, ?, ?, ?)",
        params![
            place.vault.as_str(),
            place.item.as_str(),
            place.file.as_str(),
            index,
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
