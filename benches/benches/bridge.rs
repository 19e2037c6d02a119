//! What a mirror costs: a child process with the vendor's core and a bridge in it, against a stand-in of 1Password in
//! this one, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench: a panic says where, and what it finds it prints"
)]

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

use sekisho_account::{Account, KeyFile, NewUser, Operator, clock, random::SystemRng};
use sekisho_benches::report::{aside, at_most, time};
use sekisho_bridge::{
    budget::Plan,
    client::{SdkConfig, SdkCore, ServiceToken},
    mirror::{Mirror, MirrorConfig},
    net::{Guard, Hosts, HttpTransport, Meter},
    state::StateDir,
    vendor::{self, Core, CoreFile},
};
use sekisho_core::{id::UserId, key::OperatorKey};
use sekisho_op_stand_in::StandIn;
use serde_json::{Value, json};

const CHILD: &str = "child";
const VAULTS: usize = 5;
const ITEMS: usize = 10_000;
const POLLS: u32 = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, core, folder] if word == CHILD => mirror(Path::new(core), Path::new(folder)),
        _ => measure(),
    }
}

fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let core = folder.path().join("core.wasm");
    let file = match std::env::var_os("SEKISHO_OP_CORE") {
        Some(path) => CoreFile::read(&PathBuf::from(path)),
        None => vendor::fetch(None),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) => return eprintln!("SKIPPED bridge: {error}"),
    };
    fs::write(&core, file.bytes()).unwrap();
    // Compiled here, so that the child is what every later start is.
    Core::load(&file, Some(&folder.path().join("cache"))).unwrap();
    let service = StandIn::default();
    let _loopback = service.serve();
    for _ in 0..VAULTS {
        let vault = service.add_vault("v", "", "U");
        for number in 0..ITEMS / VAULTS {
            service.add_login(
                vault,
                &format!("login {number}"),
                "a password of some length",
            );
        }
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .args([core.as_path(), folder.path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(service.token().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| found[name].as_f64().unwrap();
    println!("\n== bridge: {ITEMS} items in {VAULTS} vaults ==");
    aside("first mirror, seconds", number("first_seconds"));
    let formula = 6 + VAULTS + ITEMS / 50;
    at_most(
        "first mirror, requests",
        number("first_requests"),
        formula as f64,
    );
    at_most(
        "poll without change, requests",
        number("poll_requests"),
        1.0,
    );
    at_most("poll without change, ms of CPU", number("poll_cpu_ms"), 5.0);
    at_most("at rest, MiB resident", number("resident_mib"), 40.0);
}

/// The child: mirrors, polls, and says what that took.
fn mirror(core: &Path, folder: &Path) {
    let mut token = String::new();
    std::io::stdin().read_to_string(&mut token).unwrap();
    let file = CoreFile::read(core).unwrap();
    let core = Core::load(&file, Some(&folder.join("cache"))).unwrap();
    drop(file);
    let guard = Guard::new(
        Hosts::DangerousLoopback,
        Arc::new(HttpTransport::default()),
        Arc::new(Meter::default()),
    );
    let meter = Arc::clone(guard.meter());
    let client = SdkCore::new(SdkConfig {
        core: Arc::new(core),
        guard: Arc::new(guard),
        token: ServiceToken::parse(&token).unwrap(),
        max_file: 0,
        pause: None,
    });
    let mut mirror = Mirror::new(MirrorConfig {
        client,
        operator: Arc::new(operator(folder)),
        dir: StateDir::open(&folder.join("bridge")).unwrap(),
        plan: Plan::BUSINESS,
        token_mark: "bench".into(),
        now: Box::new(clock::now),
        writes: false,
        stop: Arc::new(AtomicBool::new(false)),
    });
    // Items made just now are looked at twice: their dates may hide a second change.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let (polled, took) = time(|| mirror.poll().unwrap());
    assert_eq!(polled.written, ITEMS as u64);
    let first = meter.reading().total();
    let before = cpu_ms();
    for _ in 0..POLLS {
        mirror.poll().unwrap();
    }
    let polls = meter.reading().total() - first;
    let found = json!({
        "first_seconds": took.as_secs_f64(),
        "first_requests": first,
        "poll_requests": polls as f64 / f64::from(POLLS),
        "poll_cpu_ms": (cpu_ms() - before) / f64::from(POLLS),
        "resident_mib": resident_mib(),
    });
    println!("{found}");
}

fn operator(folder: &Path) -> Operator {
    let key = OperatorKey::generate(&mut SystemRng);
    let user = NewUser {
        id: UserId::generate(&mut SystemRng),
        name: "bench".into(),
        public: key.public(),
    };
    let path = folder.join("account.sqlite");
    let account = Account::init(&path, "Bench", &user, clock::now(), &mut SystemRng).unwrap();
    let identity = KeyFile {
        account: account.id(),
        user: user.id,
        key,
    };
    Operator::new(identity, Box::new(account))
}

/// Milliseconds of CPU that this process used: ticks of a hundredth of a second.
fn cpu_ms() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<f64> = rest
        .split_ascii_whitespace()
        .map(|field| field.parse().unwrap_or_default())
        .collect();
    (fields[11] + fields[12]) * 10.0
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024.0
}
