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
    connection: Mutex<Connection>,
    /// Bytes it may hold.
    budget: u64,
}

impl ChunkStore {
    /// The cache in a directory. A damaged file is moved aside.
    pub fn open(directory: &Path, budget: u64) -> Result<Self, StoreError> {
        let connection = open::open(&directory.join("chunks.sqlite"), schema::CHUNKS)?;
        Ok(Self {
            connection: Mutex::new(connection),
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
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO chunk (vault, item, file, number, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![vault.as_str(), item.as_str(), file.as_str(), number, sealed],
        )?;
        let held: i64 =
            transaction.query_row("SELECT total(length(sealed)) FROM chunk", (), |row| {
                row.get::<_, f64>(0).map(|sum| sum as i64)
            })?;
        let mut excess = held.saturating_sub(self.budget.min(i64::MAX as u64).cast_signed());
        while excess > 0 {
            let (age, length): (i64, i64) = transaction.query_row(
                "SELECT age, length(sealed) FROM chunk ORDER BY age LIMIT 1",
                (),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            transaction.execute("DELETE FROM chunk WHERE age = ?1", [age])?;
            excess -= length;
        }
        transaction.commit()?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A transaction that was not committed is rolled back when it is dropped, so nothing is half done.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
