//! What the command line promises besides deeds: JSON, exit codes, completions, man pages, and the vendor's own words.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{fs, process::Stdio};

use cli::{Dir, Service, shape::Documented};
use serde_json::Value;

/// `op connect …` as the vendor's reference has it (connect-contract.md §7.1): the words, the flags.
const OP_CONNECT: &[(&str, &[&str])] = &[
    (
        "connect group grant",
        &["--group", "--server", "--all-servers"],
    ),
    (
        "connect group revoke",
        &["--group", "--server", "--all-servers"],
    ),
    (
        "connect server create",
        &["--force", "-f", "--vaults", "--vault"],
    ),
    ("connect server list", &[]),
    ("connect server ls", &[]),
    ("connect server get", &[]),
    ("connect server edit", &["--name"]),
    ("connect server delete", &[]),
    ("connect server remove", &[]),
    ("connect server rm", &[]),
    (
        "connect token create",
        &["--server", "--vault", "--vaults", "--expires-in"],
    ),
    ("connect token list", &["--server"]),
    ("connect token ls", &["--server"]),
    ("connect token edit", &["--name", "--server"]),
    ("connect token delete", &["--server"]),
    ("connect token remove", &["--server"]),
    ("connect token rm", &["--server"]),
    ("connect vault grant", &["--server", "--vault"]),
    ("connect vault revoke", &["--server", "--vault"]),
    ("vault create", &["--description"]),
    ("vault list", &[]),
    ("vault get", &[]),
    ("vault edit", &["--name", "--description"]),
    ("vault delete", &[]),
    (
        "item create",
        &["--vault", "--title", "--category", "--generate-password"],
    ),
    ("item get", &["--vault"]),
    ("item list", &["--vault"]),
    ("item edit", &["--vault"]),
    ("item delete", &["--vault"]),
    ("item template get", &[]),
    ("item template list", &[]),
    ("read", &["--out-file", "--no-newline"]),
    ("inject", &["--in-file", "--out-file"]),
    ("run", &["--env-file", "--no-masking"]),
];

#[test]
fn the_vendors_words_and_flags_are_known() {
    let dir = Dir::new();
    for (command, flags) in OP_CONNECT {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.push("--help");
        let help = dir.ok(&words);
        for flag in *flags {
            assert!(help.contains(flag), "{command} {flag}\n{help}");
        }
        assert!(help.contains("--format"), "{command}");
    }
    let human = dir.ok(&["item", "template", "list", "--format", "human-readable"]);
    assert!(human.contains("CATEGORY"));
}

/// What a process that goes on prints first.
fn first(dir: &Dir, args: &[&str], variables: &[(&str, &str)]) -> Value {
    let mut command = dir.command(args);
    command.args(["--format", "json", "--listen", "127.0.0.1:0"]);
    let mut child = command
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let value = serde_json::Deserializer::from_reader(out)
        .into_iter()
        .next();
    child.kill().unwrap();
    child.wait().unwrap();
    value.unwrap().unwrap()
}

#[test]
fn commands_that_ask_no_account_print_what_is_documented() {
    let documented = Documented::read();
    let mut wrong = Vec::new();
    let mut check = |command: &str, printed: &Value| {
        wrong.extend(documented.misses(command, printed));
    };
    let dir = Dir::new();
    let made = dir.json(&["account", "init"]);
    check("account init", &made);
    let id = made["id"].as_str().unwrap();
    let joined = Dir::new().json(&["user", "join", "Una", "--account-id", id]);
    check("user join", &joined);
    let mut locked = dir.command(&["key", "lock", "--format", "json"]);
    let locked = locked.env("SEKISHO_NEW_PASSPHRASE", "x").output().unwrap();
    check("key lock", &serde_json::from_slice(&locked.stdout).unwrap());
    let mut unlocked = dir.command(&["key", "unlock", "--format", "json"]);
    let unlocked = unlocked.env("SEKISHO_PASSPHRASE", "x").output().unwrap();
    check(
        "key unlock",
        &serde_json::from_slice(&unlocked.stdout).unwrap(),
    );
    check("man", &dir.json(&["man", "pages"]));
    check(
        "item template list",
        &dir.json(&["item", "template", "list"]),
    );
    check(
        "item template get",
        &dir.json(&["item", "template", "get", "Login"]),
    );

    check("account serve", &first(&dir, &["account", "serve"], &[]));
    let account = Service::account(&dir, &[]);
    let at = [
        "--account",
        &account.url,
        "--key",
        made["key_file"].as_str().unwrap(),
    ];
    let create = ["connect", "server", "create", "s"];
    dir.ok(&[&create[..], &at].concat());
    check("credentials check", &dir.json(&["credentials", "check"]));
    let file = dir.path().join("work/1password-credentials.json");
    let session = [
        ("OP_SESSION", file.to_str().unwrap()),
        ("OP_LOG_LEVEL", "error"),
    ];
    let edge = Dir::new();
    check(
        "serve",
        &first(&edge, &["serve", "--engine", "native"], &session),
    );
    let connect = Service::connect(&Dir::new(), &file, &[]);
    check("health", &dir.json(&["health", "--url", &connect.url]));
    let up = [
        "up",
        "--no-demo",
        "--engine",
        "native",
        "--log-level",
        "error",
    ];
    check("up", &first(&Dir::new(), &up, &[]));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = dir.ok(&["completions", shell]);
        // clap's generator for fish ends at the second level of commands.
        let deep = (shell != "fish").then_some("expires-in");
        for word in ["connect", "rotate-key"].into_iter().chain(deep) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let pages = dir.path().join("man/deep");
    dir.ok(&["man", pages.to_str().unwrap()]);
    let page = fs::read_to_string(pages.join("sekisho-connect-token-create.1")).unwrap();
    for text in ["expires\\-in", "SYNOPSIS", "sekisho connect token create"] {
        assert!(page.contains(text), "{text}");
    }
    fs::write(dir.path().join("taken"), "").unwrap();
    let said = dir.fails(&["man", dir.path().join("taken").to_str().unwrap()], 1);
    assert!(said.contains("taken"), "{said}");
}

#[test]
fn exit_codes_are_three() {
    let dir = Dir::new();
    dir.ok(&["item", "template", "list"]);
    let said = dir.fails(&["vault", "list"], 1);
    let lines: Vec<&str> = said.lines().collect();
    assert!(
        lines[0].starts_with("error: ") && lines[1].starts_with("help: "),
        "{said}"
    );
    dir.fails(&["vault", "list", "--nonsense"], 2);
    dir.fails(&["nonsense"], 2);
}
