//! The export `sekisho:vault/exchange`: a request and its answer as values, for a runtime that has them at hand.
//!
//! What is opened leaves in a value that the generated glue frees and does not wipe: whoever calls this takes an instance
//! for each request, so that its memory goes with it. The handler of `wasi:http` wipes.

use std::mem;

use ::http::{Method, Request, Uri};
use sekisho_core::{
    rest::{self, Before, Ports},
    time::Timestamp,
};

use crate::{
    Edge,
    bindings::exports::sekisho::vault::exchange::{self as wit, Guest},
    http as carrier, memory,
    records::Imported,
    rng::HostRandom,
    usage::Collected,
};

impl Guest for Edge {
    fn answer(request: wit::Request) -> Result<wit::Response, ()> {
        let (imported, notes) = (Imported::default(), Collected::default());
        let mut ports = Ports {
            records: &imported,
            usage: &notes,
            now: Timestamp::from_millis(request.at),
            rng: &mut HostRandom::Fresh,
        };
        let (request, before) = taken(request).ok_or(())?;
        let (response, kept) = memory::again(&request, before, &mut ports);
        let (head, mut body) = response.into_parts();
        let mut whole = body.take_full().unwrap_or_default();
        while let Some(piece) = body.next_chunk(&imported).map_err(drop)? {
            whole.extend_from_slice(&piece);
        }
        Ok(wit::Response {
            status: head.status.as_u16(),
            headers: carrier::entries(&head.headers)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: mem::take(&mut whole),
            checked: notes.checked.take(),
            accesses: notes.accesses.take(),
            kept: kept.map(memory::words),
        })
    }
}

/// None if the runtime hands out what is no request.
fn taken(given: wit::Request) -> Option<(Request<Vec<u8>>, Before)> {
    let mut request = Request::new(given.body);
    *request.method_mut() = Method::from_bytes(given.method.as_bytes()).ok()?;
    *request.uri_mut() = Uri::try_from(given.target).ok()?;
    *request.headers_mut() = carrier::headers(given.headers, &rest::HEADERS_READ).ok()?;
    Some((request, memory::before(given.before)))
}
