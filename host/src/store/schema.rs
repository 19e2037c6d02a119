//! The replica's tables.
//!
//! `replica.sqlite` (version 2, `PRAGMA user_version`):
//!
//! * `state` has one row: `cursor`, where the change feed goes on, `head`, the account's signed head as JSON, and
//!   `keys`, the signing keys that followed. It is written in the transaction that writes what the head stands for. `change` rises with every such transaction,
//!   so that other processes find what is new to them; who has seen less than `floor` must read everything.
//! * `vault`: a vault's record; `attributes` are sealed.
//! * `item`: an item's parts, each sealed, and the marks of its title. The blob columns come last, so that the short
//!   ones are found without walking through overflow pages.
//! * `token`: a token's record as JSON: digest, state, wrapped keys. Never a token.
//! * `gone`: what was removed, and when; `id` is empty for a vault, `vault` for a token. The oldest are forgotten.
//!
//! Every row says by which `change` it came.
//!
//! `chunks.sqlite` (version 1):
//!
//! * `chunk`: sealed pieces of files that clients asked for, oldest first by `rowid`; a cache within a budget.
//!
//! A file of another version is moved aside and fetched anew: a migration would save one sync and cost code for ever.
//!
//! | pragma | why |
//! |---|---|
//! | `page_size = 16384` | an item has a few KB: fewer reads at a start |
//! | `journal_mode = WAL` | a reader never waits for the writer |
//! | `synchronous = NORMAL` | a power cut may undo the last transactions, whole; the cursor goes back with them, so they are fetched again |
//! | `temp_store = MEMORY` | there may be no folder for temporary files |
//! | `secure_delete = OFF` | what is deleted is sealed |
//! | `busy_timeout = 2000` | a backup may hold the file for a moment |

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// What a file is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema {
    pub(super) version: i64,
    create: &'static str,
}

pub(super) const REPLICA: Schema = Schema {
    version: 2,
    create: "
        CREATE TABLE state (
            id      INTEGER PRIMARY KEY CHECK (id = 1),
            change  INTEGER NOT NULL,
            floor   INTEGER NOT NULL,
            cursor  TEXT NOT NULL,              -- opaque, the account's
            head    TEXT NOT NULL,              -- SignedHead, JSON
            keys    TEXT NOT NULL               -- EndorsedKey, JSON array
        ) STRICT;
        CREATE TABLE vault (
            id                TEXT PRIMARY KEY,
            change            INTEGER NOT NULL,
            kind              TEXT NOT NULL,    -- Connect's word
            attribute_version INTEGER NOT NULL,
            content_version   INTEGER NOT NULL,
            items             INTEGER NOT NULL,
            created_at        INTEGER NOT NULL, -- ms since the epoch
            updated_at        INTEGER NOT NULL,
            attributes        BLOB NOT NULL     -- sealed
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE item (
            vault    TEXT NOT NULL,
            id       TEXT NOT NULL,
            change   INTEGER NOT NULL,
            version  INTEGER NOT NULL,
            archived INTEGER NOT NULL,          -- 0 or 1
            exact    BLOB NOT NULL,             -- title marks, 16 bytes each
            folded   BLOB NOT NULL,
            overview BLOB NOT NULL,             -- sealed, all four
            details  BLOB NOT NULL,
            extra    BLOB,
            files    BLOB,
            UNIQUE (vault, id)
        ) STRICT;
        CREATE INDEX item_by_change ON item (change);
        CREATE TABLE token (
            id     TEXT PRIMARY KEY,
            change INTEGER NOT NULL,
            record TEXT NOT NULL                -- TokenRecord, JSON
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE gone (
            vault  TEXT NOT NULL,
            id     TEXT NOT NULL,
            change INTEGER NOT NULL,
            PRIMARY KEY (vault, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX gone_by_change ON gone (change);
    ",
};

pub(super) const CHUNKS: Schema = Schema {
    version: 1,
    create: "
        CREATE TABLE chunk (
            age    INTEGER PRIMARY KEY AUTOINCREMENT,
            vault  TEXT NOT NULL,
            item   TEXT NOT NULL,
            file   TEXT NOT NULL,
            number INTEGER NOT NULL,            -- of the chunk in its file, from 0
            sealed BLOB NOT NULL,
            UNIQUE (vault, item, file, number)
        ) STRICT;
    ",
};

/// Makes a new file's tables, or checks that the file is of this version.
pub(super) fn prepare(connection: &mut Connection, schema: Schema) -> Result<(), StoreError> {
    // The size of pages can be said as long as there are none.
    connection.execute_batch(
        "PRAGMA page_size = 16384;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA temp_store = MEMORY;
         PRAGMA busy_timeout = 2000;",
    )?;
    // Two processes may open a new file at once: one of them makes it.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_master", (), |row| row.get(0))?;
    match (found, tables) {
        (0, 0) => {
            transaction.execute_batch(schema.create)?;
            transaction.pragma_update(None, "user_version", schema.version)?;
            transaction.commit()?;
            Ok(())
        }
        (found, _) if found == schema.version => Ok(()),
        _ => Err(StoreError::Damaged("another version")),
    }
}
