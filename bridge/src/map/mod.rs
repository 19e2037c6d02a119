//! The SDK's item to Connect's, and back (op-account.md §D).
//!
//! What Connect's shape has no room for is kept in the item's sealed Extra part as a *skeleton*: the SDK's item without
//! the values that Connect's shape holds. Going back starts from it, so that a client's write changes what the client
//! changed and nothing else. What the SDK itself hides (favourite, history, passkeys) never gets here; the core leaves
//! it in place when it writes.

mod from_sdk;
mod to_sdk;
mod words;

#[cfg(test)]
mod tests;

pub use from_sdk::{Mapped, from_sdk};
use sekisho_core::id::ItemId;
use serde_json::{Map, Value};
pub use to_sdk::{new_to_sdk, to_sdk};
pub use words::vault_type;

use crate::client::SdkItem;

/// `lastEditedBy` of every mirrored item: the SDK does not say who it was. Some clients want 26 upper-case letters.
pub const EDITOR: &str = "SEKISHOBRIDGEAAAAAAAAAAAAA";

/// Member of the Extra part that holds the skeleton.
const SKELETON: &str = "onepassword";
/// Member of the Extra part that says what was lost on the way.
const LOSSY: &str = "lossy";

/// Why an item is not mapped. No text of the item is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// A date of 1Password's is no date.
    #[error("item '{0}' has a date that is none")]
    Date(ItemId),
    /// The item was not mirrored by this program, or its Extra part is damaged.
    #[error(
        "item '{0}' lacks what the bridge keeps beside it: it is mirrored again at the next poll"
    )]
    NoSkeleton(ItemId),
    /// The vendor's core refuses it.
    #[error("can't update the item's category")]
    Category,
    /// Likewise.
    #[error("items of category CUSTOM cannot be created in 1Password")]
    NotCreatable,
    /// The SDK writes no files this way.
    #[error("files of a mirrored item are changed in 1Password, not here")]
    Files,
}

/// The skeleton in an item's Extra part.
pub fn skeleton(extra: &Value) -> Option<SdkItem> {
    SdkItem::deserialize_from(extra.get(SKELETON)?)
}

/// What was lost when an item was mapped, by the words in its Extra part.
pub fn lossy(extra: &Value) -> Vec<String> {
    let words = extra.get(LOSSY).and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

fn extra(skeleton: &SdkItem, lossy: &[&'static str]) -> Value {
    let mut members = Map::new();
    members.insert(
        SKELETON.into(),
        serde_json::to_value(skeleton).unwrap_or_default(),
    );
    if !lossy.is_empty() {
        members.insert(LOSSY.into(), lossy.iter().copied().collect());
    }
    Value::Object(members)
}

impl SdkItem {
    fn deserialize_from(value: &Value) -> Option<Self> {
        serde::Deserialize::deserialize(value).ok()
    }
}
