//! The carrier over the host: a real socket, a real engine, the world's account behind it.
//!
//! Clock and random bytes are those of [`crate::native`], so that what both send can be compared byte for byte.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand_core::TryRng;
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest, Records},
    sync::{FeedItem, FeedPage},
};
use sekisho_host::{
    Host, HostConfig, RunningHost,
    engine::EngineKind,
    random::Random,
    serve::Limits,
    sync::{Upstream, UpstreamError, UsageReport},
};
use tempfile::TempDir;
use tokio::runtime::Runtime as Tokio;

use crate::{
    cases::{Carrier, Given, RawAnswer, Request, Runtime},
    memory::{MemoryRecords, Mood},
    rng::{LabelledRng, labelled},
    world::{MAX_INLINE, MAX_STALE, NOW, World, blank_page},
};

/// The host with one of its engines.
pub struct Hosted {
    engine: EngineKind,
    tokio: Arc<Tokio>,
    /// Where the first start leaves the compiled component, for the others to take.
    compiled: TempDir,
}

impl Hosted {
    /// With this engine.
    pub fn new(engine: EngineKind) -> Self {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        Self {
            engine,
            tokio: Arc::new(tokio.unwrap()),
            compiled: TempDir::new().unwrap(),
        }
    }

    /// A host on a fresh world, for tests that talk to it in their own way.
    pub fn serve(&self, given: &Given, limit: impl FnOnce(&mut Limits)) -> Serving {
        self.serve_as(given, |config| limit(&mut config.limits))
    }

    /// The same, set up in some other way.
    pub fn serve_as(&self, given: &Given, change: impl FnOnce(&mut HostConfig)) -> Serving {
        let folder = TempDir::new().unwrap();
        copy_compiled(self.compiled.path(), folder.path());
        let mut config = config(self.engine, given, folder.path());
        change(&mut config);
        let patience = config.limits.sync_time;
        let host = self.tokio.block_on(Host::start(config)).unwrap();
        // Probes do not wait for it, as clients do.
        self.tokio.block_on(host.live().first_sync(patience));
        copy_compiled(folder.path(), self.compiled.path());
        Serving {
            addr: host.addr(),
            host: Some(host),
            tokio: Arc::clone(&self.tokio),
            _folder: folder,
        }
    }
}

/// A host at work. It stops when this goes.
pub struct Serving {
    addr: SocketAddr,
    host: Option<RunningHost>,
    tokio: Arc<Tokio>,
    _folder: TempDir,
}

impl Serving {
    /// Where it serves.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A client of it.
    pub const fn connect(&self) -> Connection {
        Connection {
            addr: self.addr,
            stream: None,
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            self.tokio.block_on(host.shutdown());
        }
    }
}

impl Runtime for Hosted {
    fn name(&self) -> &'static str {
        match self.engine {
            EngineKind::Component => "host with components",
            EngineKind::Native => "host, native",
        }
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        let serving = self.serve(given, |_| {});
        Some(Box::new(HostCarrier {
            connection: serving.connect(),
            _serving: serving,
        }))
    }
}

