//! The interface `usage`, for whoever gives it (included as `records.rs` beside it is).

use sekisho_core::{
    id::VaultId,
    rest::{ActivityPage, ActivityQuery, Verdict},
};

use super::wit;

/// A vault that does not parse has no accesses.
pub(super) fn query(wanted: &wit::ActivityQuery) -> ActivityQuery {
    let vaults = wanted.vaults.iter();
    ActivityQuery {
        vaults: vaults.filter_map(|id| VaultId::parse(id).ok()).collect(),
        offset: wanted.offset,
        limit: wanted.limit,
    }
}

pub(super) fn page(page: ActivityPage) -> wit::ActivityPage {
    let mut events = Vec::new();
    for event in &page.events {
        event.write(&mut events);
    }
    wit::ActivityPage {
        total: page.total,
        events,
    }
}

pub(super) const fn verdict(verdict: wit::Verdict) -> Verdict {
    match verdict {
        wit::Verdict::Accepted => Verdict::Accepted,
        wit::Verdict::Missing => Verdict::Missing,
        wit::Verdict::Malformed => Verdict::Malformed,
        wit::Verdict::Forged => Verdict::Forged,
        wit::Verdict::OtherServer => Verdict::OtherServer,
        wit::Verdict::NotSynchronised => Verdict::NotSynchronised,
        wit::Verdict::Revoked => Verdict::Revoked,
        wit::Verdict::Expired => Verdict::Expired,
        wit::Verdict::Unavailable => Verdict::Unavailable,
    }
}
