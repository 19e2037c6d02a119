//! The import `sekisho:vault/usage` as core's port.

use std::cell::{Cell, RefCell};

use sekisho_core::rest::{ActivityPage, ActivityQuery, Usage, UsageEvent, Verdict};

use crate::bindings::sekisho::vault::usage as wit;

fn recent(wanted: &ActivityQuery) -> ActivityPage {
    let vaults = wanted.vaults.iter();
    let page = wit::recent(&wit::ActivityQuery {
        vaults: vaults.map(|id| id.as_str().to_owned()).collect(),
        offset: wanted.offset,
        limit: wanted.limit,
    });
    ActivityPage {
        total: page.total,
        events: UsageEvent::split(&page.events)
            .filter_map(UsageEvent::read)
            .collect(),
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

/// Notes of one request, which the runtime gets together: each call costs.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) checked: Cell<Option<wit::Verdict>>,
    pub(crate) accesses: RefCell<Vec<u8>>,
}

impl Collected {
    /// Tells the runtime.
    pub(crate) fn tell(self) {
        wit::note(self.checked.take(), &self.accesses.take());
    }
}

impl Usage for Collected {
    fn note(&self, event: UsageEvent) {
        event.write(&mut self.accesses.borrow_mut());
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        recent(&wanted)
    }

    fn checked(&self, verdict: Verdict) {
        self.checked.set(Some(print(verdict)));
    }
}
