//! The bridge against stand-ins: the vendor's unmodified core against a stand-in of the service, and everything above
//! it against a typed double.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod core_calls;
mod core_faults;
mod core_mirror;
mod golden;
mod mirror;
mod simulated_day;
mod support;
mod world;
mod writes;
