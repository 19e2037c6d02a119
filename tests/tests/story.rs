//! The life of an account, whole: people and groups, vaults, an import, a Connect server and its tokens, an edge that
//! serves them, what was read, and the end of a token – each by the command a person types.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use sekisho_host::import::fixture;
use sekisho_tests::{
    binary::{Place, wait},
    sdk,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
/// How soon a revoked token is refused.
const SOON: Duration = Duration::from_secs(1);

/// A process that prints where it is. It is killed when this goes.
struct Process {
    child: Child,
    printed: Value,
}

impl Process {
    fn start(place: &Place, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let errors = File::create(place.dir().join(format!("{name}.stderr"))).unwrap();
        let out = place.dir().join(format!("{name}.stdout"));
        let mut command = place.command(args);
        command.envs(variables.iter().copied());
        let child = command
            .stdout(File::create(&out).unwrap())
            .stderr(errors)
            .spawn()
            .unwrap();
        let mut process = Self {
            child,
            printed: Value::Null,
        };
        process.printed = wait(name, PATIENCE, || {
            serde_json::from_slice(&std::fs::read(&out).unwrap()).ok()
        });
        process
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status of a GET.
fn get(host: &str, path: &str, token: &str) -> u16 {
    let address = host.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The vendor's SDK, reading until it is refused.
struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(host: &str, token: &str, vault: &str, item: &str) -> Option<Self> {
        let python = match sdk::python() {
            Ok(python) => python,
            Err(why) => {
                sdk::skip("story", why);
                return None;
            }
        };
        let mut command = Command::new(python);
        command
            .arg("-B")
            .arg(sdk::folder("python").join("watch.py"))
            .args([vault, item])
            .env("OP_CONNECT_HOST", host)
            .env("OP_CONNECT_TOKEN", token)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, lines })
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn from_nothing_to_a_revoked_token() {
    // Olive makes the account and serves it.
    let olive = Place::new();
    let made = olive.run(&["account", "init", "--name", "Example", "--owner", "Olive"]);
    let id = made["id"].as_str().unwrap();
    let args = ["account", "serve", "--listen", "127.0.0.1:0"];
    let account = Process::start(&olive, "account", &args, &[]);
    let url = account.printed["url"].as_str().unwrap();

    // Una joins from her own machine, and may manage Connect servers.
    let una = Place::new();
    let code = una.run(&["user", "join", "Una", "--account-id", id]);
    let code = code["join_code"].as_str().unwrap();
    olive.run(&["group", "create", "Platform"]);
    olive.run(&["user", "add", code, "--group", "Platform"]);
    olive.run(&["connect", "group", "grant", "--group", "Platform"]);

    // Vaults: one made, others imported.
    olive.run(&["vault", "create", "Production"]);
    let item = olive.run(&[
        "item",
        "create",
        "--vault",
        "Production",
        "--title",
        "Database",
        "--category",
        "DATABASE",
        "password=correct horse",
    ]);
    let (vault, item) = (
        item["vault"]["id"].as_str().unwrap(),
        item["id"].as_str().unwrap(),
    );
    let export = olive.dir().join("export.1pux");
    fixture::write_sample(&export, &|name| format!("text of {name}")).unwrap();
    let imported = olive.run(&["import", export.to_str().unwrap()]);
    assert!(!imported["vaults"].as_array().unwrap().is_empty());
    let shown = olive.run(&["vault", "list"]);
    assert!(shown.as_array().unwrap().len() > 1);

    // Una sees what was shared with her, and makes a server and two tokens of it.
    let at_url = |args: &[&str]| una.run(&[args, &["--account", url]].concat());
    assert_eq!(at_url(&["vault", "list"]).as_array().unwrap().len(), 0);
    olive.run(&[
        "vault",
        "user",
        "grant",
        "--vault",
        "Production",
        "--user",
        "Una",
    ]);
    assert_eq!(at_url(&["vault", "list"]).as_array().unwrap().len(), 1);
    at_url(&[
        "connect",
        "server",
        "create",
        "web",
        "--vaults",
        "Production",
    ]);
    let token = |name: &str, expires: &str| {
        let args = [
            "connect",
            "token",
            "create",
            name,
            "--server",
            "web",
            "--vault",
            "Production,r",
        ];
        let made = at_url(&[&args, &["--expires-in", expires][..]].concat());
        made["token"].as_str().unwrap().to_owned()
    };
    let (app, other) = (token("app", "90d"), token("other", "never"));

    // An edge that knows its credentials file and nothing else.
    let edge = Place::new();
    let file = una.dir().join("1password-credentials.json");
    let args = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--engine",
        "native",
        "--log-level",
        "error",
    ];
    let variables = [("OP_SESSION", file.to_str().unwrap())];
    let server = Process::start(&edge, "serve", &args, &variables);
    let host = server.printed["host"].as_str().unwrap();
    let path = format!("/v1/vaults/{vault}/items/{item}");
    for token in [&app, &other] {
        wait("the edge to serve", PATIENCE, || {
            (get(host, &path, token) == 200).then_some(())
        });
    }
    let mut watch = Watch::start(host, &app, vault, item);
    if let Some(watch) = &mut watch {
        assert_eq!(watch.line(), "Database");
    }

    // What was read is in the report, by the server's name.
    let args = [
        "usage",
        "report",
        "--server",
        "web",
        "--item",
        "Database",
        "--vault",
        "Production",
    ];
    let row = wait("the report", PATIENCE, || {
        let rows = olive.run(&args);
        let row = rows.as_array().unwrap().first()?.clone();
        (row["count"].as_u64().unwrap() >= 2).then_some(row)
    });
    assert_eq!(row["used_by"], "web");
    assert_eq!(row["action"], "Display");
    assert_eq!(row["item"]["title"], "Database");

    // Revoked: refused at once; the other token is not.
    at_url(&["connect", "token", "delete", "app", "--server", "web"]);
    let revoked = Instant::now();
    if let Some(watch) = &mut watch {
        assert_eq!(watch.line(), "refused");
        assert!(revoked.elapsed() < SOON, "{:?}", revoked.elapsed());
    }
    wait("the refusal", SOON, || {
        (get(host, &path, &app) == 401).then_some(())
    });
    assert_eq!(get(host, &path, &other), 200);

    // Una goes: what she signed is refused from now on, and who did what is in the audit.
    let gone = olive.run(&["user", "remove", "Una"]);
    assert_eq!(gone["vaults_to_rotate"][0], vault);
    let mut refused = una.command(&["vault", "list", "--account", url]);
    assert_eq!(refused.output().unwrap().status.code(), Some(1));
    let audit = olive.run(&["account", "audit", "--limit", "1000"]);
    let did = |what: &str| {
        let mut entries = audit.as_array().unwrap().iter();
        entries.any(|entry| entry["what"] == what)
    };
    for what in [
        "account.create",
        "user.create",
        "vault.create",
        "environment.create",
        "token.create",
        "token.revoke",
        "user.remove",
    ] {
        assert!(did(what), "{what}");
    }
}
