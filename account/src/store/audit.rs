//! Who did what, when, from where.

use rusqlite::{Connection, Row, params};

use super::columns::{self, int};
use crate::{AccountError, protocol::AuditEntry};

/// Longest list.
const MAX_LIST: u32 = 1000;

/// The newest before a number.
pub(super) fn list(
    db: &Connection,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AuditEntry>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT * FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?")?;
    let before = before.map_or(i64::MAX, int);
    let entries = statement.query_map(params![before, limit.clamp(1, MAX_LIST)], read)?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let objects: String = row.get("objects")?;
    Ok(AuditEntry {
        number: columns::number(row, "number")?,
        at: columns::time(row, "at")?,
        who: row.get("who")?,
        from: row.get("origin")?,
        what: row.get("what")?,
        objects: objects.split_whitespace().map(str::to_owned).collect(),
    })
}
