//! Publishing by the command line, to a Spin made of wasmtime and to a folder: from an item to its secret at the edge,
//! and from a revocation to its refusal there. With `spin` on PATH the real one serves, too.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    cell::Cell,
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use sekisho_core::published::{EdgeKeys, Published};
use sekisho_host::edge::publish::Directory;
use sekisho_tests::{
    binary::{Place, wait},
    cases::RawAnswer,
    sdk,
    spin::{Application, Part},
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is killed when this goes.
struct Process {
    child: Child,
    printed: Value,
}

impl Process {
    fn start(place: &Place, name: &str, args: &[&str]) -> Self {
        let file = |kind: &str| place.dir().join(format!("{name}.{kind}"));
        let (out, errors) = (file("stdout"), file("stderr"));
        let mut command = place.command(args);
        command
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(errors).unwrap());
        let child = command.spawn().unwrap();
        // Made before it is waited for: a wait that fails kills it.
        let mut process = Self {
            child,
            printed: Value::Null,
        };
        process.printed = wait(name, PATIENCE, || {
            serde_json::from_slice(&fs::read(&out).unwrap()).ok()
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

/// An account with one item, a Connect server and a token for it.
struct Scene {
    place: Place,
    _account: Process,
    path: String,
    token: String,
    keys: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        place.run(&["account", "init", "--name", "Example", "--owner", "Olive"]);
        let account = Process::start(
            &place,
            "account",
            &["account", "serve", "--listen", "127.0.0.1:0"],
        );
        let url = account.printed["url"].as_str().unwrap();
        place.run(&["vault", "create", "Production"]);
        let create = ["item", "create", "--vault", "Production", "--title", "Mail"];
        let item = place.run(&[&create[..], &["password=correct horse"]].concat());
        let create = [
            "connect",
            "server",
            "create",
            "web",
            "--vaults",
            "Production",
        ];
        place.run(&[&create[..], &["--account", url]].concat());
        let create = ["connect", "token", "create", "app", "--server", "web"];
        let made = place.run(&[&create[..], &["--vault", "Production,r"]].concat());
        let keys = place.command(&["edge", "keys"]).output().unwrap();
        assert!(
            keys.status.success(),
            "{}",
            String::from_utf8_lossy(&keys.stderr)
        );
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            path: format!(
                "/v1/vaults/{}/items/{}",
                id(&item["vault"]["id"]),
                id(&item["id"])
            ),
            token: id(&made["token"]),
            keys: String::from_utf8(keys.stdout).unwrap().trim().to_owned(),
            place,
            _account: account,
        }
    }

    fn get(&self, application: &Application) -> RawAnswer {
        let request = http::Request::builder()
            .uri(&self.path)
            .header("authorization", format!("Bearer {}", self.token));
        application
            .ask(Part::Edge, request.body(Vec::new()).unwrap())
            .unwrap()
    }
}

const CREDENTIALS: [&str; 2] = ["--credentials", "1password-credentials.json"];

#[test]
fn an_item_reaches_the_edge_and_a_revoked_token_does_not_open_it() {
    let scene = Scene::new();
    let application = Application::new().with_variable("sekisho_edge_keys", &scene.keys);
    let url = format!("http://{}", application.listen());
    let to = [&["edge", "publish", "--to", &url], &CREDENTIALS[..]].concat();
    let done = scene.place.run(&to);
    assert_eq!(done["put"], done["objects"]);
    let answer = scene.get(&application);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.body).contains("correct horse"));
    let again = scene.place.run(&to);
    assert_eq!(again["put"], 0, "{again}");
    let _watching = Process::start(&scene.place, "watch", &[&to[..], &["--watch"]].concat());
    let revoke = ["connect", "token", "delete", "app", "--server", "web"];
    scene.place.run(&revoke);
    wait("the refusal at the edge", PATIENCE, || {
        (scene.get(&application).status == 401).then_some(())
    });
}

