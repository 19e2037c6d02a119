//! The WIT imports `sekisho:vault/usage` and `request` on a [`Link`].

#[path = "../../../../wit/convert/usage.rs"]
mod convert;
#[path = "../../../../wit/convert/event.rs"]
mod event;

use sekisho_core::rest::Usage;

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

impl request::Host for Link {
    /// A sandbox answers one request and is gone, with all it held.
    fn finished(&mut self) {}
}
