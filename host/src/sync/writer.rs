//! Clients' writes: to the account first, then into what is served, then answered.
//!
//! Writes to one vault form a line, because the vault's version moves with each; lines of different vaults do not
//! wait for each other. A line has an end: who comes when it is full, or stands too long, is sent away.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sekisho_core::{
    cache::Snapshot,
    id::VaultId,
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Ticks, Upstream, UpstreamError};

/// Who may stand in one line.
const LONGEST_LINE: usize = 64;
/// Ticks until a write must be seen. One is enough unless the account answers from a copy of itself.
const MOST_TICKS: u32 = 5;
const BETWEEN_TICKS: Duration = Duration::from_millis(50);

/// Carries writes to the account.
#[derive(Clone)]
pub struct Writer(Arc<Shared>);

struct Shared {
    upstream: Arc<dyn Upstream>,
    ticks: Ticks,
    /// How long a write may stand in line.
    patience: Duration,
    lines: Mutex<HashMap<VaultId, Arc<Line>>>,
}

struct Line {
    turn: Semaphore,
    length: AtomicUsize,
}

impl Writer {
    pub(crate) fn new(upstream: Arc<dyn Upstream>, ticks: Ticks, patience: Duration) -> Self {
        Self(Arc::new(Shared {
            upstream,
            ticks,
            patience,
            lines: Mutex::default(),
        }))
    }

    /// Writes an item; what is served when it is done has it.
    pub(crate) async fn put(&self, request: PutRequest) -> Result<Arc<Snapshot>, Fault> {
        let (vault, item, version) = (request.vault, request.item.id, request.item.version);
        let seen = move |snapshot: &Snapshot| {
            // Missing may also mean that it was deleted since; then a later version is not to be had.
            snapshot
                .item(&vault, &item)
                .is_ok_and(|item| item.version >= version)
        };
        let upstream = Arc::clone(&self.0.upstream);
        self.write(vault, move || upstream.put(&request), seen)
            .await
    }

    /// Stores a chunk. Nothing that is served changes, so it stands in no line.
    pub(crate) async fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        let upstream = Arc::clone(&self.0.upstream);
        let task = tokio::task::spawn_blocking(move || upstream.put_chunk(&request));
        let result = task.await.map_err(|_| Fault::Unavailable)?;
        result.map_err(|error| error.fault())
    }

    /// Deletes an item; what is served when it is done has it no more.
    pub(crate) async fn delete(&self, request: DeleteRequest) -> Result<Arc<Snapshot>, Fault> {
        let seen = move |snapshot: &Snapshot| {
            snapshot
                .item(&request.vault, &request.item)
                .map_or(true, |item| item.version > request.version)
        };
        let upstream = Arc::clone(&self.0.upstream);
        let vault = request.vault;
        self.write(vault, move || upstream.delete(&request), seen)
            .await
    }

    /// A task of its own: a client that leaves does not stop a write halfway.
    async fn write(
        &self,
        vault: VaultId,
        send: impl FnOnce() -> Result<(), UpstreamError> + Send + 'static,
        seen: impl Fn(&Snapshot) -> bool + Send + 'static,
    ) -> Result<Arc<Snapshot>, Fault> {
        let shared = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let line = shared.line(vault);
            let result = shared.write(&line, send, seen).await;
            drop(line);
            shared.leave(&vault);
            result
        });
        task.await.map_err(|_| Fault::Unavailable)?
    }
}

impl Shared {
    async fn write(
        &self,
        line: &Line,
        send: impl FnOnce() -> Result<(), UpstreamError> + Send + 'static,
        seen: impl Fn(&Snapshot) -> bool,
    ) -> Result<Arc<Snapshot>, Fault> {
        let _turn = line.stand(self.patience).await?;
        tokio::task::spawn_blocking(send)
            .await
            .map_err(|_| Fault::Unavailable)?
            .map_err(|error| {
                tracing::debug!(%error, "a write was not taken");
                error.fault()
            })?;
        for _ in 0..MOST_TICKS {
            let snapshot = self.ticks.next().await?;
            if seen(&snapshot) {
                return Ok(snapshot);
            }
            tokio::time::sleep(BETWEEN_TICKS).await;
        }
        Err(Fault::Unavailable)
    }

    fn line(&self, vault: VaultId) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lines.entry(vault).or_insert_with(|| {
            Arc::new(Line {
                turn: Semaphore::new(1),
                length: AtomicUsize::new(0),
            })
        }))
    }

    /// Forgets a line in which nobody stands.
    fn leave(&self, vault: &VaultId) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines
            .get(vault)
            .is_some_and(|line| Arc::strong_count(line) == 1)
        {
            lines.remove(vault);
        }
    }
}

impl Line {
    async fn stand(&self, patience: Duration) -> Result<SemaphorePermit<'_>, Fault> {
        if self.length.fetch_add(1, Ordering::Relaxed) >= LONGEST_LINE {
            self.length.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::Unavailable);
        }
        let turn = tokio::time::timeout(patience, self.turn.acquire()).await;
        self.length.fetch_sub(1, Ordering::Relaxed);
        turn.map_err(|_| Fault::Unavailable)?
            .map_err(|_| Fault::Unavailable)
    }
}
