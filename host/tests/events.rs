//! What a client of `/v1/events` is told, and when it is told nothing more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Client, MemoryAccount, NOW, config, start};
use sekisho_core::time::Timestamp;
use sekisho_host::{HostConfig, engine::EngineKind};
use serde_json::Value;

const ENGINES: [EngineKind; 2] = [EngineKind::Native, EngineKind::Component];

/// What arrived between two blank lines.
#[derive(Debug, Default)]
struct Block {
    event: String,
    id: String,
    data: Value,
    comment: bool,
}

/// A stream of events over a socket.
struct Stream {
    lines: BufReader<TcpStream>,
    status: u16,
    head: String,
}

impl Stream {
    fn open(addr: SocketAddr, token: &str, after: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(addr).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let after = after.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{after}\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            lines,
            status,
            head: head.to_lowercase(),
        }
    }

    /// The next line of the body; `None` = it has ended. Chunks are cut between blocks, so sizes are lines.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 || line == "0\r\n" {
                return None;
            }
            if !line.ends_with("\r\n") {
                return Some(line.trim_end_matches('\n').to_owned());
            }
        }
    }

    fn block(&mut self) -> Option<Block> {
        let mut block = Block::default();
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                None => return Some(block),
                Some(("event", name)) => block.event = name.to_owned(),
                Some(("id", id)) => block.id = id.to_owned(),
                Some(("data", data)) => block.data = serde_json::from_str(data).unwrap(),
                Some(("", _)) => block.comment = true,
                Some(_) => {}
            }
        }
    }

    /// The next block that is an event.
    fn event(&mut self) -> Block {
        loop {
            let block = self.block().expect("the stream has ended");
            if !block.event.is_empty() {
                return block;
            }
        }
    }

    fn assert_ends_within(&mut self, limit: Duration) {
        let began = Instant::now();
        while self.block().is_some() {}
        assert!(began.elapsed() < limit, "{:?}", began.elapsed());
    }
}

async fn with_host(
    engine: EngineKind,
    change: impl FnOnce(&mut HostConfig),
    client: impl FnOnce(SocketAddr, &MemoryAccount) + Send + 'static,
) {
    let account = Arc::new(MemoryAccount::new(3));
    let mut config = config(&account, engine, None);
    change(&mut config);
    let host = start(config).await;
    let addr = host.addr();
    tokio::task::spawn_blocking(move || client(addr, &account))
        .await
        .unwrap();
    host.shutdown().await;
}

