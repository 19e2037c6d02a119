//! An account served alone, and operators who reach it by URL.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::io::{BufRead, BufReader};

use cli::Dir;

#[test]
fn operators_reach_it_by_url_and_with_a_passphrase() {
    let dir = Dir::new();
    let made = dir.json(&["account", "init", "--name", "Example", "--owner", "wendy"]);
    dir.fails(&["account", "init"], 1);
    let mut server = dir
        .command(&["account", "serve", "--listen", "127.0.0.1:0"])
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(server.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    let url = line
        .trim()
        .strip_prefix("export SEKISHO_ACCOUNT_URL=")
        .unwrap();

    let away = Dir::new();
    let key = made["key_file"].as_str().unwrap();
    let at = ["--account", url, "--key", key];
    let run = |words: &[&'static str]| [&at[..], words].concat();
    let me = away.json(&run(&["user", "whoami"]));
    assert_eq!(
        (me["name"].as_str(), me["account"]["id"].as_str()),
        (Some("wendy"), made["id"].as_str())
    );
    away.ok(&run(&["vault", "create", "V"]));
    assert_eq!(
        away.json(&run(&["vault", "list"]))
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let with = |passphrase: &str, words: &[&'static str]| {
        let mut command = away.command(&run(words));
        command
            .env("SEKISHO_PASSPHRASE", passphrase)
            .output()
            .unwrap()
            .status
            .code()
    };
    away.fails(&run(&["key", "lock"]), 2);
    assert_eq!(with("correct horse", &["key", "lock"]), Some(0));
    let said = away.fails(&run(&["vault", "list"]), 1);
    assert!(said.contains("is locked"), "{said}");
    assert_eq!(with("battery", &["vault", "list"]), Some(1));
    assert_eq!(with("correct horse", &["vault", "list"]), Some(0));
    assert_eq!(with("correct horse", &["key", "unlock"]), Some(0));
    away.ok(&run(&["vault", "list"]));

    server.kill().unwrap();
    server.wait().unwrap();
    let said = away.fails(&run(&["vault", "list"]), 1);
    assert!(said.contains("cannot be reached"), "{said}");
}
