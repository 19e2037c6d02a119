//! `sekisho import`, from a rich export to what the item commands show.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use cli::Dir;
use sekisho_host::import::fixture;
use serde_json::Value;

fn secret(name: &str) -> String {
    match name {
        "login.totp" => "JBSWY3DPEHPK3PXP".to_owned(),
        name => format!("text of {name}"),
    }
}

fn imported(dir: &Dir, more: &[&str]) -> Value {
    let path = dir.path().join("export.1pux");
    fixture::write_sample(&path, &secret).unwrap();
    dir.json(&[&["import", path.to_str().unwrap()], more].concat())
}

#[test]
fn vaults_items_and_history_arrive_and_a_second_run_changes_nothing() {
    let dir = Dir::made();
    let first = imported(&dir, &[]);
    let vaults = first["vaults"].as_array().unwrap();
    assert_eq!(vaults.len(), 4);
    let grantable: Vec<bool> = vaults
        .iter()
        .map(|vault| vault["grantable"].as_bool().unwrap())
        .collect();
    assert_eq!(grantable, [false, false, true, true]);
    let written: u64 = vaults
        .iter()
        .map(|vault| vault["written"].as_u64().unwrap())
        .sum();
    assert_eq!(written, first["report"]["items"].as_u64().unwrap());

    let login = dir.json(&["item", "get", &fixture::id("login")]);
    let password = login["fields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|field| field["purpose"] == "PASSWORD")
        .unwrap();
    assert_eq!(
        password["passwordDetails"]["history"],
        serde_json::json!(["text of login.old_password"])
    );
    assert_eq!(
        (login["version"].as_u64(), login["vault"]["id"].as_str()),
        (Some(1), Some(fixture::id("personal").as_str()))
    );
    let archived = dir.json(&["item", "list", "--include-archive"]);
    assert!(
        archived
            .as_array()
            .unwrap()
            .iter()
            .any(|item| item["state"] == "ARCHIVED")
    );
    let document = dir.json(&["item", "get", &fixture::id("document")]);
    assert_eq!(
        document["files"][0]["id"],
        fixture::id("file document.file").as_str()
    );

    let second = imported(&dir, &[]);
    for vault in second["vaults"].as_array().unwrap() {
        assert_eq!(vault["written"], 0, "{vault}");
        assert_eq!(vault["renamed"], serde_json::json!([]));
    }
    assert_eq!(dir.json(&["vault", "list"]).as_array().unwrap().len(), 4);
}

#[test]
fn everything_may_go_into_one_vault() {
    let dir = Dir::made();
    let report = imported(&dir, &["--vault", "All"]);
    let vaults = report["vaults"].as_array().unwrap();
    assert_eq!(
        (vaults.len(), &vaults[0]["grantable"]),
        (1, &Value::Bool(true))
    );
    let again = imported(&dir, &["--vault", "all"]);
    assert_eq!(again["vaults"][0]["written"], 0);
}

#[test]
fn what_is_no_export_changes_nothing() {
    let dir = Dir::made();
    let path = dir.path().join("bad.1pux");
    std::fs::write(&path, b"hunter2").unwrap();
    let refused = dir.fails(&["import", path.to_str().unwrap()], 1);
    assert!(
        refused.contains("not a 1PUX export") && refused.contains("\nhelp: "),
        "{refused}"
    );
    assert_eq!(dir.json(&["vault", "list"]).as_array().unwrap().len(), 0);
}
