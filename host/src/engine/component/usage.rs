//! The WIT imports `sekisho:vault/usage` and `request` on a [`Link`].

#[path = "../../../../wit/convert/usage.rs"]
mod convert;

use http::HeaderMap;
use sekisho_core::rest::{Caller, Usage, UsageEvent};

use super::bindings::{request, usage as wit};
use crate::engine::link::Link;

impl wit::Host for Link {
    fn note(&mut self, checked: Option<wit::Verdict>, accesses: Vec<u8>) {
        note_all(self, checked, &accesses, |_| {});
    }

    fn recent(&mut self, wanted: wit::ActivityQuery) -> wit::ActivityPage {
        convert::page(Usage::recent(self, convert::query(&wanted)))
    }
}

/// Notes that came with an answer, of whoever asked with these headers.
pub(super) fn note_for(
    link: &Link,
    asked_with: &HeaderMap,
    checked: Option<wit::Verdict>,
    accesses: &[u8],
) {
    note_all(link, checked, accesses, |event| {
        event.caller = Caller::of(asked_with, &event.caller.request_id);
    });
}

fn note_all(
    link: &Link,
    checked: Option<wit::Verdict>,
    accesses: &[u8],
    complete: impl Fn(&mut UsageEvent),
) {
    if let Some(verdict) = checked {
        Usage::checked(link, convert::verdict(verdict));
    }
    // A guest that notes what is no id has nothing to count.
    let events = UsageEvent::split(accesses).filter_map(UsageEvent::read);
    let mut events: Vec<_> = events.collect();
    events.iter_mut().for_each(complete);
    link.backing().note(events);
}

impl request::Host for Link {
    /// What is kept goes in and out with an exchange, the only way on which it is of use.
    fn recall(&mut self, _: request::Name) -> (request::Before, Option<request::Head>) {
        (request::Before::Never, None)
    }

    fn keep(&mut self, _: request::Name, _: Option<Vec<u64>>) {}

    /// A sandbox answers one request and is gone, with all it held.
    fn finished(&mut self) {}
}