#[test]
fn a_server_publishes_what_it_serves() {
    let scene = Scene::new();
    let args = ["sync", "--listen", "127.0.0.1:0", "--publish", "set"];
    let _syncing = Process::start(&scene.place, "sync", &[&args, &CREDENTIALS[..]].concat());
    let keys = EdgeKeys::parse(&scene.keys).unwrap();
    let set = Directory::open(&scene.place.dir().join("set"));
    wait("the set", PATIENCE, || {
        Published::new(&set, &keys).pointer().is_ok().then_some(())
    });
    let args = [&["edge", "publish", "--to", "set"], &CREDENTIALS[..]].concat();
    let refused = scene.place.command(&args).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(told.contains("one publisher to a store"), "{told}");
    let args = [
        &["edge", "publish", "--to", "http://127.0.0.1:1"],
        &CREDENTIALS[..],
    ]
    .concat();
    let refused = scene.place.command(&args).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("is the edge running"), "{told}");
    assert!(!told.contains(&scene.keys), "no error repeats a secret");
}

/// The answer to a GET, from its status to the end of its body; `None` = nobody is there.
fn ask(address: &str, path: &str, token: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split_once(' ').map(|(_, answer)| answer.to_owned())
}

/// The shipped application under the real Spin. That starts a process for each kind of trigger, so all of them are one
/// group and end together.
struct Spin(Child);

impl Spin {
    fn up(scene: &Scene, folder: &Path, address: &str) -> Self {
        let log = scene.place.dir().join("spin.log");
        let child = Command::new("spin")
            .args(["up", "--listen", address])
            .current_dir(folder)
            .env("SPIN_VARIABLE_SEKISHO_EDGE_KEYS", &scene.keys)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn();
        let mut spin = Self(child.unwrap());
        wait("spin", PATIENCE, || {
            if let Some(status) = spin.0.try_wait().unwrap() {
                panic!("spin up: {status}: {}", fs::read_to_string(&log).unwrap());
            }
            ask(address, "/heartbeat", "").filter(|answer| answer.starts_with("200 "))
        });
        spin
    }
}

impl Drop for Spin {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["--", &group]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn spin_itself_serves_it() {
    if !sdk::is_there("spin", "--version") {
        return sdk::skip("spin_itself_serves_it", "no `spin` on PATH");
    }
    let scene = Scene::new();
    let folder = scene.place.dir().join("application");
    fs::create_dir(&folder).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/spin/spin.toml");
    fs::copy(manifest, folder.join("spin.toml")).unwrap();
    let out = folder.join("edge.wasm");
    let build = ["edge", "build", "--runtime", "spin", "--out"];
    scene
        .place
        .run(&[&build[..], &[out.to_str().unwrap()]].concat());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let spin = Spin::up(&scene, &folder, &address);
    let served = Cell::new(0);
    let get = || {
        let answer = ask(&address, &scene.path, &scene.token).unwrap();
        served.set(served.get() + u64::from(answer.starts_with("200 ")));
        answer
    };
    let unpublished = get();
    assert!(unpublished.starts_with("503 "), "{unpublished}");
    let url = format!("http://{address}");
    let to = [&["edge", "publish", "--to", &url], &CREDENTIALS[..]].concat();
    let done = scene.place.run(&to);
    assert_eq!(done["put"], done["objects"]);
    let first = get();
    assert!(
        first.starts_with("200 ") && first.contains("correct horse"),
        "{first}"
    );
    let _watching = Process::start(&scene.place, "watch", &[&to[..], &["--watch"]].concat());
    let edit = ["item", "edit", "Mail", "--vault", "Production"];
    scene
        .place
        .run(&[&edit[..], &["password=battery staple"]].concat());
    wait("the change at the edge", PATIENCE, || {
        get().contains("battery staple").then_some(())
    });
    let item = scene.path.rsplit('/').next().unwrap();
    wait("each access to be counted", PATIENCE, || {
        let rows = scene.place.run(&["usage", "report", "--item", item]);
        let counts = rows.as_array().unwrap().iter();
        let sum: u64 = counts.filter_map(|row| row["count"].as_u64()).sum();
        (sum == served.get()).then_some(())
    });
    // The store outlives the process, and the publisher goes on with the next one.
    drop(spin);
    let _spin = Spin::up(&scene, &folder, &address);
    let again = get();
    assert!(
        again.starts_with("200 ") && again.contains("battery staple"),
        "{again}"
    );
    let revoke = ["connect", "token", "delete", "app", "--server", "web"];
    scene.place.run(&revoke);
    wait("the refusal at the edge", PATIENCE, || {
        get().starts_with("401 ").then_some(())
    });
}
