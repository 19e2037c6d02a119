//! What the host itself refuses; the shape is core's (invariant 6).

use std::sync::OnceLock;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use sekisho_core::rest::{self, Refusal};

use crate::{
    engine::AnswerBody,
    random::{CoreRng, Random},
};

/// An answer that refuses.
pub(crate) fn refuse(refusal: &Refusal, random: &dyn Random) -> Response<AnswerBody> {
    refuse_named(refusal, None, random)
}

/// An answer that refuses a request with an id of the client's.
pub(crate) fn refuse_named(
    refusal: &Refusal,
    id: Option<HeaderValue>,
    random: &dyn Random,
) -> Response<AnswerBody> {
    let mut request = Request::new(());
    if let Some(id) = id {
        request.headers_mut().insert(rest::REQUEST_ID_HEADER, id);
    }
    let id = rest::request_id(&request, &mut CoreRng(random));
    whole(rest::refuse(refusal, &id))
}

/// A refused write with the reason, which core did not hear of.
pub(crate) fn explained(
    response: Response<AnswerBody>,
    reason: &OnceLock<String>,
    random: &dyn Random,
) -> Response<AnswerBody> {
    match reason.get() {
        Some(reason) if response.status() == StatusCode::BAD_REQUEST => {
            let id = response.headers().get(rest::REQUEST_ID_HEADER).cloned();
            refuse_named(&Refusal::refused_upstream(Some(reason)), id, random)
        }
        _ => response,
    }
}

/// Core's answer whose body is all there.
pub(crate) fn whole(response: rest::Response) -> Response<AnswerBody> {
    response.map(|mut body| {
        AnswerBody::Whole(body.take_full().map_or_else(Bytes::new, Bytes::from_owner))
    })
}

/// The same as bytes on the wire, for when there is no request to answer; the connection ends with it.
pub(crate) fn wire(refusal: &Refusal, random: &dyn Random) -> Bytes {
    let (mut head, body) = refuse(refusal, random).into_parts();
    head.headers
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut out = BytesMut::new();
    let reason = head.status.canonical_reason().unwrap_or_default();
    out.put_slice(format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).as_bytes());
    for (name, value) in &head.headers {
        out.put_slice(name.as_str().as_bytes());
        out.put_slice(b": ");
        out.put_slice(value.as_bytes());
        out.put_slice(b"\r\n");
    }
    out.put_slice(b"\r\n");
    if let AnswerBody::Whole(body) = body {
        out.put_slice(&body);
    }
    out.freeze()
}

/// Connect's words for what is our fault.
pub(crate) fn broken(random: &dyn Random) -> Response<AnswerBody> {
    let broken = Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "broken",
        "Something went wrong",
    );
    refuse(&broken, random)
}

/// Too much at once.
pub(crate) fn busy() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "The server is busy, try again",
    )
    .retry_after(1)
}

/// The disk takes nothing.
pub(crate) fn replica_behind() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "replica_not_written",
        "This server's disk takes no data, so nothing can be written",
    )
    .hint("nothing was changed; is the disk full? Reads go on; see the server's log")
    .retry_after(15)
}

/// Too many at once who want to be told of changes.
pub(crate) fn too_many_streams() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too_many_streams",
        "Too many event streams are open",
    )
    .hint("close one, or ask again later; lists with If-None-Match tell of changes too")
    .retry_after(5)
}

/// The request's body does not come.
pub(crate) fn slow_body() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_timeout",
        "The request's body took too long",
    )
}

/// The request's body is larger than is taken.
pub(crate) fn large_body() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("Request body is larger than {} bytes", rest::MAX_BODY),
    )
}

/// What is no HTTP request that we take, by the status that hyper gave it.
pub(crate) fn malformed(status: StatusCode) -> Refusal {
    let (code, message) = match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ("header_too_large", "The request's header is too large")
        }
        StatusCode::URI_TOO_LONG => ("uri_too_long", "The request's path is too long"),
        _ => ("malformed_request", "The request is not HTTP/1.1"),
    };
    Refusal::new(status, code, message)
}
