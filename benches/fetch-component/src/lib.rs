//! A guest that asks another server once, reads its answer and then says hello: what one question costs, whatever is asked.

#[path = "../../hello-component/src/bindings.rs"]
mod bindings;
#[path = "../../hello-component/src/hello.rs"]
mod hello;
#[path = "../../../edge-wasm/src/http.rs"]
mod http;

use std::env;

use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    wasi::http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, IncomingBody, IncomingRequest, OutgoingRequest, ResponseOutparam,
            Scheme,
        },
    },
};

/// Names the server that is asked, as `host:port`.
const ASKED: &str = "FETCH_FROM";
const ONE_READ: u64 = 64 * 1024;

struct Yardstick;

impl Guest for Yardstick {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        hello::take_in(&request);
        match ask() {
            Ok(()) => hello::say(out),
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
    }
}

/// As little as can be asked.
fn ask() -> Result<(), ErrorCode> {
    let nobody = |()| ErrorCode::HttpRequestUriInvalid;
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).map_err(nobody)?;
    request
        .set_authority(env::var(ASKED).ok().as_deref())
        .map_err(nobody)?;
    request.set_path_with_query(Some("/")).map_err(nobody)?;
    let answer = outgoing_handler::handle(request, None)?;
    answer.subscribe().block();
    let answered = answer
        .get()
        .and_then(Result::ok)
        .ok_or(ErrorCode::HttpProtocolError)??;
    let broken = |()| ErrorCode::HttpProtocolError;
    let body = answered.consume().map_err(broken)?;
    let stream = body.stream().map_err(broken)?;
    let mut taken = 0;
    while let Ok(piece) = stream.blocking_read(ONE_READ) {
        taken += piece.len();
    }
    // A stream must go before the body it came from.
    drop(stream);
    IncomingBody::finish(body);
    if answered.status() == 200 && taken > 0 {
        Ok(())
    } else {
        Err(ErrorCode::HttpProtocolError)
    }
}
