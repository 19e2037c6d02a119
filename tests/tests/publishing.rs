//! The publisher: what a reader sees while it works, what is left when it is killed, and that it does no more than the
//! change asks for.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use proptest::prelude::*;
use sekisho_account::{AccountError, StoredFile, UsageReport};
use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, VaultId},
    key::DeviceSecret,
    published::{Digest, EdgeKeys, Objects, Published, names},
    records::{Fault, Records, TokenState},
    seal::Sealed,
    sync::{Incoming, Plan, Step},
    time::Timestamp,
    token::RawToken,
};
use sekisho_host::{
    edge::publish::{
        Contents, Directory, Outcome, PublishError, Publisher, Publishing, Store, Terms,
    },
    live::Live,
};
use sekisho_tests::{
    memory::{Chunks, MemoryRecords},
    published::{Stored, keys},
    rng::labelled,
    world::{MAX_INLINE, MAX_STALE, NOW, World, blank_page},
};

const TERMS: Terms = Terms {
    max_stale: MAX_STALE,
    max_inline: MAX_INLINE,
};

type Watch = dyn Fn(&Shelf) + Send + Sync;

/// A store that calls back after each step, and breaks when told.
#[derive(Clone, Default)]
struct Shelf {
    stored: Arc<Mutex<Stored>>,
    /// Steps until it breaks; `None` = it does not.
    fuse: Arc<Mutex<Option<usize>>>,
    watch: Option<Arc<Watch>>,
    /// Objects of the largest call.
    largest: Arc<AtomicUsize>,
}

impl Shelf {
    fn step(&self, change: impl FnOnce(&mut Stored)) -> Result<(), PublishError> {
        if let Some(left) = &mut *self.fuse.lock().unwrap() {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => return Err(PublishError::Store("killed".into())),
            }
        }
        change(&mut self.stored.lock().unwrap());
        if let Some(watch) = &self.watch {
            watch(self);
        }
        Ok(())
    }

    fn names(&self) -> BTreeSet<Digest> {
        self.stored
            .lock()
            .unwrap()
            .objects
            .keys()
            .copied()
            .collect()
    }
}

impl Store for Shelf {
    fn names(&mut self) -> Result<BTreeSet<Digest>, PublishError> {
        Ok(Self::names(self))
    }

    fn pointer(&mut self) -> Result<Option<Vec<u8>>, PublishError> {
        Ok(self.stored.lock().unwrap().pointer.clone())
    }

    fn object(&mut self, name: &Digest) -> Result<Option<Vec<u8>>, PublishError> {
        Ok(self.stored.lock().unwrap().objects.get(name).cloned())
    }

    fn put(&mut self, objects: &[Vec<u8>]) -> Result<(), PublishError> {
        self.largest.fetch_max(objects.len(), Ordering::Relaxed);
        // One at a time, in no useful order: a store promises no more.
        for bytes in objects.iter().rev() {
            self.step(|stored| drop(stored.objects.insert(Digest::of(bytes), bytes.clone())))?;
        }
        Ok(())
    }

    fn point(&mut self, pointer: &[u8]) -> Result<(), PublishError> {
        self.step(|stored| stored.pointer = Some(pointer.to_vec()))
    }

    fn remove(&mut self, names: &[Digest]) -> Result<(), PublishError> {
        self.largest.fetch_max(names.len(), Ordering::Relaxed);
        for name in names {
            self.step(|stored| drop(stored.objects.remove(name)))?;
        }
        Ok(())
    }
}

impl Objects for Shelf {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        let stored = self.stored.lock().unwrap();
        stored.pointer.clone().ok_or(Fault::NotSynchronised)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let stored = self.stored.lock().unwrap();
        stored.objects.get(name).cloned().ok_or(Fault::Unavailable)
    }
}

/// The world's files; it counts what is fetched.
#[derive(Clone, Default)]
struct WorldFiles(Arc<AtomicUsize>);

