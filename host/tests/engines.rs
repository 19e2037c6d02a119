//! Both engines answer with the same bytes, and a guest that misbehaves is contained.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{sync::Arc, time::Duration};

use common::{Answer, Client, MemoryAccount, config, start};
use sekisho_host::engine::EngineKind;

/// What is asked of each engine in order.
fn exchanges(account: &MemoryAccount) -> Vec<(&'static str, String, Option<String>)> {
    let (vault, item) = (account.vault, account.items()[0]);
    let new = format!(
        r#"{{"vault":{{"id":"{vault}"}},"title":"Made","category":"PASSWORD","fields":[{{"purpose":"PASSWORD","type":"CONCEALED","label":"password","value":"s3cret"}}]}}"#
    );
    let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(100_000));
    // More than a host hands out with what a guest foresees.
    let long = account.items()[1];
    let note = format!(
        r#"{{"id":"{long}","vault":{{"id":"{vault}"}},"title":"Long","category":"SECURE_NOTE","fields":[{{"id":"notesPlain","purpose":"NOTES","type":"STRING","label":"notesPlain","value":"{}"}}]}}"#,
        "x".repeat(100_000)
    );
    vec![
        ("GET", "/heartbeat".into(), None),
        ("GET", "/health".into(), None),
        ("GET", "/v1/vaults".into(), None),
        ("GET", format!("/v1/vaults/{vault}"), None),
        ("GET", format!("/v1/vaults/{vault}/items"), None),
        (
            "GET",
            format!("/v1/vaults/{vault}/items?filter=title%20eq%20%22Item%203%22"),
            None,
        ),
        ("GET", format!("/v1/vaults/{vault}/items/{item}"), None),
        ("HEAD", format!("/v1/vaults/{vault}/items/{item}"), None),
        ("GET", "/v1/vaults/nonsense".into(), None),
        ("GET", "/nowhere".into(), None),
        ("POST", format!("/v1/vaults/{vault}/items"), Some(new)),
        ("POST", format!("/v1/vaults/{vault}/items"), Some(large)),
        (
            "POST",
            format!("/v1/vaults/{vault}/items"),
            Some("no json".into()),
        ),
        ("GET", format!("/v1/vaults/{vault}/items"), None),
        (
            "PUT",
            format!("/v1/vaults/{vault}/items/{long}"),
            Some(note),
        ),
        ("GET", format!("/v1/vaults/{vault}/items/{long}"), None),
        ("DELETE", format!("/v1/vaults/{vault}/items/{item}"), None),
        ("GET", format!("/v1/vaults/{vault}/items/{item}"), None),
    ]
}

async fn all_answers(kind: EngineKind) -> Vec<Answer> {
    let account = Arc::new(MemoryAccount::new(5));
    let host = start(config(&account, kind, None)).await;
    let addr = host.addr();
    let answers = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let exchanges = exchanges(&account);
        exchanges
            .iter()
            .map(|(method, path, body)| client.send(method, path, &account.token, body.as_deref()))
            .collect()
    });
    let answers = answers.await.unwrap();
    host.shutdown().await;
    answers
}

/// The date is hyper's.
fn without_date(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    answer.headers.retain(|(name, _)| name != "date");
    answer.headers.sort();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_give_the_same_bytes() {
    let native = all_answers(EngineKind::Native).await;
    let component = all_answers(EngineKind::Component).await;
    let statuses: Vec<_> = native.iter().map(|answer| answer.status).collect();
    assert_eq!(
        statuses,
        [
            200, 200, 200, 200, 200, 200, 200, 200, 400, 404, 200, 413, 400, 200, 200, 200, 204,
            404
        ]
    );
    for (native, component) in native.iter().zip(&component) {
        assert!(
            without_date(native) == without_date(component),
            "native {}\ncomponent {}",
            native.describe(),
            component.describe()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_streams_through_both() {
    const SIZE: usize = 3 * 1024 * 1024 + 17;
    for kind in [EngineKind::Native, EngineKind::Component] {
        let account = Arc::new(MemoryAccount::new(1));
        let (item, file) = account.add_file(SIZE);
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&account, kind, Some(directory.path()));
        // Less than the file: it cannot sit in the guest whole.
        config.sandbox.memory = 2_500_000;
        let host = start(config).await;
        let (addr, asked) = (host.addr(), Arc::clone(&account));
        tokio::task::spawn_blocking(move || {
            let path = format!(
                "/v1/vaults/{}/items/{item}/files/{file}/content",
                asked.vault
            );
            for _ in 0..2 {
                let answer = Client::connect(addr).get(&path, &asked.token);
                assert_eq!((answer.status, answer.body.len()), (200, SIZE), "{kind}");
                let right = answer.body.iter().enumerate();
                assert!(
                    right
                        .clone()
                        .all(|(at, byte)| *byte == common::account::byte_at(at))
                );
            }
        })
        .await
        .unwrap();
        let pieces = SIZE.div_ceil(sekisho_core::file::CHUNK as usize);
        assert_eq!(
            account.chunk_calls(),
            pieces,
            "the second time it is at hand"
        );
        host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_without_time_or_memory_is_answered_for() {
    let account = Arc::new(MemoryAccount::new(1));
    let mut no_time = config(&account, EngineKind::Component, None);
    no_time.sandbox.cpu = Duration::ZERO;
    let mut no_memory = config(&account, EngineKind::Component, None);
    no_memory.sandbox.memory = 1_500_000;
    let path = format!("/v1/vaults/{}/items", account.vault);
    for config in [no_time, no_memory] {
        let host = start(config).await;
        let (addr, path, token) = (host.addr(), path.clone(), account.token.clone());
        let large = "x".repeat(1_000_000);
        let answer = tokio::task::spawn_blocking(move || {
            Client::connect(addr).send("POST", &path, &token, Some(&large))
        });
        answer.await.unwrap().assert_refusal(500);
        host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_runs_under_the_same_policy() {
    let account = Arc::new(MemoryAccount::new(1));
    let mut config = config(&account, EngineKind::Component, None);
    config.component = Some(sekisho_edge_artifact::HELLO_WASM.to_vec());
    let host = start(config).await;
    let addr = host.addr();
    let answer = tokio::task::spawn_blocking(move || Client::connect(addr).get("/", ""));
    assert_eq!(answer.await.unwrap().body, b"hello");
    host.shutdown().await;
}

/// A list is one answer (Connect never pages), and however long it is, it passes through a guest in slices: what is
/// sealed, what is opened and what is joined are never in its memory all at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_needs_little_more_memory_than_its_bytes() {
    const ITEMS: usize = 8000;
    let account = Arc::new(MemoryAccount::new(ITEMS));
    let mut config = config(&account, EngineKind::Component, None);
    config.sandbox.memory = 5 * 1024 * 1024;
    let host = start(config).await;
    let addr = host.addr();
    let asked = Arc::clone(&account);
    let answers = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let items = format!("/v1/vaults/{}/items", asked.vault);
        let matched = format!("{items}?filter=title%20pr");
        let filtered = format!("{items}?filter=tag%20eq%20%22none%22");
        [items, matched, filtered].map(|path| client.get(&path, &asked.token))
    });
    let [all, matched, none] = answers.await.unwrap();
    host.shutdown().await;
    assert_eq!(all.status, 200, "{}", all.describe());
    assert_eq!(all.json().as_array().unwrap().len(), ITEMS);
    assert!(matched.body == all.body, "{}", matched.status);
    assert_eq!((none.status, none.body.as_slice()), (200, &b"[]"[..]));
}
