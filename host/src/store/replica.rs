//! The replica: plans go in, and whoever shares the folder finds what is new to them.
//!
//! Any number of processes may have it open. Each holds in memory what the file held at some `change`; it writes only
//! on top of the newest one, so whoever comes late reads first ([`Applied::Behind`]) and nobody's plan is lost.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    sync::{FeedItem, FeedPage, GoneItem, Plan, Step},
    vouch::EndorsedKey,
};

use super::{StoreError, open, rows, schema};

/// Steps of a plan after which the journal is emptied into the file.
const LARGE: usize = 500;
/// Rows of `gone` that are kept; who was away for longer reads everything.
const MOST_GONE: i64 = 20_000;

/// The file of sealed records.
pub struct Replica {
    path: PathBuf,
    connection: Connection,
    /// The file that is open, by device and number: another process may have put a new one in its place.
    file: (u64, u64),
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It is in the file, as this change.
    At(u64),
    /// The file moved on since: read first.
    Behind,
}

/// What the file holds that a process has not seen yet.
#[derive(Debug)]
pub struct News {
    /// Up to this change.
    pub change: u64,
    /// As the account would tell it; `reset` if it is everything.
    pub page: FeedPage,
}

impl Replica {
    /// The replica in a directory, which is made if it is missing. A damaged file is moved aside.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("replica.sqlite");
        let connection = open::open(&path, schema::REPLICA)?;
        let file = number_of(&path)?;
        Ok(Self {
            path,
            connection,
            file,
        })
    }

    /// Moves the file aside and begins a new one; if another process did so already, that one is taken.
    pub fn renew(&mut self) -> Result<(), StoreError> {
        // The old file must be closed before it moves, or its journal is written under the new one's name.
        self.connection = Connection::open_in_memory()?;
        if open::move_aside(&self.path, self.file)?.is_some() {
            tracing::warn!("the replica was moved aside");
        }
        self.reopen()
    }

    /// Whether the file that is open is no longer the one in the folder.
    pub fn is_replaced(&self) -> bool {
        number_of(&self.path).ok() != Some(self.file)
    }

    /// Opens what lies in the folder now; makes it if there is nothing.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        self.connection = open::open(&self.path, schema::REPLICA)?;
        self.file = number_of(&self.path)?;
        Ok(())
    }

    /// What came after a change; `None` = nothing. 0 asks for everything.
    pub fn news(&mut self, since: u64) -> Result<Option<News>, StoreError> {
        // One transaction, so that all of it is of one moment.
        let transaction = self.connection.transaction()?;
        let Some(state) = state(&transaction)? else {
            return Ok(None);
        };
        let seen = since.cast_signed();
        if state.change == seen {
            return Ok(None);
        }
        let change = state.change.cast_unsigned();
        // A change beyond the newest one is another file's.
        let reset = seen < state.floor || seen > state.change;
        let mut page = state.page(reset)?;
        fill(&transaction, if reset { 0 } else { seen }, &mut page)?;
        Ok(Some(News { change, page }))
    }

    /// Does what a plan says, in one transaction; head, cursor and the keys that follow the credentials file's
    /// included. The plan was made on top of what the file held at `since`; 0 = nothing.
    pub fn apply(
        &mut self,
        plan: &Plan,
        keys: &[EndorsedKey],
        since: u64,
    ) -> Result<Applied, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let held = state(&transaction)?;
        let (change, mut floor) = held.map_or((0, 0), |held| (held.change, held.floor));
        if change != since.cast_signed() {
            return Ok(Applied::Behind);
        }
        let next = change + 1;
        if plan.reset() {
            transaction.execute_batch(
                "DELETE FROM item; DELETE FROM vault; DELETE FROM token; DELETE FROM gone;",
            )?;
            floor = next;
        }
        for step in plan.steps() {
            take(&transaction, next, step)?;
        }
        floor = floor.max(forget(&transaction)?);
        let head = serde_json::to_string(plan.head())
            .map_err(|_| StoreError::Damaged("a head that cannot be written"))?;
        let keys = serde_json::to_string(keys)
            .map_err(|_| StoreError::Damaged("keys that cannot be written"))?;
        transaction.execute(
            "INSERT OR REPLACE INTO state (id, change, floor, cursor, head, keys) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            params![next, floor, plan.cursor(), head, keys],
        )?;
        transaction.commit()?;
        if plan.steps().len() >= LARGE {
            // Else the next start would read all of it twice, from the journal first. Somebody who reads just now may
            // keep it from being done; nothing depends on it.
            let _ = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        }
        Ok(Applied::At(next.cast_unsigned()))
    }

    /// A number that moves with every commit of others: cheap to ask.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))?)
    }
}

