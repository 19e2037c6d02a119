//! Every case over core alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_tests::{
    cases,
    native::{Native, Remembering},
};

#[test]
fn every_case_holds() {
    let files = cases::read_all();
    let outcome = cases::run(&Native, &files);
    outcome.unwrap();
    let count: usize = files.iter().map(|file| file.cases.len()).sum();
    assert_eq!((outcome.ran, outcome.skipped), (count, 0));
    assert!(outcome.transcript.len() > count / 2);
}

/// Invariant 8 begins here: what is not the same twice in one process cannot be the same on two runtimes.
#[test]
fn the_same_exchange_gives_the_same_bytes() {
    let files = cases::read_all();
    let (first, second) = (cases::run(&Native, &files), cases::run(&Native, &files));
    for (one, other) in first.transcript.iter().zip(&second.transcript) {
        assert!(one == other, "{one}\n{other}");
    }
    assert_eq!(first.transcript.len(), second.transcript.len());
}

#[test]
fn names_are_told_apart() {
    for file in cases::read_all() {
        let mut names: Vec<_> = file.cases.iter().map(|case| &case.name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(
            names.len(),
            count,
            "{}: a case's name stands twice",
            file.name
        );
        assert!(file.cases.iter().all(|case| !case.steps.is_empty()));
    }
}

/// What is remembered of a request changes no answer.
#[test]
fn every_case_holds_for_answers_that_are_kept() {
    let files = cases::read_all();
    let remembering = Remembering::default();
    let again = cases::run(&remembering, &files);
    assert!(remembering.recalled() > 20, "{}", remembering.recalled());
    again.unwrap();
    let once = cases::run(&Native, &files);
    let differences = cases::differences(&once, &again);
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert_eq!(once.transcript.len(), again.transcript.len());
}
