//! Published sets: the port's suite and the cases over them, and what a store that lies can make of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use proptest::prelude::*;
use rand_core::TryRng;
use sekisho_core::{
    cache::Snapshot,
    id::ItemId,
    published::{Digest, EdgeKeys, Objects, Published, accept, names},
    records::{Fault, ItemRecord, Records, TitleMark, TokenState},
    seal::Sealed,
    sync::{Plan, Step},
};
use sekisho_tests::{
    cases,
    memory::{Chunks, Mood},
    native::Native,
    published::{MemoryObjects, OverPublished, PublishedRecords, keys, pointer_to},
    records_suite,
    rng::labelled,
    world::{NOW, World},
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

/// The world with so many further items in its vault `ops`, a few of which share a title.
fn grown(items: &[([u8; 16], u8, bool)]) -> Snapshot {
    let world = World::get();
    let mut snapshot = world.snapshot();
    let (_, like) = world.record("ops-note");
    let steps = items.iter().map(|(id, title, archived)| {
        let item = ItemRecord {
            id: ItemId::from_entropy(*id),
            version: 1 + u64::from(*title),
            archived: *archived,
            marks: [TitleMark([*title; 16]), TitleMark([title / 2; 16])],
            // Large enough that a few hundred do not fit into one node.
            overview: Sealed::from_bytes(vec![*title; 400]),
            ..like.clone()
        };
        Step::PutItem(world.vaults["ops"].id, item.into())
    });
    let head = snapshot.head().unwrap().clone();
    snapshot.apply_in_place(&Plan::restore(steps.collect(), head, String::new()));
    snapshot
}

/// Counts what is fetched.
struct Counted<'a>(&'a MemoryObjects, Cell<usize>);

impl Objects for Counted<'_> {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        self.1.set(self.1.get() + 1);
        self.0.pointer()
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        self.1.set(self.1.get() + 1);
        self.0.object(name)
    }
}

/// What one item by its id fetches, as a request does it: head, token, vault, version and details.
fn fetched(items: usize) -> usize {
    let rng = &mut labelled("many items");
    let mut ids = Vec::new();
    for at in 0..items {
        let mut id = [0; 16];
        let Ok(()) = rng.try_fill_bytes(&mut id);
        ids.push((id, (at % 200) as u8, false));
    }
    let snapshot = grown(&ids);
    let store = MemoryObjects::of(&snapshot, &Chunks::new());
    let (keys, world) = (keys(), World::get());
    let (vault, item) = world.items["ops-note"];
    let counted = Counted(&store, Cell::new(0));
    let published = Published::new(&counted, &keys);
    published.head().unwrap();
    published.token(&world.token_record("rw").id).unwrap();
    published.vault(&vault).unwrap();
    published.version(&vault, &item).unwrap();
    published.details(&vault, &item).unwrap();
    counted.1.get()
}

#[test]
fn a_read_fetches_few_objects_whatever_the_vaults_size() {
    let (small, large) = (fetched(0), fetched(10_000));
    eprintln!("fetched for one item: {small} in a small vault, {large} in one of 10,000");
    assert!(small <= 9 && large <= small + 3, "{small}, {large}");
}

type Values = BTreeMap<(Digest, Vec<u8>), Vec<u8>>;

/// A store that keeps what was found in trees.
struct Keeping<'a>(Counted<'a>, RefCell<Values>);

impl Objects for Keeping<'_> {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        self.0.pointer()
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        self.0.object(name)
    }

    fn recall(&self, tree: &Digest, key: &[u8]) -> Option<Vec<u8>> {
        self.1.borrow().get(&(*tree, key.to_vec())).cloned()
    }

    fn keep(&self, tree: &Digest, key: &[u8], value: &[u8]) {
        let place = (*tree, key.to_vec());
        self.1.borrow_mut().insert(place, value.to_vec());
    }
}

