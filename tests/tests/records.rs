//! The port's suite over the memory double.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_tests::{
    memory::MemoryRecords,
    records_suite,
    world::{NOW, World},
};

#[test]
fn memory() {
    records_suite::run(&|| Box::new(MemoryRecords::new(World::get(), NOW)));
}
