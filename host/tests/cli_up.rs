//! The command line from outside: `up`, commands beside it, and what HTTP clients see of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::fs;

use cli::{Dir, Up};
use serde_json::Value;

#[test]
fn a_first_run_prints_what_to_paste_and_the_curl_line_works() {
    let dir = Dir::new();
    let up = Up::start(&dir);
    let lines: Vec<&str> = up.printed.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("export OP_CONNECT_HOST=http://127.0.0.1:"));
    assert!(lines[1].starts_with("export OP_CONNECT_TOKEN=eyJ"));
    assert_eq!(
        lines[2],
        "curl -H \"Accept: application/json\" -H \"Authorization: Bearer $OP_CONNECT_TOKEN\" $OP_CONNECT_HOST/v1/vaults"
    );
    let (status, vaults) = up.read("/v1/vaults");
    assert_eq!((status, vaults[0]["name"].as_str()), (200, Some("Demo")));
    let vault = vaults[0]["id"].as_str().unwrap();
    let (_, items) = up.read(&format!("/v1/vaults/{vault}/items"));
    assert_eq!(items.as_array().unwrap().len(), 7);
    let document = items
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["category"] == "DOCUMENT")
        .unwrap();
    let (status, content) = up.raw(
        document["files"][0]["content_path"].as_str().unwrap(),
        &up.token,
    );
    assert_eq!(status, 200);
    assert!(content.starts_with("This is a sample document."));

    let token = fs::read_to_string(dir.path().join("data/demo.token")).unwrap();
    assert_eq!(token.trim(), up.token);
    drop(up);
    let again = Up::start(&dir);
    assert_eq!(again.token, token.trim(), "later runs start what is there");
}

#[test]
fn what_operators_do_beside_it_is_served() {
    let dir = Dir::new();
    let up = Up::start(&dir);
    dir.ok(&["vault", "create", "Prod"]);
    let item = dir.json(&[
        "item",
        "create",
        "--vault",
        "Prod",
        "--title",
        "Mail",
        "username=wendy",
        "--generate-password=digits,12",
        "db.port[text]=5432",
    ]);
    let vault = item["vault"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/vaults/{vault}/items/{}", item["id"].as_str().unwrap());
    assert_eq!(up.read(&path).0, 403, "the demo token does not open it");

    let refused = dir.fails(
        &[
            "connect", "token", "create", "t", "--server", "default", "--vault", "Prod,r",
        ],
        1,
    );
    assert!(
        refused.starts_with("error: ") && refused.contains("\nhelp: "),
        "{refused}"
    );
    dir.ok(&[
        "connect", "vault", "grant", "--server", "default", "--vault", "Prod",
    ]);
    let token = dir.ok(&[
        "connect",
        "token",
        "create",
        "t",
        "--server",
        "default",
        "--vault",
        "Prod,r",
        "--expires-in",
        "12h",
    ]);
    let token = token.trim();
    let (_, read) = up.eventually(&path, token, 200);
    let read: Value = serde_json::from_str(&read).unwrap();
    let value = |label: &str| {
        read["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|field| field["label"] == label)
            .unwrap()["value"]
            .clone()
    };
    assert_eq!(
        (value("username"), value("port")),
        ("wendy".into(), "5432".into())
    );
    assert_eq!(value("password").as_str().unwrap().len(), 12);

    let tokens = dir.json(&["connect", "token", "list", "--server", "default"]);
    let made = tokens
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["name"] == "t")
        .unwrap();
    assert_eq!(
        made["vaults"][0]["acl"],
        serde_json::json!(["allow_viewing"])
    );
    assert!(made["expires_at"].is_string());
    dir.ok(&["connect", "token", "delete", "t"]);
    up.eventually(&path, token, 401);
}

#[test]
fn refusals_name_the_cause_and_the_way_out() {
    let dir = Dir::new();
    let up = Up::start(&dir);
    let second = dir.fails(&["up", "--listen", "127.0.0.1:0"], 1);
    assert!(
        second.contains("another `sekisho up` (process "),
        "{second}"
    );
    let other = Dir::new();
    let port = up.host.rsplit(':').next().unwrap().to_owned();
    let taken = other.fails(
        &[
            "up",
            "--engine",
            "native",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--log-level",
            "error",
        ],
        1,
    );
    assert!(
        taken.contains(&format!("error: port {port} is in use")) && taken.contains("--listen"),
        "{taken}"
    );
    dir.ok(&["health", "--url", &up.host]);
    drop(up);
    let gone = dir.fails(&["health", "--url", &format!("http://127.0.0.1:{port}")], 1);
    assert!(gone.contains("does not answer"), "{gone}");
}

#[test]
fn names_that_are_ambiguous_are_refused_with_ids() {
    let dir = Dir::made();
    let a = dir.json(&["vault", "create", "Twice"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let b = dir.json(&["vault", "create", "twice"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = dir.fails(&["vault", "get", "TWICE"], 1);
    assert!(refused.contains(&a) && refused.contains(&b), "{refused}");
    assert_eq!(dir.json(&["vault", "get", &b])["name"], "twice");
    assert_eq!(dir.json(&["vault", "get", "Twice"])["id"], a.as_str());
}

#[test]
fn items_by_template_and_what_is_shown_of_them() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    let template = r#"{"category":"DATABASE","title":"Orders","fields":[{"label":"password","type":"CONCEALED","value":"hunter2"}]}"#;
    let item = dir.with_stdin(
        &["--format", "json", "item", "create", "--vault", "V", "-"],
        template,
    );
    assert_eq!(
        serde_json::from_str::<Value>(&item).unwrap()["fields"][0]["value"],
        "hunter2"
    );
    assert!(!dir.ok(&["item", "get", "Orders"]).contains("hunter2"));
    assert!(
        dir.ok(&["item", "get", "orders", "--reveal"])
            .contains("hunter2")
    );
    assert_eq!(
        dir.ok(&["item", "get", "Orders", "--fields", "password", "--reveal"]),
        "hunter2\n"
    );
    assert_eq!(
        dir.json(&["item", "list", "--categories", "login"])
            .as_array()
            .unwrap()
            .len(),
        0
    );
    for bad in ["a.b.c=hunter2", "a[color]=hunter2", "hunter2"] {
        assert!(
            !dir.fails(&["item", "create", "--vault", "V", bad], 2)
                .contains("hunter2"),
            "{bad}"
        );
    }
    let broken = dir.fails_with_stdin(
        &["item", "create", "--vault", "V", "-"],
        "{\"title\":\"hunter2\"",
        1,
    );
    assert!(!broken.contains("hunter2"), "{broken}");
}

#[test]
fn a_server_and_its_credentials_file() {
    let dir = Dir::made();
    dir.ok(&["vault", "create", "V"]);
    let printed = dir.ok(&["connect", "server", "create", "staging", "--vault", "V"]);
    assert!(
        printed.starts_with("Set up a Connect server.\nUUID: "),
        "{printed}"
    );
    let refused = dir.fails(&["connect", "server", "create", "other"], 1);
    assert!(refused.contains("exists here already"), "{refused}");
    assert_eq!(
        dir.json(&["connect", "server", "list"])
            .as_array()
            .unwrap()
            .len(),
        2,
        "none was made"
    );
    let checked = dir.json(&["credentials", "check"]);
    assert_eq!(checked["server"]["name"], "staging");
    dir.ok(&["connect", "server", "edit", "staging", "--name", "test"]);
    dir.ok(&["connect", "server", "create", "other", "--force"]);
    dir.ok(&["connect", "server", "delete", "test"]);
    dir.fails(&["connect", "server", "get", "test"], 1);
}
