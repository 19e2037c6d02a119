//! The import `sekisho:vault/usage` as core's port.

#[path = "../../wit/convert/event.rs"]
mod event;

use sekisho_core::rest::{ActivityPage, ActivityQuery, Usage, UsageEvent, Verdict};

use crate::{bindings::sekisho::vault::usage as wit, records::Imported};

impl Usage for Imported {
    fn note(&self, event: UsageEvent) {
        wit::note(&event::print(event));
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        let page = wit::recent(&wit::ActivityQuery {
            vaults: wanted
                .vaults
                .iter()
                .map(|id| id.as_str().to_owned())
                .collect(),
            offset: wanted.offset,
            limit: wanted.limit,
        });
        ActivityPage {
            total: page.total,
            events: page.events.into_iter().filter_map(event::parse).collect(),
        }
    }

    fn checked(&self, verdict: Verdict) {
        wit::checked(match verdict {
            Verdict::Accepted => wit::Verdict::Accepted,
            Verdict::Missing => wit::Verdict::Missing,
            Verdict::Malformed => wit::Verdict::Malformed,
            Verdict::Forged => wit::Verdict::Forged,
            Verdict::OtherServer => wit::Verdict::OtherServer,
            Verdict::NotSynchronised => wit::Verdict::NotSynchronised,
            Verdict::Revoked => wit::Verdict::Revoked,
            Verdict::Expired => wit::Verdict::Expired,
            Verdict::Unavailable => wit::Verdict::Unavailable,
        });
    }
}
