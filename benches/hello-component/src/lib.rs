//! A guest that only says hello, carried as the edge component is: what carrying alone costs.

mod bindings;
#[path = "../../../edge-wasm/src/http.rs"]
mod http;

use std::convert::Infallible;

use ::http::Response;
use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    wasi::http::types::{IncomingRequest, ResponseOutparam},
};

struct Hello;

impl Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let _ = http::receive(request, 0);
        let (head, ()) = Response::new(()).into_parts();
        let mut body = Some(b"hello");
        http::send(out, head, || Ok::<_, Infallible>(body.take()));
    }
}

