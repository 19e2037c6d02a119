//! Accesses that hosts report: each counted once, whatever dies (invariant 11).

use std::ops::Range;

use rusqlite::{Connection, Row, TransactionBehavior, params};
use sekisho_core::{
    id::{EnvironmentId, ItemId, UserId, VaultId},
    rest::{Action, Caller, UsageEvent},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{
    Account,
    columns::{self, damaged, int, millis},
};
use crate::{
    AccountError,
    protocol::{UsageInfo, UsageQuery, UsageRow},
};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

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
    /// When it stands for several, of which it is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// How often, and since when: what a host that was cut off for long makes of many equal accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// How often; at least once.
    pub count: u64,
    /// The first time.
    pub first: Timestamp,
}

impl UsageReport {
    /// One access.
    pub const fn new(id: String, event: UsageEvent) -> Self {
        Self {
            id,
            event,
            times: None,
        }
    }

    /// How often, and since when.
    pub fn times(&self) -> Times {
        let first = self.event.at;
        self.times.map_or(Times { count: 1, first }, |times| Times {
            count: times.count.max(1),
            first: times.first.min(first),
        })
    }
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
    let event = &report.event;
    let (at, action) = (millis(event.at), word(event.action));
    let (token, vault) = (event.token.as_str(), event.vault.as_str());
    let item = event.item.as_ref().map(ItemId::as_str);
    let times = report.times();
    let first = millis(times.first);
    let is_new = db
        .prepare_cached(
            "INSERT OR IGNORE INTO accesses
                 (environment, id, token, at, action, allowed, vault, item, item_version, count, first)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
             WHERE EXISTS (SELECT 1 FROM tokens WHERE id = ?3 AND environment = ?1)",
        )?
        .execute(params![
            environment.as_str(),
            report.id,
            token,
            at,
            action,
            event.allowed,
            vault,
            item,
            event.item_version.map(int),
            int(times.count),
            first
        ])?;
    if is_new == 0 {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO access_days (environment, day, vault, item, action, allowed, count, first, last)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?8, ?9, ?7)
         ON CONFLICT DO UPDATE SET count = count + ?8, first = min(first, ?9), last = max(last, ?7)",
    )?
    .execute(params![
        environment.as_str(),
        at / DAY,
        vault,
        item.unwrap_or_default(),
        action,
        event.allowed,
        at,
        int(times.count),
        first
    ])?;
    db.prepare_cached(
        "INSERT INTO token_uses (token, last) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last = max(last, ?2)",
    )?
    .execute(params![token, at])?;
    Ok(())
}

const ACTIONS: [(&str, Action); 4] = [
    ("READ", Action::Read),
    ("CREATE", Action::Create),
    ("UPDATE", Action::Update),
    ("DELETE", Action::Delete),
];

fn word(action: Action) -> &'static str {
    ACTIONS
        .iter()
        .find(|(_, known)| *known == action)
        .map_or("READ", |(word, _)| word)
}

fn action(row: &Row<'_>) -> rusqlite::Result<Action> {
    let word: String = row.get("action")?;
    let found = ACTIONS.iter().find(|(known, _)| *known == word);
    found
        .map(|(_, action)| *action)
        .ok_or_else(|| damaged("action"))
}

/// An id, or nothing where the column is empty.
fn item(row: &Row<'_>) -> rusqlite::Result<Option<ItemId>> {
    match row.get::<_, Option<String>>("item")?.as_deref() {
        None | Some("") => Ok(None),
        Some(_) => columns::id(row, "item").map(Some),
    }
}

/// The newest, of one environment or of all that the user manages.
pub(super) fn list(
    db: &Connection,
    user: &UserId,
    environment: Option<&EnvironmentId>,
    since: Timestamp,
) -> Result<Vec<UsageInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT * FROM accesses WHERE at >= ?2 AND (?1 IS NULL OR environment = ?1)
             AND environment IN (SELECT environment FROM server_managers WHERE user = ?4)
         ORDER BY at DESC, number DESC LIMIT ?3",
    )?;
    let environment = environment.map(EnvironmentId::as_str);
    let params = params![environment, millis(since), MAX_LIST, user.as_str()];
    let events = statement.query_map(params, |row| {
        let version: Option<i64> = row.get("item_version")?;
        Ok(UsageInfo {
            environment: columns::id(row, "environment")?,
            event: UsageEvent {
                token: columns::id(row, "token")?,
                action: action(row)?,
                allowed: row.get("allowed")?,
                vault: columns::id(row, "vault")?,
                item: item(row)?,
                item_version: version.map(i64::unsigned_abs),
                at: columns::time(row, "at")?,
                // Which program it was stays with the host: the account counts tokens and items.
                caller: Caller::default(),
            },
        })
    })?;
    Ok(events.collect::<Result<_, _>>()?)
}