fn copy_compiled(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        let is_code = [".cwasm", ".sha256"]
            .iter()
            .any(|ending| name.to_string_lossy().ends_with(ending));
        if is_code && !to.join(&name).exists() {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

fn config(engine: EngineKind, given: &Given, folder: &Path) -> HostConfig {
    let world = World::get();
    let now = given.now().unwrap_or(NOW);
    let mood = given.mood().unwrap_or(Mood::Well);
    let account = Arc::new(WorldAccount {
        records: Mutex::new(MemoryRecords::in_mood(world, now, mood)),
        is_empty: mood == Mood::Empty,
    });
    HostConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        engine,
        data_dir: Some(folder.to_owned()),
        max_stale: MAX_STALE,
        max_inline: MAX_INLINE,
        limits: Limits {
            sync_time: if mood == Mood::Empty {
                Duration::from_millis(50)
            } else {
                Duration::from_secs(10)
            },
            ..Limits::default()
        },
        clock: Arc::new(move || now),
        random: Arc::new(Repeatable(Mutex::new(labelled("native carrier")))),
        ..HostConfig::new(account, world.trust(), world.signing_keys())
    }
}

struct Repeatable(Mutex<LabelledRng>);

impl Random for Repeatable {
    fn fill(&self, out: &mut [u8]) {
        let Ok(()) = self.0.lock().unwrap().try_fill_bytes(out);
    }
}

/// The world's account, as the sync core sees one.
struct WorldAccount {
    records: Mutex<MemoryRecords>,
    is_empty: bool,
}

impl WorldAccount {
    fn ask<T>(
        &self,
        what: impl FnOnce(&MemoryRecords) -> Result<T, Fault>,
    ) -> Result<T, UpstreamError> {
        what(&self.records.lock().unwrap()).map_err(UpstreamError::Refused)
    }
}

impl Upstream for WorldAccount {
    /// All there is, whenever something changed: deletions need no tombstones then.
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        if self.is_empty {
            return Err(UpstreamError::Unreachable(
                "it is empty on purpose".to_owned(),
            ));
        }
        let snapshot = self.records.lock().unwrap().snapshot();
        let head = snapshot.head().unwrap();
        let mut page = blank_page(head.version, head);
        if page.cursor == cursor {
            return Ok(page);
        }
        page.reset = !cursor.is_empty();
        page.vaults = snapshot.vaults().cloned().collect();
        page.tokens = snapshot.tokens().cloned().collect();
        for vault in snapshot.vaults() {
            page.items
                .extend(snapshot.items(&vault.id).map(|item| FeedItem {
                    vault: vault.id,
                    item: item.clone(),
                }));
        }
        Ok(page)
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        self.ask(|records| records.put(request.clone()))
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.ask(|records| records.put_chunk(request.clone()))
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.ask(|records| records.delete(request.clone()))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.ask(|records| records.chunk(vault, item, file, index))
    }

    fn report_usage(&self, _: &[UsageReport]) -> Result<(), UpstreamError> {
        Ok(())
    }

    fn wait(&self, timeout: Duration) -> bool {
        std::thread::sleep(timeout.min(Duration::from_millis(100)));
        false
    }
}

/// One case's host, asked over one connection that is kept as long as it can be.
struct HostCarrier {
    // Goes before the host, which would wait for it.
    connection: Connection,
    _serving: Serving,
}

impl Carrier for HostCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        self.connection.send(request)
    }
}

/// A client with one connection, opened when it is needed and kept as long as the host keeps it.
#[derive(Debug)]
pub struct Connection {
    addr: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// To any server.
    pub const fn to(addr: SocketAddr) -> Self {
        Self { addr, stream: None }
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, request: &Request) -> RawAnswer {
        self.exchange(&wire(request), request.method == "HEAD")
    }

    /// Sends these bytes, whatever they are, and reads one answer.
    pub fn raw(&mut self, bytes: &[u8]) -> RawAnswer {
        self.exchange(bytes, false)
    }

    fn exchange(&mut self, bytes: &[u8], is_head: bool) -> RawAnswer {
        let addr = self.addr;
        let mut stream = self.stream.take().unwrap_or_else(|| {
            let stream = TcpStream::connect(addr).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        // A server that refuses early does not read to the end: what was sent is not the question here.
        let _ = stream.get_mut().write_all(bytes);
        let (answer, keep) = read_answer(&mut stream, is_head);
        if keep {
            self.stream = Some(stream);
        }
        answer
    }
}

fn wire(request: &Request) -> Vec<u8> {
    let mut out = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        if !name.eq_ignore_ascii_case("content-length") {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if !request.body.is_empty() {
        out.push_str(&format!("content-length: {}\r\n", request.body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(&request.body);
    out
}

/// One answer, and whether the connection goes on.
pub fn read_answer(connection: &mut BufReader<TcpStream>, is_head: bool) -> (RawAnswer, bool) {
    let mut line = || {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let status: u16 = first
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0);
    let mut headers = Vec::new();
    loop {
        let line = line();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let find = |name: &str| {
        headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let length = find("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let keep =
        first.starts_with("HTTP/1.1") && find("connection").is_none_or(|word| word != "close");
    let has_body = !is_head && !matches!(status, 204 | 304);
    let mut body = vec![0; if has_body { length } else { 0 }];
    connection.read_exact(&mut body).unwrap();
    // Its own, of every HTTP server: the date, and whether the connection goes on.
    // What the host says beyond core's answer.
    headers.retain(|(name, _)| !["date", "connection", "sekisho-age"].contains(&name.as_str()));
    (
        RawAnswer {
            status,
            headers,
            body,
        },
        keep,
    )
}
