//! Generated from WASI's own definitions. Its glue is `unsafe` by nature; nothing else in this crate may be.
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
    path: "../../../wit",
    inline: "
        package sekisho:spin-publish;
        world publish {
            export wasi:http/incoming-handler@0.2.12;
        }
    ",
    world: "sekisho:spin-publish/publish",
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: false },
});

use crate::Publish;
export!(Publish with_types_in self);
