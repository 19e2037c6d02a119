//! Generated from `wit/world.wit`. Its glue is `unsafe` by nature; nothing else in this crate may be.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::use_self,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "edge",
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: false },
});

use crate::Edge;
export!(Edge with_types_in self);
