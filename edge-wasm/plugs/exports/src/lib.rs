//! What a plug is made of: an implementation of core's ports becomes the exports that the edge component imports.
//!
//! A plug names its type in [`plug!`] and is done. It lives as long as its instance, which may answer many requests, one
//! after the other; [`Plug::finished`] says where one ends. It holds sealed bytes only, as whatever implements
//! [`Records`] does (invariant 3).

#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
#[path = "../../../component/src/heap.rs"]
mod heap;
mod records;
mod usage;

use std::marker::PhantomData;

use bindings::exports::sekisho::vault::request;
use sekisho_core::{records::Records, rest::Usage};

/// Sealed records from somewhere, and a place for notes of accesses.
pub trait Plug: Records + Usage {
    /// The answer is out: the next call belongs to another request.
    fn finished(&self) {}

    /// Whether what the header `x-sekisho-peer` says is the word of a proxy in front and not a client's own. Runtimes that
    /// are not ours let it through as it comes, so unless somebody says so it is not.
    fn trusts_peers(&self) -> bool {
        false
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
    fn finished() {
        I::with(Plug::finished);
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