/// Whole days from the sums, what is left at both ends from the single accesses: exact, and quick over millions. The
/// index is named because the planner, led by the filter on environments, would walk all of them.
const REPORT: &str = "
    SELECT a.environment, e.name, a.vault, a.item, a.action, a.allowed,
           sum(a.count) AS count, min(a.first) AS first, max(a.last) AS last
    FROM (
        SELECT environment, vault, item, action, allowed, count, first, last FROM access_days
            WHERE day >= ?5 AND day < ?6
        UNION ALL
        SELECT environment, vault, coalesce(item, ''), action, allowed, count, coalesce(first, at), at FROM accesses INDEXED BY accesses_by_time
            WHERE at >= ?7 AND at < ?8
        UNION ALL
        SELECT environment, vault, coalesce(item, ''), action, allowed, count, coalesce(first, at), at FROM accesses INDEXED BY accesses_by_time
            WHERE at >= ?9 AND at < ?10
    ) a JOIN environments e ON e.id = a.environment
    WHERE a.environment IN (SELECT environment FROM server_managers WHERE user = ?1)
        AND (?2 IS NULL OR a.environment = ?2) AND (?3 IS NULL OR a.vault = ?3) AND (?4 IS NULL OR a.item = ?4)
    GROUP BY a.environment, a.vault, a.item, a.action, a.allowed
    ORDER BY max(a.last) DESC, a.environment, a.vault, a.item, a.action, a.allowed
    LIMIT ?11";

/// Accesses added up, of the environments that the user manages.
pub(super) fn report(
    db: &Connection,
    user: &UserId,
    query: &UsageQuery,
) -> Result<Vec<UsageRow>, AccountError> {
    let span = Span::new(query.since.map(millis), query.until.map(millis));
    let mut statement = db.prepare_cached(REPORT)?;
    let rows = statement.query_map(
        params![
            user.as_str(),
            query.environment.as_ref().map(EnvironmentId::as_str),
            query.vault.as_ref().map(VaultId::as_str),
            query.item.as_ref().map(ItemId::as_str),
            span.days.start,
            span.days.end,
            span.before.start,
            span.before.end,
            span.after.start,
            span.after.end,
            MAX_LIST
        ],
        row,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<UsageRow> {
    Ok(UsageRow {
        environment: columns::id(row, "environment")?,
        used_by: row.get("name")?,
        vault: columns::id(row, "vault")?,
        item: item(row)?,
        action: action(row)?,
        allowed: row.get("allowed")?,
        count: columns::number(row, "count")?,
        first: columns::time(row, "first")?,
        last: columns::time(row, "last")?,
    })
}

/// A time range in whole days, and in milliseconds what is left before and after them.
#[derive(Debug, PartialEq, Eq)]
struct Span {
    days: Range<i64>,
    before: Range<i64>,
    after: Range<i64>,
}

impl Span {
    fn new(since: Option<i64>, until: Option<i64>) -> Self {
        let (since, until) = (since.unwrap_or(0), until.unwrap_or(i64::MAX));
        let first = since / DAY + i64::from(since % DAY != 0);
        let end = until / DAY;
        if first >= end {
            return Self {
                days: 0..0,
                before: since..until,
                after: 0..0,
            };
        }
        Self {
            days: first..end,
            before: since..first * DAY,
            after: end * DAY..until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_into_whole_days_and_ends() {
        let span = |since, until| Span::new(Some(since), Some(until));
        let cut = |days, before, after| Span {
            days,
            before,
            after,
        };
        assert_eq!(span(0, 2 * DAY), cut(0..2, 0..0, 2 * DAY..2 * DAY));
        assert_eq!(
            span(5, 2 * DAY + 7),
            cut(1..2, 5..DAY, 2 * DAY..2 * DAY + 7)
        );
        assert_eq!(span(5, DAY + 7), cut(0..0, 5..DAY + 7, 0..0));
        assert_eq!(Span::new(None, None).before, 0..0);
    }
}