fn chunks() -> Chunks {
    MemoryRecords::new(World::get(), NOW).chunks()
}

impl Contents for WorldFiles {
    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError> {
        let mut files: Vec<StoredFile> = Vec::new();
        for (of, id, file, index) in chunks().into_keys() {
            if (of, id) == (*vault, *item) {
                files.retain(|known| known.file != file);
                files.push(StoredFile {
                    file,
                    chunks: index + 1,
                });
            }
        }
        Ok(files)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let bytes = chunks().remove(&(*vault, *item, *file, index));
        Ok(Sealed::from_bytes(bytes.unwrap()))
    }

    fn report(&self, _: &[UsageReport]) -> Result<(), AccountError> {
        panic!("this store notes no accesses")
    }
}

fn publisher<S: Store>(store: S) -> Publisher<S> {
    publisher_from(store, &WorldFiles::default())
}

fn publisher_from<S: Store>(store: S, files: &WorldFiles) -> Publisher<S> {
    let publisher = Publisher::new(store, Box::new(files.clone()), keys(), TERMS);
    publisher.with_grace(Duration::ZERO)
}

fn publish<S: Store>(
    publisher: &mut Publisher<S>,
    snapshot: &Snapshot,
) -> Result<Outcome, PublishError> {
    publisher.publish(snapshot, &World::get().signing_keys(), NOW)
}

/// Everything a reader can ask of a set, spelled out.
fn seen(objects: &dyn Objects) -> Result<String, Fault> {
    let (world, keys) = (World::get(), keys());
    let published = Published::new(objects, &keys);
    let mut out = format!("{:?}", published.head()?.version);
    let missing = |fault| {
        if fault == Fault::Missing {
            Ok("none".to_owned())
        } else {
            Err(fault)
        }
    };
    for text in world.tokens.values() {
        if let Ok(token) = RawToken::parse(text) {
            let record = published.token(&token.id());
            out += &record
                .map(|record| format!("{record:?}"))
                .or_else(missing)?;
        }
    }
    for vault in world.vaults.values() {
        let listed = published.list(&vault.id, None, u32::MAX);
        out += &listed.map(|items| format!("{items:?}")).or_else(missing)?;
    }
    for (vault, item) in world.items.values() {
        let record = published.item(vault, item);
        out += &record
            .map(|record| format!("{record:?}"))
            .or_else(missing)?;
    }
    for (vault, item, file, index) in chunks().into_keys() {
        let chunk = published.chunk(&vault, &item, &file, index);
        out += &chunk
            .map(|bytes| format!("{:?}", Digest::of(&bytes)))
            .or_else(missing)?;
    }
    Ok(out)
}

fn shown(snapshot: &Snapshot) -> String {
    let shelf = Shelf::default();
    publish(&mut publisher(shelf.clone()), snapshot).unwrap();
    seen(&shelf).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Move {
    PutItem(usize, usize, bool),
    RemoveItem(usize),
    RemoveVault(usize),
    Revoke(usize),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0usize..40, 0usize..40, any::<bool>()).prop_map(|(at, like, archived)| Move::PutItem(at, like, archived)),
        2 => (0usize..40).prop_map(Move::RemoveItem),
        1 => (0usize..4).prop_map(Move::RemoveVault),
        2 => (0usize..6).prop_map(Move::Revoke),
    ]
}

