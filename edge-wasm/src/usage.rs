//! The import `sekisho:vault/usage` as core's port.

#[path = "../../wit/convert/event.rs"]
mod event;

use std::cell::{Cell, RefCell};

use sekisho_core::rest::{ActivityPage, ActivityQuery, Usage, UsageEvent, Verdict};

use crate::{bindings::sekisho::vault::usage as wit, records::Imported};

impl Usage for Imported {
    fn note(&self, event: UsageEvent) {
        wit::note(&event::print(event));
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        recent(&wanted)
    }

    fn checked(&self, verdict: Verdict) {
        wit::checked(print(verdict));
    }
}

fn recent(wanted: &ActivityQuery) -> ActivityPage {
    let vaults = wanted.vaults.iter();
    let page = wit::recent(&wit::ActivityQuery {
        vaults: vaults.map(|id| id.as_str().to_owned()).collect(),
        offset: wanted.offset,
        limit: wanted.limit,
    });
    ActivityPage {
        total: page.total,
        events: page.events.into_iter().filter_map(event::parse).collect(),
    }
}

fn print(verdict: Verdict) -> wit::Verdict {
    match verdict {
        Verdict::Accepted => wit::Verdict::Accepted,
        Verdict::Missing => wit::Verdict::Missing,
        Verdict::Malformed => wit::Verdict::Malformed,
        Verdict::Forged => wit::Verdict::Forged,
        Verdict::OtherServer => wit::Verdict::OtherServer,
        Verdict::NotSynchronised => wit::Verdict::NotSynchronised,
        Verdict::Revoked => wit::Verdict::Revoked,
        Verdict::Expired => wit::Verdict::Expired,
        Verdict::Unavailable => wit::Verdict::Unavailable,
    }
}

/// Notes that go out with the answer instead of in calls of their own.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) checked: Cell<Option<wit::Verdict>>,
    pub(crate) accesses: RefCell<Vec<wit::Event>>,
}

impl Usage for Collected {
    fn note(&self, event: UsageEvent) {
        self.accesses.borrow_mut().push(event::print(event));
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        recent(&wanted)
    }

    fn checked(&self, verdict: Verdict) {
        self.checked.set(Some(print(verdict)));
    }
}
