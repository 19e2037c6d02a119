//! What the host's tests share: an account in memory, a host on it, a client.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "each test uses its part; a panic is a failure"
)]

pub mod account;
pub mod client;

use std::{path::Path, sync::Arc, time::Duration};

use sekisho_core::time::Timestamp;
use sekisho_host::{Host, HostConfig, RunningHost, engine::EngineKind, random::Random, sync::Pace};

pub use self::{
    account::MemoryAccount,
    client::{Answer, Client},
};

/// The time of all tests.
pub const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// The same bytes for every draw, so that what is drawn does not depend on who else draws.
pub struct Same;

impl Random for Same {
    fn fill(&self, out: &mut [u8]) {
        for (byte, n) in out.iter_mut().zip(0u8..) {
            *byte = n.wrapping_mul(157) ^ 0x5a;
        }
    }
}

/// A host on this account; change what the test is about.
pub fn config(
    account: &Arc<MemoryAccount>,
    engine: EngineKind,
    directory: Option<&Path>,
) -> HostConfig {
    HostConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        engine,
        data_dir: directory.map(Path::to_path_buf),
        pace: Pace {
            first_retry: Duration::from_millis(20),
            ..Pace::default()
        },
        clock: Arc::new(|| NOW),
        random: Arc::new(Same),
        ..HostConfig::new(
            Arc::clone(account) as _,
            account.trust(),
            account.signing_keys(),
        )
    }
}

/// Starts it and waits until it has something to serve.
pub async fn start(config: HostConfig) -> RunningHost {
    let host = Host::start(config).await.unwrap();
    host.live().first_sync(Duration::from_secs(10)).await;
    host
}
