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
    path: "../../../wit",
    world: "plug",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_plug",
    default_bindings_module: "sekisho_plug_exports::bindings",
});
