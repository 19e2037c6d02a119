//! What synchronising costs: the first one, one with nothing new, a change until it is visible, a start without the
//! account, and memory over many requests. The real binary against a real account over loopback HTTP.
//!
//! `-- start`, `change`, `memory` or `first` asks one of them. `SEKISHO_SOAK=10` multiplies the requests of the last question (`make soak`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench: a panic says where, and what it finds it prints"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sekisho_account::{
    Account, Credentials, KeyFile, NewUser, Operator, clock, http::server, random::SystemRng,
};
use sekisho_benches::{
    load::{ask_times, get},
    report::{aside, at_most},
    rng::Reproducible,
    upstream::plain_item,
};
use sekisho_core::{
    id::{EnvironmentId, ItemId, TokenId, UserId, VaultId},
    item::stored::StoredItem,
    key::OperatorKey,
    records::{DeleteRequest, Expect, ItemRecord, PutRequest, VaultType},
    token::{Rights, WriteAccess},
};
use tempfile::TempDir;

const MANY: usize = 100_000;
const FEWER: usize = 10_000;
const CHANGES: usize = 200;
const REVOCATIONS: usize = 30;
const STARTS: usize = 15;
const REQUESTS: usize = 1_000_000;

fn main() {
    let binary = binary();
    println!("\n== sync: sekisho against an account over loopback HTTP ==");
    // `cargo bench --bench sync -- start` asks one question only.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted =
        |question: &str| wanted.is_empty() || wanted.iter().any(|word| word == question);
    let world = World::new();
    world.fill(FEWER);
    if is_wanted("start") {
        cold_start(&world, &binary);
    }
    if is_wanted("change") {
        visible(&world, &binary);
    }
    if is_wanted("memory") {
        memory(&world, &binary);
    }
    if is_wanted("first") {
        world.fill(MANY - FEWER);
        first_sync(&world, &binary);
    }
}

/// Built if need be.
fn binary() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "-p",
            "sekisho-host",
            "--bin",
            "sekisho",
        ])
        .status();
    assert!(built.unwrap().success());
    let exe = std::env::current_exe().unwrap();
    let release = exe.ancestors().find(|dir| dir.join("sekisho").is_file());
    release.unwrap().join("sekisho")
}

