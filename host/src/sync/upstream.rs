//! Where the data comes from, as the sync core sees it.

use std::time::Duration;

pub use sekisho_account::{Times, UsageReport};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    sync::FeedPage,
};

/// The record of truth, or something that speaks for it. All methods block; none is called on a thread that serves.
pub trait Upstream: Send + Sync {
    /// Everything that changed after a cursor; the empty cursor is the beginning.
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError>;
    /// Writes an item; it is durable when this returns.
    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError>;
    /// Stores a sealed chunk of a file that a later write adds.
    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError>;
    /// Deletes an item, likewise.
    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError>;
    /// A sealed chunk of a file's content.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError>;
    /// Takes reports of accesses. One that comes twice, by its id, counts once.
    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError>;
    /// Waits until something may have changed (`true`) or the time is up. It may wake for nothing, but not at once
    /// time after time.
    fn wait(&self, timeout: Duration) -> bool;
}

/// Why the account did not do as asked, by fault.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// It understood and says no.
    #[error("the account refuses: {0}")]
    Refused(Fault),
    /// What stands behind it, and is the vault's truth, says no.
    #[error("what the account mirrors refuses: {fault}")]
    Declined {
        /// The same in the port's words.
        fault: Fault,
        /// Its sentence, if it may be told.
        reason: Option<String>,
    },
    /// It does not know this server any more.
    #[error("the account does not accept this server's credentials")]
    Unauthorised,
    /// It cannot be reached, or is broken itself.
    #[error("the account cannot be reached: {0}")]
    Unreachable(String),
    /// It failed so often of late that it was not asked.
    #[error("the account cannot be reached: {0}")]
    NotAsked(&'static str),
    /// It says what it must not.
    #[error("the account's answer makes no sense: {0}")]
    Garbled(String),
}

impl UpstreamError {
    /// What a client's request makes of it.
    pub(crate) const fn fault(&self) -> Fault {
        match self {
            Self::Refused(fault) | Self::Declined { fault, .. } => *fault,
            _ => Fault::Unavailable,
        }
    }
}
