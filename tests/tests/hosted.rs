//! Every case over the host with each engine, compared byte for byte with core alone (invariant 8).
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_host::engine::EngineKind;
use sekisho_tests::{cases, hosted::Hosted, native::Native};

#[test]
fn the_component_engine_answers_as_core_does() {
    compare(EngineKind::Component);
}

#[test]
fn the_native_engine_answers_as_core_does() {
    compare(EngineKind::Native);
}

fn compare(engine: EngineKind) {
    let files = cases::read_all();
    let hosted = cases::run(&Hosted::new(engine), &files);
    hosted.unwrap();
    let core = cases::run(&Native, &files);
    let differences = cases::differences(&core, &hosted);
    assert!(
        differences.is_empty(),
        "{} answers differ\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    assert_eq!(hosted.transcript.len(), core.transcript.len());
}