/// The next version of a snapshot.
fn next(snapshot: &Snapshot, moves: &[Move]) -> Snapshot {
    let world = World::get();
    let page = world.page();
    let version = snapshot.head().unwrap().version + 1;
    let item = |at: usize| &page.items[at % page.items.len()];
    let mut steps = Vec::new();
    for chosen in moves {
        steps.push(match *chosen {
            Move::PutItem(at, like, archived) => {
                let mut record = item(like).item.clone();
                record.id = item(at).item.id;
                record.version += version;
                record.archived = archived;
                Step::PutItem(item(at).vault, record.into())
            }
            Move::RemoveItem(at) => Step::RemoveItem(item(at).vault, item(at).item.id),
            Move::RemoveVault(at) => Step::RemoveVault(page.vaults[at % page.vaults.len()].id),
            Move::Revoke(at) => {
                let mut token = page.tokens[at % page.tokens.len()].clone();
                token.state = TokenState::Revoked;
                Step::PutToken(token)
            }
        });
    }
    let head = world.head(version, NOW, snapshot.tokens());
    let mut changed = snapshot.clone();
    changed.apply_in_place(&Plan::restore(steps, head, String::new()));
    // The list of tokens may be another one now.
    let head = world.head(version, NOW, changed.tokens());
    changed.apply_in_place(&Plan::restore(Vec::new(), head, String::new()));
    changed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_step_shows_the_set_before_or_the_set_after(
        rounds in proptest::collection::vec(proptest::collection::vec(any_move(), 1..4), 1..4),
    ) {
        let mut snapshot = World::get().snapshot();
        let before = Arc::new(Mutex::new(shown(&snapshot)));
        let after = Arc::clone(&before);
        let after = Arc::new(Mutex::new(after.lock().unwrap().clone()));
        let steps = Arc::new(AtomicUsize::new(0));
        let mut shelf = Shelf::default();
        publish(&mut publisher(shelf.clone()), &snapshot).unwrap();
        let (allowed, counted) = ((Arc::clone(&before), Arc::clone(&after)), Arc::clone(&steps));
        shelf.watch = Some(Arc::new(move |shelf: &Shelf| {
            counted.fetch_add(1, Ordering::Relaxed);
            let now = seen(shelf).unwrap();
            let is_one = now == *allowed.0.lock().unwrap() || now == *allowed.1.lock().unwrap();
            assert!(is_one, "a reader saw a mix of two sets");
        }));
        let mut publisher = publisher(shelf.clone());
        for moves in &rounds {
            snapshot = next(&snapshot, moves);
            *after.lock().unwrap() = shown(&snapshot);
            publish(&mut publisher, &snapshot).unwrap();
            // Who began before goes on with the set it began with.
            publisher.sweep().unwrap();
            prop_assert_eq!(seen(&shelf).unwrap(), after.lock().unwrap().clone());
            *before.lock().unwrap() = after.lock().unwrap().clone();
        }
        prop_assert!(steps.load(Ordering::Relaxed) >= rounds.len());
    }

    #[test]
    fn a_killed_publisher_is_taken_up_by_the_next_and_leaves_nothing(
        moves in proptest::collection::vec(any_move(), 1..5), fuse in 0usize..24,
    ) {
        let first = World::get().snapshot();
        let second = next(&first, &moves);
        let third = next(&second, &[Move::RemoveItem(1)]);
        let shelf = Shelf::default();
        publish(&mut publisher(shelf.clone()), &first).unwrap();
        *shelf.fuse.lock().unwrap() = Some(fuse);
        let mut killed = publisher(shelf.clone());
        let _ = publish(&mut killed, &second).and_then(|_| killed.sweep());
        drop(killed);
        let now = seen(&shelf).unwrap();
        prop_assert!(now == shown(&first) || now == shown(&second));
        *shelf.fuse.lock().unwrap() = None;
        let mut next = publisher(shelf.clone());
        publish(&mut next, &third).unwrap();
        prop_assert_eq!(next.sweep().unwrap(), 0);
        prop_assert_eq!(seen(&shelf).unwrap(), shown(&third));
        let keys = keys();
        let root = Published::new(&shelf, &keys).pointer().unwrap().root;
        prop_assert_eq!(names(&shelf, &root).unwrap(), shelf.names(), "no garbage");
    }
}

