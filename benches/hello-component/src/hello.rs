//! What a guest does that only says hello.

use std::convert::Infallible;

use ::http::{HeaderValue, Response, header};

use crate::{
    bindings::wasi::http::types::{IncomingRequest, ResponseOutparam},
    http,
};

/// Takes the request in, as far as any guest would.
pub(crate) fn take_in(request: &IncomingRequest) {
    if let Ok(head) = http::head(request, &[header::AUTHORIZATION]) {
        let _ = http::body(&head, request, 0);
    }
}

/// Answers.
pub(crate) fn say(out: ResponseOutparam) {
    let (mut head, ()) = Response::new(()).into_parts();
    head.headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
    let mut body = Some(b"hello");
    http::send(out, &head, || Ok::<_, Infallible>(body.take()));
}
