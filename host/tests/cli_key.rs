//! The operator's key file: 0600, under a passphrase or not, and the passphrase typed where nobody sees it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cli::Dir;
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

fn key_file(dir: &Dir) -> PathBuf {
    dir.path().join("data/operator.key")
}

fn passphrase_file(dir: &Dir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn with(dir: &Dir, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = dir.command(args);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn scripts_give_the_passphrase_by_a_variable_or_a_file() {
    let dir = Dir::new();
    let (old, new) = (
        passphrase_file(&dir, "old", "correct horse\n"),
        passphrase_file(&dir, "new", "battery staple"),
    );
    let empty = passphrase_file(&dir, "empty", "\n");
    let init = ["account", "init", "--lock"];
    assert_eq!(with(&dir, &init, &[]).0, Some(2), "nobody types");
    assert!(!key_file(&dir).exists() && !dir.path().join("data/account.sqlite").exists());
    let named = [("SEKISHO_NEW_PASSPHRASE_FILE", old.as_str())];
    assert_eq!(with(&dir, &init, &named).0, Some(0));
    let mode = fs::metadata(key_file(&dir)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(key_file(&dir)).unwrap().contains("seed"));

    let list = |variables: &[(&str, &str)]| with(&dir, &["vault", "list"], variables);
    let (code, said) = list(&[]);
    assert!(code == Some(1) && said.contains("is locked"), "{said}");
    assert_eq!(list(&[("SEKISHO_PASSPHRASE_FILE", &old)]).0, Some(0));
    assert_eq!(list(&[("SEKISHO_PASSPHRASE", "correct horse")]).0, Some(0));
    assert_eq!(list(&[("SEKISHO_PASSPHRASE", "wrong")]).0, Some(1));
    let (code, said) = list(&[("SEKISHO_PASSPHRASE_FILE", &empty)]);
    assert!(code == Some(1) && said.contains("is empty"), "{said}");
    let (code, said) = list(&[("SEKISHO_PASSPHRASE_FILE", "/nonexistent")]);
    assert!(code == Some(1) && said.contains("/nonexistent"), "{said}");

    // Another passphrase, then none.
    let both = [
        ("SEKISHO_PASSPHRASE_FILE", old.as_str()),
        ("SEKISHO_NEW_PASSPHRASE_FILE", new.as_str()),
    ];
    assert_eq!(with(&dir, &["key", "lock"], &both).0, Some(0));
    assert_eq!(list(&[("SEKISHO_PASSPHRASE_FILE", &old)]).0, Some(1));
    assert_eq!(list(&[("SEKISHO_PASSPHRASE_FILE", &new)]).0, Some(0));
    let named = [("SEKISHO_PASSPHRASE_FILE", new.as_str())];
    assert_eq!(with(&dir, &["key", "unlock"], &named).0, Some(0));
    assert_eq!(list(&[]).0, Some(0));
    let mode = fs::metadata(key_file(&dir)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(key_file(&dir), fs::Permissions::from_mode(0o644)).unwrap();
    let (_, said) = list(&[]);
    assert!(!said.contains("battery"), "{said}");
}

/// A terminal, and what a program shows on it.
struct Terminal {
    master: File,
    slave: PathBuf,
    shown: String,
}

impl Terminal {
    fn new() -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ptsname(&master, Vec::new()).unwrap();
        Self {
            master: master.into(),
            slave: slave.into_string().unwrap().into(),
            shown: String::new(),
        }
    }

    fn open(&self) -> File {
        File::options()
            .read(true)
            .write(true)
            .open(&self.slave)
            .unwrap()
    }

    fn wait_for(&mut self, prompt: &str) {
        let mut byte = [0];
        while !self.shown.ends_with(prompt) {
            self.master.read_exact(&mut byte).unwrap();
            self.shown.push(char::from(byte[0]));
        }
    }

    /// Runs a command in it: at each prompt, what is typed.
    fn run(&mut self, mut command: Command, typed: &[(&str, &str)]) -> (Option<i32>, String) {
        // Kept open, so that what is left to read stays there after the program ends.
        let kept = self.open();
        let mut child = command
            .stdin(self.open())
            .stderr(self.open())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        for (prompt, answer) in typed {
            self.wait_for(prompt);
            self.master.write_all(answer.as_bytes()).unwrap();
        }
        let end = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
                panic!("it still waits; shown: {}", self.shown);
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(
            tcgetattr(&kept)
                .unwrap()
                .local_modes
                .contains(LocalModes::ECHO | LocalModes::ISIG),
            "the terminal is as it was"
        );
        let mut out = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        (status.code(), out)
    }
}

#[test]
fn people_type_it_and_nobody_sees_it() {
    let dir = Dir::new();
    dir.ok(&["account", "init"]);
    let run = |args: &[&str], typed: &[(&str, &str)]| {
        let mut terminal = Terminal::new();
        let (code, out) = terminal.run(dir.command(args), typed);
        let shown = format!("{}{out}", terminal.shown);
        assert!(
            !shown.contains("horse") && !shown.contains("battery"),
            "{shown}"
        );
        code
    };
    let (new, again) = ("New passphrase: ", "The same again: ");
    let lock = ["key", "lock"];
    assert_eq!(
        run(&lock, &[(new, "correct horse\n"), (again, "battery\n")]),
        Some(1)
    );
    assert_eq!(run(&lock, &[(new, "\n"), (again, "\n")]), Some(2));
    dir.ok(&["vault", "list"]);
    assert_eq!(
        run(
            &lock,
            &[(new, "correct horse\n"), (again, "correct horse\n")]
        ),
        Some(0)
    );
    let ask = format!("Passphrase of {}: ", key_file(&dir).display());
    let list = ["vault", "list"];
    assert_eq!(run(&list, &[(&ask, "correct horse\n")]), Some(0));
    assert_eq!(run(&list, &[(&ask, "battery\n")]), Some(1));
    // Ctrl-C.
    assert_eq!(run(&list, &[(&ask, "correct horse\u{3}")]), Some(1));
    // Ctrl-D on an empty line.
    assert_eq!(run(&list, &[(&ask, "\u{4}")]), Some(1));
    assert_eq!(
        run(&["key", "unlock"], &[(&ask, "correct horse\n")]),
        Some(0)
    );
    dir.ok(&list);
}