#[test]
fn a_reader_that_began_before_is_left_its_set_for_a_while() {
    let shelf = Shelf::default();
    let first = World::get().snapshot();
    let mut publisher = publisher(shelf.clone()).with_grace(Duration::from_secs(3600));
    publish(&mut publisher, &first).unwrap();
    let keys = keys();
    let reader = Published::new(&shelf, &keys);
    let version = reader.head().unwrap().version;
    publish(
        &mut publisher,
        &next(&first, &[Move::RemoveVault(0), Move::RemoveVault(1)]),
    )
    .unwrap();
    assert!(publisher.sweep().unwrap() > 0, "nothing goes yet");
    for (vault, item) in World::get().items.values() {
        let held = first.item(vault, item).map(|item| (**item).clone());
        assert_eq!(reader.item(vault, item), held);
    }
    assert_eq!(reader.head().unwrap().version, version);
}

#[test]
fn only_what_changed_is_put_and_files_are_fetched_once() {
    let shelf = Shelf::default();
    let files = WorldFiles::default();
    let snapshot = World::get().snapshot();
    let mut first = publisher_from(shelf.clone(), &files);
    let outcome = publish(&mut first, &snapshot).unwrap();
    assert!(outcome.put == outcome.objects && outcome.pointed);
    let fetched = files.0.load(Ordering::Relaxed);
    assert!(fetched > 0);
    let again = publish(&mut first, &snapshot).unwrap();
    assert_eq!((again.put, again.pointed), (0, false));
    drop(first);
    // Another process knows from the store what was fetched.
    let mut second = publisher_from(shelf.clone(), &files);
    let again = publish(&mut second, &snapshot).unwrap();
    assert_eq!((again.put, again.pointed), (0, false));
    let one = next(&snapshot, &[Move::PutItem(0, 0, false)]);
    let outcome = publish(&mut second, &one).unwrap();
    assert!((1..10).contains(&outcome.put), "{outcome:?}");
    assert_eq!(files.0.load(Ordering::Relaxed), fetched);
    // What is damaged in a way that names do not show is put again when told.
    for bytes in shelf.stored.lock().unwrap().objects.values_mut() {
        bytes.clear();
    }
    assert_eq!(seen(&shelf), Err(Fault::Unavailable));
    let mut third = publisher_from(shelf.clone(), &files).replacing(true);
    publish(&mut third, &one).unwrap();
    assert_eq!(seen(&shelf).unwrap(), shown(&one));
}

#[test]
fn no_call_has_more_objects_than_a_slow_store_takes_in_a_minute() {
    let (shelf, world) = (Shelf::default(), World::get());
    let before = world.snapshot();
    let (vault, like) = world.record("ops-note");
    let many = (0..600u32).map(|at| {
        let mut item = like.clone();
        let mut id = [0; 16];
        id[..4].copy_from_slice(&at.to_be_bytes());
        item.id = ItemId::from_entropy(id);
        item.details = Sealed::from_bytes(id.to_vec());
        Step::PutItem(vault, item.into())
    });
    let mut large = before.clone();
    let head = world.head(before.head().unwrap().version + 1, NOW, before.tokens());
    large.apply_in_place(&Plan::restore(many.collect(), head, String::new()));
    let mut publisher = publisher(shelf.clone());
    let outcome = publish(&mut publisher, &large).unwrap();
    assert!(outcome.put > 600, "{outcome:?}");
    let none: Vec<Move> = (0..World::get().page().vaults.len())
        .map(Move::RemoveVault)
        .collect();
    publish(&mut publisher, &next(&large, &none)).unwrap();
    assert!(shelf.names().len() > 600, "nothing goes before it is swept");
    assert_eq!(publisher.sweep().unwrap(), 0);
    assert_eq!(shelf.largest.load(Ordering::Relaxed), 250);
}

