//! Answers: JSON, zipped where that is asked for, or CBOR, or nothing.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, StatusCode, header, request::Parts};
use http_body_util::Full;
use serde::Serialize;

use super::super::{CBOR, Refused};
use crate::AccountError;

/// What hyper sends.
pub(super) type Answer = http::Response<Full<Bytes>>;

/// Shorter answers are not worth zipping.
const WORTH: usize = 1024;

pub(super) fn json(value: &impl Serialize) -> Result<Answer, AccountError> {
    let body = serde_json::to_vec(value).map_err(|_| AccountError::Unavailable)?;
    Ok(with(StatusCode::OK, "application/json", body.into()))
}

pub(super) fn bytes(body: Vec<u8>) -> Answer {
    with(StatusCode::OK, "application/octet-stream", body.into())
}

/// JSON that is always the same.
pub(super) fn document(json: &'static str) -> Answer {
    with(
        StatusCode::OK,
        "application/json",
        Bytes::from_static(json.as_bytes()),
    )
}

pub(super) fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

pub(super) fn refused(refused: Refused) -> Answer {
    let status = StatusCode::from_u16(refused.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = serde_json::to_vec(&refused).unwrap_or_default();
    with(status, "application/json", body.into())
}

fn with(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut answer = Answer::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// In what a client takes a page of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Ciphertext as it is: as small as zipped JSON, for a tenth of the work.
    Cbor,
    Zipped,
    Plain,
}

impl Form {
    pub(super) fn wanted(head: &Parts) -> Self {
        let names = |name, what| {
            let mut values = head.headers.get_all(name).iter();
            values.any(|value| value.to_str().is_ok_and(|value| value.contains(what)))
        };
        if names(header::ACCEPT, CBOR) {
            Self::Cbor
        } else if names(header::ACCEPT_ENCODING, "gzip") {
            Self::Zipped
        } else {
            Self::Plain
        }
    }
}

/// A large value. It takes a while to write: not on a thread that others need.
pub(super) fn large(value: &impl Serialize, form: Form) -> Result<Answer, AccountError> {
    match form {
        Form::Cbor => {
            let mut body = Vec::new();
            ciborium::into_writer(value, &mut body).map_err(|_| AccountError::Unavailable)?;
            Ok(with(StatusCode::OK, CBOR, body.into()))
        }
        Form::Zipped => zipped(value),
        Form::Plain => json(value),
    }
}

/// Ciphertext hardly shrinks, its base64 does: by a quarter.
fn zipped(value: &impl Serialize) -> Result<Answer, AccountError> {
    let body = serde_json::to_vec(value).map_err(|_| AccountError::Unavailable)?;
    if body.len() < WORTH {
        return Ok(with(StatusCode::OK, "application/json", body.into()));
    }
    let mut zip = GzEncoder::new(Vec::with_capacity(body.len()), Compression::fast());
    let zip = zip.write_all(&body).and_then(|()| zip.finish());
    let zip = zip.map_err(|_| AccountError::Unavailable)?;
    let mut answer = with(StatusCode::OK, "application/json", zip.into());
    answer
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(answer)
}
