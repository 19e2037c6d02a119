//! Vaults whose truth is elsewhere: what is said there of a client's write, and what stands beside the host.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Answer, Client, MemoryAccount, config, start};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    sync::FeedPage,
};
use sekisho_host::{
    HostConfig,
    dependency::{Dependency, DependencyState},
    engine::EngineKind,
    sync::{Upstream, UpstreamError, UsageReport},
};

/// An account that mirrors something: what is said there of the next writes.
struct Mirroring {
    account: Arc<MemoryAccount>,
    /// The answers still to be given; then writes are taken.
    said: Mutex<Vec<UpstreamError>>,
    /// Writes that arrived.
    arrived: Mutex<usize>,
}

impl Mirroring {
    fn hear(&self) -> Result<(), UpstreamError> {
        *self.arrived.lock().unwrap() += 1;
        match self.said.lock().unwrap().pop() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Upstream for Mirroring {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        self.account.changes(cursor)
    }
    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        self.hear()?;
        self.account.put(request)
    }
    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.account.put_chunk(request)
    }
    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.hear()?;
        self.account.delete(request)
    }
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.account.chunk(vault, item, file, index)
    }
    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.account.report_usage(reports)
    }
    fn wait(&self, timeout: Duration) -> bool {
        self.account.wait(timeout)
    }
}

fn declined(fault: Fault, reason: Option<&str>) -> UpstreamError {
    UpstreamError::Declined {
        fault,
        reason: reason.map(str::to_owned),
    }
}

/// What a write is answered when this is said of it, and how many writes arrived.
async fn told(kind: EngineKind, method: &'static str, said: Vec<UpstreamError>) -> (Answer, usize) {
    let account = Arc::new(MemoryAccount::new(1));
    let mirroring = Arc::new(Mirroring {
        account: Arc::clone(&account),
        said: Mutex::new(said),
        arrived: Mutex::default(),
    });
    let host = start(HostConfig {
        upstream: Arc::clone(&mirroring) as _,
        ..config(&account, kind, None)
    })
    .await;
    let addr = host.addr();
    let answer = tokio::task::spawn_blocking(move || {
        let path = format!("/v1/vaults/{}/items/{}", account.vault, account.items()[0]);
        let patch = r#"[{"op":"replace","path":"/title","value":"mine"}]"#;
        let body = (method == "PATCH").then_some(patch);
        Client::connect(addr).send(method, &path, &account.token, body)
    });
    let answer = answer.await.unwrap();
    host.shutdown().await;
    let arrived = *mirroring.arrived.lock().unwrap();
    (answer, arrived)
}

/// The request's id is random, the date hyper's.
fn body(answer: &Answer) -> serde_json::Value {
    let mut body = answer.json();
    assert!(body.as_object_mut().unwrap().remove("requestId").is_some());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_sentence_on_both_engines() {
    let sentence = "Editing is not supported for \"unsupported\" fields";
    for method in ["PATCH", "DELETE"] {
        let mut bodies = Vec::new();
        for kind in [EngineKind::Native, EngineKind::Component] {
            let said = vec![declined(Fault::Refused, Some(sentence))];
            let (answer, arrived) = told(kind, method, said).await;
            answer.assert_refusal(400);
            assert_eq!(arrived, 1, "{kind}");
            bodies.push(body(&answer));
        }
        let message = bodies[0]["message"].as_str().unwrap();
        assert!(message.ends_with(sentence), "{message}");
        assert_eq!(bodies[0]["code"], "refused_upstream");
        assert_eq!(bodies[0], bodies[1]);
    }
    let (answer, _) = told(
        EngineKind::Component,
        "PATCH",
        vec![declined(Fault::Refused, None)],
    )
    .await;
    assert_eq!(
        body(&answer)["message"],
        "1Password refuses this change of the item"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_tried_on_once_and_then_told() {
    let conflict = || declined(Fault::Conflict, None);
    for kind in [EngineKind::Native, EngineKind::Component] {
        for (method, done) in [("PATCH", 200), ("DELETE", 204)] {
            let (answer, arrived) = told(kind, method, vec![conflict()]).await;
            assert_eq!((answer.status, arrived), (done, 2), "{kind} {method}");
            let often = std::iter::repeat_with(conflict).take(20).collect();
            let (answer, arrived) = told(kind, method, often).await;
            answer.assert_refusal(409);
            assert_eq!(arrived, 2, "{kind} {method}");
        }
    }
}

/// Something beside the host.
struct Beside;

impl Dependency for Beside {
    fn service(&self) -> &'static str {
        "bridge"
    }
    fn state(&self) -> DependencyState {
        DependencyState {
            status: "STALE",
            message: "Polled 7 s ago".into(),
        }
    }
    fn metrics(&self) -> String {
        "# TYPE sekisho_bridge_up gauge\nsekisho_bridge_up 0\n".into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_is_in_health_and_metrics() {
    for kind in [EngineKind::Native, EngineKind::Component] {
        let account = Arc::new(MemoryAccount::new(1));
        let host = start(HostConfig {
            dependencies: vec![Arc::new(Beside)],
            ..config(&account, kind, None)
        })
        .await;
        let addr = host.addr();
        let asked = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(addr);
            (client.get("/health", ""), client.get("/metrics", ""))
        });
        let (health, metrics) = asked.await.unwrap();
        host.shutdown().await;
        assert_eq!(health.status, 200, "{kind}");
        let shown = health.json();
        let listed = shown["dependencies"].as_array().unwrap();
        let services: Vec<_> = listed
            .iter()
            .map(|one| one["service"].as_str().unwrap())
            .collect();
        assert_eq!(services, ["sync", "account_data", "bridge"], "{kind}");
        assert_eq!(listed[2]["status"], "STALE");
        assert_eq!(listed[2]["message"], "Polled 7 s ago");
        let page = String::from_utf8(metrics.body).unwrap();
        assert!(page.contains("\nsekisho_bridge_up 0\n"), "{kind}: {page}");
    }
}
