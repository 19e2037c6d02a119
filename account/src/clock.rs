//! The only place of this crate that takes the time.

use std::time::{SystemTime, UNIX_EPOCH};

use sekisho_core::time::Timestamp;

/// The time now; a clock before 1970 counts as 1970.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(millis.saturating_add(ahead()))
}

/// Milliseconds the clock is ahead: tests of whole programs move it instead of waiting. Not there in what is released.
#[cfg(debug_assertions)]
fn ahead() -> u64 {
    static AHEAD: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        let seconds = std::env::var("SEKISHO_TEST_CLOCK_AHEAD").ok();
        let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
        seconds.unwrap_or(0).saturating_mul(1000)
    });
    *AHEAD
}

#[cfg(not(debug_assertions))]
const fn ahead() -> u64 {
    0
}
