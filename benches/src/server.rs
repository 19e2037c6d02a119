//! What is measured: a host with one worker thread, and hyper alone.

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sekisho_host::{Host, HostConfig, RunningHost, engine::EngineKind};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};

use crate::upstream::{Account, NOW};

/// A server on a runtime with one worker thread.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    host: Option<RunningHost>,
    runtime: Option<Runtime>,
}

fn one_worker() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// As `sekisho up` has it, on this account.
pub fn config(account: &Arc<Account>, engine: EngineKind, data_dir: Option<&Path>) -> HostConfig {
    HostConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        engine,
        data_dir: data_dir.map(Path::to_path_buf),
        clock: Arc::new(|| NOW),
        ..HostConfig::new(
            Arc::clone(account) as _,
            account.trust(),
            account.signing_keys(),
        )
    }
}

impl Server {
    /// A host that has synchronised.
    pub fn host(config: HostConfig) -> Self {
        let runtime = one_worker();
        let patience = config.limits.sync_time;
        let host = runtime.block_on(async {
            let host = Host::start(config).await.unwrap();
            host.live().first_sync(patience).await;
            assert!(
                host.live().is_synchronised(),
                "the host does not synchronise"
            );
            host
        });
        Self {
            addr: host.addr(),
            host: Some(host),
            runtime: Some(runtime),
        }
    }

    /// hyper that says hello, and nothing else.
    pub fn hyper_hello() -> Self {
        let runtime = one_worker();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        runtime.spawn(hello(listener));
        Self {
            addr,
            host: None,
            runtime: Some(runtime),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let (Some(runtime), Some(host)) = (&self.runtime, self.host.take()) {
            runtime.block_on(host.shutdown());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn hello(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(async |_| {
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"hello"))))
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