fn number_of(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

struct State {
    change: i64,
    floor: i64,
    cursor: String,
    head: String,
    keys: String,
}

fn state(connection: &Connection) -> Result<Option<State>, StoreError> {
    let row = connection
        .prepare_cached("SELECT change, floor, cursor, head, keys FROM state")?
        .query_row((), |row| {
            Ok(State {
                change: row.get(0)?,
                floor: row.get(1)?,
                cursor: row.get(2)?,
                head: row.get(3)?,
                keys: row.get(4)?,
            })
        })
        .optional()?;
    Ok(row)
}

impl State {
    /// A page that tells nothing yet.
    fn page(self, reset: bool) -> Result<FeedPage, StoreError> {
        let damaged = |what| move |_| StoreError::Damaged(what);
        Ok(FeedPage {
            after: None,
            cursor: self.cursor,
            more: false,
            reset,
            head: serde_json::from_str(&self.head).map_err(damaged("the head"))?,
            vaults: Vec::new(),
            gone_vaults: Vec::new(),
            items: Vec::new(),
            gone_items: Vec::new(),
            tokens: Vec::new(),
            gone_tokens: Vec::new(),
            signing_keys: serde_json::from_str(&self.keys).map_err(damaged("the keys"))?,
        })
    }
}

fn fill(connection: &Connection, since: i64, page: &mut FeedPage) -> Result<(), StoreError> {
    each(
        connection,
        "SELECT vault, id FROM gone WHERE change > ?1",
        since,
        |row| gone(row, page),
    )?;
    each(
        connection,
        "SELECT * FROM vault WHERE change > ?1",
        since,
        |row| {
            page.vaults.push(rows::vault(row)?);
            Ok(())
        },
    )?;
    // From 0 it is all of them: the index would only cost.
    let by = if since == 0 {
        "NOT INDEXED"
    } else {
        "INDEXED BY item_by_change"
    };
    let items = format!("SELECT {} FROM item {by} WHERE change > ?1", rows::ITEM);
    each(connection, &items, since, |row| {
        let (vault, item) = rows::item(row)?;
        page.items.push(FeedItem { vault, item });
        Ok(())
    })?;
    each(
        connection,
        "SELECT record FROM token WHERE change > ?1",
        since,
        |row| {
            page.tokens.push(rows::token(row)?);
            Ok(())
        },
    )
}

fn gone(row: &Row<'_>, page: &mut FeedPage) -> Result<(), StoreError> {
    match (rows::text(row, "vault")?, rows::text(row, "id")?) {
        (vault, "") => page.gone_vaults.push(rows::id(VaultId::parse(vault))?),
        ("", token) => page.gone_tokens.push(rows::id(TokenId::parse(token))?),
        (vault, item) => page.gone_items.push(GoneItem {
            vault: rows::id(VaultId::parse(vault))?,
            item: rows::id(ItemId::parse(item))?,
        }),
    }
    Ok(())
}

fn each(
    connection: &Connection,
    query: &str,
    since: i64,
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([since])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

fn take(transaction: &Transaction<'_>, change: i64, step: &Step) -> Result<(), StoreError> {
    let run = |query: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        transaction.prepare_cached(query)?.execute(values)?;
        Ok(())
    };
    let bury = |vault: &str, id: &str| {
        run(
            "INSERT OR REPLACE INTO gone (vault, id, change) VALUES (?1, ?2, ?3)",
            &[&vault, &id, &change],
        )
    };
    let unbury = |vault: &str, id: &str| {
        run(
            "DELETE FROM gone WHERE vault = ?1 AND id = ?2",
            &[&vault, &id],
        )
    };
    match step {
        // It stays among what is gone if it was: who held it before must drop it first.
        Step::PutVault(vault) => rows::put_vault(transaction, change, vault),
        Step::RemoveVault(id) => {
            run("DELETE FROM item WHERE vault = ?1", &[&id.as_str()])?;
            run("DELETE FROM gone WHERE vault = ?1", &[&id.as_str()])?;
            run("DELETE FROM vault WHERE id = ?1", &[&id.as_str()])?;
            bury(id.as_str(), "")
        }
        Step::PutItem(vault, item) => {
            unbury(vault.as_str(), item.id.as_str())?;
            rows::put_item(transaction, change, vault, item)
        }
        Step::RemoveItem(vault, item) => {
            run(
                "DELETE FROM item WHERE vault = ?1 AND id = ?2",
                &[&vault.as_str(), &item.as_str()],
            )?;
            bury(vault.as_str(), item.as_str())
        }
        Step::PutToken(token) => {
            let record = serde_json::to_string(token)
                .map_err(|_| StoreError::Damaged("a token's record that cannot be written"))?;
            unbury("", token.id.as_str())?;
            run(
                "INSERT OR REPLACE INTO token (id, change, record) VALUES (?1, ?2, ?3)",
                &[&token.id.as_str(), &change, &record],
            )
        }
        Step::RemoveToken(id) => {
            run("DELETE FROM token WHERE id = ?1", &[&id.as_str()])?;
            bury("", id.as_str())
        }
    }
}

/// Forgets the oldest of what is gone when it is too much; the change up to which nothing can be told any more.
fn forget(transaction: &Transaction<'_>) -> Result<i64, StoreError> {
    let kept: i64 = transaction
        .prepare_cached("SELECT count(*) FROM gone")?
        .query_row((), |row| row.get(0))?;
    if kept <= MOST_GONE {
        return Ok(0);
    }
    let last: i64 = transaction.query_row(
        "SELECT change FROM gone ORDER BY change LIMIT 1 OFFSET ?1",
        [kept - MOST_GONE / 2],
        |row| row.get(0),
    )?;
    transaction.execute("DELETE FROM gone WHERE change <= ?1", [last])?;
    Ok(last)
}
