//! One snapshot after the other into a store.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use sekisho_account::UsageReport;
use sekisho_core::{
    cache::Snapshot,
    published::{Digest, EdgeKeys, Objects, Pointer, Published, lay_out},
    records::{Fault, Records, SigningKeyRecord},
    sync::SyncError,
    time::Timestamp,
};

use super::{Contents, PublishError, Store, contents::Known};

/// Bytes that are put with one call, if there are so many.
const BATCH: usize = 512 * 1024;
/// Most objects that are put or dropped with one call: a store may wait for its disk with each of them, and a call has a
/// minute for all.
const MOST: usize = 250;

/// What an edge is told about serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// [`sekisho_core::records::Head::max_stale`].
    pub max_stale: u64,
    /// [`sekisho_core::records::Head::max_inline`].
    pub max_inline: u64,
}

/// What publishing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Objects of the set.
    pub objects: usize,
    /// Objects that were put.
    pub put: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// Whether the pointer was replaced.
    pub pointed: bool,
}

/// Keeps a store equal to what it is given. One publisher to a store.
pub struct Publisher<S> {
    store: S,
    contents: Box<dyn Contents>,
    keys: EdgeKeys,
    terms: Terms,
    replace: bool,
    /// How long an object stays after nothing names it any more.
    grace: Duration,
    /// `None` = the store was not looked at yet, or a call failed and it must be looked at again.
    held: Option<Held>,
    known: Known,
}

/// What a layout was made of.
#[derive(PartialEq, Eq)]
struct Laid {
    version: u64,
    signing_keys: Vec<SigningKeyRecord>,
}

/// What is in the store.
struct Held {
    pointer: Option<Pointer>,
    /// What this process laid out last: an account's date alone changes nothing but the pointer.
    laid: Option<Laid>,
    names: BTreeSet<Digest>,
    /// Those that nothing names, and since when.
    unnamed: BTreeMap<Digest, Instant>,
}

impl<S: Store> Publisher<S> {
    /// Into a store that was written with the same keys, or never.
    pub fn new(store: S, contents: Box<dyn Contents>, keys: EdgeKeys, terms: Terms) -> Self {
        Self {
            store,
            contents,
            keys,
            terms,
            replace: false,
            grace: Duration::from_secs(5),
            held: None,
            known: Known::default(),
        }
    }

