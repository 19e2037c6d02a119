//! Generated from what Spin gives beside WASI. Its glue is `unsafe` by nature; nothing else in this crate may be.
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
        package sekisho:spin-store;
        world reader {
            import fermyon:spin/key-value@2.0.0;
            import fermyon:spin/variables@2.0.0;
        }
    ",
    world: "sekisho:spin-store/reader",
    generate_all,
});
