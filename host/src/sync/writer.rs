//! Clients' writes: to the account first, then into what is served, then answered.
//!
//! Writes to one vault form a line, because the vault's version moves with each; lines of different vaults do not
//! wait for each other. A line has an end: who comes when it is full, or stands too long, is sent away. Who comes too
//! late, because another write came first, sees what that one made and goes next: nobody has to start over twice.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sekisho_core::{
    cache::Snapshot,
    id::VaultId,
    records::{DeleteRequest, Expect, Fault, PutChunkRequest, PutRequest},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Ticks, Upstream, UpstreamError};
use crate::live::Live;

/// Who may stand in one line.
const LONGEST_LINE: usize = 256;
/// Ticks until a write must be seen. One is enough unless the account answers from a copy of itself.
const MOST_TICKS: u32 = 5;
const BETWEEN_TICKS: Duration = Duration::from_millis(50);
/// What took longer is not tried again: the client has waited enough.
const QUICK: Duration = Duration::from_secs(2);
/// Before a write that got no answer is sent again.
const RETRIES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(300)];

/// Carries writes to the account.
#[derive(Clone)]
pub struct Writer(Arc<Shared>);

struct Shared {
    upstream: Arc<dyn Upstream>,
    ticks: Ticks,
    live: Arc<Live>,
    /// How long a write may stand in line.
    patience: Duration,
    lines: Mutex<HashMap<VaultId, Arc<Line>>>,
}

struct Line {
    turn: Arc<Semaphore>,
    length: AtomicUsize,
}

/// The right to write to a vault; it goes to the next in line when this goes.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    vault: VaultId,
    /// `None` only while it goes.
    held: Option<(Arc<Line>, OwnedSemaphorePermit)>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        self.shared.leave(&self.vault);
    }
}

/// Why a write was not made.
pub(crate) struct WriteRefused {
    pub(crate) fault: Fault,
    /// After a conflict: what another write made, and the turn to try again.
    pub(crate) again: Option<(Arc<Snapshot>, Turn)>,
    /// Whether it was not the account that said so, but what it mirrors.
    pub(crate) is_declined: bool,
    /// Why, in a sentence that may be told.
    pub(crate) reason: Option<String>,
}

impl From<Fault> for WriteRefused {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            again: None,
            is_declined: false,
            reason: None,
        }
    }
}

type Written = Result<Arc<Snapshot>, WriteRefused>;

impl Writer {
    pub(crate) fn new(
        upstream: Arc<dyn Upstream>,
        ticks: Ticks,
        live: Arc<Live>,
        patience: Duration,
    ) -> Self {
        Self(Arc::new(Shared {
            upstream,
            ticks,
            live,
            patience,
            lines: Mutex::default(),
        }))
    }

    /// Writes that wait for their turn.
    pub(crate) fn depth(&self) -> usize {
        let lines = self.0.lines();
        lines
            .values()
            .map(|line| line.length.load(Ordering::Relaxed))
            .sum()
    }

    /// Writes an item; what is served when it is done has it.
    pub(crate) async fn put(&self, request: PutRequest, turn: Option<Turn>) -> Written {
        let (vault, item, version) = (request.vault, request.item.id, request.item.version);
        let expect = request.expect;
        let request = Arc::new(request);
        let write = Write {
            vault,
            is_late: Box::new(move |snapshot| {
                snapshot.item(&vault, &item).is_ok_and(|held| match expect {
                    Expect::Absent => true,
                    Expect::Version(version) => held.version != version,
                })
            }),
            // Missing may also mean that it was deleted since; then a later version is not to be had.
            is_seen: Box::new(move |snapshot| {
                snapshot
                    .item(&vault, &item)
                    .is_ok_and(|item| item.version >= version)
            }),
            // Sealed under random nonces, no two writes are equal: what lies there is this one or another.
            is_this: {
                let request = Arc::clone(&request);
                Box::new(move |snapshot| {
                    let held = snapshot.item(&vault, &item);
                    held.is_ok_and(|held| **held == request.item)
                })
            },
            send: Arc::new(move |upstream| upstream.put(&request)),
        };
        self.write(write, turn).await
    }

