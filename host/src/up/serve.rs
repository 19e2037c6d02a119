//! The account in this process, and a host that serves it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use sekisho_host::{
    Host, HostConfig, RunningHost,
    clock::SystemClock,
    engine::{EngineKind, Sandbox},
    metrics::MetricsAccess,
    random::SystemRandom,
    serve::Limits,
    sync::Pace,
};

use super::{Prepared, embedded::Embedded};
use crate::cli::Failure;

/// Long enough for any account on this machine's disk.
const FIRST_SYNC: Duration = Duration::from_secs(10);

/// How to serve.
pub(crate) struct Serving {
    pub(crate) listen: SocketAddr,
    pub(crate) engine: EngineKind,
    /// Seconds.
    pub(crate) max_stale: u64,
    /// Bytes.
    pub(crate) max_inline: u64,
    pub(crate) replica: PathBuf,
    pub(crate) metrics: MetricsAccess,
}

/// Starts, and comes back when the first client can be served.
pub(crate) async fn serve(prepared: &Prepared, serving: Serving) -> Result<RunningHost, Failure> {
    let credentials = &prepared.credentials;
    let upstream = Embedded::connect(prepared.account.clone(), credentials)?;
    let host = Host::start(HostConfig {
        listen: serving.listen,
        engine: serving.engine,
        component: None,
        sandbox: Sandbox::default(),
        data_dir: Some(serving.replica),
        upstream: Arc::new(upstream),
        trust: credentials.trust(),
        signing_keys: credentials.signing_keys().to_vec(),
        max_stale: serving.max_stale,
        max_inline: serving.max_inline,
        pace: Pace::default(),
        limits: Limits::default(),
        metrics: serving.metrics,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    })
    .await?;
    host.live().first_sync(FIRST_SYNC).await;
    Ok(host)
}
