//! How the host is: what the sync core last did. One log line for each change of state, none for each failure.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sekisho_core::time::Timestamp;

use crate::sync::{TickError, UpstreamError};

/// The state of synchronisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncHealth {
    /// When the account was last reached; for a process that follows a replica, when it vouched for what is there.
    pub reached_at: Option<Timestamp>,
    /// Why it cannot be reached now; `None` = it can.
    pub failing: Option<String>,
    /// Whether the replica on disk lags behind what is served.
    pub replica_behind: bool,
}

#[derive(Debug, Default)]
struct State {
    told: SyncHealth,
    trouble: Option<Trouble>,
    /// Whether there was ever a success to tell.
    was_well: bool,
}

/// What somebody has to look at. Within one kind, texts come and go without a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The network, or the account itself: it may pass.
    Away,
    /// The credentials: it does not pass by itself.
    Unauthorised,
    /// What it says is not believed.
    Disbelieved,
}

impl Trouble {
    const fn of(error: &TickError) -> Self {
        match error {
            TickError::Upstream(UpstreamError::Unauthorised) => Self::Unauthorised,
            TickError::Sync(_) => Self::Disbelieved,
            _ => Self::Away,
        }
    }
}

/// Kept by the sync core, read by anyone.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

impl Health {
    /// The state now.
    pub fn report(&self) -> SyncHealth {
        self.lock().told.clone()
    }

    /// Whether the replica on disk lags behind what is served.
    pub fn is_replica_behind(&self) -> bool {
        self.lock().told.replica_behind
    }

    pub(crate) fn reached(&self, now: Timestamp) {
        self.well(now, "synchronised with the account");
    }

    pub(crate) fn followed(&self, vouched_at: Timestamp) {
        self.well(vouched_at, "following the replica");
    }

    fn well(&self, at: Timestamp, what: &str) {
        let mut state = self.lock();
        if state.trouble.take().is_some() || !state.was_well {
            tracing::info!("{what}");
        }
        state.was_well = true;
        state.told.failing = None;
        state.told.reached_at = Some(at);
    }

    pub(crate) fn failed(&self, why: &TickError) {
        let mut state = self.lock();
        let trouble = Trouble::of(why);
        let why = why.to_string();
        if state.trouble != Some(trouble) {
            tracing::warn!(error = %why, "not synchronised with the account");
        } else if state.told.failing.as_ref() != Some(&why) {
            tracing::debug!(error = %why, "still not synchronised with the account");
        }
        state.trouble = Some(trouble);
        state.told.failing = Some(why);
    }

    pub(crate) fn replica(&self, failure: Option<&dyn std::fmt::Display>) {
        let mut state = self.lock();
        match (state.told.replica_behind, failure) {
            (false, Some(error)) => {
                tracing::warn!(%error, "the replica is not written; reads go on, writes are refused");
            }
            (true, None) => tracing::info!("the replica is written again"),
            _ => {}
        }
        state.told.replica_behind = failure.is_some();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sekisho_core::sync::SyncError;

    use super::*;

    #[test]
    fn texts_change_without_a_change_of_state() {
        let health = Health::default();
        let away = |why: &str| TickError::Upstream(UpstreamError::Unreachable(why.into()));
        health.failed(&away("refused"));
        let first = health.lock().trouble;
        health.failed(&away("timed out"));
        health.failed(&TickError::Upstream(UpstreamError::Garbled("x".into())));
        assert_eq!(health.lock().trouble, first);
        health.failed(&TickError::Sync(SyncError::ForgedHead));
        assert_ne!(health.lock().trouble, first);
        health.reached(Timestamp::from_seconds(1));
        assert_eq!(health.report().failing, None);
    }
}
