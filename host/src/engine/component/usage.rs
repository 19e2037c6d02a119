//! The WIT imports `sekisho:vault/usage` and `request` on a [`Link`].

#[path = "../../../../wit/convert/usage.rs"]
mod convert;
#[path = "../../../../wit/convert/event.rs"]
mod event;

use http::HeaderMap;
use sekisho_core::rest::{Caller, Usage};

use super::bindings::{request, usage as wit};
use crate::engine::link::Link;

impl wit::Host for Link {
    fn note(&mut self, event: wit::Event) {
        // A guest that notes what is no id has nothing to count.
        if let Some(event) = event::parse(event) {
            Usage::note(self, event);
        }
    }

    fn recent(&mut self, wanted: wit::ActivityQuery) -> wit::ActivityPage {
        convert::page(Usage::recent(self, convert::query(&wanted)))
    }

    fn checked(&mut self, verdict: wit::Verdict) {
        Usage::checked(self, convert::verdict(verdict));
    }
}

/// Notes that came with an answer, of whoever asked with these headers.
pub(super) fn note_all(
    link: &Link,
    asked_with: &HeaderMap,
    checked: Option<wit::Verdict>,
    accesses: Vec<wit::Event>,
) {
    if let Some(verdict) = checked {
        Usage::checked(link, convert::verdict(verdict));
    }
    for mut event in accesses.into_iter().filter_map(event::parse) {
        event.caller = Caller::of(asked_with, &event.caller.request_id);
        Usage::note(link, event);
    }
}

impl request::Host for Link {
    /// A sandbox answers one request and is gone, with all it held.
    fn finished(&mut self) {}
}
