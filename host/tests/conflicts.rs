//! Many who write to one item at once: each succeeds, in some order, and nothing is lost (pains.md no. 2).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    net::SocketAddr,
    sync::{Arc, Barrier, atomic::Ordering},
    time::Duration,
};

use common::{Client, MemoryAccount, config, start};
use sekisho_host::{engine::EngineKind, random::SystemRandom};

const WRITERS: usize = 64;

/// Sends as many requests at the same time; hands back the statuses that are not 200.
fn at_once(
    addrs: &[SocketAddr],
    account: &MemoryAccount,
    method: &str,
    path: &str,
    body: impl Fn(usize) -> String + Sync,
) -> Vec<String> {
    let barrier = Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let (barrier, body) = (&barrier, &body);
                let addr = addrs[n % addrs.len()];
                scope.spawn(move || {
                    let mut client = Client::connect(addr);
                    let body = body(n);
                    barrier.wait();
                    client.send(method, path, &account.token, Some(&body))
                })
            })
            .collect();
        let answers = writers.into_iter().map(|writer| writer.join().unwrap());
        answers
            .filter(|answer| answer.status != 200)
            .map(|answer| answer.describe())
            .collect()
    })
}

fn patch(n: usize) -> String {
    format!(
        r#"[{{"op":"add","path":"/fields","value":{{"id":"f{n}","label":"f{n}","type":"STRING","value":"v{n}"}}}}]"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_writers_of_one_item_all_succeed() {
    for engine in [EngineKind::Native, EngineKind::Component] {
        let account = Arc::new(MemoryAccount::new(1));
        // Two servers of one account: what the other wrote is learnt only from the account's refusal.
        let hosts = [
            start(config(&account, engine, None)).await,
            start(config(&account, engine, None)).await,
        ];
        let addrs = hosts.each_ref().map(|host| host.addr());
        let asked = Arc::clone(&account);
        tokio::task::spawn_blocking(move || {
            let path = format!("/v1/vaults/{}/items/{}", asked.vault, asked.items()[0]);
            let read = || Client::connect(addrs[0]).get(&path, &asked.token).json();
            let before = read()["version"].as_u64().unwrap();
            for addrs in [&addrs[..1], &addrs[..]] {
                let refused = at_once(addrs, &asked, "PUT", &path, |n| {
                    format!(
                        r#"{{"title":"T{n}","category":"LOGIN","vault":{{"id":"{}"}}}}"#,
                        asked.vault
                    )
                });
                assert!(refused.is_empty(), "{engine}, PUT: {refused:?}");
                let refused = at_once(addrs, &asked, "PATCH", &path, patch);
                assert!(refused.is_empty(), "{engine}, PATCH: {refused:?}");
                // What a server has not heard of yet, it hears of with its next write.
                let nothing = r#"[{"op":"replace","path":"/favorite","value":true}]"#;
                let mut client = Client::connect(addrs[0]);
                let last = client.send("PATCH", &path, &asked.token, Some(nothing));
                assert_eq!(last.status, 200, "{last:?}");
                let item = read();
                let fields = item["fields"].as_array().unwrap();
                for n in 0..WRITERS {
                    let value = format!("v{n}");
                    assert!(
                        fields.iter().any(|field| field["value"] == value.as_str()),
                        "{engine}: the change of writer {n} is lost"
                    );
                }
            }
            let after = read()["version"].as_u64().unwrap();
            assert_eq!(after - before, 2 * (2 * WRITERS as u64 + 1));
        })
        .await
        .unwrap();
        for host in hosts {
            host.shutdown().await;
        }
    }
}

/// Whoever writes waits for the account, in a sandbox. However many do, some sandboxes are left for those who read.
#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_every_write_waits() {
    const INSTANCES: u32 = 8;
    let account = Arc::new(MemoryAccount::new(1));
    let mut config = config(&account, EngineKind::Component, None);
    // The tests' own random bytes are the same each time, and so would be the items' ids.
    config.random = Arc::new(SystemRandom);
    config.sandbox.instances = INSTANCES;
    config.sandbox.patience = Duration::from_secs(1);
    let host = start(config).await;
    let addr = host.addr();
    let asked = Arc::clone(&account);
    tokio::task::spawn_blocking(move || {
        let items = format!("/v1/vaults/{}/items", asked.vault);
        let path = format!("{items}/{}", asked.items()[0]);
        asked.stalls.store(true, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..INSTANCES * 2)
                .map(|n| {
                    let (items, asked) = (&items, &asked);
                    scope.spawn(move || {
                        let body = format!(r#"{{"title":"T{n}","category":"SERVER"}}"#);
                        Client::connect(addr).send("POST", items, &asked.token, Some(&body))
                    })
                })
                .collect();
            // The last of them are told to come back when no place has become free for a second.
            while !writers.iter().any(|writer| writer.is_finished()) {
                let read = Client::connect(addr).get(&path, &asked.token);
                assert_eq!(read.status, 200, "{}", read.describe());
            }
            asked.stalls.store(false, Ordering::Relaxed);
            let answers: Vec<_> = writers.into_iter().map(|w| w.join().unwrap()).collect();
            let (done, refused): (Vec<_>, Vec<_>) =
                answers.iter().partition(|answer| answer.status == 200);
            assert!(
                !done.is_empty() && !refused.is_empty(),
                "{done:?} {refused:?}"
            );
            for answer in refused {
                assert_eq!(answer.status, 503, "{}", answer.describe());
                assert!(answer.header("retry-after").is_some());
            }
        });
    })
    .await
    .unwrap();
    host.shutdown().await;
}
