//! The WebAssembly component that carries HTTP in and out of `sekisho-core`.
//!
//! It decides nothing: a request comes in, [`sekisho_core::rest::answer`] answers it from the imports, the answer goes
//! out. An instance may live for many requests, so nothing of a request is kept in a static.

mod bindings;
mod exchange;
mod http;
mod memory;
mod records;
mod rng;
mod usage;

use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    sekisho::vault::request as course,
    wasi::http::types::{ErrorCode, IncomingRequest, ResponseOutparam},
};
use rng::HostRandom;
use sekisho_core::rest::{self, Intake, Ports, Upload};
use usage::Collected;

struct Edge;

impl Guest for Edge {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let notes = Collected::default();
        match answer(&request, &notes) {
            Ok(response) => {
                // First: whoever goes away in the middle of an answer has seen some of it.
                notes.tell();
                let (head, mut body) = response.into_parts();
                let records = records::Imported::default();
                http::send(out, &head, || body.next_chunk(&records));
            }
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
        course::finished();
    }
}

fn answer(request: &IncomingRequest, notes: &Collected) -> Result<rest::Response, ErrorCode> {
    let mut head = http::head(request, &rest::HEADERS_READ)?;
    rest::name(head.headers_mut(), &mut HostRandom::Ahead);
    let imported = records::Imported::default();
    let mut ports = Ports {
        records: &imported,
        usage: notes,
        now: records::now(),
        rng: &mut HostRandom::Fresh,
    };
    match rest::intake(&head, &mut ports) {
        // One byte more than is taken: core sees that it is too much and says so.
        Intake::Whole(limit) => {
            let body = http::body(&head, request, limit + 1)?;
            Ok(memory::answer(&head.map(|()| body), &imported, &mut ports))
        }
        Intake::Pieces(upload) => Ok(take_in(*upload, request, &mut ports)),
        Intake::Answered(response) => Ok(*response),
    }
}

/// Hands a file's content on as it comes; the first piece that is refused ends it.
fn take_in(
    mut upload: Upload<'_>,
    request: &IncomingRequest,
    ports: &mut Ports<'_>,
) -> rest::Response {
    let mut refused = None;
    let taken = http::pieces(request, u64::MAX, |piece| {
        refused = upload.push(&piece, ports).err();
        refused.is_none()
    });
    match (refused, taken) {
        (Some(refusal), _) => upload.refuse(&refusal),
        (None, Ok(())) => upload.finish(ports),
        // The content broke off: the client's doing, and it may still be there to be told.
        (None, Err(_)) => upload.broken(),
    }
}
