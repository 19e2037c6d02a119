//! The binary, driven.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

pub(crate) mod shape;

const PATIENCE: Duration = Duration::from_secs(20);

/// A data directory, which is the current directory too.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With an account, a server and nothing else.
    pub(crate) fn made() -> Self {
        let dir = Self::new();
        drop(Up::start_with(&dir, &["--no-demo"]));
        // The tests write credentials files of their own.
        dir
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        let work = self.path().join("work");
        std::fs::create_dir_all(&work).unwrap();
        command
            .env_clear()
            .env("SEKISHO_DATA_DIR", self.path().join("data"))
            .current_dir(work)
            .args(args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, args: &[&str], stdin: Option<&str>) -> Output {
        let mut command = self.command(args);
        if stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        if let Some(text) = stdin {
            child
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
        child.wait_with_output().unwrap()
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        succeeded(args, &self.run(args, None))
    }

    pub(crate) fn with_stdin(&self, args: &[&str], stdin: &str) -> String {
        succeeded(args, &self.run(args, Some(stdin)))
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--format", "json"], args].concat())).unwrap()
    }

    /// What it says on stderr.
    pub(crate) fn fails(&self, args: &[&str], code: i32) -> String {
        failed(args, &self.run(args, None), code)
    }

    pub(crate) fn fails_with_stdin(&self, args: &[&str], stdin: &str, code: i32) -> String {
        failed(args, &self.run(args, Some(stdin)), code)
    }
}

fn succeeded(args: &[&str], output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(args: &[&str], output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(
        output.stdout.is_empty(),
        "{args:?} prints although it fails"
    );
    said
}

/// One GET on a connection of its own: status and body.
pub(crate) fn get(addr: &str, path: &str, token: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        body.split_once("\r\n").unwrap().1.to_owned()
    } else {
        body.to_owned()
    };
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// A running `sekisho up`.
pub(crate) struct Up {
    child: Child,
    pub(crate) printed: String,
    pub(crate) host: String,
    pub(crate) token: String,
}

impl Up {
    pub(crate) fn start(dir: &Dir) -> Self {
        Self::start_with(dir, &[])
    }

    pub(crate) fn start_with(dir: &Dir, more: &[&str]) -> Self {
        let args = [
            &[
                "up",
                "--listen",
                "127.0.0.1:0",
                "--engine",
                "native",
                "--log-level",
                "error",
            ],
            more,
        ]
        .concat();
        let mut child = dir.command(&args).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let printed: Vec<String> = (&mut lines).take(3).map(Result::unwrap).collect();
        let after = |head: &str| {
            printed
                .iter()
                .find_map(|line| line.strip_prefix(head))
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            child,
            host: after("export OP_CONNECT_HOST="),
            token: after("export OP_CONNECT_TOKEN="),
            printed: printed.join("\n"),
        }
    }

    /// With the token that was printed.
    pub(crate) fn read(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.raw(path, &self.token);
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn raw(&self, path: &str, token: &str) -> (u16, String) {
        get(self.host.strip_prefix("http://").unwrap(), path, token)
    }

    /// Until the host has noticed.
    pub(crate) fn eventually(&self, path: &str, token: &str, status: u16) -> (u16, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.raw(path, token);
            if answer.0 == status || Instant::now() > end {
                assert_eq!(answer.0, status, "{}", answer.1);
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // As a power cut would: what was done must be there afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that printed where it is: `account serve`, `serve`. It is killed when this goes.
pub(crate) struct Service {
    child: Child,
    /// `http://…` or `https://…`
    pub(crate) url: String,
}

impl Service {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line.trim().split_once('=').map(|(_, url)| url.to_owned());
        let Some(url) = url else {
            let _ = child.kill();
            panic!("{command:?} did not start: it printed {line:?}");
        };
        Self { child, url }
    }

    /// The account of a directory, on a free port.
    pub(crate) fn account(dir: &Dir, more: &[&str]) -> Self {
        let args = ["account", "serve", "--listen", "127.0.0.1:0"];
        Self::start(&mut dir.command(&[&args, more].concat()))
    }

    /// A Connect server by its credentials file, with these variables.
    pub(crate) fn connect(dir: &Dir, credentials: &Path, variables: &[(&str, &str)]) -> Self {
        let args = ["serve", "--listen", "127.0.0.1:0", "--engine", "native"];
        let mut command = dir.command(&args);
        command
            .env("OP_SESSION", credentials)
            .env("OP_LOG_LEVEL", "error")
            .envs(variables.iter().copied());
        Self::start(&mut command)
    }

    pub(crate) fn addr(&self) -> &str {
        self.url.split_once("//").unwrap().1
    }

    /// The status of a GET, and the body.
    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, String) {
        get(self.addr(), path, token)
    }

    /// Until it has synchronised, or heard of what an operator did.
    pub(crate) fn eventually(&self, path: &str, token: &str, status: u16) -> (u16, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path, token);
            if answer.0 == status || Instant::now() > end {
                assert_eq!(answer.0, status, "{}", answer.1);
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
