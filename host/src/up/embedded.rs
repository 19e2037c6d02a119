//! The account in this process, as the sync core's upstream.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use sekisho_account::{Account, AccountError, Credentials, UsageReport, clock};
use sekisho_core::{
    encoding,
    id::{EnvironmentId, FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    sync::FeedPage,
};
use sekisho_host::sync::{Upstream, UpstreamError, UsageBatch};

use crate::cli::Failure;

/// Things on one page of the feed.
const PAGE: u32 = 1000;
/// How often another process's change is looked for: one pragma on an open file.
const LOOK: Duration = Duration::from_millis(50);

/// An environment of an account on this disk.
pub(super) struct Embedded {
    account: Account,
    environment: EnvironmentId,
    /// The account's data version when it was last asked for changes.
    seen: AtomicU64,
}

impl Embedded {
    /// Whose the credentials are, the account says.
    pub(super) fn connect(account: Account, credentials: &Credentials) -> Result<Self, Failure> {
        let environment = account.authenticate_device(credentials.device())?;
        Ok(Self {
            account,
            environment,
            seen: AtomicU64::default(),
        })
    }
}

impl Upstream for Embedded {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        // Before the question: a change in between is looked for once more, and never missed. Also when it fails, for
        // the retry waits for the next change or its time.
        let version = self.account.data_version().map_err(|error| told(&error))?;
        self.seen.store(version, Ordering::Release);
        let page = self
            .account
            .changes(&self.environment, cursor, PAGE, clock::now());
        page.map_err(|error| told(&error))
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        let done = self.account.put(&self.environment, request, clock::now());
        done.map_err(|error| told(&error))
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        let done = self
            .account
            .put_chunk(&self.environment, request, clock::now());
        done.map_err(|error| told(&error))
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        let done = self
            .account
            .delete(&self.environment, request, clock::now());
        done.map_err(|error| told(&error))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        let chunk = self
            .account
            .chunk(&self.environment, vault, item, file, index);
        Ok(chunk.map_err(|error| told(&error))?.as_bytes().to_vec())
    }

    fn report_usage(&self, batch: &UsageBatch) -> Result<(), UpstreamError> {
        let batch_id = encoding::base64url(&batch.id);
        let reports: Vec<UsageReport> = batch
            .events
            .iter()
            .enumerate()
            .map(|(position, event)| UsageReport {
                id: format!("{batch_id}.{position}"),
                event: event.clone(),
            })
            .collect();
        let done = self.account.report_usage(&self.environment, &reports);
        done.map_err(|error| told(&error))
    }

    fn wait(&self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        loop {
            let seen = self.seen.load(Ordering::Acquire);
            if self
                .account
                .data_version()
                .is_ok_and(|version| version != seen)
            {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(LOOK));
        }
    }
}

/// The account's errors carry ids and reasons, never contents.
fn told(error: &AccountError) -> UpstreamError {
    match error {
        AccountError::DeviceUnknown => UpstreamError::Unauthorised,
        error => match error.fault() {
            Fault::Unavailable => UpstreamError::Unreachable(error.to_string()),
            fault => UpstreamError::Refused(fault),
        },
    }
}
