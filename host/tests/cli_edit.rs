//! Items and vaults changed through the binary.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::fs;

use cli::Dir;
use serde_json::{Value, json};

fn field<'a>(item: &'a Value, label: &str) -> Option<&'a Value> {
    item["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["label"] == label)
}

#[test]
fn an_item_is_edited_and_what_is_not_named_stays() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    let args = [
        "item",
        "create",
        "--title",
        "Mail",
        "--tags",
        "a,b",
        "--url",
        "https://a",
    ];
    let made = dir.json(
        &[
            &args[..],
            &["username=wendy", "password=one", "db.port[text]=1"],
        ]
        .concat(),
    );
    let id = made["id"].as_str().unwrap();

    let edited = dir.json(&[
        "item",
        "edit",
        "mail",
        "password=two",
        "db.host[text]=h",
        "--title",
        "Post",
    ]);
    assert_eq!(
        (edited["id"].as_str(), edited["title"].as_str()),
        (Some(id), Some("Post"))
    );
    assert_eq!(edited["tags"], made["tags"]);
    assert_eq!(edited["urls"], made["urls"]);
    assert_eq!(field(&edited, "username").unwrap()["value"], "wendy");
    let password = field(&edited, "password").unwrap();
    assert_eq!(password["value"], "two");
    assert_eq!(password["passwordDetails"]["history"], json!(["one"]));
    assert_eq!(
        field(&edited, "host").unwrap()["section"],
        field(&edited, "port").unwrap()["section"]
    );

    let edited = dir.json(&["item", "edit", id, "db.port[delete]=", "--url", "https://b"]);
    assert!(field(&edited, "port").is_none() && field(&edited, "host").is_some());
    assert_eq!(edited["urls"].as_array().unwrap().len(), 1);
    assert_eq!(edited["urls"][0]["href"], "https://b");

    let mut whole = edited.clone();
    whole["tags"] = json!(["c"]);
    let whole = dir.with_stdin(
        &["--format", "json", "item", "edit", id, "-"],
        &whole.to_string(),
    );
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["tags"], json!(["c"]));
    assert_eq!(field(&whole, "username"), field(&edited, "username"));

    let said = dir.fails(&["item", "edit", id, "none[delete]="], 1);
    assert!(said.contains("no field or file 'none'"), "{said}");
}

#[test]
fn files_come_and_go() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    dir.ok(&["vault", "list"]);
    fs::write(dir.path().join("work/report.txt"), "the report").unwrap();
    let refused = dir.fails(
        &["item", "create", "--category", "document", "--title", "D"],
        2,
    );
    assert!(refused.contains("--file"), "{refused}");
    let document = dir.json(&[
        "item",
        "create",
        "--category",
        "Document",
        "--file",
        "report.txt",
    ]);
    assert_eq!(
        (document["category"].as_str(), document["title"].as_str()),
        (Some("DOCUMENT"), Some("report.txt"))
    );
    assert_eq!(document["files"][0]["size"], 10);

    let note = [
        "item",
        "create",
        "--category",
        "login",
        "--title",
        "L",
        "password=p",
        r"S.a\.txt[file]=report.txt",
    ];
    let note = dir.json(&note);
    assert_eq!(
        (
            note["files"][0]["name"].as_str(),
            note["sections"][0]["label"].as_str()
        ),
        (Some("a.txt"), Some("S"))
    );
    assert_eq!(note["files"][0]["section"]["id"], note["sections"][0]["id"]);
    let more = dir.json(&["item", "edit", "L", "[file]=report.txt"]);
    assert_eq!(more["files"].as_array().unwrap().len(), 2);
    let less = dir.json(&["item", "edit", "L", r"a\.txt[delete]="]);
    assert_eq!(less["files"].as_array().unwrap().len(), 1);
    assert_eq!(less["files"][0]["name"], "report.txt");
    dir.fails(&["item", "edit", "L", "[file]=nowhere"], 1);
}

#[test]
fn items_are_archived_taken_back_and_deleted() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    dir.ok(&["item", "create", "--title", "A", "password=p"]);
    let listed = |more: &[&str]| {
        let items = dir.json(&[&["item", "list"], more].concat());
        items.as_array().unwrap().len()
    };
    dir.ok(&["item", "archive", "A"]);
    assert_eq!((listed(&[]), listed(&["--include-archive"])), (0, 1));
    dir.ok(&["item", "archive", "A", "--undo"]);
    assert_eq!(listed(&[]), 1);
    dir.ok(&["item", "delete", "A", "--archive"]);
    assert_eq!(listed(&["--include-archive"]), 1);
    dir.ok(&["item", "delete", "A"]);
    assert_eq!(listed(&["--include-archive"]), 0);
}

#[test]
fn vaults_are_renamed_given_a_new_key_and_deleted() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V", "--description", "d"]);
    dir.ok(&["item", "create", "--title", "A", "password=p"]);
    let edited = dir.json(&["vault", "edit", "V", "--name", "W"]);
    assert_eq!(
        (edited["name"].as_str(), edited["description"].as_str()),
        (Some("W"), Some("d"))
    );
    dir.fails(&["vault", "edit", "W"], 2);
    dir.ok(&["vault", "rotate-key", "W"]);
    let item = dir.json(&["item", "get", "A", "--fields", "password"]);
    assert_eq!(item["value"], "p");
    dir.ok(&["vault", "delete", "W"]);
    assert_eq!(dir.json(&["vault", "list"]), json!([]));
}
