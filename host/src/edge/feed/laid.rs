//! One snapshot laid out as objects. It keeps the small ones; contents of items stay where they are, in the snapshot.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use sekisho_core::{
    cache::Snapshot,
    id::{ItemId, VaultId},
    published::{Digest, Files, lay_out},
    records::SigningKeyRecord,
    sync::SignedHead,
};

/// A set, and for a while the one before it.
pub(super) struct Laid {
    set: Arc<Set>,
    before: Option<Arc<Set>>,
    /// The newest head of the set's version, which may be newer in its date alone.
    newest: Mutex<Option<SignedHead>>,
}

struct Set {
    snapshot: Arc<Snapshot>,
    keys: Arc<Vec<SigningKeyRecord>>,
    root: Digest,
    nodes: HashMap<Digest, Bytes>,
    details: HashMap<Digest, (VaultId, ItemId)>,
}

impl Laid {
    pub(super) fn new(
        snapshot: Arc<Snapshot>,
        keys: Arc<Vec<SigningKeyRecord>>,
        before: Option<&Self>,
    ) -> Self {
        let before = before.map(|laid| Arc::clone(&laid.set));
        let set = Arc::new(Set::new(snapshot, keys, before.as_deref()));
        let newest = Mutex::new(set.snapshot.head().cloned());
        Self {
            set,
            before,
            newest,
        }
    }

    /// Whether it is what a host serves at this version of the environment.
    pub(super) fn is_of(&self, version: u64, keys: &Arc<Vec<SigningKeyRecord>>) -> bool {
        let head = self.set.snapshot.head();
        head.is_some_and(|head| head.version == version)
            && (Arc::ptr_eq(&self.set.keys, keys) || self.set.keys == *keys)
    }

    pub(super) fn root(&self) -> Digest {
        self.set.root
    }

    /// The newest head that vouches for this set: the one offered, unless it is of another version or older.
    pub(super) fn head(&self, offered: SignedHead) -> SignedHead {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_better = newest.as_ref().is_none_or(|held| {
            held.version == offered.version && held.issued_at <= offered.issued_at
        });
        if is_better {
            *newest = Some(offered.clone());
        }
        newest.clone().unwrap_or(offered)
    }

    pub(super) fn find(&self, name: &Digest) -> Option<Bytes> {
        let before = self.before.as_ref();
        self.set
            .find(name)
            .or_else(|| before.and_then(|before| before.find(name)))
    }
}

impl Set {
    fn new(
        snapshot: Arc<Snapshot>,
        keys: Arc<Vec<SigningKeyRecord>>,
        before: Option<&Self>,
    ) -> Self {
        let mut details = HashMap::new();
        for vault in snapshot.vaults() {
            for item in snapshot.items(&vault.id) {
                let name = Digest::of(item.details.as_bytes());
                details.insert(name, (vault.id, item.id));
            }
        }
        let mut nodes = HashMap::new();
        let emit = |name, bytes: &[u8]| {
            if !details.contains_key(&name) {
                let held = before.and_then(|before| before.nodes.get(&name));
                let bytes = held.map_or_else(|| Bytes::copy_from_slice(bytes), Bytes::clone);
                nodes.insert(name, bytes);
            }
            Ok::<_, Infallible>(())
        };
        // Files' contents have a path of their own: they are fetched from the account when they are asked for.
        let Ok(laid) = lay_out(&snapshot, &keys, &Files::new(), emit);
        Self {
            snapshot,
            keys,
            root: laid.root,
            nodes,
            details,
        }
    }

    fn find(&self, name: &Digest) -> Option<Bytes> {
        if let Some(node) = self.nodes.get(name) {
            return Some(node.clone());
        }
        let (vault, item) = self.details.get(name)?;
        let item = self.snapshot.item(vault, item).ok()?;
        Some(Bytes::copy_from_slice(item.details.as_bytes()))
    }
}
