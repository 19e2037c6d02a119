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
    /// How long one waits for room.
    patience: Duration,
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
            patience: PATIENCE,
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
            .wait_timeout_while(state, self.patience, |state| state.calls >= MOST_CALLS)
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
    use std::{
        sync::{
            atomic::{AtomicBool, AtomicUsize, Ordering},
            mpsc,
        },
        thread,
    };

    use super::*;

    /// For what takes a while on a busy machine.
    const LONG: Duration = Duration::from_secs(60);

    #[derive(Default)]
    struct Account {
        is_away: AtomicBool,
        asked: AtomicUsize,
        /// Calls that are held until this opens.
        gate: Gate,
    }

    /// Lets calls in, and out only when it is open; counts those between.
    struct Gate {
        is_open: Mutex<bool>,
        opens: Condvar,
        inside: AtomicUsize,
        most: AtomicUsize,
    }

    impl Default for Gate {
        fn default() -> Self {
            Self {
                is_open: Mutex::new(true),
                opens: Condvar::new(),
                inside: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
            }
        }
    }

    impl Gate {
        fn pass(&self) {
            let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(inside, Ordering::SeqCst);
            let open = self.is_open.lock().unwrap();
            let (open, _) = self
                .opens
                .wait_timeout_while(open, LONG, |open| !*open)
                .unwrap();
            drop(open);
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }

        fn set(&self, open: bool) {
            *self.is_open.lock().unwrap() = open;
            self.opens.notify_all();
        }

        fn await_inside(&self, calls: usize) {
            let end = Instant::now() + LONG;
            while self.inside.load(Ordering::SeqCst) != calls {
                assert!(Instant::now() < end, "never: {calls} calls at once");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    impl Account {
        fn answer<T>(&self) -> Result<T, UpstreamError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.gate.pass();
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

    /// As many calls as there is room for, and so many more, each on a thread; what each of them came to.
    fn crowd(breaker: &Arc<Breaker>, more: usize) -> mpsc::Receiver<Result<(), UpstreamError>> {
        let (tell, told) = mpsc::channel();
        for _ in 0..MOST_CALLS + more {
            let (breaker, tell) = (Arc::clone(breaker), tell.clone());
            thread::spawn(move || tell.send(breaker.report_usage(&[])));
        }
        told
    }

    #[test]
    fn so_many_calls_are_under_way_at_once_and_the_others_wait() {
        const MORE: usize = 40;
        let account = Arc::new(Account::default());
        let mut breaker = Breaker::new(Arc::clone(&account) as _, Arc::default());
        breaker.patience = LONG;
        let breaker = Arc::new(breaker);
        account.gate.set(false);
        let told = crowd(&breaker, MORE);
        account.gate.await_inside(MOST_CALLS);
        // The sync core's own question does not stand in line: it is one more inside.
        let own = thread::spawn({
            let breaker = Arc::clone(&breaker);
            move || breaker.changes("").is_err()
        });
        account.gate.await_inside(MOST_CALLS + 1);
        assert!(told.try_recv().is_err(), "nobody was refused");
        account.gate.set(true);
        for _ in 0..MOST_CALLS + MORE {
            let result = told.recv_timeout(LONG).unwrap();
            assert!(
                matches!(result, Err(UpstreamError::Refused(_))),
                "{result:?}: each of them was asked in its turn"
            );
        }
        assert!(own.join().unwrap());
        assert_eq!(account.asked.load(Ordering::Relaxed), MOST_CALLS + MORE + 1);
        assert_eq!(account.gate.most.load(Ordering::SeqCst), MOST_CALLS + 1);
    }

    #[test]
    fn who_waits_for_too_long_is_told_so_and_the_account_is_not_asked() {
        const MORE: usize = 3;
        let account = Arc::new(Account::default());
        let mut breaker = Breaker::new(Arc::clone(&account) as _, Arc::default());
        breaker.patience = Duration::from_millis(20);
        let breaker = Arc::new(breaker);
        account.gate.set(false);
        let first = crowd(&breaker, 0);
        account.gate.await_inside(MOST_CALLS);
        for _ in 0..MORE {
            let refused = breaker.report_usage(&[]).unwrap_err();
            assert!(matches!(refused, UpstreamError::NotAsked(_)), "{refused:?}");
            assert!(refused.to_string().contains("too many calls"), "{refused}");
        }
        assert_eq!(account.asked.load(Ordering::Relaxed), MOST_CALLS);
        account.gate.set(true);
        for _ in 0..MOST_CALLS {
            first.recv_timeout(LONG).unwrap().unwrap_err();
        }
        // There is room again.
        let refused = breaker.report_usage(&[]).unwrap_err();
        assert!(matches!(refused, UpstreamError::Refused(_)), "{refused:?}");
    }
}
