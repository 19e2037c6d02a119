//! Clients' writes to mirrored vaults: parked, done upstream by the one who mirrors, then committed or refused.

use sekisho_core::{
    id::EnvironmentId,
    records::{DeleteRequest, Expect, ItemRecord, PutRequest},
};
use serde::{Deserialize, Serialize};

/// Longest wait for a parked write, in milliseconds.
pub const MAX_PARKED_WAIT: u32 = 20_000;

/// What a client asked for, sealed as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Parked {
    /// A write.
    Put(Box<PutRequest>),
    /// A deletion.
    Delete(DeleteRequest),
}

/// A write that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedWrite {
    /// Its id; the same write sent again has the same one.
    pub id: String,
    /// Through which Connect server it came.
    pub environment: EnvironmentId,
    /// Whether it was taken before: whoever took it may have died in the middle.
    pub taken: bool,
    /// It.
    pub write: Parked,
}

/// An item to be committed with the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledItem {
    /// What must be there before.
    pub expect: Expect,
    /// What shall be there.
    pub item: ItemRecord,
}

/// How a parked write ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ParkedOutcome {
    /// Done upstream: these items are committed with it, in one transaction.
    Written(Vec<SettledItem>),
    /// Done upstream: the item is gone.
    Deleted,
    /// The item moved on upstream; what it became was written before.
    Conflict,
    /// Upstream refuses it.
    Refused,
    /// Upstream cannot do it now.
    Unavailable,
}
