//! The plug for an edge with no network at all: the published set is part of the component.
//!
//! `sekisho edge build --runtime bundle` proves the whole set and puts it behind this plug. It is read where it lies, so
//! an instance costs no more than what it reads. There is nowhere to write to and nobody to tell of accesses: both are
//! said plainly, by [`Fault::ReadOnly`] and by an activity that is empty.

mod bindings;
mod set;

use std::cell::RefCell;

use sekisho_core::{
    published::{Backed, Published},
    records::{Fault, Records},
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};
use sekisho_plug_exports::{Plug, plug};

use self::set::{Set, Source};

type View = Published<'static, &'static Set>;

/// The set in this component, if it can be read.
struct Bundle(Option<Ready>);

struct Ready {
    set: &'static Set,
    view: RefCell<View>,
}

plug!(Bundle, Bundle::new);

impl Bundle {
    fn new() -> Self {
        Self(Set::open(Source).map(|set| {
            // It lives as long as the instance, of which there is one.
            let set: &'static Set = Box::leak(Box::new(set));
            let view = RefCell::new(Published::new(set, &set.keys));
            Ready { set, view }
        }))
    }
}

impl Backed for Bundle {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        let ready = self.0.as_ref().ok_or(Fault::Unavailable)?;
        what(&*ready.view.borrow())
    }
}

impl Usage for Bundle {
    fn note(&self, _: UsageEvent) {}

    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }
}

impl Plug for Bundle {
    /// The set never changes, but what a request asked for is not kept for the next.
    fn finished(&self) {
        if let Some(ready) = &self.0 {
            *ready.view.borrow_mut() = Published::new(ready.set, &ready.set.keys);
        }
    }
}
