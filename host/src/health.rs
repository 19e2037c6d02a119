//! How the host is: what the sync core last did. One log line for each change, none for each failure.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sekisho_core::time::Timestamp;

/// The state of synchronisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncHealth {
    /// When the account was last reached.
    pub reached_at: Option<Timestamp>,
    /// Why it cannot be reached now; `None` = it can.
    pub failing: Option<String>,
    /// Whether the replica on disk lags behind what is served.
    pub replica_behind: bool,
}

/// Kept by the sync core, read by anyone.
#[derive(Debug, Default)]
pub struct Health(Mutex<SyncHealth>);

impl Health {
    /// The state now.
    pub fn report(&self) -> SyncHealth {
        self.lock().clone()
    }

    pub(crate) fn reached(&self, now: Timestamp) {
        let mut health = self.lock();
        if health.failing.take().is_some() || health.reached_at.is_none() {
            tracing::info!("synchronised with the account");
        }
        health.reached_at = Some(now);
    }

    pub(crate) fn failed(&self, why: &dyn std::fmt::Display) {
        let mut health = self.lock();
        let why = why.to_string();
        if health.failing.as_ref() != Some(&why) {
            tracing::warn!(error = %why, "not synchronised with the account");
            health.failing = Some(why);
        }
    }

    pub(crate) fn replica(&self, failure: Option<&dyn std::fmt::Display>) {
        let mut health = self.lock();
        match (health.replica_behind, failure) {
            (false, Some(error)) => tracing::warn!(%error, "the replica is not written"),
            (true, None) => tracing::info!("the replica is written again"),
            _ => {}
        }
        health.replica_behind = failure.is_some();
    }

    fn lock(&self) -> MutexGuard<'_, SyncHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
