//! Generated from WASI's own definitions, for each of the benches' guests: what one does not use is not linked. Its glue is
//! `unsafe` by nature; nothing else in these crates may be.
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
    path: "../../wit",
    inline: "
        package sekisho:yardstick;
        world yardstick {
            import wasi:http/outgoing-handler@0.2.12;
            export wasi:http/incoming-handler@0.2.12;
        }
    ",
    world: "sekisho:yardstick/yardstick",
    generate_all,
    ownership: Borrowing { duplicate_if_necessary: false },
});

use crate::Yardstick;
export!(Yardstick with_types_in self);
