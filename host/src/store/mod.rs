//! The replica on disk: sealed records exactly as they came, so that a restart serves at once (invariant 3).
//!
//! It understands nothing and decides nothing: a [`sekisho_core::sync::Plan`] goes in whole or not at all, cursor and
//! head included (invariant 9). It can always be fetched again, so a damaged file is moved aside, never repaired.

mod chunks;
mod open;
mod replica;
mod rows;
mod schema;

pub use self::{
    chunks::ChunkStore,
    replica::{Applied, News, Replica},
};

/// Why the replica failed, by what can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is not what we wrote. A new one takes its place.
    #[error("the replica is damaged: {0}")]
    Damaged(&'static str),
    /// The directory or file cannot be used.
    #[error("the replica's file cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// SQLite cannot go on: the disk is full, or the file is locked.
    #[error("the replica cannot be read or written: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        match &error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::NotADatabase => Self::Damaged("not a database"),
                ErrorCode::DatabaseCorrupt => Self::Damaged("pages do not fit together"),
                _ => Self::Sqlite(error),
            },
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..) => Self::Damaged("a column of another type"),
            _ => Self::Sqlite(error),
        }
    }
}
