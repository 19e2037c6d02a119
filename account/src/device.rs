//! What a host needs of the account, whichever way it reaches it: in this process ([`LocalDevice`]) or over HTTP
//! ([`crate::http::client::RemoteDevice`]).

use std::time::{Duration, Instant};

use sekisho_core::{
    id::{EnvironmentId, FileId, ItemId, VaultId},
    records::{DeleteRequest, PutChunkRequest, PutRequest},
    seal::Sealed,
    sync::FeedPage,
};

use crate::{Account, AccountError, Credentials, StoredFile, UsageReport, clock};

/// The door for hosts. All methods block.
pub trait Device: Send + Sync {
    /// The next page after a cursor; the empty one is the beginning.
    fn changes(&self, cursor: &str, limit: u32) -> Result<FeedPage, AccountError>;
    /// Writes an item for a client.
    fn put(&self, request: &PutRequest) -> Result<(), AccountError>;
    /// Stores a chunk for a client.
    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), AccountError>;
    /// Deletes an item for a client.
    fn delete(&self, request: &DeleteRequest) -> Result<(), AccountError>;
    /// An item's files, by the ids under which their chunks are kept.
    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError>;
    /// A sealed chunk of a file.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError>;
    /// Reports accesses; each id counts once.
    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), AccountError>;
    /// Waits until the environment is at another version than this one, but not longer than `limit`. Answers with the
    /// version it is at.
    fn wait(&self, version: u64, limit: Duration) -> Result<u64, AccountError>;
}

/// How often a waiter looks: a commit of another process tells nobody.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);

/// An account in this process, as one of its hosts sees it.
#[derive(Debug, Clone)]
pub struct LocalDevice {
    account: Account,
    environment: EnvironmentId,
}

impl LocalDevice {
    /// The host of these credentials.
    pub fn new(account: Account, credentials: &Credentials) -> Result<Self, AccountError> {
        let environment = account.authenticate_device(credentials.device())?;
        Ok(Self {
            account,
            environment,
        })
    }
}

impl Device for LocalDevice {
    fn changes(&self, cursor: &str, limit: u32) -> Result<FeedPage, AccountError> {
        let now = clock::now();
        self.account.changes(&self.environment, cursor, limit, now)
    }

    fn put(&self, request: &PutRequest) -> Result<(), AccountError> {
        self.account.put(&self.environment, request, clock::now())
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), AccountError> {
        let now = clock::now();
        self.account.put_chunk(&self.environment, request, now)
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), AccountError> {
        self.account
            .delete(&self.environment, request, clock::now())
    }

    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError> {
        self.account.files(&self.environment, vault, item)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError> {
        self.account
            .chunk(&self.environment, vault, item, file, index)
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), AccountError> {
        self.account.report_usage(&self.environment, reports)
    }

    fn wait(&self, version: u64, limit: Duration) -> Result<u64, AccountError> {
        let until = Instant::now() + limit;
        loop {
            let probe = self.account.data_version()?;
            let at = self.account.version(&self.environment)?;
            if at != version {
                return Ok(at);
            }
            while self.account.data_version()? == probe {
                if Instant::now() >= until {
                    return Ok(at);
                }
                std::thread::sleep(GLANCE);
            }
        }
    }
}
