//! A host on an account in memory, for a load generator: `yardstick component|native|hello|hyper [items]`.
//!
//! It prints the address, the path of one item and a token, one on each line, and serves until it is ended.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for measuring"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use common::{MemoryAccount, config, start};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sekisho_host::engine::EngineKind;

fn main() {
    let threads = std::env::var("THREADS").map_or(1, |n| n.parse().unwrap());
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
        .block_on(run());
}

async fn run() {
    if std::env::var_os("LOG").is_some() {
        tracing_subscriber::fmt().init();
    }
    let kind = std::env::args().nth(1).unwrap_or_default();
    let items = std::env::args().nth(2).map_or(1000, |n| n.parse().unwrap());
    if kind == "hyper" {
        return hyper_hello().await;
    }
    let account = Arc::new(MemoryAccount::new(items));
    let engine = if kind == "native" {
        EngineKind::Native
    } else {
        EngineKind::Component
    };
    let directory = std::env::var_os("DATA").map(std::path::PathBuf::from);
    let mut config = config(&account, engine, directory.as_deref());
    if kind == "hello" {
        config.component = Some(sekisho_edge_artifact::HELLO_WASM.to_vec());
    }
    config.random = Arc::new(sekisho_host::random::SystemRandom);
    let host = start(config).await;
    println!("{}", host.addr());
    println!(
        "/v1/vaults/{}/items/{}",
        account.vault,
        account.items()[items / 2]
    );
    println!("{}", account.token);
    tokio::signal::ctrl_c().await.unwrap();
    host.shutdown().await;
}

async fn hyper_hello() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}\n/\nnone", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
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
