//! Accesses that hosts report: each counted once, whatever dies (invariant 11).

use rusqlite::{Connection, TransactionBehavior, params};
use sekisho_core::{id::EnvironmentId, rest::UsageEvent, time::Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Account,
    columns::{self, damaged, millis},
};
use crate::{AccountError, protocol::UsageInfo};

/// Longest list of accesses.
const MAX_LIST: u32 = 10_000;

/// Longest event id, in bytes.
const MAX_ID: usize = 64;

/// An access, with the id the host gave it before it first tried to report it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// Unique; a UUID, say.
    pub id: String,
    /// The access.
    pub event: UsageEvent,
}

impl Account {
    /// Takes reports; those known already are passed over, as are those of tokens that are not the environment's.
    pub fn report_usage(
        &self,
        environment: &EnvironmentId,
        reports: &[UsageReport],
    ) -> Result<(), AccountError> {
        if reports.iter().any(|report| report.id.len() > MAX_ID) {
            return Err(AccountError::TooLarge { limit: MAX_ID });
        }
        let mut db = self.writer();
        // No change of the account: it takes no number, and the events are their own audit.
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for report in reports {
            insert(&tx, environment, report)?;
        }
        Ok(tx.commit()?)
    }
}

fn insert(
    db: &Connection,
    environment: &EnvironmentId,
    report: &UsageReport,
) -> Result<(), AccountError> {
    let event = serde_json::to_string(&report.event)
        .map_err(|_| AccountError::Invalid("the event cannot be written as JSON"))?;
    db.prepare_cached(
        "INSERT OR IGNORE INTO usage_events (id, environment, at, event)
         SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM tokens WHERE id = ?5 AND environment = ?2)",
    )?
    .execute(params![
        report.id,
        environment.as_str(),
        millis(report.event.at),
        event,
        report.event.token.as_str()
    ])?;
    Ok(())
}

/// The newest, of one environment or of all.
pub(super) fn list(
    db: &Connection,
    environment: Option<&EnvironmentId>,
    since: Timestamp,
) -> Result<Vec<UsageInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT environment, event FROM usage_events
         WHERE at >= ?2 AND (?1 IS NULL OR environment = ?1) ORDER BY at DESC, id LIMIT ?3",
    )?;
    let environment = environment.map(EnvironmentId::as_str);
    let events = statement.query_map(params![environment, millis(since), MAX_LIST], |row| {
        let event = row.get_ref("event")?.as_str()?;
        Ok(UsageInfo {
            environment: columns::id(row, "environment")?,
            event: serde_json::from_str(event).map_err(|_| damaged("event"))?,
        })
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}
