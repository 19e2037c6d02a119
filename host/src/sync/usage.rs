//! Notes of accesses on their way to the account: gathered in memory, sent once a second.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use sekisho_core::{encoding, rest::UsageEvent};

use super::{Upstream, UpstreamError, UsageReport};
use crate::random::Random;

/// Events that wait at most; beyond that the oldest are let go, because a server must not stop serving for its notes.
const MOST_WAITING: usize = 100_000;
const MOST_IN_A_BATCH: usize = 1_000;
const EVERY: Duration = Duration::from_secs(1);

/// Takes notes. It never waits and never fails.
#[derive(Clone, Default)]
pub struct UsageQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    stopping: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<UsageEvent>,
    lost: u64,
    stopped: bool,
}

impl UsageQueue {
    /// Notes one access.
    pub(crate) fn note(&self, event: UsageEvent) {
        let mut state = self.lock();
        if state.waiting.len() == MOST_WAITING {
            state.waiting.pop_front();
            state.lost += 1;
        }
        state.waiting.push_back(event);
    }

    /// Events that wait.
    pub(crate) fn depth(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A queue is whole after every statement above, so a panic elsewhere leaves nothing half done.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<UsageEvent> {
        let mut state = self.lock();
        let many = state.waiting.len().min(MOST_IN_A_BATCH);
        if state.lost > 0 {
            tracing::warn!(
                lost = state.lost,
                "usage was let go: the account took none for too long"
            );
            state.lost = 0;
        }
        state.waiting.drain(..many).collect()
    }

    /// Waits for a second, or until it is told to stop; says whether it was.
    fn rest(&self) -> bool {
        let state = self.lock();
        let (state, _) = self
            .0
            .stopping
            .wait_timeout_while(state, EVERY, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.stopped
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.0.stopping.notify_all();
    }
}

/// The thread that sends what was noted.
pub(crate) struct UsageReporter {
    queue: UsageQueue,
    thread: Option<thread::JoinHandle<()>>,
}

impl UsageReporter {
    pub(crate) fn start(
        queue: UsageQueue,
        upstream: Arc<dyn Upstream>,
        random: Arc<dyn Random>,
    ) -> std::io::Result<Self> {
        let reporter = Reporter {
            queue: queue.clone(),
            upstream,
            random,
            unsent: None,
        };
        let thread = thread::Builder::new()
            .name("sekisho-usage".to_owned())
            .spawn(move || reporter.run())?;
        Ok(Self {
            queue,
            thread: Some(thread),
        })
    }

    /// Sends what is left, then ends.
    pub(crate) fn stop(&mut self) {
        self.queue.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reporter {
    queue: UsageQueue,
    upstream: Arc<dyn Upstream>,
    random: Arc<dyn Random>,
    /// The batch that the account did not take, kept with its id so that it cannot count twice.
    unsent: Option<Vec<UsageReport>>,
}

impl Reporter {
    fn run(mut self) {
        while !self.queue.rest() {
            self.send_all();
        }
        self.send_all();
    }

    fn send_all(&mut self) {
        while let Some(batch) = self.next_batch() {
            match self.upstream.report_usage(&batch) {
                Ok(()) => {}
                Err(UpstreamError::Refused(fault)) => {
                    // It would be refused again, and all that follow would wait behind it.
                    tracing::warn!(%fault, events = batch.len(), "the account refuses usage");
                }
                Err(error) => {
                    tracing::debug!(%error, "usage waits");
                    self.unsent = Some(batch);
                    return;
                }
            }
        }
    }

    fn next_batch(&mut self) -> Option<Vec<UsageReport>> {
        if let Some(batch) = self.unsent.take() {
            return Some(batch);
        }
        let events = self.queue.take();
        if events.is_empty() {
            return None;
        }
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let id = encoding::base64url(&id);
        let named = (0..)
            .zip(events)
            .map(|(n, event): (u32, _)| UsageReport::new(format!("{id}.{n}"), event));
        Some(named.collect())
    }
}
