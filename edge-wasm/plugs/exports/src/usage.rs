//! The interface `usage`.

#[path = "../../../../wit/convert/usage.rs"]
mod convert;
#[path = "../../../../wit/convert/event.rs"]
mod event;

use sekisho_core::rest::Usage;

use crate::{Exports, Instance, Plug, bindings::exports::sekisho::vault::usage as wit};

impl<I: Instance> wit::Guest for Exports<I> {
    fn note(event: wit::Event) {
        let Some(mut event) = event::parse(event) else {
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
        let wanted = convert::query(&wanted);
        convert::page(I::with(|plug| plug.recent(wanted)))
    }

    fn checked(verdict: wit::Verdict) {
        I::with(|plug| plug.checked(convert::verdict(verdict)));
    }
}
