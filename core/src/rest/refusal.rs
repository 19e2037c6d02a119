//! The one table from errors to answers (invariant 6): every refusal leaves through [`Refusal`].
//!
//! Texts are the vendor's where they are known (connect-contract.md §3). `code`, `requestId` and `hint` are our
//! additions; no client minds further members.

use alloc::{borrow::Cow, format, string::String};

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use crate::{
    cipher::OpenError,
    id::{FileId, ItemId, VaultId},
    item::ItemError,
    records::Fault,
    reference::ReferenceError,
    token::{AccessError, TokenError},
};

/// A refusal: what the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: StatusCode,
    message: Cow<'static, str>,
    code: &'static str,
    hint: Option<&'static str>,
    extra: Extra,
}

/// The one header that a kind of refusal may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    None,
    RetryAfter(u16),
    Allow(&'static str),
    Size(u64),
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    status: u16,
    message: &'a str,
    code: &'a str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Refusal {
    /// A refusal with this status, text and machine-readable code.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            message: message.into(),
            code,
            hint: None,
            extra: Extra::None,
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Says after how many seconds it may be otherwise.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u16) -> Self {
        self.extra = Extra::RetryAfter(seconds);
        self
    }

    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self.extra {
            Extra::None => None,
            Extra::RetryAfter(seconds) => Some((header::RETRY_AFTER, HeaderValue::from(seconds))),
            Extra::Size(size) => {
                let range = HeaderValue::from_str(&format!("bytes */{size}")).ok()?;
                Some((header::CONTENT_RANGE, range))
            }
            Extra::Allow(methods) => Some((header::ALLOW, HeaderValue::from_static(methods))),
        }
    }

    /// The body's members, for an answer that holds several.
    pub(super) fn to_value(&self, request_id: &str) -> Value {
        serde_json::from_slice(&self.to_bytes(request_id)).unwrap_or_default()
    }

    pub(super) fn to_bytes(&self, request_id: &str) -> alloc::vec::Vec<u8> {
        let body = ErrorBody {
            status: self.status.as_u16(),
            message: &self.message,
            code: self.code,
            request_id,
            hint: self.hint,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    pub(super) fn bad_id(what: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_id",
            format!("Invalid {what} UUID"),
        )
        .hint("an id has 26 lower-case letters and digits; find names with ?filter=title eq \"…\"")
    }

    /// There is no such path.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_route", "Not found")
            .hint("the API lives under /v1; see /openapi.json")
    }

    /// There is such a path, but not for this method.
    pub fn method(allowed: &'static str) -> Self {
        let mut refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
        );
        refusal.extra = Extra::Allow(allowed);
        refusal
    }

    pub(super) fn filter(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_filter", format!("Invalid filter: {reason}"))
            .hint("write e.g. title eq \"My Item\", percent-encoded; & and # in a value must be encoded too")
    }

    pub(super) fn query(name: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            format!("Invalid query parameter {name}"),
        )
    }

    pub(super) fn body(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_body", reason)
    }

    pub(super) fn body_too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("Request body is larger than {limit} bytes"),
        )
    }

    pub(super) fn batch_full() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "batch_full",
            "The answer to the batch is full",
        )
        .hint("ask for fewer at once, or for this one by itself")
    }

    /// The body is not framed as it must be, or its end never came.
    pub fn body_broken() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "body_broken",
            "The request's body is not whole",
        )
    }

    pub(super) fn content_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_type",
            "Unsupported content type",
        )
        .hint("send the item as Content-Type: application/json")
    }

    pub(super) fn raw_body() -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", "Unsupported content type")
            .hint("send the file's bytes as the body, its name as ?name=, e.g. curl --data-binary @key.pem")
    }

    pub(super) fn no_token() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "token_missing",
            "Invalid bearer token",
        )
        .hint("send the header Authorization: Bearer <token>")
    }

    pub(super) fn vault_missing(vault: &VaultId) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "vault_not_found",
            format!("vault {vault} not found"),
        )
    }

    pub(super) fn item_missing(item: &ItemId) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "item_not_found",
            format!("item {item} not found"),
        )
    }

    pub(super) fn file_missing(file: &FileId) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "file_not_found",
            format!("file {file} not found"),
        )
    }

    pub(super) fn too_large_to_inline(vault: &VaultId, item: &ItemId, file: &FileId) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "file_too_large_to_inline",
            format!(
                "File is too large to inline in request. Use the /v1/vaults/{vault}/items/{item}/files/{file}/content endpoint instead."
            ),
        )
    }

    pub(super) fn range(size: u64) -> Self {
        let mut refusal = Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range",
            "The range lies outside the file",
        );
        refusal.extra = Extra::Size(size);
        refusal
    }

    pub(super) fn precondition() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            "The item is not at the version named by If-Match",
        )
        .hint("read the item again and decide on its new content")
    }

    pub(super) fn stale() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stale",
            "The account has not been reached for longer than this server may serve without it",
        )
        .hint("see /health for the age; max-stale sets the limit")
        .retry_after(10)
    }

    /// The vault is not the token's, or not for this.
    pub(super) fn access(error: AccessError, verb: &'static str, vault: &VaultId) -> Self {
        match error {
            AccessError::OutOfScope => Self::new(
                StatusCode::FORBIDDEN,
                "vault_out_of_scope",
                format!("Authorization: token does not have access to vault {vault}"),
            ),
            AccessError::NotPermitted => Self::new(
                StatusCode::FORBIDDEN,
                "not_permitted",
                format!(
                    "Authorization: token does not have permission to perform {verb} on vault {vault}"
                ),
            ),
            AccessError::Damaged => Self::damaged(),
        }
    }

    pub(super) fn vault_unknown() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "vault_not_found",
            "the token has no vault of that name or id",
        )
    }

    pub(super) fn item_unknown() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "item_not_found",
            "the vault has no item of that title or id",
        )
    }

    /// Something sealed does not open: tampered with or damaged. The client learns no more than the vendor's text.
    pub(super) fn damaged() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "damaged",
            "Something went wrong",
        )
        .hint("a sealed record does not open: see the server's log and synchronise again")
    }

    /// A fault of reading a vault's record or list.
    pub(super) fn of_vault(fault: Fault, vault: &VaultId) -> Self {
        match fault {
            Fault::Missing => Self::vault_missing(vault),
            fault => Self::fault(fault),
        }
    }

    /// A fault of reading or writing an item.
    pub(super) fn of_item(fault: Fault, item: &ItemId) -> Self {
        match fault {
            Fault::Missing => Self::item_missing(item),
            fault => Self::fault(fault),
        }
    }

    /// A fault that no handler gave a meaning of its own.
    pub(super) fn fault(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::no_route(),
            Fault::Denied => Self::new(
                StatusCode::FORBIDDEN,
                "denied",
                "Authorization: the account refused the request",
            ),
            Fault::Conflict => Self::new(StatusCode::CONFLICT, "conflict", "Conflict")
                .hint("the item changed meanwhile: read it again"),
            Fault::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The item is too large",
            ),
            Fault::NotSynchronised => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_synchronised",
                "failed to initiate, review service logs for details",
            )
            .hint("nothing has been synchronised yet; see /health")
            .retry_after(1),
            Fault::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The account cannot be reached",
            )
            .hint("nothing was changed; try again")
            .retry_after(5),
            Fault::ReadOnly => Self::new(
                StatusCode::NOT_IMPLEMENTED,
                "read_only",
                "This server cannot write",
            )
            .hint("send writes to a server that reaches the account"),
            Fault::Mirrored => Self::new(
                StatusCode::FORBIDDEN,
                "mirrored",
                "This vault is mirrored from 1Password for reading only",
            )
            .hint("change the item in 1Password, or run the bridge with --write"),
            Fault::Refused => Self::refused_upstream(None),
        }
    }

    /// 1Password, which is the vault's truth, does not take a write; the reason is its own sentence, if a runtime has it
    /// that may be told. The port carries none (ADR 0017).
    pub fn refused_upstream(reason: Option<&str>) -> Self {
        const WHAT: &str = "1Password refuses this change of the item";
        let refuse = |message| Self::new(StatusCode::BAD_REQUEST, "refused_upstream", message);
        match reason {
            Some(reason) => refuse(Cow::Owned(format!("{WHAT}: {reason}"))),
            None => refuse(Cow::Borrowed(WHAT)).hint(
                "`sekisho bridge status` shows when and which, and the reason if it can be told",
            ),
        }
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let (code, hint) = match error {
            TokenError::Malformed => (
                "token_malformed",
                "the bearer is not an access token of a Connect server",
            ),
            TokenError::Forged => (
                "token_invalid",
                "the token's signature does not fit this server",
            ),
            TokenError::OtherServer => (
                "token_other_server",
                "the token was made for another Connect server",
            ),
            TokenError::NotSynchronised => (
                "token_not_synchronised",
                "the token is genuine but not known here yet: try again",
            ),
            TokenError::Revoked => ("token_revoked", "the token was revoked: create a new one"),
            TokenError::Expired => ("token_expired", "the token has expired: create a new one"),
            TokenError::Records(fault) => return Self::fault(fault),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, "Invalid bearer token").hint(hint)
    }
}

impl From<ItemError> for Refusal {
    fn from(error: ItemError) -> Self {
        let text: String = format!("{error}");
        match error {
            ItemError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "item_too_large", text),
            ItemError::NotCreatable(_) => Self::new(StatusCode::BAD_REQUEST, "category_not_creatable", text),
            ItemError::Patch { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid_patch", text)
                .hint("a patch is an array of {op, path, value}; fields are addressed as /fields/<id>/value"),
            ItemError::NotJson { .. } | ItemError::DuplicateMember => Self::new(StatusCode::BAD_REQUEST, "invalid_json", text),
            _ => Self::new(StatusCode::BAD_REQUEST, "invalid_item", text),
        }
    }
}

impl From<ReferenceError> for Refusal {
    fn from(error: ReferenceError) -> Self {
        let text = format!("{error}");
        match error {
            ReferenceError::NotFound => {
                Self::new(StatusCode::NOT_FOUND, "reference_not_found", text)
            }
            ReferenceError::Ambiguous { .. } => {
                Self::new(StatusCode::CONFLICT, "ambiguous_reference", text)
            }
            _ => Self::new(StatusCode::BAD_REQUEST, "invalid_reference", text),
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(_: OpenError) -> Self {
        Self::damaged()
    }
}
