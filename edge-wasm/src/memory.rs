//! Answers that are kept, sealed for their bearers, where an instance answers many requests (ADR 25). The runtime has them:
//! nothing of a request stays here.

#[path = "../../wit/convert/words.rs"]
mod convert;

use std::cell::Cell;

use ::http::Request;
use sekisho_core::rest::{self, Before, Kept, Name, Ports, Response};

use crate::{bindings::sekisho::vault::request as wit, records::Imported};

thread_local! {
    static HAS_ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// Answers, from what is kept if anything is.
pub(crate) fn answer(
    request: &Request<Vec<u8>>,
    imported: &Imported,
    ports: &mut Ports<'_>,
) -> Response {
    // The first request of an instance finds nothing, and may well be the only one.
    let name = if HAS_ANSWERED.replace(true) {
        Name::of(request.method(), request.uri(), request.headers())
    } else {
        None
    };
    let Some(Name { bearer, target }) = name else {
        return again(request, Before::Never, ports).0;
    };
    let name = wit::Name { bearer, target };
    let (remembered, head) = wit::recall(name);
    let before = before(remembered);
    imported.has_head(head);
    let is_news = matches!(before, Before::Never);
    let (response, kept) = again(request, before, ports);
    if kept.is_some() || (is_news && rest::is_worth_remembering(response.status())) {
        wit::keep(name, kept.map(words).as_deref());
    }
    response
}

/// One copy of what is compiled for speed here.
#[inline(never)]
pub(crate) fn again(
    request: &Request<Vec<u8>>,
    before: Before,
    ports: &mut Ports<'_>,
) -> (Response, Option<Kept>) {
    rest::answer_again(request, before, ports)
}

/// What a runtime says that it remembers.
pub(crate) fn before(before: wit::Before) -> Before {
    match before {
        wit::Before::Never => Before::Never,
        wit::Before::Answered => Before::Answered,
        wit::Before::Kept(words) => Before::Kept(Kept::from_bytes(convert::to_bytes(&words))),
    }
}

/// As it crosses to the runtime.
pub(crate) fn words(kept: Kept) -> Vec<u64> {
    convert::to_words(&kept.into_bytes())
}
