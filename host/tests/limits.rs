//! Every limit is answered in Connect's shape, or ends the connection; none hangs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{Answer, Client, MemoryAccount, config, start};
use sekisho_host::{HostConfig, engine::EngineKind};

/// Runs a client against a host with some limits changed.
async fn with_host(
    change: impl FnOnce(&mut HostConfig),
    talk: impl FnOnce(SocketAddr, &str) + Send + 'static,
) {
    let account = Arc::new(MemoryAccount::new(1));
    let mut config = config(&account, EngineKind::Native, None);
    change(&mut config);
    let host = start(config).await;
    let (addr, token) = (host.addr(), account.token.clone());
    tokio::task::spawn_blocking(move || talk(addr, &token))
        .await
        .unwrap();
    host.shutdown().await;
}

fn raw(addr: SocketAddr, request: &[u8]) -> Answer {
    let mut client = Client::connect(addr);
    client.0.write_all(request).unwrap();
    Answer::read(&mut client.0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_head_is_431() {
    with_host(
        |_| {},
        |addr, _| {
            let long = "a".repeat(200 * 1024);
            raw(
                addr,
                format!("GET / HTTP/1.1\r\nhost: x\r\na: {long}\r\n\r\n").as_bytes(),
            )
            .assert_refusal(431);
            let many = "a: b\r\n".repeat(101);
            raw(
                addr,
                format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes(),
            )
            .assert_refusal(431);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_400() {
    with_host(
        |_| {},
        |addr, token| {
            raw(addr, b"GARBAGE\r\n\r\n").assert_refusal(400);
            // The same after a good request on the same connection.
            let mut client = Client::connect(addr);
            assert_eq!(client.get("/heartbeat", token).status, 200);
            client.0.write_all(b"\x16\x03\x01\x02\r\n\r\n").unwrap();
            Answer::read(&mut client.0).unwrap().assert_refusal(400);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_413_said_or_sent() {
    with_host(
        |_| {},
        |addr, _| {
            let said = b"POST /v1/vaults HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n";
            raw(addr, said).assert_refusal(413);
            // A client that sends it all before it reads must still get the answer.
            let mut sent =
                b"POST /v1/vaults HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
                    .to_vec();
            for _ in 0..80 {
                sent.extend_from_slice(b"10000\r\n");
                sent.extend_from_slice(&[b'x'; 0x10000]);
                sent.extend_from_slice(b"\r\n");
            }
            raw(addr, &sent).assert_refusal(413);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_408() {
    with_host(
        |config| config.limits.body_time = Duration::from_millis(200),
        |addr, _| {
            let began = b"POST /v1/vaults HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
            raw(addr, began).assert_refusal(408);
        },
    )
    .await;
}

/// For a limit that is not what is tested.
const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_ends_and_an_idle_connection_does_not_for_that() {
    with_host(
        |config| {
            config.limits.head_time = Duration::from_secs(1);
            config.limits.idle_time = NEVER;
        },
        |addr, token| {
            for prefix in ["", "GET /heartbeat HT"] {
                let mut client = Client::connect(addr);
                client.0.write_all(prefix.as_bytes()).unwrap();
                let end = client.0.read(&mut [0; 16]);
                assert!(is_end(&end), "{prefix}: {end:?}");
            }
            let mut client = Client::connect(addr);
            assert_eq!(client.get("/heartbeat", token).status, 200);
            // Longer than a head may take.
            std::thread::sleep(Duration::from_millis(1500));
            assert_eq!(
                client.get("/heartbeat", token).status,
                200,
                "idle is not slow"
            );
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_ends() {
    with_host(
        |config| {
            config.limits.head_time = Duration::from_secs(1);
            config.limits.idle_time = Duration::from_millis(200);
        },
        |addr, token| {
            let mut client = Client::connect(addr);
            assert_eq!(client.get("/heartbeat", token).status, 200);
            let end = client.0.read(&mut [0; 16]);
            assert!(is_end(&end), "{end:?}");
        },
    )
    .await;
}

/// The other side ended it; that it said nothing for long is an error of another kind.
fn is_end(read: &std::io::Result<usize>) -> bool {
    match read {
        Ok(bytes) => *bytes == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_503() {
    with_host(
        |config| config.limits.connections = 2,
        |addr, token| {
            let mut held: Vec<_> = (0..2).map(|_| Client::connect(addr)).collect();
            for client in &mut held {
                assert_eq!(client.get("/heartbeat", token).status, 200);
            }
            let mut one_more = Client::connect(addr);
            Answer::read(&mut one_more.0).unwrap().assert_refusal(503);
            drop(held);
            await_place(addr);
        },
    )
    .await;
}

/// Until there is a place for one connection more.
fn await_place(addr: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let mut client = Client::connect(addr);
        // Who is refused may be told so before it has asked.
        let _ = client
            .0
            .write_all(b"GET /heartbeat HTTP/1.1\r\nhost: x\r\n\r\n");
        if Answer::read(&mut client.0).is_ok_and(|answer| answer.status == 200) {
            return;
        }
        assert!(Instant::now() < deadline, "a place must become free");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_left() {
    for kind in [EngineKind::Native, EngineKind::Component] {
        let account = Arc::new(MemoryAccount::new(1));
        let (item, file) = account.add_file(24 * 1024 * 1024);
        let mut config = config(&account, kind, None);
        config.limits.stall_time = Duration::from_millis(300);
        config.limits.connections = 1;
        let host = start(config).await;
        let (addr, token) = (host.addr(), account.token.clone());
        let path = format!(
            "/v1/vaults/{}/items/{item}/files/{file}/content",
            account.vault
        );
        tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(addr);
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
            client.0.write_all(request.as_bytes()).unwrap();
            // The file has no room on the way: only by a cut does the connection end.
            await_place(addr);
            let mut taken = 0;
            let mut piece = vec![0; 1 << 20];
            while let Ok(n @ 1..) = client.0.read(&mut piece) {
                taken += n;
            }
            assert!(taken < 24 * 1024 * 1024, "it was cut off");
        })
        .await
        .unwrap();
        host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_end_before_the_server_does() {
    let account = Arc::new(MemoryAccount::new(1));
    let mut config = config(&account, EngineKind::Native, None);
    config.limits.idle_time = NEVER;
    config.limits.drain_time = NEVER;
    let host = start(config).await;
    let (addr, token) = (host.addr(), account.token.clone());
    let mut client = Client::connect(addr);
    assert_eq!(client.get("/heartbeat", &token).status, 200);
    // An idle connection holds nothing up.
    let ended = tokio::time::timeout(Duration::from_secs(60), host.shutdown()).await;
    assert!(ended.is_ok());
    assert!(std::net::TcpStream::connect(addr).is_err());
}
