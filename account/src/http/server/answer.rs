//! Answers: JSON, zipped where that is asked for, or nothing.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, StatusCode, header, request::Parts};
use http_body_util::Full;
use serde::Serialize;

use super::super::Refused;
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

/// The same value, zipped if the client takes that. Ciphertext hardly shrinks, its base64 does: by a quarter.
pub(super) fn zipped(head: &Parts, value: &impl Serialize) -> Result<Answer, AccountError> {
    let body = serde_json::to_vec(value).map_err(|_| AccountError::Unavailable)?;
    let accepts = head.headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok());
    if body.len() < WORTH || !accepts.any(|value| value.contains("gzip")) {
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
