//! Accesses as the interface `usage` spells them, and back: for whoever gives the interface or uses it (included as
//! `records.rs` beside it is).

use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    rest::{Action, Caller, UsageEvent},
    time::Timestamp,
};

use super::wit;

/// What makes no sense as an access is none.
pub(super) fn parse(event: wit::Event) -> Option<UsageEvent> {
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

/// An access as the interface spells it.
pub(super) fn print(event: UsageEvent) -> wit::Event {
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
