//! The interface `usage`. What makes no sense as an access is none.

use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    rest::{Action, ActivityQuery, Caller, Usage, UsageEvent, Verdict},
    time::Timestamp,
};

use crate::{Exports, Instance, Plug, bindings::exports::sekisho::vault::usage as wit};

impl<I: Instance> wit::Guest for Exports<I> {
    fn note(event: wit::Event) {
        let Some(mut event) = parse(event) else {
            return;
        };
        I::with(|plug| {
            if !plug.trusts_peers() {
                event.caller.peer = None;
            }
            plug.note(event);
        });
    }

    fn recent(wanted: wit::ActivityQuery) -> wit::ActivityPage {
        let vaults = wanted.vaults.iter();
        let page = I::with(|plug| {
            plug.recent(ActivityQuery {
                vaults: vaults.filter_map(|id| VaultId::parse(id).ok()).collect(),
                offset: wanted.offset,
                limit: wanted.limit,
            })
        });
        wit::ActivityPage {
            total: page.total,
            events: page.events.into_iter().map(event).collect(),
        }
    }

    fn checked(verdict: wit::Verdict) {
        let verdict = match verdict {
            wit::Verdict::Accepted => Verdict::Accepted,
            wit::Verdict::Missing => Verdict::Missing,
            wit::Verdict::Malformed => Verdict::Malformed,
            wit::Verdict::Forged => Verdict::Forged,
            wit::Verdict::OtherServer => Verdict::OtherServer,
            wit::Verdict::NotSynchronised => Verdict::NotSynchronised,
            wit::Verdict::Revoked => Verdict::Revoked,
            wit::Verdict::Expired => Verdict::Expired,
            wit::Verdict::Unavailable => Verdict::Unavailable,
        };
        I::with(|plug| plug.checked(verdict));
    }
}

fn parse(event: wit::Event) -> Option<UsageEvent> {
    Some(UsageEvent {
        token: TokenId::parse(&event.token).ok()?,
        action: match event.action {
            wit::Action::Read => Action::Read,
            wit::Action::Create => Action::Create,
            wit::Action::Update => Action::Update,
            wit::Action::Delete => Action::Delete,
        },
        allowed: event.allowed,
        vault: VaultId::parse(&event.vault).ok()?,
        item: event.item.as_deref().map(ItemId::parse).transpose().ok()?,
        item_version: event.item_version,
        at: Timestamp::from_millis(event.at),
        caller: Caller {
            request_id: event.request_id,
            user_agent: event.user_agent,
            peer: event.peer.parse().ok(),
        },
    })
}

fn event(event: UsageEvent) -> wit::Event {
    wit::Event {
        token: event.token.as_str().to_owned(),
        action: match event.action {
            Action::Read => wit::Action::Read,
            Action::Create => wit::Action::Create,
            Action::Update => wit::Action::Update,
            Action::Delete => wit::Action::Delete,
        },
        allowed: event.allowed,
        vault: event.vault.as_str().to_owned(),
        item: event.item.map(|item| item.as_str().to_owned()),
        item_version: event.item_version,
        at: event.at.millis(),
        request_id: event.caller.request_id,
        user_agent: event.caller.user_agent,
        peer: event
            .caller
            .peer
            .map(|peer| peer.to_string())
            .unwrap_or_default(),
    }
}
