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
use sekisho_plug_exports::{KeptAnswers, Plug, plug};

use self::set::Set;

/// Bytes of answers that an instance keeps at most.
const KEPT: usize = 128 * 1024;

/// The set in this component, and answers from it.
struct Bundle {
    set: RefCell<Published<'static, Set>>,
    kept: RefCell<KeptAnswers>,
}

plug!(Bundle, Bundle::new);

impl Bundle {
    fn new() -> Self {
        Self {
            set: RefCell::new(Published::proven(Set)),
            kept: RefCell::new(KeptAnswers::new(KEPT)),
        }
    }
}

impl Backed for Bundle {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        what(&*self.set.borrow())
    }
}

impl Usage for Bundle {
    fn note(&self, _: UsageEvent) {}

    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }
}

/// The set never changes, so nothing ends with a request.
impl Plug for Bundle {
    fn kept(&self) -> Option<&RefCell<KeptAnswers>> {
        Some(&self.kept)
    }
}