    /// Stores a chunk. Nothing that is served changes, so it stands in no line.
    pub(crate) async fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        let upstream = Arc::clone(&self.0.upstream);
        let task = tokio::task::spawn_blocking(move || upstream.put_chunk(&request));
        let result = task.await.map_err(|_| Fault::Unavailable)?;
        result.map_err(|error| error.fault())
    }

    /// Deletes an item; what is served when it is done has it no more.
    pub(crate) async fn delete(&self, request: DeleteRequest, turn: Option<Turn>) -> Written {
        let (vault, item, version) = (request.vault, request.item, request.version);
        let write = Write {
            vault,
            is_late: Box::new(move |snapshot| {
                snapshot
                    .item(&vault, &item)
                    .is_ok_and(|held| held.version != version)
            }),
            is_seen: Box::new(move |snapshot| {
                snapshot
                    .item(&vault, &item)
                    .map_or(true, |item| item.version > version)
            }),
            is_this: Box::new(move |snapshot| {
                snapshot.vault(&vault).is_ok() && snapshot.item(&vault, &item).is_err()
            }),
            send: Arc::new(move |upstream| upstream.delete(&request)),
        };
        self.write(write, turn).await
    }

    /// A task of its own: a client that leaves does not stop a write halfway.
    async fn write(&self, write: Write, turn: Option<Turn>) -> Written {
        let shared = Arc::clone(&self.0);
        let task = tokio::spawn(shared.write(write, turn));
        task.await.map_err(|_| Fault::Unavailable)?
    }
}

type Look = Box<dyn Fn(&Snapshot) -> bool + Send + Sync>;
type Sending = Arc<dyn Fn(&dyn Upstream) -> Result<(), UpstreamError> + Send + Sync>;

struct Write {
    vault: VaultId,
    /// Whether what it expects is known to be past.
    is_late: Look,
    /// Whether a set has it.
    is_seen: Look,
    /// Whether a set has it, and it is this very write's doing.
    is_this: Look,
    send: Sending,
}

/// What became of a write on its way.
enum Sent {
    /// It is durable at the account.
    Taken,
    /// Nobody said.
    Unclear(Fault),
    /// The account says no.
    Refused(Fault),
    /// What it mirrors says no.
    Declined(Fault, Option<String>),
}

impl Shared {
    async fn write(self: Arc<Self>, write: Write, turn: Option<Turn>) -> Written {
        let turn = match turn.filter(|turn| turn.vault == write.vault) {
            Some(turn) => turn,
            None => Arc::clone(&self).stand(write.vault).await?,
        };
        let newest = self.live.snapshot();
        if (write.is_late)(&newest) {
            // The account would say the same, only later.
            return Err(conflict(newest, turn));
        }
        match self.send(&write.send).await? {
            Sent::Taken => {}
            Sent::Unclear(fault) => {
                // It may be there though nobody said so. If it is not, the account did not take it: nothing is done.
                let newest = self.ticks.next().await.map_err(|_| fault)?;
                if !(write.is_this)(&newest) {
                    return Err(fault.into());
                }
            }
            // Another server of the account wrote: what it made must be seen before anything else can follow.
            Sent::Refused(Fault::Conflict) => {
                return Err(conflict(self.ticks.next().await?, turn));
            }
            Sent::Refused(fault) => return Err(fault.into()),
            // It is here now as it is there.
            Sent::Declined(Fault::Conflict, _) => {
                let refused = conflict(self.ticks.next().await?, turn);
                return Err(WriteRefused {
                    is_declined: true,
                    ..refused
                });
            }
            Sent::Declined(fault, reason) => {
                return Err(WriteRefused {
                    is_declined: true,
                    reason,
                    ..fault.into()
                });
            }
        }
        for _ in 0..MOST_TICKS {
            let snapshot = self.ticks.next().await?;
            if (write.is_seen)(&snapshot) {
                return Ok(snapshot);
            }
            tokio::time::sleep(BETWEEN_TICKS).await;
        }
        Err(Fault::Unavailable.into())
    }