struct World {
    folder: TempDir,
    account: Account,
    operator: Operator,
    vault: VaultId,
    environment: EnvironmentId,
    token: TokenId,
    text: String,
    first: ItemId,
    access: WriteAccess,
    addr: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        // In memory where that is to be had: it is not the account's disk that is measured.
        let shm = Path::new("/dev/shm");
        let folder = if shm.is_dir() {
            TempDir::new_in(shm)
        } else {
            TempDir::new()
        }
        .unwrap();
        let rng = &mut SystemRng;
        let key = OperatorKey::generate(rng);
        let user = NewUser {
            id: UserId::generate(rng),
            name: "Olive".into(),
            public: key.public(),
        };
        let path = folder.path().join("account.sqlite");
        let account = Account::init(&path, "Bench", &user, clock::now(), rng).unwrap();
        let identity = KeyFile {
            account: account.id(),
            user: user.id,
            key,
        };
        let operator = Operator::new(identity, Box::new(account.clone()));
        let vault = operator
            .create_vault("V", "", VaultType::UserCreated, None)
            .unwrap();
        let (environment, credentials) = operator.create_environment("edge", &[vault]).unwrap();
        let vaults = [(vault, Rights::READ_WRITE)];
        let issued = operator
            .create_token(environment, "t", &vaults, None)
            .unwrap();
        let access = operator.write_access(vault).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = server::serve(
            listener,
            account.clone(),
            server::Options::default(),
            std::future::pending(),
        );
        runtime.spawn(serving);
        write_credentials(&credentials, addr, folder.path());
        let mut world = Self {
            folder,
            account,
            operator,
            vault,
            environment,
            token: issued.record.id,
            text: issued.text.expose().to_owned(),
            first: ItemId::MIN,
            access,
            addr,
            _runtime: runtime,
        };
        world.first = world.put(0);
        world
    }

    fn record(&self, n: usize, rng: &mut Reproducible) -> ItemRecord {
        StoredItem::new(plain_item(n, self.vault, rng))
            .seal(&self.access, rng)
            .unwrap()
    }

    fn put(&self, n: usize) -> ItemId {
        let item = self.record(n, &mut Reproducible(1_000_000 + n as u64));
        let id = item.id;
        let request = PutRequest {
            token: self.token,
            vault: self.vault,
            expect: Expect::Absent,
            item,
            added: Vec::new(),
            dropped: Vec::new(),
        };
        self.account
            .put(&self.environment, &request, clock::now())
            .unwrap();
        id
    }

    fn fill(&self, items: usize) {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
        for _ in 0..items {
            self.put(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn path(&self, item: &ItemId) -> String {
        format!("/v1/vaults/{}/items/{item}", self.vault)
    }

    /// `sekisho serve` with this data folder; the account is elsewhere if it is to be found.
    fn serve(&self, binary: &Path, data: &Path, engine: &str, account: Option<&str>) -> Host {
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--engine", engine])
            .env_clear()
            .env("OP_SESSION", self.folder.path().join("credentials.json"))
            .env("SEKISHO_DATA_DIR", data)
            .env("OP_LOG_LEVEL", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(account) = account {
            command.env("SEKISHO_ACCOUNT_URL", account);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let (_, addr) = line.trim().rsplit_once("http://").unwrap();
        Host {
            addr: addr.parse().unwrap(),
            child,
        }
    }
}

fn write_credentials(credentials: &Credentials, addr: SocketAddr, folder: &Path) {
    let credentials = credentials
        .clone()
        .with_account(&format!("http://{addr}"), None);
    credentials
        .write(&folder.join("credentials.json"), false)
        .unwrap();
}

struct Host {
    child: Child,
    addr: SocketAddr,
}

impl Host {
    /// The status of an answer, on a connection that is kept.
    fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(stream)
    }

    fn memory(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    /// A number of `/metrics`.
    fn metric(&self, name: &str) -> f64 {
        let (_, body) = self.connect().ask("/metrics", "");
        let line = body.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Connection(TcpStream);

impl Connection {
    fn ask(&mut self, path: &str, token: &str) -> (u16, String) {
        self.0.write_all(&get(path, token, "")).unwrap();
        let mut bytes = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let more = self.0.read(&mut piece).unwrap();
            assert!(more > 0);
            bytes.extend_from_slice(&piece[..more]);
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            });
            if length.is_some_and(|length| body.len() >= length)
                || (head.contains("chunked") && body.ends_with("0\r\n\r\n"))
            {
                return (
                    head.split(' ').nth(1).unwrap().parse().unwrap(),
                    body.to_owned(),
                );
            }
        }
    }

    fn until(&mut self, path: &str, token: &str, status: u16) {
        while self.ask(path, token).0 != status {
            thread::sleep(Duration::from_micros(300));
        }
    }
}

fn percentile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * part).round() as usize;
    times[at].as_secs_f64() * 1000.0
}

fn first_sync(world: &World, binary: &Path) {
    let data = TempDir::new().unwrap();
    let began = Instant::now();
    let host = world.serve(binary, data.path(), "native", None);
    host.connect()
        .until(&world.path(&world.first), &world.text, 200);
    let took = began.elapsed().as_secs_f64();
    at_most(
        &format!("first sync of {MANY} items of 1 KB, seconds"),
        took,
        10.0,
    );
    at_most("  and at its peak, MiB", host.memory("VmHWM:"), 300.0);
    aside("  and afterwards, MiB", host.memory("VmRSS:"));
}

fn cold_start(world: &World, binary: &Path) {
    let data = TempDir::new().unwrap();
    let path = world.path(&world.first);
    for engine in ["component", "native"] {
        let host = world.serve(binary, data.path(), engine, None);
        host.connect().until(&path, &world.text, 200);
        drop(host);
        let mut times: Vec<Duration> = (0..STARTS)
            .map(|_| {
                let began = Instant::now();
                // Nobody listens there.
                let host = world.serve(binary, data.path(), engine, Some("http://127.0.0.1:9"));
                let (status, _) = host.connect().ask(&path, &world.text);
                assert_eq!(status, 200);
                began.elapsed()
            })
            .collect();
        at_most(
            &format!(
                "{engine} engine, {FEWER} items, account away: start to first answer, ms (median)"
            ),
            percentile(&mut times, 0.5),
            50.0,
        );
        aside(
            &format!("  and the slowest of {STARTS}"),
            percentile(&mut times, 1.0),
        );
    }
}

fn visible(world: &World, binary: &Path) {
    let data = TempDir::new().unwrap();
    let host = world.serve(binary, data.path(), "component", None);
    let mut connection = host.connect();
    connection.until(&world.path(&world.first), &world.text, 200);
    // Nothing new: how often it asks, and what that writes.
    thread::sleep(Duration::from_secs(1));
    let wal = || -> u64 {
        let mut size = 0;
        let mut folders = vec![data.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with("replica.sqlite")
                {
                    size += entry.metadata().unwrap().len();
                }
            }
        }
        size
    };
    let asked = || host.metric("sekisho_upstream_calls_total{call=\"changes\"}");
    let (before, size) = (asked(), wal());
    thread::sleep(Duration::from_secs(40));
    let requests = asked() - before;
    aside("ticks with nothing new in 40 s, requests", requests);
    aside("  and bytes written to the replica", (wal() - size) as f64);
    let mut times: Vec<Duration> = (0..CHANGES)
        .map(|n| {
            // Not in step with anything.
            thread::sleep(Duration::from_millis(7 + (n as u64 * 13) % 50));
            let item = world.put(2_000_000 + n);
            let began = Instant::now();
            connection.until(&world.path(&item), &world.text, 200);
            let took = began.elapsed();
            let request = DeleteRequest {
                token: world.token,
                vault: world.vault,
                item,
                version: 1,
            };
            world
                .account
                .delete(&world.environment, &request, clock::now())
                .unwrap();
            took
        })
        .collect();
    aside(
        "change at the account until it is served, p50 ms",
        percentile(&mut times, 0.5),
    );
    at_most(
        "change at the account until it is served, p99 ms",
        percentile(&mut times, 0.99),
        100.0,
    );
    let vaults = [(world.vault, Rights::READ)];
    let mut times: Vec<Duration> = (0..REVOCATIONS)
        .map(|_| {
            let issued = world
                .operator
                .create_token(world.environment, "x", &vaults, None)
                .unwrap();
            let text = issued.text.expose().to_owned();
            connection.until("/v1/vaults", &text, 200);
            world.operator.revoke_token(issued.record.id).unwrap();
            let began = Instant::now();
            connection.until("/v1/vaults", &text, 401);
            began.elapsed()
        })
        .collect();
    at_most(
        "revocation until it is refused, slowest, ms",
        percentile(&mut times, 1.0),
        1000.0,
    );
}

fn memory(world: &World, binary: &Path) {
    let times: usize = std::env::var("SEKISHO_SOAK")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let request = get(&world.path(&world.first), &world.text, "");
    // A sandbox for each request costs several times as much: fewer say the same.
    for (engine, requests) in [
        ("native", REQUESTS * times),
        ("component", REQUESTS * times / 5),
    ] {
        let data = TempDir::new().unwrap();
        let host = world.serve(binary, data.path(), engine, None);
        host.connect()
            .until(&world.path(&world.first), &world.text, 200);
        ask_times(host.addr, &request, requests / 10);
        thread::sleep(Duration::from_secs(2));
        let warm = host.memory("VmRSS:");
        ask_times(host.addr, &request, requests);
        thread::sleep(Duration::from_secs(2));
        let after = host.memory("VmRSS:");
        at_most(
            &format!(
                "{engine} engine, {requests} requests after {} more: MiB more ({warm:.1} before)",
                requests / 10
            ),
            after - warm,
            1.0,
        );
        let noted = host.metric("sekisho_usage_queue_depth");
        aside("accesses not yet reported", noted);
    }
    let _ = world.addr;
}
