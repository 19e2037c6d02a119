//! One change: one number, one transaction, its rows of the audit (one, but for a batch) – or nothing at all
//! (invariant 9).

use std::ops::Deref;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use sekisho_core::time::Timestamp;

use super::columns::{int, millis};
use crate::AccountError;

/// Who makes a change, for the audit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actor<'a> {
    /// A user, a token or an environment.
    pub(super) who: &'a str,
    /// Where the request came from.
    pub(super) origin: &'a str,
    /// When.
    pub(super) now: Timestamp,
}

/// A row of the audit.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    /// The deed.
    pub(super) what: &'a str,
    /// What it was done to.
    pub(super) objects: Vec<&'a str>,
}

/// An open change. It is a connection, too.
pub(super) struct Change<'c> {
    tx: Transaction<'c>,
    number: i64,
    now: Timestamp,
}

impl<'c> Change<'c> {
    fn begin(db: &'c mut Connection, now: Timestamp) -> Result<Self, AccountError> {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number = tx
            .prepare_cached("UPDATE account SET seq = seq + 1 RETURNING seq")?
            .query_row([], |row| row.get(0))?;
        Ok(Self { tx, number, now })
    }

    /// Its number.
    pub(super) const fn seq(&self) -> i64 {
        self.number
    }

    /// Its time, as columns have it.
    pub(super) fn now(&self) -> i64 {
        millis(self.now)
    }

    /// Its time.
    pub(super) const fn time(&self) -> Timestamp {
        self.now
    }

    /// Runs one statement.
    pub(super) fn run(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<usize, AccountError> {
        Ok(self.tx.prepare_cached(sql)?.execute(params)?)
    }

    fn note(&self, actor: &Actor<'_>, row: &Row<'_>) -> Result<(), AccountError> {
        self.run(
            "INSERT INTO audit (seq, at, who, origin, what, objects) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                self.number,
                int(actor.now.millis()),
                actor.who,
                actor.origin,
                row.what,
                row.objects.join(" ")
            ],
        )?;
        Ok(())
    }
}

impl Deref for Change<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.tx
    }
}

/// Does `work` as one change, with these rows of the audit; any error undoes it.
pub(super) fn make<T>(
    db: &mut Connection,
    actor: &Actor<'_>,
    rows: &[Row<'_>],
    work: impl FnOnce(&Change<'_>) -> Result<T, AccountError>,
) -> Result<T, AccountError> {
    let change = Change::begin(db, actor.now)?;
    let done = work(&change)?;
    for row in rows {
        change.note(actor, row)?;
    }
    change.tx.commit()?;
    Ok(done)
}
