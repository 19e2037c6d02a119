//! The threads that sync and send what was noted.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    UsageQueue,
    folder::Folder,
    segment::{Content, Lines},
};
use crate::sync::{Upstream, UpstreamError, UsageReport};

/// Reports that are sent together.
const BATCH: usize = 1000;
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks for what dead processes left.
const ADOPT: Duration = Duration::from_secs(15);
/// How long an end waits for the account; what is in files is not lost by it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The threads.
pub(crate) struct UsageReporter {
    queue: UsageQueue,
    /// Its other end goes when the last sending is over. In a lock only because a receiver is not `Sync`.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl UsageReporter {
    pub(crate) fn start(queue: UsageQueue, upstream: Arc<dyn Upstream>) -> std::io::Result<Self> {
        let (end, ended) = mpsc::channel();
        let syncing = queue.clone();
        spawn("sekisho-usage-sync", move || sync(&syncing))?;
        let mut reporter = Reporter {
            queue: queue.clone(),
            upstream,
            acknowledged: None,
            adopted: None,
            is_cut_off: false,
        };
        spawn("sekisho-usage", move || {
            reporter.run();
            drop(end);
        })?;
        Ok(Self {
            queue,
            ended: Mutex::new(ended),
        })
    }

    /// Sends what is left if the account takes it, then ends.
    pub(crate) fn stop(&mut self) {
        self.queue.stop();
        let Ok(ended) = self.ended.get_mut() else {
            return;
        };
        // That the other end is gone is what it waits for. The folder goes here and not with the last thread that
        // holds the queue: the process may end before that one does.
        if ended.recv_timeout(LAST_WORDS) == Err(mpsc::RecvTimeoutError::Disconnected) {
            self.queue.let_go();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
}

/// One sync a second at most, and none while nothing is noted.
fn sync(queue: &UsageQueue) {
    let mut synced = 0;
    loop {
        let stopped = queue.rest(EVERY);
        let state = queue.lock();
        let number = state.number;
        let handle = state.open.as_ref().and_then(|open| open.handle().ok());
        drop(state);
        if number != synced
            && let Some(file) = handle
            && let Err(error) = file.sync_data()
        {
            tracing::debug!(kind = ?error.kind(), "usage is not synced");
        }
        synced = number;
        if stopped {
            return;
        }
    }
}

struct Reporter {
    queue: UsageQueue,
    upstream: Arc<dyn Upstream>,
    /// The file that is being sent, and how many of its reports the account has acknowledged.
    acknowledged: Option<(PathBuf, usize)>,
    adopted: Option<Instant>,
    is_cut_off: bool,
}

/// Why sending stopped.
enum Stop {
    /// The account does not take anything now.
    CutOff,
    /// The account will never take this.
    Refused,
    /// A file cannot be used now.
    Disk(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl Reporter {
    fn run(&mut self) {
        loop {
            let stopped = self.queue.rest(EVERY);
            self.turn();
            if stopped {
                return;
            }
        }
    }

    fn turn(&mut self) {
        self.queue.lock().recover();
        self.adopt();
        match self.send_memory().and_then(|()| self.send_files()) {
            Ok(()) => self.is_cut_off = false,
            Err(Stop::CutOff | Stop::Refused) => self.is_cut_off = true,
            Err(Stop::Disk(error)) => {
                tracing::debug!(kind = ?error.kind(), "files of usage cannot be used");
            }
        }
        self.shrink();
    }

    /// What processes left that are no more, this program's earlier life among them.
    fn adopt(&mut self) {
        if self.adopted.is_some_and(|at| at.elapsed() < ADOPT) {
            return;
        }
        self.adopted = Some(Instant::now());
        let state = self.queue.lock();
        let Some(Ok(files)) = state.folder.as_ref().map(Folder::adopt) else {
            return;
        };
        drop(state);
        for file in &files {
            if let Ok(content) = Content::read(file) {
                let counts = content.reports.iter().map(|report| report.times().count);
                self.queue.found(counts.sum());
                if content.spoilt > 0 {
                    let spoilt = content.spoilt;
                    tracing::warn!(spoilt, "lines of usage were torn, by a power cut perhaps");
                }
            }
        }
    }

    fn shrink(&self) {
        let state = self.queue.lock();
        match state.folder.as_ref().map(Folder::shrink) {
            Some(Ok(files)) if files > 0 => {
                tracing::warn!(
                    files,
                    "usage waits for too long: the oldest accesses are added up, their single times are lost"
                );
            }
            Some(Err(error)) => {
                tracing::debug!(kind = ?error.kind(), "usage is not added up");
            }
            _ => {}
        }
    }

    fn send_memory(&self) -> Result<(), Stop> {
        loop {
            let mut state = self.queue.lock();
            let many = state.memory.len().min(BATCH);
            if many == 0 {
                return Ok(());
            }
            // From here on these may have been counted.
            state.offered = many;
            let batch = state.memory.get(..many).unwrap_or_default().to_vec();
            drop(state);
            match self.send(&batch) {
                Ok(()) | Err(Stop::Refused) => {}
                Err(stop) => return Err(stop),
            }
            let mut state = self.queue.lock();
            state.memory.drain(..many);
            state.offered = 0;
        }
    }

    fn send_files(&mut self) -> Result<(), Stop> {
        while let Some(path) = self.next_file()? {
            self.send_file(&path)?;
        }
        Ok(())
    }

    /// The next file to be sent, marked as offered. The one that notes go to is closed when it is the only one.
    fn next_file(&self) -> Result<Option<PathBuf>, Stop> {
        let mut state = self.queue.lock();
        for closed in [false, true] {
            if closed {
                state.close();
            }
            let Some(folder) = &state.folder else {
                return Ok(None);
            };
            if let Some(first) = folder.waiting()?.first() {
                return Ok(Some(folder.offer(first)?));
            }
        }
        Ok(None)
    }

    fn send_file(&mut self, path: &PathBuf) -> Result<(), Stop> {
        let mut lines = Lines::open(path)?;
        let mut acknowledged = match &self.acknowledged {
            Some((at, reports)) if at == path => *reports,
            _ => 0,
        };
        let mut read = 0;
        loop {
            // Those that it has acknowledged are read over.
            let most = match acknowledged.saturating_sub(read) {
                0 => BATCH,
                left => left.min(BATCH),
            };
            let mut content = Content::default();
            content.read_some(&mut lines, most)?;
            let batch = content.reports;
            if batch.is_empty() {
                break;
            }
            read += batch.len();
            if read <= acknowledged {
                continue;
            }
            match self.send(&batch) {
                Ok(()) => {}
                Err(Stop::Refused) => {
                    // Kept to be looked at, out of the way of those that follow.
                    if let Some(folder) = &self.queue.lock().folder {
                        folder.refuse(path)?;
                    }
                    return Ok(());
                }
                Err(stop) => return Err(stop),
            }
            acknowledged = read;
            self.acknowledged = Some((path.clone(), read));
        }
        std::fs::remove_file(path)?;
        self.acknowledged = None;
        Ok(())
    }

    fn send(&self, batch: &[UsageReport]) -> Result<(), Stop> {
        match self.upstream.report_usage(batch) {
            Ok(()) => {
                self.queue.done(batch);
                Ok(())
            }
            Err(UpstreamError::Refused(fault)) => {
                // It would be refused again, and all that follow would wait behind it.
                tracing::warn!(%fault, events = batch.len(), "the account refuses usage");
                self.queue.done(batch);
                Err(Stop::Refused)
            }
            Err(error) => {
                if !self.is_cut_off {
                    tracing::debug!(%error, "usage waits");
                }
                Err(Stop::CutOff)
            }
        }
    }
}
