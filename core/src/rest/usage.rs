//! What is noted of a request: accesses, and what a look at its bearer came to.

use serde::{Deserialize, Serialize};

use super::{ActivityPage, ActivityQuery, Caller};
use crate::{
    id::{ItemId, TokenId, VaultId},
    time::Timestamp,
    token::TokenError,
};

/// Takes notes of accesses: metadata only, never contents (the WIT interface `sekisho:vault/usage`).
pub trait Usage {
    /// Notes one access. It must not fail and not wait.
    fn note(&self, event: UsageEvent);
    /// The newest of what was noted, as far back as this runtime remembers.
    fn recent(&self, wanted: ActivityQuery) -> ActivityPage;
    /// Counts one look at a bearer. Whoever counts nothing need not listen.
    fn checked(&self, _verdict: Verdict) {}
}

/// What a look at a bearer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Accepted,
    /// There is none.
    Missing,
    /// [`TokenError::Malformed`]
    Malformed,
    /// [`TokenError::Forged`]
    Forged,
    /// [`TokenError::OtherServer`]
    OtherServer,
    /// [`TokenError::NotSynchronised`]
    NotSynchronised,
    /// [`TokenError::Revoked`]
    Revoked,
    /// [`TokenError::Expired`]
    Expired,
    /// Nobody could tell: records were not to be had.
    Unavailable,
}

impl From<TokenError> for Verdict {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::Malformed,
            TokenError::Forged => Self::Forged,
            TokenError::OtherServer => Self::OtherServer,
            TokenError::NotSynchronised => Self::NotSynchronised,
            TokenError::Revoked => Self::Revoked,
            TokenError::Expired => Self::Expired,
            TokenError::Records(_) => Self::Unavailable,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// An item or file was shown.
    Read,
    /// An item was made.
    Create,
    /// An item was changed.
    Update,
    /// An item was removed.
    Delete,
}

impl Action {
    /// The vendor's word in refusals.
    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One access (connect-contract.md §2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// The token used.
    pub token: TokenId,
    /// What was done.
    pub action: Action,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The vault.
    pub vault: VaultId,
    /// The item, where one was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Its version, where it was shown or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_version: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Caller::is_unknown")]
    pub caller: Caller,
}
