//! The real thing in pieces: an account served by one process, hosts in others, an operator in this one.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses its part; a panic is a failure"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sekisho_account::{Account, Credentials, KeyFile, NewUser, Operator, clock, random::SystemRng};
use sekisho_core::{
    id::{EnvironmentId, ItemId, TokenId, UserId, VaultId},
    item::{
        build::{self, Writing},
        draft::Draft,
        stored::StoredItem,
    },
    key::OperatorKey,
    records::{Expect, VaultType},
    token::Rights,
};
use serde_json::json;

use crate::common::{Answer, Client};

/// For everything that takes a while on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An account on disk with one vault and one Connect server, and its operator.
pub struct World {
    pub dir: tempfile::TempDir,
    pub account: Account,
    pub operator: Operator,
    pub vault: VaultId,
    pub environment: EnvironmentId,
    pub credentials: Credentials,
    pub token: String,
    pub token_id: TokenId,
    pub items: Vec<ItemId>,
    /// Where the account is served, whenever it is.
    pub port: u16,
}

/// A port that was free a moment ago, and none that the system gives to others who do not name theirs: a server that
/// comes back has to find it free again.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const PORTS: u16 = 20_000;
    loop {
        let mut random = [0; 2];
        rand_core::Rng::fill_bytes(&mut SystemRng, &mut random);
        let port = FIRST + u16::from_ne_bytes(random) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl World {
    pub fn new(items: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("account")).unwrap();
        let rng = &mut SystemRng;
        let key = OperatorKey::generate(rng);
        let user = NewUser {
            id: UserId::generate(rng),
            name: "Olive".into(),
            public: key.public(),
        };
        let path = dir.path().join("account/account.sqlite");
        let account = Account::init(&path, "Test", &user, clock::now(), rng).unwrap();
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
        let port = free_port();
        let credentials = credentials.with_account(&format!("http://127.0.0.1:{port}"), None);
        credentials
            .write(&dir.path().join("credentials.json"), false)
            .unwrap();
        let issued = operator
            .create_token(environment, "t", &[(vault, Rights::READ_WRITE)], None)
            .unwrap();
        let mut world = Self {
            dir,
            account,
            operator,
            vault,
            environment,
            credentials,
            token: issued.text.expose().to_owned(),
            token_id: issued.record.id,
            items: Vec::new(),
            port,
        };
        for n in 0..items {
            let id = world.add_item(&format!("Item {n}"));
            world.items.push(id);
        }
        world
    }

    /// As an operator does it, at the account itself.
    pub fn add_item(&self, title: &str) -> ItemId {
        let rng = &mut SystemRng;
        let access = self.operator.write_access(self.vault).unwrap();
        let draft = Draft::parse(json!({
            "title": title,
            "category": "LOGIN",
            "fields": [{ "id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "value": "x".repeat(400) }],
        }))
        .unwrap();
        let writing = Writing {
            vault: self.vault,
            now: clock::now(),
            editor: "TESTTESTTESTTESTTESTTESTTE",
        };
        let item = build::create(draft, &writing, rng).unwrap();
        let record = StoredItem::new(item).seal(&access, rng).unwrap();
        let id = record.id;
        self.operator
            .put_item(&access, record, Expect::Absent)
            .unwrap();
        id
    }

    /// A further token.
    pub fn issue(&self) -> (TokenId, String) {
        let vaults = [(self.vault, Rights::READ_WRITE)];
        let issued = self
            .operator
            .create_token(self.environment, "more", &vaults, None)
            .unwrap();
        (issued.record.id, issued.text.expose().to_owned())
    }

    /// How many accesses of this token the account has counted.
    pub fn counted(&self) -> u64 {
        let rows = self.operator.usage_report(Default::default()).unwrap();
        rows.iter().map(|row| row.count).sum()
    }

    pub fn credentials_file(&self) -> PathBuf {
        self.dir.path().join("credentials.json")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn items_path(&self) -> String {
        format!("/v1/vaults/{}/items", self.vault)
    }

    pub fn item_path(&self, item: &ItemId) -> String {
        format!("{}/{item}", self.items_path())
    }

    /// The binary, with nothing of this environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        command
            .env_clear()
            .current_dir(self.dir.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    pub fn serve_account(&self) -> Process {
        let listen = format!("127.0.0.1:{}", self.port);
        let dir = self.dir.path().join("account");
        let args = ["account", "serve", "--listen", &listen, "--data-dir"];
        let mut command = self.command(&args);
        command.arg(dir).stderr(Stdio::null());
        Process::start(command)
    }

    /// A host: `serve`, `sync` or `api`, on a free port.
    pub fn host(&self, role: &str) -> Process {
        self.host_with(role, |_| {})
    }

    pub fn host_with(&self, role: &str, change: impl FnOnce(&mut Command)) -> Process {
        let mut command = self.command(&[role, "--listen", "127.0.0.1:0"]);
        command
            .env("SEKISHO_DATA_DIR", self.data())
            .env("OP_SESSION", self.credentials_file())
            .env("OP_LOG_LEVEL", "error");
        change(&mut command);
        if role != "sync" && command.get_args().all(|arg| arg != "--engine") {
            command.args(["--engine", "native"]);
        }
        Process::start(command)
    }
}

/// A process that printed where it is. It is killed when this goes.
pub struct Process {
    pub child: Child,
    pub addr: SocketAddr,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let addr = line
            .trim()
            .rsplit_once("http://")
            .or_else(|| line.trim().rsplit_once("https://"))
            .and_then(|(_, addr)| addr.parse().ok());
        let Some(addr) = addr else {
            let _ = child.kill();
            panic!("{command:?} did not start: it printed {line:?}");
        };
        Self { child, addr }
    }

    pub fn get(&self, path: &str, token: &str) -> Answer {
        Client::connect(self.addr).get(path, token)
    }

    pub fn send(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        Client::connect(self.addr).send(method, path, token, Some(body))
    }

    /// As the kernel does it: no handler runs.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// As a service manager does it, and how it ended.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap()
    }

    pub fn is_up(&self) -> bool {
        TcpStream::connect(self.addr).is_ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn note(vault: &VaultId, title: &str) -> String {
    json!({ "vault": { "id": vault }, "title": title, "category": "SECURE_NOTE" }).to_string()
}

/// Everything below a folder, by name.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
