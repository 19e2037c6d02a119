//! Generated from `wit/world.wit`. Its glue is `unsafe` by nature; what is written by hand may not be.
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

wasmtime::component::bindgen!({
    path: "../wit",
    interfaces: "
        import sekisho:vault/records@0.1.0;
        import sekisho:vault/usage@0.1.0;
        import sekisho:vault/request@0.1.0;
        export sekisho:vault/exchange@0.1.0;
    ",
    imports: {
        "sekisho:vault/records.put": async,
        "sekisho:vault/records.put-chunk": async,
        "sekisho:vault/records.delete": async,
        "sekisho:vault/records.chunk": async,
        default: exact,
    },
    exports: { default: async },
    require_store_data_send: true,
});

pub(super) use self::{
    exports::sekisho::vault::exchange,
    sekisho::vault::{records, request, usage},
};