#[test]
fn an_older_set_and_another_servers_are_not_replaced_unasked() {
    let shelf = Shelf::default();
    let old = World::get().snapshot();
    let new = next(&old, &[Move::Revoke(0)]);
    publish(&mut publisher(shelf.clone()), &new).unwrap();
    let refused = publish(&mut publisher(shelf.clone()), &old);
    assert!(
        matches!(refused, Err(PublishError::Older(_))),
        "{refused:?}"
    );
    let trust = World::get().trust();
    let other = EdgeKeys::derive(trust, &DeviceSecret::generate(&mut labelled("other")));
    let contents = Box::new(WorldFiles::default());
    let mut stranger = Publisher::new(shelf.clone(), contents, other, TERMS);
    let refused = publish(&mut stranger, &new);
    assert!(matches!(refused, Err(PublishError::Foreign)), "{refused:?}");
    let empty = publish(&mut publisher(Shelf::default()), &Snapshot::default());
    assert!(
        matches!(empty, Err(PublishError::NotSynchronised)),
        "{empty:?}"
    );
    assert_eq!(seen(&shelf).unwrap(), shown(&new));
}

#[test]
fn a_folder_is_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let snapshot = World::get().snapshot();
    let mut first = publisher(Directory::take(&path).unwrap());
    publish(&mut first, &snapshot).unwrap();
    let taken = Directory::take(&path);
    assert!(matches!(taken, Err(PublishError::Taken(_))), "{taken:?}");
    let reading = Directory::open(&path);
    assert_eq!(seen(&reading).unwrap(), shown(&snapshot));
    drop(first);
    // What a killed run left half written goes.
    let any = std::fs::read_dir(path.join("objects"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(any.join("half.new"), b"half").unwrap();
    let changed = next(
        &snapshot,
        &[Move::PutItem(0, 1, false), Move::RemoveItem(2)],
    );
    let mut second = publisher(Directory::take(&path).unwrap());
    publish(&mut second, &changed).unwrap();
    second.sweep().unwrap();
    assert_eq!(seen(&reading).unwrap(), shown(&changed));
    assert!(!any.join("half.new").exists());
    let (keys, store) = (keys(), second.store());
    let root = Published::new(&reading, &keys).pointer().unwrap().root;
    assert_eq!(names(&reading, &root).unwrap(), store.names().unwrap());
}

/// Waits for what must become true, however slow the machine is.
fn eventually(what: &str, is_true: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        assert!(Instant::now() < end, "not in a minute: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_served_is_soon_published() {
    let world = World::get();
    let folder = tempfile::tempdir().unwrap();
    let live = Arc::new(Live::new(Snapshot::default(), world.signing_keys()));
    let publisher = publisher(Directory::take(folder.path()).unwrap());
    let publishing = Publishing::start(Arc::clone(&live), publisher).unwrap();
    let reading = Directory::open(folder.path());
    let snapshot = world.snapshot();
    live.swap(Arc::new(snapshot.clone()));
    eventually("the first set", || seen(&reading).is_ok());
    let id = RawToken::parse(&world.tokens["rw"]).unwrap().id();
    let mut token = world.token_record("rw");
    token.state = TokenState::Revoked;
    let revoked = snapshot
        .tokens()
        .map(|held| if held.id == id { &token } else { held });
    let head = world.head(2, Timestamp::from_millis(NOW.millis() + 1), revoked);
    let mut page = blank_page(2, &head);
    page.tokens.push(token.clone());
    let plan = Incoming::parse(vec![page], &world.trust())
        .unwrap()
        .plan(&snapshot)
        .unwrap();
    live.swap(Arc::new(snapshot.apply(&plan)));
    let keys = keys();
    let state = || {
        Published::new(&reading, &keys)
            .token(&id)
            .map(|token| token.state)
    };
    eventually("the revocation", || state() == Ok(TokenState::Revoked));
    assert!(!publishing.has_ended());
    drop(publishing);
    assert!(
        Directory::take(folder.path()).is_ok(),
        "it lets go of the folder"
    );
}
