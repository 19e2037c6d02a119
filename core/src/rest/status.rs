//! `/heartbeat`, `/health` and `/ready`: no token, no secret (connect-contract.md §1, §2.8).

use alloc::{format, string::String, vec, vec::Vec};

use http::StatusCode;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Body, CONNECT_VERSION, Refusal, Reply};
use crate::{
    records::{Fault, Head, Records},
    time::Timestamp,
};

#[derive(Serialize)]
struct Health<'a> {
    name: &'a str,
    version: &'a str,
    dependencies: Vec<Dependency<'a>>,
}

#[derive(Serialize)]
struct Dependency<'a> {
    service: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

pub(super) fn heartbeat() -> Reply {
    Reply::stream(
        StatusCode::OK,
        "text/plain",
        Body::full(Zeroizing::new(b".".to_vec())),
    )
}

/// Always 200, as the vendor's: probes of swapped-in deployments must not start to fail. `/ready` is the strict one.
pub(super) fn health(records: &dyn Records, now: Timestamp) -> Reply {
    let (status, message) = match records.head() {
        Ok(head) => {
            let age = now.millis().saturating_sub(head.issued_at.millis()) / 1000;
            let (version, at) = (head.version, head.issued_at);
            ("ACTIVE", format!("Version {version} of {at}, {age} s old"))
        }
        Err(Fault::NotSynchronised) => (
            "NOT_SYNCED",
            "Nothing has been synchronised from the account yet".into(),
        ),
        Err(_) => ("UNAVAILABLE", "Records cannot be read".into()),
    };
    let health = Health {
        name: "1Password Connect API",
        version: CONNECT_VERSION,
        dependencies: vec![
            Dependency {
                service: "sync",
                status,
                message: None,
            },
            Dependency {
                service: "account_data",
                status,
                message: Some(message),
            },
        ],
    };
    Reply::json(Zeroizing::new(
        serde_json::to_vec(&health).unwrap_or_default(),
    ))
}

#[derive(Serialize)]
struct Ready<'a> {
    status: &'a str,
    version: u64,
}

/// Our addition (pains.md no. 6): 200 only while a set is served that may be served.
pub(super) fn ready(records: &dyn Records, now: Timestamp) -> Result<Reply, Refusal> {
    let ready = Ready {
        status: "ready",
        version: fresh_head(records, now)?.version,
    };
    Ok(Reply::json(Zeroizing::new(
        serde_json::to_vec(&ready).unwrap_or_default(),
    )))
}

/// What is served, if it may be served now.
#[inline]
pub(super) fn fresh_head(records: &dyn Records, now: Timestamp) -> Result<Head, Refusal> {
    let head = records.head().map_err(Refusal::fault)?;
    if now > head.issued_at.plus_seconds(head.max_stale) {
        return Err(Refusal::stale());
    }
    Ok(head)
}
