//! What a plug is made of: an implementation of core's ports becomes the exports that the edge component imports.
//!
//! A plug names its type in [`plug!`] and is done. It lives as long as its instance, which may answer many requests, one
//! after the other; [`Plug::finished`] says where one ends. It holds sealed bytes only, as whatever implements
//! [`Records`] does (invariant 3).

#[doc(hidden)]
pub mod bindings;
mod cache;
#[cfg(target_family = "wasm")]
#[path = "../../../component/src/heap.rs"]
mod heap;
mod records;
mod usage;
#[path = "../../../../wit/convert/words.rs"]
mod words;

use std::{cell::RefCell, marker::PhantomData};

use bindings::exports::sekisho::vault::{self, request};
use sekisho_core::{
    records::Records,
    rest::{Name, Usage, UsageEvent},
};

pub use cache::Cache;

/// Answers by name.
pub type KeptAnswers = Cache<Name>;

/// Sealed records from somewhere, and a place for notes of accesses.
pub trait Plug: Records + Usage {
    /// The answer is out: the next call belongs to another request.
    fn finished(&self) {}

    /// Whether what the header `x-sekisho-peer` says is the word of a proxy in front and not a client's own. Runtimes that
    /// are not ours let it through as it comes, so unless somebody says so it is not.
    fn trusts_peers(&self) -> bool {
        false
    }

    /// Notes an access as [`UsageEvent::write`] writes it. What makes no sense as one is none.
    fn note_written(&self, access: Vec<u8>) {
        if let Some(event) = UsageEvent::read(&access) {
            self.note(event);
        }
    }

    /// Where answers are kept, sealed for the bearers that got them, if this plug's instances answer many requests. An
    /// answer without anything was given and is not kept yet.
    fn kept(&self) -> Option<&RefCell<KeptAnswers>> {
        None
    }
}

/// Where the one plug of an instance is.
pub trait Instance: 'static {
    /// What it is.
    type Plug: Plug;

    /// Calls it.
    fn with<R>(call: impl FnOnce(&Self::Plug) -> R) -> R;
}

/// An [`Instance`] as the exports of world `plug`.
pub struct Exports<I>(PhantomData<I>);

impl<I: Instance> request::Guest for Exports<I> {
    fn recall(name: request::Name) -> (request::Before, Option<request::Head>) {
        let held = I::with(|plug| plug.kept()?.borrow_mut().find(&parse(name)));
        match held {
            None => (request::Before::Never, None),
            Some(bytes) if bytes.is_empty() => (request::Before::Answered, None),
            Some(bytes) => {
                let head = <Self as vault::records::Guest>::get_head();
                (request::Before::Kept(words::to_words(&bytes)), head.ok())
            }
        }
    }

    fn keep(name: request::Name, answer: Option<Vec<u64>>) {
        I::with(|plug| {
            if let Some(kept) = plug.kept() {
                let bytes = answer.map_or_else(Vec::new, |words| words::to_bytes(&words));
                kept.borrow_mut().keep(parse(name), bytes);
            }
        });
    }

    fn finished() {
        I::with(Plug::finished);
    }
}

const fn parse(name: request::Name) -> Name {
    Name {
        bearer: name.bearer,
        target: name.target,
    }
}

/// Makes a component of a plug: `plug!(Type, make)`, where `make` is called once for each instance.
#[macro_export]
macro_rules! plug {
    ($type:ty, $make:expr) => {
        ::std::thread_local! {
            static PLUG: $type = $make();
        }

        struct OnlyInstance;

        impl $crate::Instance for OnlyInstance {
            type Plug = $type;

            fn with<R>(call: impl FnOnce(&$type) -> R) -> R {
                PLUG.with(call)
            }
        }

        type OnlyExports = $crate::Exports<OnlyInstance>;

        #[allow(unsafe_code, reason = "generated glue")]
        mod export {
            use super::OnlyExports;
            $crate::bindings::export_plug!(OnlyExports with_types_in $crate::bindings);
        }
    };
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use sekisho_core::{
        published::Backed,
        records::{Fault, Records},
        rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
    };

    use super::{
        Cache, Exports, Instance, KeptAnswers, Plug,
        request::{self, Before, Guest},
        words,
    };

    /// A plug that has nothing but answers that are kept, or not even those.
    struct Bare(Option<RefCell<KeptAnswers>>);

    impl Backed for Bare {
        fn ask<T>(&self, _: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
            Err(Fault::Unavailable)
        }
    }

    impl Usage for Bare {
        fn note(&self, _: UsageEvent) {}

        fn recent(&self, _: ActivityQuery) -> ActivityPage {
            ActivityPage::default()
        }
    }

    impl Plug for Bare {
        fn kept(&self) -> Option<&RefCell<KeptAnswers>> {
            self.0.as_ref()
        }
    }

    thread_local! {
        static KEEPS: Bare = Bare(Some(RefCell::new(Cache::new(1000))));
        static FORGETS: Bare = const { Bare(None) };
    }

    struct Keeps;

    impl Instance for Keeps {
        type Plug = Bare;

        fn with<R>(call: impl FnOnce(&Bare) -> R) -> R {
            KEEPS.with(call)
        }
    }

    struct Forgets;

    impl Instance for Forgets {
        type Plug = Bare;

        fn with<R>(call: impl FnOnce(&Bare) -> R) -> R {
            FORGETS.with(call)
        }
    }

    fn told<I: Instance>(target: u64) -> Option<Vec<u8>> {
        match Exports::<I>::recall(request::Name { bearer: 1, target }).0 {
            Before::Never => None,
            Before::Answered => Some(Vec::new()),
            Before::Kept(words) => Some(words::to_bytes(&words)),
        }
    }

    #[test]
    fn bytes_come_out_of_words_as_they_went_in() {
        for count in 0..20 {
            let bytes: Vec<u8> = (0..count).collect();
            let words = words::to_words(&bytes);
            assert_eq!(words.len(), 1 + bytes.len().div_ceil(8));
            assert_eq!(words::to_bytes(&words), bytes);
        }
        assert!(words::to_bytes(&[]).is_empty());
        // No more than there are, whatever the first says.
        assert_eq!(words::to_bytes(&[u64::MAX, 1]), [1, 0, 0, 0, 0, 0, 0, 0]);
        assert!(words::to_bytes(&[9]).is_empty());
    }

    #[test]
    fn a_plug_that_keeps_answers_gives_them_back_and_another_says_never() {
        let name = |target| request::Name { bearer: 1, target };
        let words = |bytes: &[u8]| Some(words::to_words(bytes));
        assert_eq!(told::<Keeps>(1), None);
        Exports::<Keeps>::keep(name(1), None);
        assert_eq!(told::<Keeps>(1), Some(Vec::new()));
        Exports::<Keeps>::keep(name(1), words(&[1, 2]));
        Exports::<Keeps>::keep(name(2), None);
        assert_eq!(told::<Keeps>(1), Some(vec![1, 2]));
        assert_eq!(told::<Keeps>(2), Some(Vec::new()));
        assert_eq!(told::<Keeps>(3), None);
        Exports::<Forgets>::keep(name(1), words(&[1]));
        assert_eq!(told::<Forgets>(1), None);
    }
}
