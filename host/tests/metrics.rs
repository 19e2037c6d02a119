//! What a host counts, and who gets to see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{net::SocketAddr, sync::Arc};

use common::{Answer, Client, MemoryAccount, config, start};
use sekisho_core::secret::SecretText;
use sekisho_host::{engine::EngineKind, metrics::MetricsAccess};

/// Runs a client against a host whose metrics are seen like this.
async fn with_host(
    engine: EngineKind,
    metrics: MetricsAccess,
    client: impl FnOnce(SocketAddr, Option<SocketAddr>, &MemoryAccount) + Send + 'static,
) {
    let account = Arc::new(MemoryAccount::new(2));
    let mut config = config(&account, engine, None);
    config.metrics = metrics;
    let host = start(config).await;
    let (addr, own) = (host.addr(), host.metrics_addr());
    tokio::task::spawn_blocking(move || client(addr, own, &account))
        .await
        .unwrap();
    host.shutdown().await;
}

fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The value of a sample.
#[track_caller]
fn value(text: &str, sample: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in\n{text}"))
        .parse()
        .unwrap()
}

/// Each sample belongs to the family announced before it, and every number is one (text format 0.0.4).
fn check_format(text: &str) {
    assert!(text.ends_with('\n'));
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with("# HELP ") {
            assert!(line.starts_with(family), "{line} after {family}");
            let (_, number) = line.rsplit_once(' ').unwrap();
            number.parse::<f64>().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_tokens_and_calls_are_counted() {
    for engine in [EngineKind::Native, EngineKind::Component] {
        with_host(engine, MetricsAccess::default(), move |addr, _, account| {
            let mut client = Client::connect(addr);
            let item = account.items()[0];
            let path = format!("/v1/vaults/{}/items/{item}", account.vault);
            for _ in 0..3 {
                assert_eq!(client.get(&path, &account.token).status, 200);
            }
            assert_eq!(client.get(&path, "rubbish-bearer").status, 401);
            assert_eq!(client.get("/v1/no-such-path", "x").status, 404);
            assert_eq!(
                client.send("DELETE", &path, &account.token, None).status,
                204
            );
            let text = text(&client.get("/metrics", "nobody asks"));
            check_format(&text);
            let route = r#"route="/v1/vaults/{vaultUuid}/items/{itemUuid}""#;
            let requests =
                |rest: &str| value(&text, &format!("sekisho_http_requests_total{{{rest}}}"));
            assert_eq!(
                requests(&format!(r#"method="GET",{route},status="200""#)),
                3.0
            );
            assert_eq!(
                requests(&format!(r#"method="GET",{route},status="401""#)),
                1.0
            );
            assert_eq!(
                requests(r#"method="GET",route="unknown",status="404""#),
                1.0
            );
            let timed =
                format!("sekisho_http_request_duration_seconds_count{{method=\"GET\",{route}}}");
            assert_eq!(value(&text, &timed), 4.0);
            let checks = |result: &str| {
                value(
                    &text,
                    &format!("sekisho_token_checks_total{{result=\"{result}\"}}"),
                )
            };
            assert_eq!(checks("accepted"), 4.0);
            assert_eq!(checks("token_malformed"), 1.0);
            assert_eq!(
                value(&text, "sekisho_upstream_calls_total{call=\"delete\"}"),
                1.0
            );
            assert!(value(&text, "sekisho_upstream_calls_total{call=\"changes\"}") >= 2.0);
            assert!(value(&text, "sekisho_snapshot_version") >= 2.0);
            assert_eq!(value(&text, "sekisho_snapshot_age_seconds"), 0.0);
            assert_eq!(value(&text, "sekisho_write_queue_depth"), 0.0);
            assert!(value(&text, "process_resident_memory_bytes") > 1e6);
            assert!(text.contains(&format!("engine=\"{engine}\"")));
            assert_eq!(
                text.contains("sekisho_instances_in_use"),
                engine == EngineKind::Component
            );
            for secret in [
                account.vault.as_str(),
                item.as_str(),
                &account.token,
                "rubbish",
            ] {
                assert!(!text.contains(secret), "a label holds {secret}");
            }
            client
                .send("POST", "/metrics", "x", Some("{}"))
                .assert_refusal(405);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_metrics_from_others() {
    let access = MetricsAccess {
        token: Some(SecretText::new("watch me")),
        listen: None,
    };
    with_host(EngineKind::Native, access, |addr, _, account| {
        let mut client = Client::connect(addr);
        for wrong in ["", "watch", "watch me!", &account.token] {
            client.get("/metrics", wrong).assert_refusal(401);
        }
        text(&client.get("/metrics/", "watch me"));
        // It is good for nothing else.
        client.get("/v1/vaults", "watch me").assert_refusal(401);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_of_their_own_serves_nothing_else() {
    let access = MetricsAccess {
        token: None,
        listen: Some(([127, 0, 0, 1], 0).into()),
    };
    with_host(EngineKind::Native, access, |addr, own, account| {
        let mut api = Client::connect(addr);
        api.get("/metrics", &account.token).assert_refusal(404);
        assert_eq!(api.get("/v1/vaults", &account.token).status, 200);
        let mut own = Client::connect(own.unwrap());
        text(&own.get("/metrics", ""));
        for path in ["/v1/vaults", "/v1/events", "/heartbeat", "/"] {
            own.get(path, &account.token).assert_refusal(404);
        }
    })
    .await;
}
