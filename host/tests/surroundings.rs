//! Where a host runs: behind a proxy, and as containers run it (read-only, a foreign data folder, nothing else).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that panics is a test that fails; what is left out is said loudly"
)]

mod common;
mod containers;
mod stack;

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

use containers::{Docker, Namespace, Runs};
use stack::{World, eventually, files, note};

/// A proxy that knows the way to one name that nobody else can resolve.
struct Tunnel {
    addr: SocketAddr,
    /// The first line of each request.
    asked: Arc<Mutex<Vec<String>>>,
}

const NAME: &str = "account.invalid:7443";

impl Tunnel {
    fn start(account: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                // Who broke off is of no interest.
                thread::spawn(move || drop(Self::serve(&client, account, &told)));
            }
        });
        Self { addr, asked }
    }

    fn serve(client: &TcpStream, account: SocketAddr, told: &Mutex<Vec<String>>) -> io::Result<()> {
        let mut lines = BufReader::new(client);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        told.lock().unwrap().push(first.trim().to_owned());
        let mut line = String::new();
        while lines.read_line(&mut line)? > 2 {
            line.clear();
        }
        let mut out = client;
        if !first.starts_with(&format!("CONNECT {NAME} ")) {
            return out.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
        let account = TcpStream::connect(account)?;
        out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        thread::scope(|scope| {
            scope.spawn(|| pipe(client, &account));
            pipe(&account, client);
        });
        Ok(())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Until one of them is gone.
fn pipe(mut from: &TcpStream, mut to: &TcpStream) {
    let mut piece = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut piece)
        && to.write_all(&piece[..read]).is_ok()
    {}
    for stream in [from, to] {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn the_account_is_reached_through_the_proxy_that_the_environment_names() {
    let world = World::new(1);
    let account = world.serve_account();
    let tunnel = Tunnel::start(account.addr);
    let path = world.item_path(&world.items[0]);
    let through = format!("http://{}", tunnel.addr);
    for name in [
        "ALL_PROXY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "all_proxy",
        "https_proxy",
        "http_proxy",
    ] {
        let _ = fs::remove_dir_all(world.data());
        let host = world.host_with("serve", |command| {
            command
                .env(name, &through)
                .env("NO_PROXY", "example.com")
                .env("SEKISHO_ACCOUNT_URL", format!("http://{NAME}"));
        });
        eventually("synchronised through the proxy", || {
            host.get(&path, &world.token).status == 200
        });
        host.kill();
        let asked = tunnel.asked();
        assert!(!asked.is_empty(), "{name}");
        for line in asked {
            assert_eq!(line, format!("CONNECT {NAME} HTTP/1.1"), "{name}");
        }
    }
}

#[test]
fn a_host_that_is_excepted_from_the_proxy_is_reached_without_it() {
    let world = World::new(1);
    let account = world.serve_account();
    let tunnel = Tunnel::start(account.addr);
    let path = world.item_path(&world.items[0]);
    for name in ["NO_PROXY", "no_proxy"] {
        let _ = fs::remove_dir_all(world.data());
        let host = world.host_with("serve", |command| {
            command
                .env("HTTPS_PROXY", format!("http://{}", tunnel.addr))
                .env(name, "example.com,127.0.0.1");
        });
        eventually("synchronised without the proxy", || {
            host.get(&path, &world.token).status == 200
        });
        host.kill();
        assert_eq!(tunnel.asked(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_and_not_passed_by() {
    let world = World::new(0);
    for value in ["socks9://user:hunter2@127.0.0.1:1", "hunter2"] {
        let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
        let refused = command
            .env("SEKISHO_DATA_DIR", world.data())
            .env("OP_SESSION", world.credentials_file())
            .env("HTTPS_PROXY", format!("{value} "))
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{value}");
        assert!(said.contains("HTTPS_PROXY"), "{value}: {said}");
        assert!(!said.contains("hunter2"), "it may hold a password: {said}");
    }
}

/// What a swapped-in image must satisfy: the two roles share a folder that is not theirs and the credentials, the root
/// is read-only, there is no `/tmp`, no HOME, no environment and no capability.
fn the_two_roles_work_in(runs: &dyn Runs) {
    let world = World::new(3);
    let account = world.serve_account();
    let data = runs.data_folder(&world);
    let sync = runs.start(&world, &data, "sync");
    let api = runs.start(&world, &data, "api");
    let path = world.item_path(&world.items[2]);
    eventually("both are well", || {
        [&sync, &api]
            .iter()
            .all(|role| role.get("/health", "").status == 200)
    });
    eventually("the replica is followed", || {
        api.get(&path, &world.token).status == 200
    });
    let body = note(&world.vault, "Written in there");
    let written = api.send("POST", &world.items_path(), &world.token, &body);
    assert_eq!(written.status, 200, "{}", written.describe());
    let id = written.json()["id"].as_str().unwrap().to_owned();
    let written = format!("{}/{id}", world.items_path());
    assert_eq!(api.get(&written, &world.token).status, 200);
    let kept: Vec<_> = files(&data).into_iter().collect();
    assert!(
        kept.iter().any(|file| file.ends_with("replica.sqlite")),
        "{kept:?}"
    );
    for end in [api, sync] {
        runs.stop(end);
    }
    // Another life, and nobody to ask.
    drop(account);
    let api = runs.start(&world, &data, "api");
    for path in [&path, &written] {
        let answer = api.get(path, &world.token);
        assert_eq!(answer.status, 200, "{}", answer.describe());
    }
    runs.stop(api);
}

#[test]
fn a_process_with_nothing_around_it_works() {
    match Namespace::find() {
        Ok(namespace) => the_two_roles_work_in(&namespace),
        Err(why) => eprintln!("SKIPPED: no namespace of mounts can be made here: {why}"),
    }
}

#[test]
fn a_container_from_scratch_works() {
    match Docker::find() {
        Ok(docker) => the_two_roles_work_in(&docker),
        Err(why) => eprintln!("SKIPPED: no container engine answers here: {why}"),
    }
}
