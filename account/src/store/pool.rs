//! Connections to one file: one that writes, some that read, one that watches.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::AccountError;

/// Readers kept open; more are opened when needed and closed afterwards.
const READERS: usize = 8;

/// How long a change waits for another process's.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Pool {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    watcher: Mutex<Connection>,
}

impl Pool {
    /// Takes over the connection that writes.
    pub(super) fn new(path: &Path, writer: Connection) -> Result<Self, AccountError> {
        Ok(Self {
            path: path.to_path_buf(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            watcher: Mutex::new(open_reader(path)?),
        })
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Connection> {
        lock(&self.writer)
    }

    /// Reads from one consistent set.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let idle = lock(&self.readers).pop();
        let mut db = match idle {
            Some(db) => db,
            None => open_reader(&self.path)?,
        };
        let answer = {
            let tx = db.transaction()?;
            work(&tx)
        };
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(db);
        }
        answer
    }

    /// A number that differs after any commit, of this process or another. The watcher never writes, and SQLite
    /// moves this number for the commits of all other connections.
    pub(super) fn data_version(&self) -> Result<u64, AccountError> {
        let version: i64 =
            lock(&self.watcher).pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok(version.unsigned_abs())
    }
}

/// A panic within a transaction rolls it back: what is behind a poisoned lock is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn open_writer(path: &Path) -> Result<Connection, AccountError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    // FULL: what was acknowledged survives a power cut (invariant 10).
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST;",
    )?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(db)
}

fn open_reader(path: &Path) -> Result<Connection, AccountError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}