    /// Takes the place of whatever the store holds, and puts every object again.
    #[must_use]
    pub fn replacing(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Drops what nothing names after this long.
    #[must_use]
    pub const fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Where it is published.
    pub const fn store(&mut self) -> &mut S {
        &mut self.store
    }

    /// Publishes what is served now, with the keys that verify its tokens.
    pub fn publish(
        &mut self,
        snapshot: &Snapshot,
        signing_keys: &[SigningKeyRecord],
        now: Timestamp,
    ) -> Result<Outcome, PublishError> {
        let mut held = match self.held.take() {
            Some(held) => held,
            None => self.look(snapshot)?,
        };
        // After a failure the store is asked again what it holds.
        let outcome = self.bring(&mut held, snapshot, signing_keys, now)?;
        self.replace = false;
        self.held = Some(held);
        Ok(outcome)
    }

    /// Drops what nothing has named for a while; how much of it is left.
    pub fn sweep(&mut self) -> Result<usize, PublishError> {
        let Some(mut held) = self.held.take() else {
            return Ok(0);
        };
        let due: Vec<Digest> = held
            .unnamed
            .iter()
            .filter(|(_, since)| since.elapsed() >= self.grace)
            .map(|(name, _)| *name)
            .collect();
        for names in due.chunks(MOST) {
            self.store.remove(names)?;
            for name in names {
                held.unnamed.remove(name);
                held.names.remove(name);
            }
        }
        let left = held.unnamed.len();
        self.held = Some(held);
        Ok(left)
    }

    /// Brings accesses that edges noted in the store to the account; how many.
    pub fn collect(&mut self) -> Result<usize, PublishError> {
        let mut count = 0;
        loop {
            let requests = self.store.accesses()?;
            let reports: Vec<UsageReport> = requests.into_iter().flatten().collect();
            if reports.is_empty() {
                return Ok(count);
            }
            self.contents.report(&reports)?;
            let mut names: Vec<&str> = reports
                .iter()
                .filter_map(|report| Some(report.id.rsplit_once('-')?.0))
                .collect();
            names.dedup();
            // Those that are not dropped are reported again, and counted once.
            self.store.forget_accesses(&names)?;
            count += reports.len();
        }
    }

    /// What the store holds; the chunks that its set names need not be fetched again.
    fn look(&mut self, snapshot: &Snapshot) -> Result<Held, PublishError> {
        let names = self.store.names()?;
        let pointer = match self.store.pointer()? {
            None => None,
            Some(bytes) => match Pointer::read(&bytes, &self.keys) {
                Ok(pointer) => Some(pointer),
                Err(_) if self.replace => None,
                Err(_) => return Err(PublishError::Foreign),
            },
        };
        if let Some(pointer) = &pointer
            && !self.replace
        {
            self.learn(pointer, snapshot);
        }
        let unnamed = names.iter().map(|name| (*name, Instant::now())).collect();
        Ok(Held {
            pointer,
            laid: None,
            names,
            unnamed,
        })
    }

    fn learn(&mut self, pointer: &Pointer, snapshot: &Snapshot) {
        let bytes = pointer.write(&self.keys);
        let objects = Before {
            pointer: bytes,
            store: std::cell::RefCell::new(&mut self.store),
        };
        let published = Published::new(objects, &self.keys);
        for vault in snapshot.vaults() {
            for item in snapshot
                .items(&vault.id)
                .filter(|item| item.files.is_some())
            {
                // What cannot be read is fetched anew.
                if let Ok(version) = published.version(&vault.id, &item.id)
                    && let Ok(files) = published.files(&vault.id, &item.id)
                {
                    self.known.learn((vault.id, item.id), version, files);
                }
            }
        }
    }

    fn bring(
        &mut self,
        held: &mut Held,
        snapshot: &Snapshot,
        signing_keys: &[SigningKeyRecord],
        now: Timestamp,
    ) -> Result<Outcome, PublishError> {
        let head = snapshot.head().ok_or(PublishError::NotSynchronised)?;
        if let Some(before) = &held.pointer
            && head.version < before.head.version
            && !self.replace
        {
            return Err(PublishError::Older(SyncError::OlderHead {
                offered: head.version,
                held: before.head.version,
            }));
        }
        let laid = Laid {
            version: head.version,
            signing_keys: signing_keys.to_vec(),
        };
        let mut outcome = Outcome::default();
        let root = match &held.pointer {
            Some(before) if held.laid.as_ref() == Some(&laid) => {
                outcome.objects = held.names.len() - held.unnamed.len();
                before.root
            }
            _ => self.lay(held, snapshot, signing_keys, &mut outcome)?,
        };
        held.laid = Some(laid);
        let pointer = Pointer {
            head: head.clone(),
            root,
            max_stale: self.terms.max_stale,
            max_inline: self.terms.max_inline,
            published_at: now,
        };
        let is_new = |before: &Pointer| {
            let published_at = before.published_at;
            *before
                != Pointer {
                    published_at,
                    ..pointer.clone()
                }
        };
        outcome.pointed = held.pointer.as_ref().is_none_or(is_new) || self.replace;
        if outcome.pointed {
            self.store.point(&pointer.write(&self.keys))?;
            held.pointer = Some(pointer);
        }
        Ok(outcome)
    }

    /// Puts what the store lacks of a set, and notes what it holds besides.
    fn lay(
        &mut self,
        held: &mut Held,
        snapshot: &Snapshot,
        signing_keys: &[SigningKeyRecord],
        outcome: &mut Outcome,
    ) -> Result<Digest, PublishError> {
        let nothing = BTreeSet::new();
        let before = if self.replace { &nothing } else { &held.names };
        let mut batch = Batch::new(&mut self.store);
        let mut put = |name, bytes: Vec<u8>| batch.add(name, before, bytes);
        let contents = &*self.contents;
        let files = self.known.gather(snapshot, contents, before, &mut put)?;
        let layout = lay_out(snapshot, signing_keys, &files, |name, bytes| {
            put(name, bytes.to_vec())
        })?;
        batch.flush()?;
        outcome.objects = layout.names.len();
        outcome.put = batch.put.len();
        outcome.bytes = batch.bytes;
        held.names.extend(&layout.names);
        let now = Instant::now();
        held.unnamed.retain(|name, _| !layout.names.contains(name));
        for name in held.names.difference(&layout.names) {
            held.unnamed.entry(*name).or_insert(now);
        }
        Ok(layout.root)
    }
}

/// Objects on their way, many to a call.
struct Batch<'s, S> {
    store: &'s mut S,
    waiting: Vec<Vec<u8>>,
    size: usize,
    put: BTreeSet<Digest>,
    bytes: u64,
}

impl<'s, S: Store> Batch<'s, S> {
    const fn new(store: &'s mut S) -> Self {
        Self {
            store,
            waiting: Vec::new(),
            size: 0,
            put: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Puts an object, soon, if it is not among those that are there.
    fn add(
        &mut self,
        name: Digest,
        held: &BTreeSet<Digest>,
        bytes: Vec<u8>,
    ) -> Result<(), PublishError> {
        if held.contains(&name) || !self.put.insert(name) {
            return Ok(());
        }
        self.size += bytes.len();
        self.bytes += bytes.len() as u64;
        self.waiting.push(bytes);
        if self.size >= BATCH || self.waiting.len() == MOST {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> Result<(), PublishError> {
        self.size = 0;
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        self.store.put(&waiting)
    }
}

/// The set that a store held when it was looked at.
struct Before<'s, S> {
    pointer: Vec<u8>,
    store: std::cell::RefCell<&'s mut S>,
}

impl<S: Store> Objects for Before<'_, S> {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.pointer.clone())
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let found = self.store.borrow_mut().object(name);
        found.ok().flatten().ok_or(Fault::Unavailable)
    }
}
