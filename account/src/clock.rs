//! The only place of this crate that takes the time.

use std::time::{SystemTime, UNIX_EPOCH};

use sekisho_core::time::Timestamp;

/// The time now; a clock before 1970 counts as 1970.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