    /// Sends a write until the account answers, a few times. It is the same write each time, so it counts once: the
    /// version it expects, and the bytes it brings, are the key by which the account and we know it again.
    async fn send(&self, send: &Sending) -> Result<Sent, Fault> {
        let mut was_unclear = false;
        let mut pauses = RETRIES.iter();
        loop {
            let (upstream, send) = (Arc::clone(&self.upstream), Arc::clone(send));
            let began = Instant::now();
            let sent = tokio::task::spawn_blocking(move || send(&*upstream))
                .await
                .map_err(|_| Fault::Unavailable)?;
            let error = match sent {
                Ok(()) => return Ok(Sent::Taken),
                Err(error) => error,
            };
            tracing::debug!(%error, "a write was not taken");
            match (error, pauses.next()) {
                // It says no to what it took the first time, perhaps.
                (UpstreamError::Refused(Fault::Conflict | Fault::Missing), _) if was_unclear => {
                    // Not as a conflict: to begin anew on top of it might do the same thing twice.
                    return Ok(Sent::Unclear(Fault::Unavailable));
                }
                (UpstreamError::Refused(fault), _) => return Ok(Sent::Refused(fault)),
                (UpstreamError::Declined { fault, reason }, _) => {
                    return Ok(Sent::Declined(fault, reason));
                }
                (UpstreamError::Unauthorised, _) => return Ok(Sent::Refused(Fault::Unavailable)),
                (UpstreamError::NotAsked(_), _) if !was_unclear => {
                    return Ok(Sent::Refused(Fault::Unavailable));
                }
                (_, Some(pause)) if began.elapsed() < QUICK => {
                    was_unclear = true;
                    tokio::time::sleep(*pause).await;
                }
                _ => return Ok(Sent::Unclear(Fault::Unavailable)),
            }
        }
    }

    async fn stand(self: Arc<Self>, vault: VaultId) -> Result<Turn, Fault> {
        let line = self.line(vault);
        let turn = line.stand(self.patience).await;
        let held = turn.map(|permit| (line, permit));
        // Also when there is no turn: then its going tidies up.
        let (held, fault) = match held {
            Ok(held) => (Some(held), None),
            Err(fault) => (None, Some(fault)),
        };
        let turn = Turn {
            shared: self,
            vault,
            held,
        };
        fault.map_or(Ok(turn), Err)
    }

    fn line(&self, vault: VaultId) -> Arc<Line> {
        let mut lines = self.lines();
        Arc::clone(lines.entry(vault).or_insert_with(|| {
            Arc::new(Line {
                turn: Arc::new(Semaphore::new(1)),
                length: AtomicUsize::new(0),
            })
        }))
    }

    /// Forgets a line in which nobody stands.
    fn leave(&self, vault: &VaultId) {
        let mut lines = self.lines();
        if lines
            .get(vault)
            .is_some_and(|line| Arc::strong_count(line) == 1)
        {
            lines.remove(vault);
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<VaultId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn conflict(newest: Arc<Snapshot>, turn: Turn) -> WriteRefused {
    WriteRefused {
        fault: Fault::Conflict,
        again: Some((newest, turn)),
        is_declined: false,
        reason: None,
    }
}

impl Line {
    async fn stand(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Fault> {
        if self.length.fetch_add(1, Ordering::Relaxed) >= LONGEST_LINE {
            self.length.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::Unavailable);
        }
        let turn = Arc::clone(&self.turn).acquire_owned();
        let turn = tokio::time::timeout(patience, turn).await;
        self.length.fetch_sub(1, Ordering::Relaxed);
        turn.map_err(|_| Fault::Unavailable)?
            .map_err(|_| Fault::Unavailable)
    }
}
