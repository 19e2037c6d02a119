//! Users, groups, managers, credits and usage through the binary.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    fs,
    time::{Duration, Instant},
};

use cli::{Dir, Up};
use serde_json::Value;

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[test]
fn a_user_joins_manages_and_is_removed() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    let me = dir.json(&["user", "whoami"]);
    assert_eq!(me["roles"], serde_json::json!(["OWNERS"]));
    let account = me["account"]["id"].as_str().unwrap();

    // Their machine: a directory of its own, which then reaches the same account.
    let theirs = Dir::new();
    let code = theirs.ok(&["user", "join", "Una", "--account-id", account]);
    theirs.fails(&["user", "join", "Una", "--account-id", account], 1);
    theirs.fails(&["user", "join", "Una", "--account-id", "x"], 2);
    dir.fails(&["user", "add", "sekisho-join-1.x"], 1);
    dir.ok(&["user", "add", code.trim()]);
    std::os::unix::fs::symlink(
        dir.path().join("data/account.sqlite"),
        theirs.path().join("data/account.sqlite"),
    )
    .unwrap();
    assert_eq!(theirs.json(&["user", "whoami"])["name"], "Una");
    theirs.fails(&["connect", "token", "list"], 1);

    dir.ok(&["group", "create", "Platform"]);
    dir.ok(&["group", "edit", "Platform", "--name", "Ops"]);
    dir.ok(&["group", "add", "Ops", "Una"]);
    assert_eq!(
        named(&dir.json(&["group", "list"]), "Ops")["members"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    dir.ok(&[
        "connect", "group", "grant", "--group", "Ops", "--server", "default",
    ]);
    let server = dir.json(&["connect", "server", "get", "default"]);
    assert_eq!(server["own_managers"], true);
    theirs.ok(&["connect", "server", "get", "default"]);
    dir.ok(&[
        "connect", "group", "revoke", "--group", "Ops", "--server", "default",
    ]);
    theirs.fails(&["connect", "server", "edit", "default", "--name", "x"], 1);
    dir.ok(&["connect", "group", "grant", "--group", "Ops"]);
    assert_eq!(
        named(&dir.json(&["group", "list"]), "Ops")["manages_servers"],
        true
    );
    dir.ok(&[
        "connect",
        "group",
        "grant",
        "--group",
        "Ops",
        "--all-servers",
    ]);
    dir.fails(
        &[
            "connect",
            "group",
            "grant",
            "--group",
            "Ops",
            "--all-servers",
            "--server",
            "default",
        ],
        2,
    );

    dir.ok(&["vault", "user", "grant", "--vault", "V", "--user", "Una"]);
    assert_eq!(theirs.json(&["vault", "list"]).as_array().unwrap().len(), 1);
    dir.ok(&["vault", "user", "revoke", "--vault", "V", "--user", "Una"]);
    assert_eq!(theirs.json(&["vault", "list"]).as_array().unwrap().len(), 0);

    dir.ok(&["user", "suspend", "Una"]);
    theirs.fails(&["vault", "list"], 1);
    dir.ok(&["user", "suspend", "Una", "--undo"]);
    theirs.ok(&["vault", "list"]);
    dir.ok(&["vault", "user", "grant", "--vault", "V", "--user", "Una"]);
    let removed = dir.json(&["user", "remove", "Una"]);
    assert_eq!(removed["vaults_to_rotate"].as_array().unwrap().len(), 1);
    theirs.fails(&["vault", "list"], 1);
    dir.ok(&["group", "delete", "Ops"]);
}

#[test]
fn keys_and_credentials_of_a_server_are_rotated() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    dir.ok(&["connect", "server", "create", "s", "--vaults", "V"]);
    let file = dir.path().join("work/1password-credentials.json");
    let first = fs::read(&file).unwrap();
    dir.ok(&[
        "connect", "token", "create", "t", "--server", "s", "--vault", "V,r",
    ]);
    let server = dir.json(&["connect", "server", "get", "s"]);
    assert_eq!(
        (&server["credits"], &server["tokens"], &server["devices"]),
        (&1.into(), &1.into(), &1.into())
    );
    dir.ok(&["connect", "server", "rotate-key", "s"]);
    dir.fails(&["connect", "server", "rotate-device", "s"], 1);
    dir.ok(&["connect", "server", "rotate-device", "s", "--force"]);
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(dir.json(&["connect", "server", "get", "s"])["devices"], 2);
    dir.fails(
        &["connect", "server", "rotate-device", "default", "--finish"],
        1,
    );
    dir.ok(&["connect", "server", "rotate-device", "s", "--finish"]);
    assert_eq!(dir.json(&["connect", "server", "get", "s"])["devices"], 1);
    let tokens = dir.ok(&["connect", "token", "list", "--server", "s"]);
    let head = tokens.lines().next().unwrap();
    for name in ["STATE", "ISSUED", "EXPIRES", "LAST USED", "VAULTS"] {
        assert!(head.contains(name), "{head}");
    }
    dir.ok(&["connect", "token", "delete", "t"]);
    assert_eq!(dir.json(&["connect", "server", "get", "s"])["credits"], 0);
}

#[test]
fn what_was_read_is_reported() {
    let dir = Dir::new();
    let up = Up::start(&dir);
    let item = dir.json(&["item", "get", "Sample login"]);
    let path = format!(
        "/v1/vaults/{}/items/{}",
        item["vault"]["id"].as_str().unwrap(),
        item["id"].as_str().unwrap()
    );
    for _ in 0..3 {
        assert_eq!(up.read(&path).0, 200);
    }
    let args = [
        "usage",
        "report",
        "--server",
        "default",
        "--vault",
        "Demo",
        "--item",
        "Sample login",
        "--since",
        "1h",
    ];
    let end = Instant::now() + Duration::from_secs(20);
    let row = loop {
        let rows = dir.json(&args);
        let found = rows.as_array().unwrap().first().cloned();
        match found {
            Some(row) if row["count"] == 3 => break row,
            _ if Instant::now() > end => panic!("{rows}"),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    assert_eq!(
        (
            row["action"].as_str(),
            row["true_action"].as_str(),
            row["used_by"].as_str()
        ),
        (Some("Display"), Some("READ"), Some("default"))
    );
    assert_eq!(row["item"]["title"], "Sample login");
    let csv = dir.ok(&[&["--format", "csv"], &args[..]].concat());
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "item,vault,action,true_action,allowed,used_by,count,first,last"
    );
    assert!(
        lines[1].starts_with("Sample login,Demo,Display,READ,yes,default,3,"),
        "{csv}"
    );
    let table = dir.ok(&args);
    assert!(
        table.contains("Sample login") && table.contains("USED BY"),
        "{table}"
    );
    assert_eq!(
        dir.json(&["usage", "report", "--until", "1h"]),
        serde_json::json!([])
    );
    dir.fails(&["usage", "report", "--since", "yesterday"], 2);
    dir.fails(&["--format", "csv", "vault", "list"], 2);
}
