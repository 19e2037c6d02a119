//! How much memory: a child process with a host in it, seen from outside.
//!
//! The child is this very program. Its account forgets what it has sent and seals a file's content while it is asked
//! for, so that what is resident is the host's.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench: a panic says where, and what it finds it prints"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
};

use sekisho_benches::{
    load::{ask_times, download, get},
    report::{aside, at_most, time},
    server::{Server, config},
    upstream::Account,
};
use sekisho_host::engine::{EngineKind, compile_if_asked};

const CHILD: &str = "child";
const ITEMS: usize = 1000;
const REQUESTS: usize = 20_000;
const FILE: u64 = 1024 * 1024 * 1024;
const MIB: f64 = 1024.0 * 1024.0;

fn main() -> ExitCode {
    // As `sekisho` does it, whose memory this is about.
    if let Some(code) = compile_if_asked() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, engine] if word == CHILD => serve(engine.parse().unwrap()),
        _ => measure(),
    }
    ExitCode::SUCCESS
}

/// Serves until the parent lets go of standard input.
fn serve(engine: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let account = Arc::new(Account::new(ITEMS, FILE));
    let server = Server::host(config(&account, engine, Some(folder.path())));
    println!("{}", server.addr);
    println!("{}", account.item_path(ITEMS / 2));
    println!("{}", account.content_path());
    println!("{}", account.token);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn measure() {
    println!("\n== memory: a process with {ITEMS} items, resident ==");
    for engine in [EngineKind::Component, EngineKind::Native] {
        let host = Hosted::start(engine);
        let item = get(&host.item, &host.token, "");
        ask_times(host.addr, &item, REQUESTS);
        let idle = host.resident("VmRSS:");
        let what = format!("{engine} engine, MiB after {REQUESTS} requests");
        match engine {
            EngineKind::Component => at_most(&what, idle, 40.0),
            EngineKind::Native => aside(&what, idle),
        }
        host.forget_peak();
        let file = get(&host.content, &host.token, "");
        let (bytes, took) = time(|| download(host.addr, &file));
        assert_eq!(bytes, FILE);
        let peak = host.resident("VmHWM:");
        at_most(
            &format!(
                "{engine} engine, 1 GiB downloaded at {:.0} MiB/s, MiB above idle",
                FILE as f64 / MIB / took.as_secs_f64()
            ),
            peak - idle,
            32.0,
        );
    }
}

struct Hosted {
    child: Child,
    addr: SocketAddr,
    item: String,
    content: String,
    token: String,
}

impl Hosted {
    fn start(engine: EngineKind) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([CHILD, &engine.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || lines.next().unwrap().unwrap();
        Self {
            addr: line().parse().unwrap(),
            item: line(),
            content: line(),
            token: line(),
            child,
        }
    }

    /// MiB of a line of the child's `/proc/…/status`.
    fn resident(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    /// The peak counts from now on.
    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
