//! The plug for an edge with no network at all: the published set is part of the component.
//!
//! `sekisho edge build --runtime bundle` proves the whole set and puts it behind this plug. It is read where it lies, so
//! an instance costs no more than what it reads. There is nowhere to write to and nobody to tell of accesses: both are
//! said plainly, by [`Fault::ReadOnly`] and by an activity that is empty.

mod bindings;
#[cfg(target_family = "wasm")]
#[path = "../../../component/src/mute.rs"]
mod mute;
mod set;

use std::cell::RefCell;

use sekisho_core::{
    published::{Backed, Published},
    records::{Fault, Records},
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};
use sekisho_plug_exports::{Plug, plug};

use self::set::Set;

/// The set in this component.
struct Bundle(RefCell<Published<'static, Set>>);

plug!(Bundle, Bundle::new);

impl Bundle {
    const fn new() -> Self {
        Self(RefCell::new(Published::proven(Set)))
    }
}

impl Backed for Bundle {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        what(&*self.0.borrow())
    }
}

impl Usage for Bundle {
    fn note(&self, _: UsageEvent) {}

    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }
}

/// The set never changes, so nothing ends with a request.
impl Plug for Bundle {}
