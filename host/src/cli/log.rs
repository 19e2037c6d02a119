//! Where the log goes: stderr, for people on a terminal and for programs elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::failure::{Done, Failure};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Starts logging. An unknown level from the environment is taken as `info`: a server must not fail over it.
pub(super) fn start(level: Option<&str>) -> Done {
    let level = match level {
        Some(level) => known(level).ok_or_else(|| {
            Failure::usage(
                "--log-level names no level",
                "use error, warn, info, debug or trace",
            )
        })?,
        None => std::env::var("OP_LOG_LEVEL")
            .ok()
            .and_then(|word| known(&word))
            .unwrap_or("info"),
    };
    // Other crates' details may show what ours never do (invariant 7).
    let filter = EnvFilter::new(format!(
        "warn,sekisho={level},sekisho_host={level},sekisho_account={level},sekisho_bridge={level},sekisho_core={level}"
    ));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = if io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().try_init()
    };
    // Only a test of this process could have started it before.
    drop(started);
    Ok(())
}

fn known(word: &str) -> Option<&'static str> {
    LEVELS
        .into_iter()
        .find(|level| level.eq_ignore_ascii_case(word.trim()))
}
