//! Publishing that goes on: what is served here is soon served there.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use sekisho_account::{Credentials, Device};
use sekisho_core::cache::Snapshot;

use super::{PublishError, Publisher, Store};
use crate::{
    clock::{Clock, SystemClock},
    health::Health,
    live::Live,
    random::SystemRandom,
    sync::{AccountUpstream, Habit, Pace, Parts, SyncCore, Ticker, Upstream, Wake},
};

/// Between two looks at what is served: a revocation must be seen at the edges within a second.
const LOOK: Duration = Duration::from_millis(50);
/// Between two looks at what edges noted.
const COLLECT: Duration = Duration::from_secs(10);
/// After a failure: the first wait, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(15);

/// What to publish, for who does nothing else.
pub struct Source {
    /// Whom to believe.
    pub credentials: Credentials,
    /// The account.
    pub device: Arc<dyn Device>,
    /// Where the replica lies, which may be another process's too; `None` = everything is fetched.
    pub data_dir: Option<PathBuf>,
    /// The waits of the sync core.
    pub pace: Pace,
}

/// The sync core alone: nothing is served.
pub struct Sync {
    core: SyncCore,
    upstream: Arc<dyn Upstream>,
    pace: Pace,
}

impl Sync {
    /// Begins with what the replica holds.
    pub fn new(source: Source) -> Self {
        let upstream: Arc<dyn Upstream> = Arc::new(AccountUpstream::new(source.device));
        let core = SyncCore::load(Parts {
            upstream: Arc::clone(&upstream),
            trust: source.credentials.trust(),
            directory: source.data_dir,
            health: Arc::new(Health::default()),
            clock: Arc::new(SystemClock),
            signing_keys: source.credentials.signing_keys().to_vec(),
            streams: 0,
        });
        Self {
            core,
            upstream,
            pace: source.pace,
        }
    }

    /// Asks the account once.
    pub fn once(&mut self) -> Result<Arc<Live>, PublishError> {
        let ticked = self.core.tick();
        // The sync core's errors say what is wrong and carry no contents.
        ticked.map_err(|error| PublishError::Store(error.to_string()))?;
        Ok(Arc::clone(self.core.live()))
    }

    /// Goes on asking until what is returned is dropped.
    pub fn start(self) -> Result<(Arc<Live>, impl Sized), PublishError> {
        let live = Arc::clone(self.core.live());
        let upstream = self.upstream;
        let wake: Wake = Box::new(move |timeout| upstream.wait(timeout));
        let random = Arc::new(SystemRandom);
        let ticker = Ticker::start(self.core, Habit::Ask, wake, self.pace, random);
        let ticker = ticker.map_err(no_thread)?;
        Ok((live, Stopping(ticker)))
    }
}

struct Stopping(Ticker);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn no_thread(error: std::io::Error) -> PublishError {
    PublishError::Store(format!(
        "a thread cannot be started: {error}: is the machine out of memory?"
    ))
}

/// A thread that publishes each change of what is served. It ends when this goes.
pub struct Publishing {
    stopping: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Publishing {
    /// Begins.
    pub fn start<S: Store + 'static>(
        live: Arc<Live>,
        publisher: Publisher<S>,
    ) -> Result<Self, PublishError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = thread::Builder::new()
            .name("sekisho-publish".to_owned())
            .spawn(move || keep_equal(&live, publisher, &stop))
            .map_err(no_thread)?;
        Ok(Self {
            stopping,
            thread: Some(thread),
        })
    }

    /// Whether it ended by itself, because it cannot go on.
    pub fn has_ended(&self) -> bool {
        self.thread
            .as_ref()
            .is_none_or(thread::JoinHandle::is_finished)
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep_equal<S: Store>(live: &Live, mut publisher: Publisher<S>, stopping: &AtomicBool) {
    let mut published: Option<Arc<Snapshot>> = None;
    let mut pause = FIRST_PAUSE;
    let mut not_before = Instant::now();
    let mut collected = Instant::now();
    while !stopping.load(Ordering::Relaxed) {
        let snapshot = live.snapshot();
        let is_new = published
            .as_ref()
            .is_none_or(|before| !Arc::ptr_eq(before, &snapshot));
        if Instant::now() >= not_before {
            let result = if is_new && snapshot.head().is_some() {
                publish(live, &mut publisher, &snapshot)
            } else {
                publisher.sweep().map(drop)
            };
            match result {
                Ok(()) => {
                    published = Some(snapshot);
                    pause = FIRST_PAUSE;
                }
                Err(error) => {
                    tracing::warn!(%error, "nothing is published: trying again");
                    published = None;
                    not_before = Instant::now() + pause;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
        if collected.elapsed() >= COLLECT && !stopping.load(Ordering::Relaxed) {
            collected = Instant::now();
            if let Err(error) = publisher.collect() {
                tracing::warn!(%error, "accesses stay at the edge for now");
            }
        }
        thread::sleep(LOOK);
    }
}

fn publish<S: Store>(
    live: &Live,
    publisher: &mut Publisher<S>,
    snapshot: &Snapshot,
) -> Result<(), PublishError> {
    let outcome = publisher.publish(snapshot, &live.signing_keys(), SystemClock.now())?;
    if outcome.pointed {
        let version = snapshot.head().map_or(0, |head| head.version);
        tracing::info!(
            version,
            put = outcome.put,
            objects = outcome.objects,
            "published"
        );
    }
    Ok(())
}
