//! Clients' writes to mirrored vaults: parked, done upstream by the one who mirrors, then committed or refused.

use sekisho_core::{
    id::EnvironmentId,
    records::{DeleteRequest, Expect, ItemRecord, PutRequest},
    time::Timestamp,
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
    /// Upstream refuses it, for this reason if it can be told.
    Refused(Option<Reason>),
    /// Upstream cannot do it now.
    Unavailable,
}

/// A vault's counters and dates where its truth is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamVault {
    /// Version of its contents.
    pub content_version: u64,
    /// When it was made, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When anything of it last changed, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Why upstream refuses a write, in a sentence that holds nothing of the item: whoever makes one sees to that. It is on
/// one line, short, and holds nothing that a terminal or a page would obey, whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Reason(String);

impl Reason {
    /// Most letters of it.
    pub const MAX: usize = 240;

    /// The sentence.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        let plain = text.chars().map(|c| if is_plain(c) { c } else { ' ' });
        let plain: String = plain.take(Self::MAX).collect();
        let words: Vec<&str> = plain.split_whitespace().collect();
        Self(words.join(" "))
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// No control characters, nothing that turns the direction of writing.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_plain_line_whoever_sent_it() {
        let sent = serde_json::to_string("a\u{1b}[31m\n  line\u{202e} of\ttext").unwrap();
        let reason: Reason = serde_json::from_str(&sent).unwrap();
        assert_eq!(reason.as_str(), "a [31m line of text");
        assert_eq!(Reason::from("x".repeat(999)).as_str().len(), Reason::MAX);
    }
}
