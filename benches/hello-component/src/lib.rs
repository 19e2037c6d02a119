//! A guest that only says hello, carried as the edge component is: what carrying alone costs.

mod bindings;
mod hello;
#[path = "../../../edge-wasm/src/http.rs"]
mod http;

use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    wasi::http::types::{IncomingRequest, ResponseOutparam},
};

struct Yardstick;

impl Guest for Yardstick {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        hello::take_in(&request);
        hello::say(out);
    }
}
