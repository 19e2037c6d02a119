//! The rest of the interface `usage`, for whoever gives it (included as `records.rs` beside it is; `event` is too).

use sekisho_core::{
    id::VaultId,
    rest::{ActivityPage, ActivityQuery, Verdict},
};

use super::{event, wit};

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
    wit::ActivityPage {
        total: page.total,
        events: page.events.into_iter().map(event::print).collect(),
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
