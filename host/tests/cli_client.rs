//! `read`, `inject`, `run` and `item get` against a Connect server, as its clients use them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use cli::{Dir, Up};
use serde_json::Value;

/// A server with samples, and a directory of a client who has nothing but host and token.
struct Served {
    dir: Dir,
    up: Up,
    client: Dir,
}

impl Served {
    fn start() -> Self {
        let dir = Dir::new();
        let up = Up::start(&dir);
        let client = Dir::new();
        Self { dir, up, client }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.client.command(args);
        command
            .env("OP_CONNECT_HOST", &self.up.host)
            .env("OP_CONNECT_TOKEN", &self.up.token)
            .env("PATH", "/usr/bin:/bin");
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        text(&self.command(args).output().unwrap())
    }

    fn fails(&self, args: &[&str], code: i32) -> String {
        refused(&self.command(args).output().unwrap(), code)
    }

    /// What the operator sees of a field.
    fn value(&self, item: &str, field: &str) -> String {
        let fields = format!("label={field}");
        let args = ["item", "get", item, "--vault", "Demo", "--fields", &fields];
        self.dir.json(&args)["value"].as_str().unwrap().to_owned()
    }
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty(), "it prints although it fails");
    said
}

fn with_stdin(mut command: Command, stdin: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(stdin.as_bytes()).unwrap();
    drop(pipe);
    child.wait_with_output().unwrap()
}

#[test]
fn fields_sections_files_and_attributes_are_read() {
    let served = Served::start();
    let password = served.value("Sample login", "password");
    let rows = [
        ("op://Demo/Sample login/password", password.as_str()),
        ("OP://demo/SAMPLE LOGIN/Password", &password),
        ("op://Demo/Sample login/username", "wendy"),
        (
            "op://Demo/Sample database/Replica/server",
            "replica.example.com",
        ),
        ("op://Demo/Sample database/hostname", "db.example.com"),
        (
            "op://Demo/Sample login/password?attribute=type",
            "concealed",
        ),
        (
            "op://Demo/Sample login/password?attribute=purpose",
            "password",
        ),
        (
            "op://Demo/Sample document/sample.txt?attribute=name",
            "sample.txt",
        ),
    ];
    for (reference, wanted) in rows {
        assert_eq!(
            served.ok(&["read", reference]),
            format!("{wanted}\n"),
            "{reference}"
        );
    }
    let reference = "op://Demo/Sample login/username";
    assert_eq!(served.ok(&["read", "-n", reference]), "wendy");
    let code = served.ok(&[
        "read",
        "op://Demo/Sample one-time password/Two-factor/one-time password?attribute=otp",
    ]);
    assert!(
        code.trim().len() == 6 && code.trim().bytes().all(|b| b.is_ascii_digit()),
        "{code}"
    );
    let seed = served.ok(&[
        "read",
        "op://Demo/Sample one-time password/one-time password",
    ]);
    assert!(seed.starts_with("otpauth://totp/"));
    let file = served.ok(&["read", "op://Demo/Sample document/sample.txt"]);
    assert!(file.starts_with("This is a sample document."));
    let key = served.ok(&[
        "read",
        "op://Demo/Sample SSH key/private key?ssh-format=openssh",
    ]);
    assert!(
        key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"),
        "{key}"
    );

    // By ids as well.
    let item = served.dir.json(&["item", "get", "Sample login"]);
    let (vault, id) = (
        item["vault"]["id"].as_str().unwrap(),
        item["id"].as_str().unwrap(),
    );
    assert_eq!(
        served.ok(&["read", &format!("op://{vault}/{id}/username")]),
        "wendy\n"
    );
}

