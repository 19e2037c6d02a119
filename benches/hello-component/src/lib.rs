//! A guest that only says hello, carried as the edge component is: what carrying alone costs.

mod bindings;
#[path = "../../../edge-wasm/src/http.rs"]
mod http;

use std::convert::Infallible;

use ::http::{HeaderValue, Response, header};
use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    wasi::http::types::{IncomingRequest, ResponseOutparam},
};

struct Hello;

impl Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        if let Ok(head) = http::head(&request, &[header::AUTHORIZATION]) {
            let _ = http::body(&head, &request, 0);
        }
        let (mut head, ()) = Response::new(()).into_parts();
        head.headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        let mut body = Some(b"hello");
        http::send(out, &head, || Ok::<_, Infallible>(body.take()));
    }
}
