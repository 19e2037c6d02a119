//! Pieces of files that were asked for, kept within a budget.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};
use sekisho_core::id::{FileId, ItemId, VaultId};

use super::{StoreError, open, schema};

/// A cache on disk. Many threads ask it, one at a time: a piece is read in less time than it takes to decrypt it.
pub struct ChunkStore {
    held: Mutex<Held>,
    /// Bytes it may hold.
    budget: u64,
}

struct Held {
    connection: Connection,
    /// Bytes of all pieces: added up once, for to add them up with each new piece costs more than to fetch it.
    bytes: i64,
}

impl ChunkStore {
    /// The cache in a directory. A damaged file is moved aside.
    pub fn open(directory: &Path, budget: u64) -> Result<Self, StoreError> {
        let connection = open::open(&directory.join("chunks.sqlite"), schema::CHUNKS)?;
        let bytes = connection.query_row(
            "SELECT coalesce(sum(length(sealed)), 0) FROM chunk",
            (),
            |row| row.get(0),
        )?;
        Ok(Self {
            held: Mutex::new(Held { connection, bytes }),
            budget,
        })
    }

    /// A piece, if it is held.
    pub fn find(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        number: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .lock()
            .connection
            .prepare_cached(
                "SELECT sealed FROM chunk WHERE vault = ?1 AND item = ?2 AND file = ?3 AND number = ?4",
            )?
            .query_row(
                params![vault.as_str(), item.as_str(), file.as_str(), number],
                |row| row.get(0),
            )
            .optional()?)
    }

    /// Keeps a piece; the oldest go where there is no room.
    pub fn keep(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        number: u32,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        let held = &mut *self.lock();
        let transaction = held.connection.transaction()?;
        let place = params![vault.as_str(), item.as_str(), file.as_str(), number];
        let replaced: Option<i64> = transaction
            .prepare_cached(
                "DELETE FROM chunk WHERE vault = ?1 AND item = ?2 AND file = ?3 AND number = ?4
                 RETURNING length(sealed)",
            )?
            .query_row(place, |row| row.get(0))
            .optional()?;
        transaction
            .prepare_cached(
                "INSERT INTO chunk (vault, item, file, number, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                vault.as_str(),
                item.as_str(),
                file.as_str(),
                number,
                sealed
            ])?;
        let mut bytes = held.bytes + sealed.len() as i64 - replaced.unwrap_or(0);
        let budget = self.budget.min(i64::MAX as u64).cast_signed();
        while bytes > budget {
            let oldest: Option<i64> = transaction
                .prepare_cached(
                    "DELETE FROM chunk WHERE age = (SELECT min(age) FROM chunk)
                     RETURNING length(sealed)",
                )?
                .query_row((), |row| row.get(0))
                .optional()?;
            let Some(length) = oldest else { break };
            bytes -= length;
        }
        transaction.commit()?;
        held.bytes = bytes;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // A transaction that was not committed is rolled back when it is dropped, so nothing is half done.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_within_its_budget() {
        let directory = tempfile::tempdir().unwrap();
        let store = ChunkStore::open(directory.path(), 250).unwrap();
        let vault = VaultId::parse("aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap();
        let item = ItemId::parse("bbbbbbbbbbbbbbbbbbbbbbbbbb").unwrap();
        let file = FileId::parse("cccccccccccccccccccccccccc").unwrap();
        for number in 0..4 {
            store.keep(&vault, &item, &file, number, &[7; 100]).unwrap();
        }
        let held: Vec<_> = (0..4)
            .map(|number| store.find(&vault, &item, &file, number).unwrap().is_some())
            .collect();
        assert_eq!(held, [false, false, true, true]);
    }
}