#[test]
fn a_file_is_written_for_its_owner_and_not_overwritten_unasked() {
    let served = Served::start();
    let path = served.client.path().join("work/secret");
    let reference = "op://Demo/Sample login/username";
    assert_eq!(served.ok(&["read", "-o", "secret", reference]), "");
    assert_eq!(fs::read_to_string(&path).unwrap(), "wendy\n");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let said = served.fails(&["read", "-o", "secret", reference], 1);
    assert!(said.contains("exists already"), "{said}");
    served.ok(&[
        "read",
        "-n",
        "-f",
        "--file-mode",
        "0640",
        "-o",
        "secret",
        reference,
    ]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "wendy");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn what_is_missing_ambiguous_or_unreachable_is_told() {
    let served = Served::start();
    let rows: [(&str, &str); 5] = [
        ("op://None/i/f", "opens no vault 'None'"),
        ("op://Demo/None/f", "no item 'None'"),
        (
            "op://Demo/Sample login/none",
            "no such field or file ('none')",
        ),
        (
            "op://Demo/Sample login/password?attribute=otp",
            "no such attribute",
        ),
        ("op://Demo/say \"hi\"/f", "no item 'say \"hi\"'"),
    ];
    for (reference, wanted) in rows {
        let said = served.fails(&["read", reference], 1);
        assert!(said.contains(wanted) && said.contains("\nhelp: "), "{said}");
    }
    served.fails(&["read", "wendy"], 2);

    let twin = |title: &str| {
        let args = [
            "item",
            "create",
            "--vault",
            "Demo",
            "--title",
            title,
            "password=p",
        ];
        let item = served.dir.json(&args);
        item["id"].as_str().unwrap().to_owned()
    };
    let ids = [twin("Twin"), twin("Twin")];
    let vault = served.dir.json(&["vault", "get", "Demo"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for id in &ids {
        served.up.eventually(
            &format!("/v1/vaults/{vault}/items/{id}"),
            &served.up.token,
            200,
        );
    }
    let said = served.fails(&["read", "op://Demo/Twin/password"], 1);
    assert!(ids.iter().all(|id| said.contains(id)), "{said}");

    let mut command = served.command(&["read", "op://Demo/Sample login/username"]);
    let said = refused(
        &command.env("OP_CONNECT_TOKEN", "hunter2").output().unwrap(),
        1,
    );
    assert!(
        said.contains(" 401: ") && !said.contains("hunter2"),
        "{said}"
    );
    let said = refused(
        &command
            .env("OP_CONNECT_HOST", "http://127.0.0.1:1")
            .output()
            .unwrap(),
        1,
    );
    assert!(said.contains("cannot be reached"), "{said}");
    let said = refused(&command.env_remove("OP_CONNECT_TOKEN").output().unwrap(), 2);
    assert!(said.contains("not both set"), "{said}");
}

#[test]
fn templates_are_filled_whole_or_not_at_all() {
    let served = Served::start();
    let template = "user: {{ op://$APP_ENV/Sample login/username }}\n{{ .Values.a }}\nport=op://${NONE:-Demo}/${ITEM}/port;\n";
    let id = served.dir.json(&["item", "get", "Sample database"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let command = |args: &[&str]| {
        let mut command = served.command(args);
        command.env("APP_ENV", "Demo").env("ITEM", &id);
        command
    };
    let wanted = "user: wendy\n{{ .Values.a }}\nport=5432;\n";
    assert_eq!(text(&with_stdin(command(&["inject"]), template)), wanted);
    let work = served.client.path().join("work");
    fs::write(work.join("in.tpl"), template).unwrap();
    text(
        &command(&["inject", "-i", "in.tpl", "-o", "out"])
            .output()
            .unwrap(),
    );
    assert_eq!(fs::read_to_string(work.join("out")).unwrap(), wanted);
    assert_eq!(
        fs::metadata(work.join("out")).unwrap().permissions().mode() & 0o777,
        0o600
    );

    fs::write(work.join("bad.tpl"), "a\nb: op://Demo/None/f\n").unwrap();
    let said = served.fails(&["inject", "-i", "bad.tpl", "-o", "never"], 1);
    assert!(
        said.contains("(line 2)") && !work.join("never").exists(),
        "{said}"
    );
    let said = refused(
        &with_stdin(served.command(&["inject"]), "op://$NONE/i/f"),
        1,
    );
    assert!(said.contains("'NONE', which is not set"), "{said}");
    // Without references nobody is asked.
    let mut alone = served.client.command(&["inject"]);
    alone.env_remove("OP_CONNECT_HOST");
    assert_eq!(text(&with_stdin(alone, "plain")), "plain");
}

#[test]
fn a_command_runs_with_secrets_and_does_not_show_them() {
    let served = Served::start();
    let password = served.value("Sample login", "password");
    let work = served.client.path().join("work");
    served.ok(&["item", "get", "Sample login", "--vault", "Demo"]);
    fs::write(work.join("a.env"), "P=x\nQ=plain # c\n").unwrap();
    fs::write(
        work.join("b.env"),
        "export P=\"op://$V/Sample login/password\"\n",
    )
    .unwrap();
    let script = "printf '%s|%s|%s|%s' \"$P\" \"$Q\" \"$U\" \"${#P}\"; echo \"$P\" >&2; exit 7";
    let args = [
        "run",
        "--env-file",
        "a.env",
        "--env-file",
        "b.env",
        "--",
        "sh",
        "-c",
        script,
    ];
    let command = |args: &[&str]| {
        let mut command = served.command(args);
        command
            .env("V", "Demo")
            .env("P", "op://Demo/none/none")
            .env("U", "op://Demo/Sample login/username");
        command
    };
    let output = command(&args).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(7),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let masked = "<concealed by Sekisho>";
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{masked}|plain|{masked}|24")
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("{masked}\n")
    );
    let open = [&["run", "--no-masking"], &args[1..]].concat();
    let output = command(&open).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{password}|plain|wendy|24")
    );
    assert_eq!(output.status.code(), Some(7));

    let said = refused(&command(&["run", "--", "true"]).output().unwrap(), 1);
    assert!(said.contains("(variable 'P')"), "{said}");
    let said = served.fails(&["run", "--", "/nonexistent/x"], 1);
    assert!(said.contains("cannot be run"), "{said}");
}

#[test]
fn a_command_gets_signals() {
    let served = Served::start();
    for (signal, code) in [("TERM", 3), ("INT", 4)] {
        let script =
            "trap 'exit 3' TERM; trap 'exit 4' INT; echo ready; while :; do sleep 0.05; done";
        let mut command = served.command(&["run", "--", "sh", "-c", script]);
        command.env("U", "op://Demo/Sample login/username");
        let mut child = command.spawn().unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        assert_eq!(&ready, b"ready\n");
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => panic!("{signal} is not passed on"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert_eq!(status.code(), Some(code), "{signal}");
    }
}

#[test]
fn items_are_shown_without_an_account() {
    let served = Served::start();
    let item = served.ok(&[
        "item",
        "get",
        "sample login",
        "--vault",
        "demo",
        "--format",
        "json",
    ]);
    let item: Value = serde_json::from_str(&item).unwrap();
    assert_eq!(
        (item["title"].as_str(), item["category"].as_str()),
        (Some("Sample login"), Some("LOGIN"))
    );
    let args = [
        "item",
        "get",
        "Sample login",
        "--vault",
        "Demo",
        "--fields",
        "username",
    ];
    assert_eq!(served.ok(&args), "wendy\n");
    let said = served.fails(&["item", "get", "Sample login"], 2);
    assert!(said.contains("a vault has to be named"), "{said}");
}
