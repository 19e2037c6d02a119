//! Who may do what: every route against every kind of token, as one table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_tests::{
    cases::{Carrier, Given, RawAnswer, Request},
    native::NativeCarrier,
    world::World,
};

/// A route, then the status for each of [`COLUMNS`]. `V`, `I` and `F` are a vault, an item and a file.
#[rustfmt::skip]
const TABLE: [(&str, &str, [u16; 10]); 24] = [
    //                                            none garb other expi revo   r    w    rw  hidden private
    ("GET",    "/heartbeat",                     [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",    "/health",                        [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",    "/ready",                         [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",    "/openapi.json",                  [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",    "/v1/activity",                   [401, 401, 401, 401, 401, 200, 200, 200, 200, 200]),
    ("GET",    "/v1/vaults",                     [401, 401, 401, 401, 401, 200, 200, 200, 200, 200]),
    ("GET",    "/v1/vaults?filter=name+eq+%22Demo%22", [401, 401, 401, 401, 401, 200, 200, 200, 200, 200]),
    ("GET",    "/v1/vaults/V",                   [401, 401, 401, 401, 401, 200, 200, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items",             [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items?filter=title+eq+%22x%22", [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("POST",   "/v1/vaults/V/items",             [401, 401, 401, 401, 401, 403, 200, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items/I",           [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("HEAD",   "/v1/vaults/V/items/I",           [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("PUT",    "/v1/vaults/V/items/I",           [401, 401, 401, 401, 401, 403, 200, 200, 403, 403]),
    ("PATCH",  "/v1/vaults/V/items/I",           [401, 401, 401, 401, 401, 403, 403, 200, 403, 403]),
    ("DELETE", "/v1/vaults/V/items/I",           [401, 401, 401, 401, 401, 403, 204, 204, 403, 403]),
    ("GET",    "/v1/vaults/V/items/I/files",     [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items/I/files/F",   [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items/I/files/F?inline_files=true", [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("GET",    "/v1/vaults/V/items/I/files/F/content", [401, 401, 401, 401, 401, 200, 403, 200, 403, 403]),
    ("DELETE", "/v1/vaults/V/items/I/files/F",   [401, 401, 401, 401, 401, 403, 204, 204, 403, 403]),
    ("POST",   "/v1/vaults/V/items/I/files?name=n", [401, 401, 401, 401, 401, 403, 200, 200, 403, 403]),
    ("PUT",    "/v1/vaults/V/items/I/files/F",   [401, 401, 401, 401, 401, 403, 200, 200, 403, 403]),
    // Judged entry by entry (cases/batch.json); a body that is no batch shows who got that far.
    ("POST",   "/v1/batch",                      [401, 401, 401, 401, 401, 400, 400, 400, 400, 400]),
];

/// What the host answers beside core, in the same columns. Events are asked for by HEAD, for a GET never ends.
#[cfg(feature = "host")]
#[rustfmt::skip]
const HOST_TABLE: [(&str, &str, [u16; 10]); 4] = [
    ("HEAD",   "/v1/events",                     [401, 401, 401, 401, 401, 200, 200, 200, 200, 200]),
    ("POST",   "/v1/events",                     [405, 405, 405, 405, 405, 405, 405, 405, 405, 405]),
    ("GET",    "/metrics",                       [200, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET",    "/metrics, with a token of its own", [401, 401, 401, 401, 401, 401, 401, 401, 401, 401]),
];

/// Who asks for what: a token (none = none at all) and a vault of the world.
const COLUMNS: [(Option<&str>, &str); 10] = [
    (None, "demo"),
    (Some("garbage"), "demo"),
    (Some("other"), "demo"),
    (Some("expired"), "demo"),
    (Some("revoked"), "demo"),
    (Some("r"), "demo"),
    (Some("w"), "demo"),
    (Some("rw"), "demo"),
    (Some("rw"), "hidden"),
    (Some("rw"), "private"),
];

fn body(method: &str) -> &'static str {
    match method {
        "POST" | "PUT" => r#"{"category":"SERVER","title":"t"}"#,
        "PATCH" => "[]",
        _ => "",
    }
}

fn target(path: &str, vault: &str, item: &str) -> String {
    let file = World::get().files["text"].to_string();
    let [vault, item] = [vault, item].map(ToOwned::to_owned);
    let steps = path.split('/').map(|step| match step {
        "V" => vault.clone(),
        "I" => item.clone(),
        step if step == "F" || step.starts_with("F?") => step.replacen('F', &file, 1),
        step => step.to_owned(),
    });
    steps.collect::<Vec<_>>().join("/")
}

fn ask(method: &str, target: String, token: Option<&str>) -> RawAnswer {
    NativeCarrier::new(&Given::default()).exchange(&request(method, target, token))
}

fn request(method: &str, target: String, token: Option<&str>) -> Request {
    let mut headers = vec![("x-request-id".to_owned(), "cell".to_owned())];
    if let Some(token) = token {
        let token = &World::get().tokens[token];
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
    Request {
        method: method.to_owned(),
        target,
        headers,
        body: body(method).into(),
    }
}

#[cfg(feature = "host")]
#[test]
fn every_cell_of_the_host() {
    use sekisho_core::secret::SecretText;
    use sekisho_host::engine::EngineKind;
    use sekisho_tests::hosted::Hosted;

    for engine in [EngineKind::Native, EngineKind::Component] {
        let hosted = Hosted::new(engine);
        for (method, row, statuses) in HOST_TABLE {
            let (path, closed) = row
                .split_once(", ")
                .map_or((row, false), |(path, _)| (path, true));
            let serving = hosted.serve_as(&Given::default(), |config| {
                config.metrics.token = closed.then(|| SecretText::new("metrics alone"));
            });
            for ((token, _), status) in COLUMNS.into_iter().zip(statuses) {
                let answer = serving
                    .connect()
                    .send(&request(method, path.to_owned(), token));
                assert_eq!(answer.status, status, "{engine}: {method} {row}, {token:?}");
            }
        }
    }
}

#[test]
fn every_cell() {
    let world = World::get();
    let mut wrong = Vec::new();
    for (method, path, row) in TABLE {
        for ((token, vault), status) in COLUMNS.into_iter().zip(row) {
            let item = world.items["document"].1.to_string();
            let target = target(path, world.vaults[vault].id.as_str(), &item);
            let answer = ask(method, target, token);
            if answer.status != status {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                wrong.push(format!(
                    "{method} {path}, {token:?} at {vault}: {} instead of {status} {text}",
                    answer.status
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is hidden must look like what is not there, to the byte.
#[test]
fn hidden_and_absent_are_one() {
    let world = World::get();
    let absent = world.variable("vault.absent").unwrap();
    for (method, path, _) in TABLE.iter().filter(|(_, path, _)| path.contains('V')) {
        for token in ["r", "w", "rw", "garbage", "expired", "bare"] {
            let item = world.items["hidden-login"].1.to_string();
            for hidden in ["hidden", "private", "looks"] {
                let id = world.vaults[hidden].id;
                let seen = ask(method, target(path, id.as_str(), &item), Some(token));
                let mut unseen = ask(method, target(path, &absent, &item), Some(token));
                let body = String::from_utf8(unseen.body).unwrap();
                unseen.body = body.replace(&absent, id.as_str()).into_bytes();
                assert!(
                    seen == unseen,
                    "{method} {path} with {token}: {hidden}\n{seen:?}\n{unseen:?}"
                );
            }
        }
    }
}

/// In the vault's scope but without the right, nothing tells whether an item is there.
#[test]
fn without_the_right_an_item_may_be_there_or_not() {
    let world = World::get();
    let (there, absent) = (
        world.items["x"].1.to_string(),
        world.variable("item.absent").unwrap(),
    );
    let demo = world.vaults["demo"].id;
    for (method, path, _) in TABLE.iter().filter(|(_, path, _)| path.contains("/I")) {
        for token in ["r", "w"] {
            let seen = ask(method, target(path, demo.as_str(), &there), Some(token));
            let unseen = ask(method, target(path, demo.as_str(), &absent), Some(token));
            if unseen.status == 403 {
                assert!(
                    seen == unseen,
                    "{method} {path} with {token}\n{seen:?}\n{unseen:?}"
                );
            }
        }
    }
}
