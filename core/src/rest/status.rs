//! `/heartbeat` and `/health`: no token, no secret (connect-contract.md §1, §2.8).

use alloc::{format, string::String, vec, vec::Vec};

use http::StatusCode;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Body, CONNECT_VERSION, Reply};
use crate::records::{Fault, Records};

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
pub(super) fn health(records: &dyn Records) -> Reply {
    let (status, message) = match records.head() {
        Ok(head) => (
            "ACTIVE",
            format!("Version {} of {}", head.version, head.issued_at),
        ),
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
