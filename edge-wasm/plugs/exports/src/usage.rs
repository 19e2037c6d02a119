//! The interface `usage`.

#[path = "../../../../wit/convert/usage.rs"]
mod convert;

use sekisho_core::rest::{Usage, UsageEvent};

use crate::{Exports, Instance, Plug, bindings::exports::sekisho::vault::usage as wit};

impl<I: Instance> wit::Guest for Exports<I> {
    fn note(checked: Option<wit::Verdict>, accesses: Vec<u8>) {
        I::with(|plug| {
            if let Some(verdict) = checked {
                plug.checked(convert::verdict(verdict));
            }
            for access in UsageEvent::split(&accesses) {
                let mut access = access.to_vec();
                if !plug.trusts_peers() {
                    UsageEvent::hide_peer(&mut access);
                }
                plug.note_written(access);
            }
        });
    }

    fn recent(wanted: wit::ActivityQuery) -> wit::ActivityPage {
        let wanted = convert::query(&wanted);
        convert::page(I::with(|plug| plug.recent(wanted)))
    }
}
