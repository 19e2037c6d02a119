//! When to tick: on a push, on a client's write, or after a while.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use sekisho_core::{
    cache::Snapshot,
    records::{Fault, SigningKeyRecord},
};
use tokio::sync::oneshot;

use super::{Pace, SyncCore, UpstreamError, tick::TickError};
use crate::random::Random;

/// Commands that wait at most; a client's write beyond that is refused.
const MOST_WAITING: usize = 1024;
/// How long one wait for a push lasts. An end does not wait for it.
const PUSH_WAIT: Duration = Duration::from_secs(25);
/// A wait that comes back empty in less time is no wait.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

type Reply = oneshot::Sender<Result<Arc<Snapshot>, Fault>>;

/// What wakes the sync core: it waits for at most so long, and says whether something may have changed. It may wake for
/// nothing.
pub(crate) type Wake = Box<dyn FnMut(Duration) -> bool + Send>;

/// What a tick does when nobody waits for a write to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It asks the account.
    Ask,
    /// It reads what another process wrote to the replica.
    Follow,
}

enum Command {
    /// The account says that something changed.
    Push,
    /// A client's write wants to be seen.
    Show(Reply),
    /// The credentials file was changed.
    Believe(Vec<SigningKeyRecord>),
    Stop,
}

/// Asks the sync core for a tick.
#[derive(Clone)]
pub(crate) struct Ticks(SyncSender<Command>);

impl Ticks {
    /// A tick that begins after this call; what it made of the served set.
    pub(crate) async fn next(&self) -> Result<Arc<Snapshot>, Fault> {
        let (reply, answer) = oneshot::channel();
        self.0
            .try_send(Command::Show(reply))
            .map_err(|_| Fault::Unavailable)?;
        answer.await.map_err(|_| Fault::Unavailable)?
    }
}

/// The threads of the sync core: one that ticks, one that waits for a reason.
pub(crate) struct Ticker {
    commands: SyncSender<Command>,
    stopping: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(
        core: SyncCore,
        habit: Habit,
        wake: Wake,
        pace: Pace,
        random: Arc<dyn Random>,
    ) -> io::Result<Self> {
        let (commands, inbox) = sync_channel(MOST_WAITING);
        let stopping = Arc::new(AtomicBool::new(false));
        let beat = Beat {
            core,
            habit,
            inbox,
            pace,
            random,
            failures: 0,
        };
        let (pushes, stop) = (commands.clone(), Arc::clone(&stopping));
        let thread = spawn("sekisho-sync", move || beat.run())?;
        // Nobody waits for its end: it holds nothing of ours, and may be in the middle of a long wait.
        drop(spawn("sekisho-push", move || listen(wake, &pushes, &stop))?);
        Ok(Self {
            commands,
            stopping,
            thread: Some(thread),
        })
    }

    pub(crate) fn ticks(&self) -> Ticks {
        Ticks(self.commands.clone())
    }

    /// Verifies with these keys from the next tick on.
    pub(crate) fn believe(&self, signing_keys: Vec<SigningKeyRecord>) {
        // A full queue ticks for others; the next look at the file sends it again.
        let _ = self.commands.try_send(Command::Believe(signing_keys));
    }

    /// Ends after the tick that runs.
    pub(crate) fn stop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Blocks while the queue is full, which the sync core is just emptying.
        let _ = self.commands.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Turns pushes into commands.
fn listen(mut wake: Wake, commands: &SyncSender<Command>, stopping: &AtomicBool) {
    while !stopping.load(Ordering::Relaxed) {
        let began = Instant::now();
        if wake(PUSH_WAIT) {
            match commands.try_send(Command::Push) {
                // A full queue ticks anyway.
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        if began.elapsed() < SHORTEST_WAIT {
            thread::sleep(SHORTEST_WAIT);
        }
    }
}

struct Beat {
    core: SyncCore,
    habit: Habit,
    inbox: Receiver<Command>,
    pace: Pace,
    random: Arc<dyn Random>,
    failures: u32,
}

impl Beat {
    fn run(mut self) {
        let mut due = Instant::now();
        while let Some(replies) = self.await_reason(due) {
            let result = if self.habit == Habit::Follow && replies.is_empty() {
                self.core.follow()
            } else {
                self.core.tick()
            };
            self.failures = match result {
                Ok(_) => 0,
                Err(_) => self.failures.saturating_add(1),
            };
            due = Instant::now() + self.pace.after(self.failures, &*self.random);
            let result = result.map_err(|error| fault(&error));
            for reply in replies {
                // Who asked may have gone.
                let _ = reply.send(result.clone());
            }
        }
    }

    /// Waits for a reason to tick and gathers all there are: who wants to hear of it; `None` = stop.
    fn await_reason(&mut self, due: Instant) -> Option<Vec<Reply>> {
        let mut replies = Vec::new();
        let began = Instant::now();
        loop {
            let left = due.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Command::Show(reply)) => {
                    replies.push(reply);
                    break;
                }
                // While the account fails, a push may mean that it is back; but not more often than the pace begins.
                Ok(Command::Push)
                    if self.failures > 0 && began.elapsed() < self.pace.first_retry => {}
                Ok(Command::Push) | Err(RecvTimeoutError::Timeout) => break,
                Ok(Command::Believe(keys)) => {
                    self.core.believe(keys);
                    break;
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Show(reply)) => replies.push(reply),
                Ok(Command::Push) => {}
                Ok(Command::Believe(keys)) => self.core.believe(keys),
                Ok(Command::Stop) => return None,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Some(replies),
            }
        }
    }
}

/// What a client's write makes of a tick that failed.
const fn fault(error: &TickError) -> Fault {
    match error {
        TickError::Upstream(UpstreamError::Refused(fault)) => *fault,
        _ => Fault::Unavailable,
    }
}
