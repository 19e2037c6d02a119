//! Published sets: the port's suite and the cases over them, and what a store that lies can make of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use sekisho_core::published::{EdgeKeys, Published, accept, names};
use sekisho_tests::{
    cases,
    memory::Mood,
    native::Native,
    published::{MemoryObjects, OverPublished, PublishedRecords, keys},
    records_suite,
    world::NOW,
};

#[test]
fn they_are_records() {
    records_suite::run(&|| Box::new(PublishedRecords::in_mood(NOW, Mood::Well)));
}

#[test]
fn every_case_gives_the_bytes_that_memory_gives() {
    let files = cases::read_all();
    let published = cases::run(&OverPublished, &files);
    published.unwrap();
    let memory = cases::run(&Native, &files);
    assert_eq!((published.ran, published.skipped), (memory.ran, 0));
    for (one, other) in published.transcript.iter().zip(&memory.transcript) {
        assert!(
            (&one.request, &one.answer) == (&other.request, &other.answer),
            "{one}\n{other}"
        );
    }
}

#[test]
fn who_accepts_a_set_finds_every_object_of_it() {
    let store = MemoryObjects::of_world();
    let bytes = store.stored().pointer.clone().unwrap();
    let pointer = accept(&bytes, None, &store, &keys()).unwrap();
    let found = names(&store, &pointer.root).unwrap();
    assert!(found.iter().eq(store.stored().objects.keys()));
    let text = keys().to_text();
    let read = EdgeKeys::parse(text.expose()).unwrap();
    assert_eq!(accept(&bytes, Some(&pointer), &store, &read), Ok(pointer));
    assert!(Published::new(&store, &read).pointer().is_ok());
}
