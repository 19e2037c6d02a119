//! The account in this process, and a host that serves it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use sekisho_account::LocalDevice;
use sekisho_host::{
    Host, HostConfig, RunningHost, dependency::Dependency, edge::FeedConfig, engine::EngineKind,
    metrics::MetricsAccess, sync::AccountUpstream,
};

use super::Prepared;
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
    /// What is shown beside.
    pub(crate) dependencies: Vec<Arc<dyn Dependency>>,
    pub(crate) feed: Option<FeedConfig>,
}

/// Starts, and comes back when the first client can be served.
pub(crate) async fn serve(prepared: &Prepared, serving: Serving) -> Result<RunningHost, Failure> {
    let credentials = &prepared.credentials;
    let device = LocalDevice::new(prepared.account.clone(), credentials)?;
    let upstream = Arc::new(AccountUpstream::new(Arc::new(device)));
    let host = Host::start(HostConfig {
        listen: serving.listen,
        engine: serving.engine,
        data_dir: Some(serving.replica),
        max_stale: serving.max_stale,
        max_inline: serving.max_inline,
        metrics: serving.metrics,
        dependencies: serving.dependencies,
        feed: serving.feed,
        ..HostConfig::new(
            upstream,
            credentials.trust(),
            credentials.signing_keys().to_vec(),
        )
    })
    .await?;
    host.live().first_sync(FIRST_SYNC).await;
    Ok(host)
}
