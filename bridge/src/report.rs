//! What a bridge says of itself, from what it remembers: for `bridge status`, for health checks, for Prometheus.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sekisho_core::time::Timestamp;
use serde_json::{Value, json};

use crate::state::{Report, State};

/// A bridge that has not polled for so many times its interval is not well; at least a quarter of an hour.
const PATIENCE: u64 = 3;
const LEAST_PATIENCE: u64 = 15 * 60 * 1000;

/// How a bridge is, in numbers and fixed words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Polls and requests.
    pub report: Report,
    /// Vaults that are mirrored.
    pub vaults: usize,
    /// Items that cannot be read.
    pub quarantined: usize,
    /// Files whose content is still to be fetched.
    pub files: usize,
}

impl From<&State> for Summary {
    fn from(state: &State) -> Self {
        Self {
            report: state.report.clone(),
            vaults: state.vaults.len(),
            quarantined: state.quarantine.len(),
            files: state.files.len(),
        }
    }
}

impl Summary {
    /// One line for people.
    pub fn line(&self, now: Timestamp) -> String {
        let report = &self.report;
        let polled = if report.last_success == 0 {
            "Never polled".to_owned()
        } else {
            let age = now.millis().saturating_sub(report.last_success) / 1000;
            format!("Polled {age} s ago")
        };
        let (used, most) = (report.used_today, report.per_day);
        let trouble = report.trouble.as_deref().map(|why| format!("; {why}"));
        format!(
            "{polled}, {} vaults, {used} of {most} requests today{}",
            self.vaults,
            trouble.unwrap_or_default()
        )
    }
}

/// A bridge at work, as other threads see it. Handles share one.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<Mutex<Summary>>);

impl Watched {
    /// How it is now.
    pub fn summary(&self) -> Summary {
        self.lock().clone()
    }

    pub(crate) fn note(&self, state: &State) {
        *self.lock() = state.into();
    }

    fn lock(&self) -> MutexGuard<'_, Summary> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the mirror is as young as it should be.
pub fn is_well(report: &Report, now: Timestamp) -> bool {
    let meant = report.next_poll.saturating_sub(report.last_success);
    let patience = meant.saturating_mul(PATIENCE).max(LEAST_PATIENCE);
    report.last_success > 0 && now.millis() < report.last_success.saturating_add(patience)
}

/// Everything, for programs.
pub fn json(state: &State, now: Timestamp) -> Value {
    let report = &state.report;
    let date = |millis: u64| (millis > 0).then(|| Timestamp::from_millis(millis).to_rfc3339());
    let age = |millis: u64| now.millis().saturating_sub(millis) / 1000;
    let vaults = state.vaults.iter().map(|(id, vault)| {
        json!({
            "id": id, "content_version": vault.content_version, "compared_at": date(vault.checked),
            "age_seconds": age(vault.checked.max(report.last_success)), "unfinished": vault.unfinished,
        })
    });
    let closed = state.closed.iter().map(
        |(vault, held)| json!({ "id": vault, "reason": held.reason, "next_try": date(held.retry) }),
    );
    let quarantine = state.quarantine.iter().map(|(item, held)| {
        json!({ "id": item, "vault": held.vault, "reason": held.reason, "next_try": date(held.retry) })
    });
    let lossy = state
        .lossy
        .iter()
        .map(|(item, what)| json!({ "id": item, "missing": what }));
    let refusals = state
        .refusals
        .iter()
        .map(|held| json!({ "item": held.item, "reason": held.reason, "at": date(held.at) }));
    json!({
        "well": is_well(report, now),
        "last_success": date(report.last_success),
        "last_try": date(report.last_try),
        "next_poll": date(report.next_poll),
        "trouble": report.trouble,
        "requests_today": report.used_today,
        "requests_per_day": report.per_day,
        "polls": report.polls,
        "items_written": report.written,
        "files_to_come": state.files.len(),
        "vaults": vaults.collect::<Vec<_>>(),
        "vaults_not_read": closed.collect::<Vec<_>>(),
        "quarantine": quarantine.collect::<Vec<_>>(),
        "lossy": lossy.collect::<Vec<_>>(),
        "refused_writes": refusals.collect::<Vec<_>>(),
    })
}

/// The same as Prometheus reads it (text format 0.0.4).
pub fn metrics(summary: &Summary, now: Timestamp) -> String {
    let report = &summary.report;
    let age = now.millis().saturating_sub(report.last_success) / 1000;
    let rows: [(&str, &str, &str, u64); 9] = [
        (
            "sekisho_bridge_up",
            "gauge",
            "Whether the mirror is as young as it should be",
            is_well(report, now).into(),
        ),
        (
            "sekisho_bridge_age_seconds",
            "gauge",
            "Seconds since the last successful poll",
            age,
        ),
        (
            "sekisho_bridge_requests_today",
            "gauge",
            "Requests to 1Password in the day under way",
            report.used_today,
        ),
        (
            "sekisho_bridge_requests_per_day",
            "gauge",
            "Requests a day that the plan has",
            report.per_day,
        ),
        (
            "sekisho_bridge_polls_total",
            "counter",
            "Polls that succeeded",
            report.polls,
        ),
        (
            "sekisho_bridge_items_written_total",
            "counter",
            "Items written to the account",
            report.written,
        ),
        (
            "sekisho_bridge_vaults",
            "gauge",
            "Vaults that are mirrored",
            summary.vaults as u64,
        ),
        (
            "sekisho_bridge_quarantined_items",
            "gauge",
            "Items that cannot be read",
            summary.quarantined as u64,
        ),
        (
            "sekisho_bridge_files_to_come",
            "gauge",
            "Files whose content is still to be fetched",
            summary.files as u64,
        ),
    ];
    let mut page = String::new();
    for (name, kind, help, value) in rows {
        let _ = write!(
            page,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_is_not_well() {
        let mut state = State::default();
        let at = Timestamp::from_millis;
        assert!(!is_well(&state.report, at(0)), "never polled");
        let never = Summary::from(&state).line(at(0));
        assert_eq!(never, "Never polled, 0 vaults, 0 of 0 requests today");
        state.report.last_success = 10_000_000;
        state.report.next_poll = 10_300_000;
        assert!(is_well(&state.report, at(10_800_000)));
        assert!(
            !is_well(&state.report, at(10_901_000)),
            "a quarter of an hour"
        );
        state.report.next_poll = 11_000_000;
        assert!(
            is_well(&state.report, at(12_900_000)),
            "a slow pace is no fault"
        );
        let summary = Summary::from(&state);
        assert!(metrics(&summary, at(12_900_000)).contains("\nsekisho_bridge_up 1\n"));
        assert_eq!(json(&state, at(10_000_000))["well"], true);
        state.report.trouble = Some("1Password cannot be reached".into());
        let line = Summary::from(&state).line(at(10_007_000));
        assert_eq!(
            line,
            "Polled 7 s ago, 0 vaults, 0 of 0 requests today; 1Password cannot be reached"
        );
    }
}
