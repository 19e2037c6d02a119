//! Connect servers, their tokens and their vaults, by what HTTP clients see: an account in one process, servers in
//! others, the clock moved instead of waited for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use cli::{Dir, Service};
use sekisho_account::{Account, Operator};
use sekisho_core::records::VaultType;
use serde_json::Value;

/// How soon every edge refuses what was taken back.
const SOON: Duration = Duration::from_secs(1);
const CLOCK: &str = "SEKISHO_TEST_CLOCK_AHEAD";

struct World {
    dir: Dir,
    account: Service,
    item: Value,
}

impl World {
    /// Vaults "A" and "B", an item in A, Connect server "web" with both.
    fn new() -> Self {
        let dir = Dir::new();
        dir.ok(&["account", "init"]);
        for vault in ["A", "B"] {
            dir.ok(&["vault", "create", vault]);
        }
        let item = dir.json(&[
            "item",
            "create",
            "--vault",
            "A",
            "--title",
            "Mail",
            "password=hunter2",
        ]);
        let account = Service::account(&dir, &[]);
        let world = Self { dir, account, item };
        world.ok(&["connect", "server", "create", "web", "--vaults", "A,B"]);
        world
    }

    /// By URL, as from another machine.
    fn ok(&self, args: &[&str]) -> String {
        let at = ["--account", &self.account.url, "--key", &self.key()];
        self.dir.ok(&[args, &at].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--format", "json"]].concat())).unwrap()
    }

    fn key(&self) -> String {
        self.dir
            .path()
            .join("data/operator.key")
            .display()
            .to_string()
    }

    fn credentials(&self) -> PathBuf {
        self.dir.path().join("work/1password-credentials.json")
    }

    fn token(&self, name: &str, more: &[&str]) -> String {
        let args = ["connect", "token", "create", name, "--server", "web"];
        self.ok(&[&args, more].concat()).trim().to_owned()
    }

    fn state(&self, name: &str, ahead: &str) -> Value {
        let args = ["connect", "token", "list", "--format", "json"];
        let output = self.dir.command(&args).env(CLOCK, ahead).output().unwrap();
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut list = list.as_array().unwrap().iter();
        list.find(|token| token["name"] == name).unwrap().clone()
    }

    fn path(&self) -> String {
        let (vault, item) = (&self.item["vault"]["id"], &self.item["id"]);
        let (vault, item) = (vault.as_str().unwrap(), item.as_str().unwrap());
        format!("/v1/vaults/{vault}/items/{item}")
    }

    fn credits(&self) -> Value {
        self.json(&["connect", "server", "get", "web"])["credits"].clone()
    }
}

#[test]
fn a_token_expires_is_renamed_used_and_revoked() {
    let world = World::new();
    let a_day = world.token("a day", &["--vault", "A,r", "--expires-in", "1d"]);
    let a_month = world.token("a month", &["--vault", "A,r", "--expires-in", "30d"]);
    let ever = world.token(
        "ever",
        &["--vault", "A,rw", "--vaults", "B", "--expires-in", "never"],
    );
    assert_eq!(world.state("ever", "0")["expires_at"], Value::Null);
    let connect = Service::connect(&Dir::new(), &world.credentials(), &[]);
    for token in [&a_day, &a_month, &ever] {
        connect.eventually(&world.path(), token, 200);
    }
    drop(connect);
    for (ahead, standing) in [
        ("0", ["ACTIVE", "ACTIVE", "ACTIVE"]),
        ("86500", ["EXPIRED", "ACTIVE", "ACTIVE"]),
        ("2592100", ["EXPIRED", "EXPIRED", "ACTIVE"]),
    ] {
        let clock = [(CLOCK, ahead)];
        let mut command = world
            .dir
            .command(&["account", "serve", "--listen", "127.0.0.1:0"]);
        let account = Service::start(command.envs(clock));
        let variables = [clock[0], ("SEKISHO_ACCOUNT_URL", account.url.as_str())];
        let connect = Service::connect(&Dir::new(), &world.credentials(), &variables);
        connect.eventually(&world.path(), &ever, 200);
        let names = ["a day", "a month", "ever"];
        for ((name, token), standing) in names.iter().zip([&a_day, &a_month, &ever]).zip(standing) {
            assert_eq!(
                world.state(name, ahead)["state"],
                standing,
                "{name} {ahead}"
            );
            let status = if standing == "ACTIVE" { 200 } else { 401 };
            assert_eq!(
                connect.get(&world.path(), token).0,
                status,
                "{name} {ahead}"
            );
        }
    }

    let connect = Service::connect(&Dir::new(), &world.credentials(), &[]);
    connect.eventually(&world.path(), &ever, 200);
    let end = Instant::now() + Duration::from_secs(20);
    while world.state("ever", "0")["last_used_at"].is_null() {
        assert!(Instant::now() < end, "its use is reported");
        std::thread::sleep(Duration::from_millis(50));
    }
    world.ok(&[
        "connect", "token", "edit", "ever", "--name", "for ever", "--server", "web",
    ]);
    assert_eq!(connect.get(&world.path(), &ever).0, 200);
    world.ok(&["connect", "token", "delete", "for ever"]);
    let revoked = Instant::now();
    connect.eventually(&world.path(), &ever, 401);
    assert!(revoked.elapsed() < SOON, "{:?}", revoked.elapsed());
    assert_eq!(world.state("for ever", "0")["state"], "REVOKED");
    assert_eq!(connect.get(&world.path(), &a_month).0, 200);
}

#[test]
fn a_token_has_its_rights_and_never_more_than_its_server() {
    let world = World::new();
    world.ok(&["vault", "create", "C"]);
    let args = [
        "connect", "token", "create", "t", "--server", "web", "--vault",
    ];
    let said = world.dir.fails(&[&args[..], &["C"]].concat(), 1);
    assert!(said.contains("has no access to vault"), "{said}");
    let said = world
        .dir
        .fails(&[&args[..], &["A,r", "--vault", "A,w"]].concat(), 2);
    assert!(said.contains("named twice"), "{said}");
    for word in ["1x", "-1d", "0d", ""] {
        let flag = format!("--expires-in={word}");
        world.dir.fails(&[&args[..], &["A", &flag]].concat(), 2);
    }
    let (read, write) = (
        world.token("r", &["--vault", "A,r"]),
        world.token("w", &["--vault", "A,w"]),
    );
    let connect = Service::connect(&Dir::new(), &world.credentials(), &[]);
    connect.eventually(&world.path(), &read, 200);
    connect.eventually(&world.path(), &write, 403);

    // A new signing key: what is signed by the old one stays good, in hosts that start later too.
    world.ok(&["connect", "server", "rotate-key", "web"]);
    let later = world.token("later", &["--vault", "A"]);
    connect.eventually(&world.path(), &later, 200);
    let another = Service::connect(&Dir::new(), &world.credentials(), &[]);
    for token in [&later, &read] {
        another.eventually(&world.path(), token, 200);
    }

    // Deleted: file and tokens are of no use. One that is not there spares the others.
    let key = world.key();
    let delete = [
        "connect",
        "server",
        "delete",
        "-",
        "--account",
        &world.account.url,
        "--key",
        &key,
    ];
    let said = world.dir.fails_with_stdin(&delete, "web\nnowhere\n", 1);
    assert!(said.contains("nowhere"), "{said}");
    let said = world.dir.fails_with_stdin(&delete, "\n", 2);
    assert!(said.contains("one name or id a line"), "{said}");
    connect.eventually(&world.path(), &later, 200);
    let listed = world.ok(&["connect", "server", "list", "--format", "json"]);
    world.dir.with_stdin(&delete, &listed);
    connect.eventually(&world.path(), &later, 401);
}

#[test]
fn a_vault_is_granted_taken_back_everywhere_and_counted() {
    let world = World::new();
    assert_eq!(world.credits(), 0);
    let both = world.token("both", &["--vault", "A", "--vault", "B"]);
    world.token("one", &["--vault", "A,r"]);
    assert_eq!(world.credits(), 3);
    let edges = [(); 2].map(|()| Service::connect(&Dir::new(), &world.credentials(), &[]));
    for edge in &edges {
        edge.eventually(&world.path(), &both, 200);
    }
    let args = ["--server", "web", "--vault", "A"];
    world.ok(&[&["connect", "vault", "revoke"], &args[..]].concat());
    let revoked = Instant::now();
    for edge in &edges {
        edge.eventually(&world.path(), &both, 403);
        let (_, vaults) = edge.get("/v1/vaults", &both);
        assert!(
            vaults.contains("\"B\"") && !vaults.contains("\"A\""),
            "{vaults}"
        );
    }
    assert!(revoked.elapsed() < SOON, "{:?}", revoked.elapsed());
    assert_eq!(world.credits(), 1);
    // A token's vaults are fixed for life: given back, the server has it again and the token has not.
    world.ok(&[&["connect", "vault", "grant"], &args[..]].concat());
    world.token("again", &["--vault", "A,r"]);
    assert_eq!(world.credits(), 2);
    assert_eq!(edges[0].get(&world.path(), &both).0, 403);
    world.ok(&["connect", "token", "delete", "both"]);
    assert_eq!(world.credits(), 1);

    // A user's own vault (Personal, Private, Employee) and the default Shared one.
    let account = Account::open(&world.dir.path().join("data/account.sqlite")).unwrap();
    let owner = Operator::read(world.key().as_ref(), Box::new(account)).unwrap();
    for kind in [VaultType::Personal, VaultType::Everyone] {
        let id = owner
            .create_vault(kind.as_str(), "", kind, None)
            .unwrap()
            .to_string();
        let args = [
            "connect", "vault", "grant", "--server", "web", "--vault", &id,
        ];
        let said = world.dir.fails(&args, 1);
        assert!(
            said.contains(kind.as_str()) && said.contains("never be granted"),
            "{said}"
        );
        let args = ["connect", "server", "create", "x", "-f", "--vaults", &id];
        assert!(world.dir.fails(&args, 1).contains("never be granted"));
    }
}

#[test]
fn a_vaults_key_is_rotated_while_clients_read_on() {
    let world = World::new();
    for n in 0..40 {
        let title = format!("Item {n}");
        world.dir.ok(&[
            "item",
            "create",
            "--vault",
            "A",
            "--title",
            &title,
            "password=x",
        ]);
    }
    let token = world.token("t", &["--vault", "A,r"]);
    let edge = Service::connect(&Dir::new(), &world.credentials(), &[]);
    edge.eventually(&world.path(), &token, 200);
    let done = AtomicBool::new(false);
    let reads = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let (status, body) = edge.get(&world.path(), &token);
                assert_eq!(status, 200, "{body}");
                assert!(body.contains("hunter2"));
                reads += 1;
            }
            reads
        });
        for _ in 0..2 {
            world.ok(&["vault", "rotate-key", "A"]);
        }
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(reads > 10, "{reads}");
    world.token("later", &["--vault", "A,r"]);
}
