//! Calls to the account, counted on their way.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, PutChunkRequest, PutRequest},
    sync::FeedPage,
};

use super::{Metrics, add};
use crate::sync::{Upstream, UpstreamError, UsageReport};

/// What is called.
pub(super) const CALLS: [&str; 6] = [
    "changes",
    "put",
    "put_chunk",
    "delete",
    "chunk",
    "report_usage",
];
/// How it fails.
pub(super) const FAILURES: [&str; 4] = ["refused", "unauthorised", "unreachable", "garbled"];

#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) made: [AtomicU64; CALLS.len()],
    pub(super) failed: [[AtomicU64; FAILURES.len()]; CALLS.len()],
}

impl Calls {
    fn count<T>(&self, call: &str, result: &Result<T, UpstreamError>) {
        let rows = CALLS.iter().zip(&self.made).zip(&self.failed);
        for ((_, made), failed) in rows.filter(|((name, _), _)| **name == call) {
            add(made, 1);
            if let Err(error) = result {
                let kind = kind(error);
                let known = FAILURES.iter().zip(failed).find(|(name, _)| **name == kind);
                if let Some((_, count)) = known {
                    add(count, 1);
                }
            }
        }
    }
}

const fn kind(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Refused(_) | UpstreamError::Declined { .. } => "refused",
        UpstreamError::Unauthorised => "unauthorised",
        UpstreamError::Unreachable(_) | UpstreamError::NotAsked(_) => "unreachable",
        UpstreamError::Garbled(_) => "garbled",
    }
}

/// An upstream whose calls are counted.
pub(crate) struct Counted {
    inner: Arc<dyn Upstream>,
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(crate) fn new(inner: Arc<dyn Upstream>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    fn count<T>(&self, call: &str, result: Result<T, UpstreamError>) -> Result<T, UpstreamError> {
        self.metrics.calls.count(call, &result);
        result
    }
}

impl Upstream for Counted {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        self.count("changes", self.inner.changes(cursor))
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        self.count("put", self.inner.put(request))
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.count("put_chunk", self.inner.put_chunk(request))
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.count("delete", self.inner.delete(request))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.count("chunk", self.inner.chunk(vault, item, file, index))
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.count("report_usage", self.inner.report_usage(reports))
    }

    fn wait(&self, timeout: Duration) -> bool {
        self.inner.wait(timeout)
    }
}
