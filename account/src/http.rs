//! The account over HTTP: `/account/v1/…`.
//!
//! | request | who | body → answer |
//! |---|---|---|
//! | `POST submit` | operator, by the signature in the body | [`crate::SignedRequest`] → [`crate::Response`] |
//! | `GET feed?cursor=&limit=` | device | → [`sekisho_core::sync::FeedPage`], as CBOR or gzip if accepted |
//! | `GET wait?version=&seconds=` | device | → `{"version": n}` as soon as it is another one, after 30 s at the latest |
//! | `POST put`, `POST delete`, `POST chunk` | device | [`PutRequest`], [`DeleteRequest`], [`PutChunkRequest`] → 204 |
//! | `GET chunk/{vault}/{item}/{file}/{index}` | device | → the sealed bytes |
//! | `GET files/{vault}/{item}` | device | → array of [`crate::StoredFile`] |
//! | `POST usage` | device | array of [`crate::UsageReport`] → 204 |
//! | `GET health` | anyone | → `{"status": "ok"}` |
//! | `GET openapi.json` | anyone | → [`OPENAPI`] |
//!
//! A device proves itself by `Authorization: Device <environment>.<device secret>`. A refusal is [`Refused`] in JSON.
//!
//! [`PutRequest`]: sekisho_core::records::PutRequest
//! [`DeleteRequest`]: sekisho_core::records::DeleteRequest
//! [`PutChunkRequest`]: sekisho_core::records::PutChunkRequest

use serde::{Deserialize, Serialize};

use crate::AccountError;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod server;

/// All of this in OpenAPI 3.1, with every request, answer and refusal. A test holds it against the code.
pub const OPENAPI: &str = include_str!("http/openapi.json");

/// Every way in: method and path under `/account/v1/`; `{…}` stands for one segment. Nothing else is answered.
pub const ROUTES: &[(&str, &str)] = &[
    ("POST", "submit"),
    ("GET", "feed"),
    ("GET", "wait"),
    ("POST", "put"),
    ("POST", "delete"),
    ("POST", "chunk"),
    ("GET", "chunk/{vault}/{item}/{file}/{index}"),
    ("GET", "files/{vault}/{item}"),
    ("POST", "usage"),
    ("GET", "health"),
    ("GET", "openapi.json"),
];

/// Where everything is.
pub(crate) const ROOT: &str = "/account/v1/";

/// The scheme of a device's `Authorization`.
pub(crate) const SCHEME: &str = "Device ";

/// The form of a page for who accepts it: the same names and values as in JSON, bytes as bytes (RFC 8949).
pub(crate) const CBOR: &str = "application/cbor";

/// Longest wait, in seconds.
pub(crate) const MAX_WAIT: u64 = 30;

/// Why a request is refused: `{"code": …, "detail": …, "message": …}`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    /// Code and detail.
    #[serde(flatten)]
    pub error: AccountError,
    /// For people.
    pub message: String,
}

impl Refused {
    /// For the wire: what is the account's own trouble is not told.
    pub fn new(error: AccountError) -> Self {
        let error = match error {
            AccountError::Store(_)
            | AccountError::File(_)
            | AccountError::NewerDatabase { .. }
            | AccountError::Insecure { .. }
            | AccountError::Unreachable(_)
            | AccountError::Garbled(_) => AccountError::Unavailable,
            told => told,
        };
        let message = error.to_string();
        Self { error, message }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self.error {
            AccountError::NotAuthenticated
            | AccountError::ClockSkew { .. }
            | AccountError::Replayed
            | AccountError::DeviceUnknown => 401,
            AccountError::NotManager(_)
            | AccountError::NotOwner(_)
            | AccountError::NoVaultAccess(_)
            | AccountError::NotGrantable { .. }
            | AccountError::MirrorReadOnly(_)
            | AccountError::OutsideEnvironment { .. }
            | AccountError::TokenRefused { .. } => 403,
            AccountError::Missing { .. } => 404,
            AccountError::Conflict { .. }
            | AccountError::ConflictUpstream(_)
            | AccountError::NameTaken { .. }
            | AccountError::LastOwner => 409,
            AccountError::TooLarge { .. } => 413,
            AccountError::Invalid(_) | AccountError::RefusedUpstream { .. } => 400,
            _ => 503,
        }
    }
}

/// The answer to `wait`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: u64,
}

#[cfg(test)]
mod tests {
    use sekisho_core::id::{ItemId, UserId, VaultId};

    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn refusals_come_back_as_what_they_were() {
        let rng = &mut SystemRng;
        let errors = [
            AccountError::NotAuthenticated,
            AccountError::LastOwner,
            AccountError::NotManager(UserId::generate(rng)),
            AccountError::NoVaultAccess(VaultId::generate(rng)),
            AccountError::invalid("why"),
            AccountError::missing("item", "x"),
            AccountError::conflict("item", "x", Some(3)),
            AccountError::TooLarge { limit: 7 },
            AccountError::RefusedUpstream { reason: None },
            AccountError::RefusedUpstream {
                reason: Some("the tag is odd".into()),
            },
            AccountError::ConflictUpstream(ItemId::generate(rng)),
        ];
        for error in errors {
            let text = error.to_string();
            let refused = Refused::new(error);
            let json = serde_json::to_string(&refused).unwrap();
            let back: Refused = serde_json::from_str(&json).unwrap();
            assert_eq!(back.error.to_string(), text, "{json}");
            assert_eq!(back.status(), refused.status());
        }
        let inner = Refused::new(AccountError::Store(rusqlite::Error::InvalidQuery));
        let json = serde_json::to_string(&inner).unwrap();
        assert!(json.contains("UNAVAILABLE") && !json.contains("database"));
    }
}
