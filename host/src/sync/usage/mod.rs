//! Notes of accesses on their way to the account (invariant 11).
//!
//! A note is appended to a file before its answer is sent, so that no kill of the process loses it; once a second the
//! file is synced, so that a power cut loses no more than that. What is in the files is sent in batches; each note has
//! an id from the beginning, under which the account counts it once, however often it is sent. What the account does
//! not take for long is added up, the oldest first, and stays within a budget: counts are kept, single times are not.
//!
//! Where nothing can be written, notes wait in memory under the same rules.

mod fold;
mod folder;
mod reporter;
mod segment;

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sekisho_core::{encoding, rest::UsageEvent};

pub(crate) use self::reporter::UsageReporter;
use self::{folder::Folder, segment::Segment};
use super::UsageReport;
use crate::random::Random;

/// Reports that wait in memory when they cannot be written; more are added up.
const MOST_IN_MEMORY: usize = 50_000;
/// Reports that are written in one call, where many are.
const AT_ONCE: usize = 256;
/// Bytes after which a file is closed and another begun, at most; less where the budget is small.
const SEGMENT: u64 = 1024 * 1024;

/// Takes notes. It never waits for the network and never fails.
#[derive(Clone)]
pub struct UsageQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    stopping: Condvar,
    /// Notes that the account has not acknowledged.
    depth: AtomicU64,
}

struct State {
    /// `None` = in memory only.
    folder: Option<Folder>,
    /// The file that notes are appended to.
    open: Option<Segment>,
    /// What could not be written.
    memory: Vec<UsageReport>,
    /// So many of these were offered to the account: they may have been counted, so they must stay as they are.
    offered: usize,
    is_failing: bool,
    /// Begins the ids of this process.
    name: String,
    number: u64,
    stopped: bool,
}

impl UsageQueue {
    /// Notes go to files below this folder, and those that others left there are taken over; `None` = in memory only.
    /// The files hold `budget` bytes at most.
    pub(crate) fn open(directory: Option<&Path>, budget: u64, random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        let name = encoding::base64url(&id);
        let folder = directory.and_then(|directory| {
            Folder::open(directory, &name, budget)
                .inspect_err(|error| {
                    tracing::warn!(kind = ?error.kind(), "usage waits in memory: its folder cannot be written");
                })
                .ok()
        });
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                folder,
                open: None,
                memory: Vec::new(),
                offered: 0,
                is_failing: false,
                name,
                number: 0,
                stopped: false,
            }),
            stopping: Condvar::new(),
            depth: AtomicU64::new(0),
        }))
    }

    /// Notes accesses; those that come together are written together.
    pub(crate) fn note(&self, events: &[UsageEvent]) {
        self.0
            .depth
            .fetch_add(events.len() as u64, Ordering::Relaxed);
        self.lock().note(events);
    }

    /// Accesses that the account has not acknowledged.
    pub(crate) fn depth(&self) -> u64 {
        self.0.depth.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, or until it is told to stop; says whether it was.
    fn rest(&self, time: Duration) -> bool {
        let (state, _) = self
            .0
            .stopping
            .wait_timeout_while(self.lock(), time, |state| !state.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        state.stopped
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.0.stopping.notify_all();
    }

    /// Leaves the folder: it goes if it is empty, else the next process takes it over.
    fn let_go(&self) {
        let mut state = self.lock();
        state.close();
        state.folder = None;
    }

    fn found(&self, count: u64) {
        self.0.depth.fetch_add(count, Ordering::Relaxed);
    }

    fn done(&self, reports: &[UsageReport]) {
        let count: u64 = reports.iter().map(|report| report.times().count).sum();
        let fewer = |depth: u64| Some(depth.saturating_sub(count));
        // It always succeeds.
        let _ = self
            .0
            .depth
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }
}

impl State {
    fn note(&mut self, events: &[UsageEvent]) {
        let reports: Vec<_> = events.iter().map(|event| self.report(event)).collect();
        if self.write(&reports) {
            return;
        }
        self.memory.extend(reports);
        if self.memory.len() > MOST_IN_MEMORY {
            let kept = self.offered.min(self.memory.len());
            let rest = self.memory.split_off(kept);
            let name = format!("{}.f{}", self.name, self.number);
            let folded = fold::fold(rest, MOST_IN_MEMORY / 2, &name);
            self.memory.extend(folded);
        }
    }

    fn report(&mut self, event: &UsageEvent) -> UsageReport {
        let event = UsageEvent {
            // Who asked stays here: the account counts tokens and items, and a client's name for itself can say anything.
            caller: Default::default(),
            ..*event
        };
        let id = format!("{}.{}", self.name, self.number);
        self.number += 1;
        UsageReport::new(id, event)
    }

    /// Whether they are in a file now, all of them.
    fn write(&mut self, reports: &[UsageReport]) -> bool {
        let Some(folder) = &mut self.folder else {
            return false;
        };
        // While the disk takes nothing, trying costs time at each answer; the reporter tries once a second.
        if self.is_failing {
            return false;
        }
        let segment = match &mut self.open {
            Some(segment) => Ok(segment),
            none => folder.begin().map(|segment| none.insert(segment)),
        };
        let written = segment.and_then(|segment| {
            segment.append(reports)?;
            Ok(segment.length())
        });
        match written {
            Ok(length) if length >= SEGMENT.min(folder.budget() / 8) => {
                self.close();
                true
            }
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "usage waits in memory: its file cannot be written");
                self.is_failing = true;
                self.close();
                false
            }
        }
    }

    /// Ends the file that is open; it can be sent then.
    fn close(&mut self) {
        if let Some(segment) = self.open.take()
            && let Err(error) = segment.close()
        {
            // It stays under its name, and is taken over after the next start.
            tracing::warn!(kind = ?error.kind(), "a file of usage is not closed");
        }
    }

    /// Tries the disk again: what waits in memory and was not offered yet goes there.
    fn recover(&mut self) {
        if !self.is_failing || self.folder.is_none() {
            return;
        }
        self.is_failing = false;
        let kept = self.offered.min(self.memory.len());
        let rest = self.memory.split_off(kept);
        let written = rest.chunks(AT_ONCE).take_while(|part| self.write(part));
        let written = AT_ONCE * written.count();
        self.memory.extend(rest.into_iter().skip(written));
        if !self.is_failing {
            tracing::info!("usage is written to its file again");
        }
    }
}