/// Makes, changes and deletes an item; hands back its id.
fn live_a_life(addr: SocketAddr, account: &MemoryAccount) -> String {
    let mut client = Client::connect(addr);
    let items = format!("/v1/vaults/{}/items", account.vault);
    let body = r#"{"title":"New","category":"SECURE_NOTE"}"#;
    let made = client.send("POST", &items, &account.token, Some(body));
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{items}/{id}");
    let patch = r#"[{"op":"replace","path":"/title","value":"Newer"}]"#;
    let changed = client.send("PATCH", &path, &account.token, Some(patch));
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(
        client.send("DELETE", &path, &account.token, None).status,
        204
    );
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_what_happens_and_goes_on_where_it_was() {
    for engine in ENGINES {
        with_host(
            engine,
            |_| {},
            |addr, account| {
                let mut stream = Stream::open(addr, &account.token, None);
                assert_eq!(stream.status, 200);
                assert!(stream.head.contains("content-type: text/event-stream\r\n"));
                assert!(stream.head.contains("cache-control: no-store\r\n"));
                assert!(stream.head.contains("1password-connect-version: "));
                let first = stream.block().unwrap();
                assert!(!first.id.is_empty() && first.event.is_empty());
                let item = live_a_life(addr, account);
                let mut ids = Vec::new();
                let steps = [
                    ("created", Some(1)),
                    ("updated", Some(2)),
                    ("deleted", None),
                ];
                for (kind, version) in steps {
                    let told = stream.event();
                    assert_eq!(told.event, "item");
                    assert_eq!(told.data["type"], kind);
                    assert_eq!(told.data["vault"], account.vault.as_str());
                    assert_eq!(told.data["item"], item.as_str());
                    assert_eq!(told.data.get("version").and_then(Value::as_u64), version);
                    ids.push(told.id);
                }
                let mut again = Stream::open(addr, &account.token, Some(&ids[0]));
                assert_eq!(again.event().id, ids[1]);
                assert_eq!(again.event().id, ids[2]);
                let mut from_the_start = Stream::open(addr, &account.token, Some(&first.id));
                assert_eq!(from_the_start.event().id, ids[0]);
                for unknown in ["1-1", "nonsense", "99-99999999999999999"] {
                    let mut lost = Stream::open(addr, &account.token, Some(unknown));
                    let told = lost.event();
                    assert_eq!((told.event.as_str(), &told.id), ("reset", &ids[2]));
                }
            },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_cores() {
    for engine in ENGINES {
        with_host(
            engine,
            |_| {},
            |addr, _| {
                let mut client = Client::connect(addr);
                for path in ["/v1/events", "/v1/events/"] {
                    let refused = client.get(path, "garbage");
                    refused.assert_refusal(401);
                    assert_eq!(refused.body, client.get("/v1/vaults", "garbage").body);
                }
                client
                    .send("POST", "/v1/events", "garbage", Some("{}"))
                    .assert_refusal(405);
            },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_told_nothing_more() {
    for engine in ENGINES {
        with_host(
            engine,
            |_| {},
            |addr, account| {
                let mut stream = Stream::open(addr, &account.token, None);
                assert!(stream.block().is_some());
                account.revoke();
                stream.assert_ends_within(Duration::from_secs(1));
                assert_eq!(Stream::open(addr, &account.token, None).status, 401);
            },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_end_with_the_server() {
    let limit = |config: &mut HostConfig| config.limits.event_streams = 2;
    with_host(EngineKind::Native, limit, |addr, account| {
        let mut held: Vec<_> = (0..2)
            .map(|_| Stream::open(addr, &account.token, None))
            .collect();
        assert!(held.iter_mut().all(|stream| stream.block().is_some()));
        let mut client = Client::connect(addr);
        client.get("/v1/events", &account.token).assert_refusal(503);
        assert_eq!(
            client
                .send("HEAD", "/v1/events", &account.token, None)
                .status,
            200
        );
        held.pop();
        let began = Instant::now();
        loop {
            let stream = Stream::open(addr, &account.token, None);
            if stream.status == 200 {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "a place is not given back"
            );
        }
    })
    .await;
    let account = Arc::new(MemoryAccount::new(1));
    let host = start(config(&account, EngineKind::Native, None)).await;
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    let stream = tokio::task::spawn_blocking(move || {
        let mut stream = Stream::open(addr, &asked.token, None);
        stream.block().unwrap();
        stream
    });
    let mut stream = stream.await.unwrap();
    let began = Instant::now();
    host.shutdown().await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert!(stream.block().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_ends_its_stream() {
    let passed = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&passed);
    let account = Arc::new(MemoryAccount::new(1));
    account.expire(NOW.plus_seconds(60));
    let mut config = config(&account, EngineKind::Native, None);
    config.clock =
        Arc::new(move || Timestamp::from_seconds(NOW.seconds() + clock.load(Ordering::Relaxed)));
    let host = start(config).await;
    let addr = host.addr();
    tokio::task::spawn_blocking(move || {
        let mut stream = Stream::open(addr, &account.token, None);
        assert!(stream.block().is_some());
        passed.store(61, Ordering::Relaxed);
        stream.assert_ends_within(Duration::from_secs(1));
    })
    .await
    .unwrap();
    host.shutdown().await;
}
