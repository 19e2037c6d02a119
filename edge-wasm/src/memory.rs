//! Answers that are kept, sealed for their bearers, where an instance answers many requests (ADR 25). The runtime has them:
//! nothing of a request stays here.

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
    let Some(Name([high, low])) = name else {
        return rest::answer(request, ports);
    };
    let name = wit::Name { high, low };
    let (remembered, head) = wit::recall(name);
    let before = before(remembered);
    imported.has_head(head);
    let is_news = matches!(before, Before::Never);
    let (response, kept) = rest::answer_again(request, before, ports);
    if kept.is_some() || (is_news && rest::is_worth_remembering(response.status())) {
        wit::keep(name, kept.map(Kept::into_bytes).as_deref());
    }
    response
}

/// What a runtime says that it remembers.
pub(crate) fn before(before: wit::Before) -> Before {
    match before {
        wit::Before::Never => Before::Never,
        wit::Before::Answered => Before::Answered,
        wit::Before::Kept(bytes) => Before::Kept(Kept::from_bytes(bytes)),
    }
}
