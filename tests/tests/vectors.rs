//! Every vector means today what it meant when it was committed (invariants 5 and 12).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_tests::vectors::{outcome, read_all};

#[test]
fn every_vector_is_judged_as_it_says() {
    let mut wrong = Vec::new();
    for vector in read_all() {
        let judged = outcome(&vector);
        if judged.as_deref() != Ok(vector.expect.as_str()) {
            wrong.push(format!(
                "{}/{}: {judged:?}, not {}",
                vector.folder, vector.name, vector.expect
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn more_must_fail_than_open() {
    let all = read_all();
    let good = all.iter().filter(|vector| vector.is_good()).count();
    assert!(
        all.len() >= 40 && all.len() - good >= good,
        "{good} of {} open",
        all.len()
    );
}

#[test]
fn printing_is_the_opposite_of_parsing() {
    for vector in read_all() {
        let again =
            sekisho_tests::vectors::Vector::parse(&vector.folder, &vector.name, &vector.print());
        assert_eq!(again, Some(vector));
    }
}
