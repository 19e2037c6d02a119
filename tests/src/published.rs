//! Published sets in memory: the store, what publishes into it, records over it that can be written, and the carrier
//! of cases over those.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    rc::Rc,
};

use sekisho_core::{
    cache::Snapshot,
    key::DeviceSecret,
    published::{
        Backed, Digest, EdgeKeys, FileChunks, Files, Objects, Pointer, Published, lay_out,
    },
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest, Records},
    sync::SignedHead,
    time::Timestamp,
};

use crate::{
    cases::{Carrier, Given, RawAnswer, Request, Runtime},
    memory::{Chunks, MemoryRecords, Mood},
    native::{Notes, answer_over, http_request},
    rng::{LabelledRng, labelled},
    world::{MAX_INLINE, MAX_STALE, NOW, World},
};

/// The keys of the world's edges.
pub fn keys() -> EdgeKeys {
    let device = DeviceSecret::generate(&mut labelled("device secret"));
    EdgeKeys::derive(World::get().trust(), &device)
}

/// A store of objects in memory. Clones share what is in it.
#[derive(Debug, Clone, Default)]
pub struct MemoryObjects(Rc<RefCell<Stored>>);

/// What is in a store.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The pointer's bytes.
    pub pointer: Option<Vec<u8>>,
    /// Objects by name.
    pub objects: BTreeMap<Digest, Vec<u8>>,
}

impl MemoryObjects {
    /// A store with a set published into it.
    pub fn of(snapshot: &Snapshot, chunks: &Chunks) -> Self {
        let store = Self::default();
        store.publish(snapshot, chunks);
        store
    }

    /// With the world in it.
    pub fn of_world() -> Self {
        let records = MemoryRecords::new(World::get(), NOW);
        Self::of(&records.snapshot(), &records.chunks())
    }

    /// What is in it, to be looked at or meddled with.
    pub fn stored(&self) -> std::cell::RefMut<'_, Stored> {
        self.0.borrow_mut()
    }

    /// A store of its own with the same in it.
    pub fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// Publishes a set whole and drops what was there.
    pub fn publish(&self, snapshot: &Snapshot, chunks: &Chunks) {
        let (pointer, objects) = set_of(snapshot, chunks);
        *self.0.borrow_mut() = Stored {
            pointer: Some(pointer.write(&keys())),
            objects,
        };
    }
}

/// A set as its pointer and its objects.
pub fn set_of(snapshot: &Snapshot, chunks: &Chunks) -> (Pointer, BTreeMap<Digest, Vec<u8>>) {
    let mut objects = BTreeMap::new();
    let mut files = Files::new();
    for ((vault, item, file, _), bytes) in chunks {
        let name = Digest::of(bytes);
        objects.insert(name, bytes.clone());
        let of_item = files.entry((*vault, *item)).or_default();
        match of_item.last_mut() {
            Some(last) if last.file == *file => last.chunks.push(name),
            _ => of_item.push(FileChunks {
                file: *file,
                chunks: vec![name],
            }),
        }
    }
    let emit = |name, bytes: &[u8]| -> Result<(), Infallible> {
        objects.insert(name, bytes.to_vec());
        Ok(())
    };
    let Ok(layout) = lay_out(snapshot, &World::get().signing_keys(), &files, emit);
    assert_eq!(
        layout.names,
        objects.keys().copied().collect::<BTreeSet<_>>(),
        "a set is what it names"
    );
    let head = snapshot.head().unwrap();
    (pointer_to(layout.root, head), objects)
}

/// A pointer of the world to a root.
pub fn pointer_to(root: Digest, head: &SignedHead) -> Pointer {
    Pointer {
        head: head.clone(),
        root,
        max_stale: MAX_STALE,
        max_inline: MAX_INLINE,
        published_at: Timestamp::from_millis(head.issued_at.millis() + 1),
    }
}

impl Objects for MemoryObjects {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        let stored = self.0.borrow();
        stored.pointer.clone().ok_or(Fault::NotSynchronised)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let stored = self.0.borrow();
        stored.objects.get(name).cloned().ok_or(Fault::Unavailable)
    }
}

/// Reads from a published set; writes go to the account, and what came of them is published before they return.
#[derive(Debug)]
pub struct PublishedRecords {
    account: MemoryRecords,
    store: MemoryObjects,
    keys: EdgeKeys,
}

impl PublishedRecords {
    /// Fresh ones of the world.
    pub fn in_mood(now: Timestamp, mood: Mood) -> Self {
        let account = MemoryRecords::in_mood(World::get(), now, mood);
        let store = MemoryObjects::default();
        if mood != Mood::Empty {
            store.publish(&account.snapshot(), &account.chunks());
        }
        Self {
            account,
            store,
            keys: keys(),
        }
    }

    fn republish(&self) {
        self.store
            .publish(&self.account.snapshot(), &self.account.chunks());
    }
}

impl Backed for PublishedRecords {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        what(&Published::new(&self.store, &self.keys))
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.account.put(request)?;
        self.republish();
        Ok(())
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        self.account.put_chunk(request)
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        self.account.delete(request)?;
        self.republish();
        Ok(())
    }
}

/// Core over a published set.
#[derive(Debug)]
pub struct OverPublished;

impl Runtime for OverPublished {
    fn name(&self) -> &'static str {
        "published"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        let now = given.now().unwrap_or(NOW);
        let mood = given.mood().unwrap_or(Mood::Well);
        Some(Box::new(PublishedCarrier {
            records: PublishedRecords::in_mood(now, mood),
            usage: Notes::default(),
            now,
            rng: labelled("native carrier"),
        }))
    }
}

struct PublishedCarrier {
    records: PublishedRecords,
    usage: Notes,
    now: Timestamp,
    rng: LabelledRng,
}

impl Carrier for PublishedCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        let request = http_request(request);
        answer_over(
            &self.records,
            &self.usage,
            self.now,
            &mut self.rng,
            &request,
        )
    }
}