/// One request after the other: what they fetch, and that each sees what is current.
#[test]
fn a_view_that_goes_on_fetches_what_it_lacks_and_sees_every_change() {
    let world = World::get();
    let store = MemoryObjects::of_world();
    let keys = keys();
    let keeping = Keeping(Counted(&store, Cell::new(0)), Default::default());
    let mut published = Published::new(&keeping, &keys);
    let token = world.token_record("rw").id;
    let mut read = |name: &str| {
        published.renew();
        keeping.0.1.set(0);
        let (vault, item) = world.items[name];
        let state = published.token(&token).map(|token| token.state);
        let details = published.details(&vault, &item);
        (keeping.0.1.get(), state, details)
    };
    let (first, active, login) = read("login");
    let (again, _, same) = read("login");
    assert_eq!((again, &login), (2, &same), "the pointer and the contents");
    drop(read("ops-note"));
    let (back, ..) = read("login");
    assert_eq!(back, 2, "ways through trees are kept");
    assert!(first > 4 && active == Ok(TokenState::Active));

    store.publish(&World::get().after_revocation(), &Chunks::new());
    let (_, state, details) = read("login");
    assert_eq!((state, details), (Ok(TokenState::Revoked), login));
    // What was seen once is not taken back.
    store.publish(&world.snapshot(), &Chunks::new());
    assert_eq!(read("login").1, Err(Fault::Unavailable));
    store.publish(&World::get().after_revocation(), &Chunks::new());
    assert_eq!(read("login").1, Ok(TokenState::Revoked));
    // Nor is a pointer believed for having been proven before it was altered.
    store.stored().pointer.as_mut().unwrap()[60] ^= 1;
    assert_eq!(read("login").1, Err(Fault::Unavailable));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_large_vault_reads_as_its_snapshot_does(
        items in proptest::collection::vec((any::<[u8; 16]>(), 0u8..40, any::<bool>()), 0..600),
        absent in any::<[u8; 16]>(), page in 1u32..80,
    ) {
        let snapshot = grown(&items);
        let store = MemoryObjects::of(&snapshot, &Chunks::new());
        let (keys, vault) = (keys(), World::get().vaults["ops"].id);
        let published = Published::new(&store, &keys);
        prop_assert_eq!(published.list(&vault, None, u32::MAX), snapshot.list(&vault, None, u32::MAX));
        let absent = ItemId::from_entropy(absent);
        let ids = items.iter().map(|(id, ..)| ItemId::from_entropy(*id)).chain([absent, ItemId::MIN, ItemId::MAX]);
        for id in ids.step_by(7).chain([absent]) {
            prop_assert_eq!(published.list(&vault, Some(&id), page), snapshot.list(&vault, Some(&id), page));
            let held = snapshot.item(&vault, &id).map(|item| (**item).clone());
            prop_assert_eq!(published.version(&vault, &id), held.as_ref().map(|item| item.version).map_err(|fault| *fault));
            prop_assert_eq!(published.item(&vault, &id), held);
        }
        for title in 0..41 {
            let mark = TitleMark([title; 16]);
            let found = published.find(&vault, &mark);
            prop_assert_eq!(found, snapshot.find(&vault, &mark));
        }
        let named = names(&store, &published.pointer().unwrap().root).unwrap();
        prop_assert!(named.iter().eq(store.stored().objects.keys()));
    }

    /// A publisher is believed, and yet nothing it writes makes a reader panic or loop.
    #[test]
    fn any_bytes_under_a_good_pointer_are_an_answer(
        mut junk in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..3, place in 0usize..3,
    ) {
        junk.insert(0, kind);
        let store = MemoryObjects::of_world();
        let world = World::get();
        let name = Digest::of(&junk);
        store.stored().objects.insert(name, junk);
        let keys = keys();
        let mut pointer = Published::new(&store, &keys).pointer().unwrap().clone();
        let root = store.stored().objects[&pointer.root].clone();
        pointer.root = if place == 0 {
            name
        } else {
            // The last two names of a root are its trees.
            let mut root = root;
            let from = root.len() - 32 * place;
            root[from..from + 32].copy_from_slice(name.as_bytes());
            let name = Digest::of(&root);
            store.stored().objects.insert(name, root);
            name
        };
        store.stored().pointer = Some(pointer_to(pointer.root, &pointer.head).write(&keys));
        let published = Published::new(&store, &keys);
        let (demo, login) = world.record("login");
        let _ = published.token(&world.token_record("rw").id);
        let _ = published.signing_keys();
        let _ = published.list(&demo, None, 10);
        let _ = published.find(&demo, &login.marks[0]);
        let _ = names(&store, &pointer.root);
        prop_assert!(place != 0 || published.item(&demo, &login.id).is_err());
    }
}
