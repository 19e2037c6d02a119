//! What spares an account that does not answer, and those who would wait for it.
//!
//! After a few failures in a row, calls fail at once instead of each after its timeout; one is let through from time
//! to time. The sync core's own question passes always: it has a pace of its own, and its success lets all others pass
//! again. How many calls run at once is limited too.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, PutChunkRequest, PutRequest},
    sync::FeedPage,
};

use super::{Upstream, UpstreamError, UsageReport};
use crate::metrics::Metrics;

/// Failures in a row after which the account is spared.
const MOST_FAILURES: u32 = 20;
/// A failure that took so long counts for so many: others wait for it.
const SLOW: (Duration, u32) = (Duration::from_millis(500), 7);
/// How long it is spared: the first time, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(15);
/// Calls at once.
const MOST_CALLS: usize = 64;
/// How long one waits to be among them.
const PATIENCE: Duration = Duration::from_secs(10);

/// An upstream that is spared.
pub(crate) struct Breaker {
    inner: Arc<dyn Upstream>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    room: Condvar,
}

#[derive(Default)]
struct State {
    calls: usize,
    failures: u32,
    /// Not before then is the account asked again.
    spared_until: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new(inner: Arc<dyn Upstream>, metrics: Arc<Metrics>) -> Self {
        Self {
            inner,
            metrics,
            state: Mutex::default(),
            room: Condvar::new(),
        }
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&dyn Upstream) -> Result<T, UpstreamError>,
    ) -> Result<T, UpstreamError> {
        self.enter().inspect_err(|_| self.metrics.not_asked())?;
        let began = Instant::now();
        let result = call(&*self.inner);
        self.leave(result.as_ref().err(), began.elapsed());
        result
    }

    fn enter(&self) -> Result<(), UpstreamError> {
        let mut state = self.lock();
        if let Some(until) = state.spared_until {
            let now = Instant::now();
            if now < until {
                return Err(UpstreamError::NotAsked("the last calls failed"));
            }
            // This one finds out; others wait for what it finds.
            state.spared_until = Some(now + state.pause());
        }
        let (mut state, _) = self
            .room
            .wait_timeout_while(state, PATIENCE, |state| state.calls >= MOST_CALLS)
            .unwrap_or_else(PoisonError::into_inner);
        if state.calls >= MOST_CALLS {
            return Err(UpstreamError::NotAsked("too many calls wait for it"));
        }
        state.calls += 1;
        Ok(())
    }

    fn leave(&self, error: Option<&UpstreamError>, took: Duration) {
        let mut state = self.lock();
        state.calls = state.calls.saturating_sub(1);
        self.room.notify_one();
        self.judge(&mut state, error, took);
    }

    fn judge(&self, state: &mut State, error: Option<&UpstreamError>, took: Duration) {
        match error {
            Some(UpstreamError::Unreachable(_) | UpstreamError::Garbled(_)) => {
                let weight = if took >= SLOW.0 { SLOW.1 } else { 1 };
                state.failures = state.failures.saturating_add(weight);
                if state.failures >= MOST_FAILURES {
                    state.spared_until = Some(Instant::now() + state.pause());
                }
            }
            // A refusal is an answer.
            _ => {
                state.failures = 0;
                state.spared_until = None;
            }
        }
        self.metrics.spares(state.spared_until.is_some());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers only: whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(MOST_FAILURES).min(16);
        FIRST_PAUSE.saturating_mul(1 << doublings).min(LAST_PAUSE)
    }
}

impl Upstream for Breaker {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        let began = Instant::now();
        let result = self.inner.changes(cursor);
        self.judge(&mut self.lock(), result.as_ref().err(), began.elapsed());
        result
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        self.call(|inner| inner.put(request))
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.call(|inner| inner.put_chunk(request))
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.call(|inner| inner.delete(request))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.call(|inner| inner.chunk(vault, item, file, index))
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.call(|inner| inner.report_usage(reports))
    }

    fn wait(&self, timeout: Duration) -> bool {
        self.inner.wait(timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Account {
        is_away: AtomicBool,
        asked: AtomicUsize,
    }

    impl Account {
        fn answer<T>(&self) -> Result<T, UpstreamError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            if self.is_away.load(Ordering::Relaxed) {
                Err(UpstreamError::Unreachable("away".into()))
            } else {
                Err(UpstreamError::Refused(sekisho_core::records::Fault::Denied))
            }
        }
    }

    impl Upstream for Account {
        fn changes(&self, _: &str) -> Result<FeedPage, UpstreamError> {
            self.answer()
        }
        fn put(&self, _: &PutRequest) -> Result<(), UpstreamError> {
            self.answer()
        }
        fn put_chunk(&self, _: &PutChunkRequest) -> Result<(), UpstreamError> {
            self.answer()
        }
        fn delete(&self, _: &DeleteRequest) -> Result<(), UpstreamError> {
            self.answer()
        }
        fn chunk(
            &self,
            _: &VaultId,
            _: &ItemId,
            _: &FileId,
            _: u32,
        ) -> Result<Vec<u8>, UpstreamError> {
            self.answer()
        }
        fn report_usage(&self, _: &[UsageReport]) -> Result<(), UpstreamError> {
            self.answer()
        }
        fn wait(&self, _: Duration) -> bool {
            false
        }
    }

    #[test]
    fn an_account_that_is_away_is_spared_until_the_sync_core_reaches_it() {
        let account = Arc::new(Account::default());
        let breaker = Breaker::new(Arc::clone(&account) as _, Arc::default());
        account.is_away.store(true, Ordering::Relaxed);
        for _ in 0..100 {
            assert!(breaker.report_usage(&[]).is_err());
        }
        let asked = account.asked.load(Ordering::Relaxed);
        assert!((20..30).contains(&asked), "{asked}");
        assert!(matches!(
            breaker.report_usage(&[]),
            Err(UpstreamError::NotAsked(_))
        ));
        account.is_away.store(false, Ordering::Relaxed);
        let _ = breaker.changes("");
        assert!(matches!(
            breaker.report_usage(&[]),
            Err(UpstreamError::Refused(_))
        ));
    }
}
