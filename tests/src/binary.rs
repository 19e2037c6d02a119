//! The real binary `sekisho`, built once, run as a user runs it, and asked over a real socket.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::cases::RawAnswer;

/// A component is compiled at the first start on a data directory, beside other tests.
const START: Duration = Duration::from_secs(120);
/// What one process writes, another's server serves within this.
const ARRIVE: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// `<target>` of the build that this test is of.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().unwrap().to_path_buf()
}

fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_path_buf()
}

static BINARY: LazyLock<PathBuf> = LazyLock::new(build);

/// Tests of a package are built after its programs.
const A_TEST_OF_THE_HOST: &str = "cli_help";

/// Cargo gives a test only the binaries of its own package, so this one is asked for, and in the same way as all tests
/// are built: the program alone would have other features, and all that it depends on would be compiled once more.
/// Usually it is there already.
fn build() -> PathBuf {
    let profile = profile_dir();
    let mut build = Command::new(env!("CARGO"));
    // What cargo tells a test about itself makes build scripts (ring's) run again, here and then in the next build.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_of_package = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_CRATE_",
            "CARGO_BIN_",
        ];
        if is_of_package.iter().any(|prefix| name.starts_with(prefix))
            || name == "CARGO_PRIMARY_PACKAGE"
        {
            build.env_remove(&*name);
        }
    }
    match profile.file_name().unwrap().to_str().unwrap() {
        "debug" => {}
        name => {
            build.args(["--profile", name]);
        }
    }
    let built = build
        .args(["test", "--workspace", "--locked", "--no-run"])
        .args(["--test", A_TEST_OF_THE_HOST])
        .arg("--target-dir")
        .arg(target_dir())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    profile.join("sekisho")
}

/// A folder of its own: the account, and what a run left behind. It goes with the value.
#[derive(Debug)]
pub struct Place {
    dir: TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// A fresh one, with nothing in it.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    /// Everything.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What `--data-dir` says.
    pub fn data(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// The binary on this place, with nothing of the surrounding environment but what a program needs.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&*BINARY);
        command
            .args(args)
            .args(["--format", "json", "--data-dir"])
            .arg(self.data());
        command
            .current_dir(self.dir())
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    /// Runs a command that must succeed, and reads what it prints.
    pub fn run(&self, args: &[&str]) -> Value {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().unwrap();
        assert!(
            status.success(),
            "sekisho {args:?}: {}",
            String::from_utf8_lossy(&stderr)
        );
        serde_json::from_slice(&stdout).unwrap()
    }

    /// Starts `sekisho up` on a free port. Its output is kept in `<name>.stdout` and `<name>.stderr`.
    pub fn up(&self, name: &str, args: &[&str]) -> Server {
        let file = |kind: &str| self.dir().join(format!("{name}.{kind}"));
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let mut command = self.command(&["up", "--listen", "127.0.0.1:0"]);
        command.args(args);
        command
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        let mut server = Server {
            child: command.spawn().unwrap(),
            host: String::new(),
        };
        let said = wait("the server to start", START, || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!(
                    "sekisho up: {status}: {}",
                    fs::read_to_string(&stderr).unwrap()
                );
            }
            serde_json::from_slice::<Value>(&fs::read(&stdout).unwrap()).ok()
        });
        said["host"].as_str().unwrap().clone_into(&mut server.host);
        server
    }

    /// The keys of edges, from the credentials file that `up` left in its data folder.
    pub fn edge_keys(&self) -> String {
        let credentials = self.data().join("1password-credentials.json");
        let args = [
            "edge",
            "keys",
            "--credentials",
            credentials.to_str().unwrap(),
        ];
        let printed = self.command(&args).output().unwrap();
        assert!(printed.status.success(), "{printed:?}");
        String::from_utf8(printed.stdout).unwrap().trim().to_owned()
    }

    /// Gives the Connect server of `up` the vaults of these grants (`ID,r`), and makes a token for them.
    pub fn token(&self, name: &str, grants: &[String]) -> String {
        let mut args = vec!["connect", "token", "create", name, "--server", "default"];
        for grant in grants {
            let (vault, _) = grant.rsplit_once(',').unwrap();
            self.run(&[
                "connect", "vault", "grant", "--server", "default", "--vault", vault,
            ]);
            args.extend(["--vault", grant]);
        }
        self.run(&args)["token"].as_str().unwrap().to_owned()
    }
}

/// Asks again and again, until there is an answer or it took too long.
pub fn wait<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begin.elapsed() < patience, "waited {patience:?} for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A running `sekisho up`. It is killed when this goes, whatever the test does.
#[derive(Debug)]
pub struct Server {
    child: Child,
    host: String,
}

impl Server {
    /// `http://127.0.0.1:…`
    pub fn host(&self) -> &str {
        &self.host
    }

    /// One request on a connection of its own.
    pub fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> RawAnswer {
        let address = self.host.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut head =
            format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).unwrap();
        // A refusal may come, and the connection end, before all of a large body is sent.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&answer)
    }

    /// Waits until a token is known, and its vaults are there with as many items.
    pub fn knows(&self, token: &str, vaults: usize, items: u64) {
        let bearer = format!("Bearer {token}");
        wait("what was written to be served", ARRIVE, || {
            let answer = self.ask("GET", "/v1/vaults", &[("Authorization", &bearer)], b"");
            let list: Value = serde_json::from_slice(&answer.body).ok()?;
            let list = list.as_array()?;
            let sum: u64 = list
                .iter()
                .filter_map(|vault| vault["items"].as_u64())
                .sum();
            (list.len() == vaults && sum == items).then_some(())
        });
    }

    /// Ends it as a service manager does, and waits until it has written everything.
    pub fn stop(mut self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(asked.success());
        let status = wait("the server to stop", STOP, || {
            self.child.try_wait().unwrap()
        });
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer with `Connection: close`, its length given or in chunks.
fn parse(bytes: &[u8]) -> RawAnswer {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let mut answer = RawAnswer {
        status,
        headers: headers.collect(),
        body: bytes[end + 4..].to_vec(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = unchunk(&answer.body);
    }
    answer
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest
            .windows(2)
            .position(|two| two == b"\r\n")
            .expect("a chunk's length");
        let length =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap().trim(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 2 + length + 2..];
    }
}
