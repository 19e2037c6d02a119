//! What is sealed and an instance keeps: within a limit of bytes, the ones not asked for lately go first.
//!
//! Names are digests, have one in them, or are hashes themselves, and tables are small: they need no hash that withstands
//! an opponent.

use std::{hash::Hash, mem};

use rustc_hash::FxHashMap;

/// What a name and its place in a table take, roughly.
const BESIDE: usize = 128;

/// Two generations of half the limit each; what is asked for again moves into the younger one.
#[derive(Debug)]
pub struct Cache<Name> {
    half: usize,
    held: usize,
    young: FxHashMap<Name, Vec<u8>>,
    old: FxHashMap<Name, Vec<u8>>,
}

impl<Name: Copy + Eq + Hash> Cache<Name> {
    /// Keeps so many bytes at most.
    pub fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            held: 0,
            young: FxHashMap::default(),
            old: FxHashMap::default(),
        }
    }

    /// Whether it keeps nothing.
    pub fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// What is kept under a name.
    pub fn find(&mut self, name: &Name) -> Option<Vec<u8>> {
        if let Some(kept) = self.young.get(name) {
            return Some(kept.clone());
        }
        let kept = self.old.remove(name)?;
        self.keep(*name, kept.clone());
        Some(kept)
    }

    /// Keeps it under a name, if it is not too much.
    pub fn keep(&mut self, name: Name, kept: Vec<u8>) {
        let needed = room(&kept);
        if needed > self.half {
            return;
        }
        if self.held + needed > self.half {
            self.old = mem::take(&mut self.young);
            self.held = 0;
        }
        self.held += needed;
        if let Some(before) = self.young.insert(name, kept) {
            self.held -= room(&before);
        }
    }
}

const fn room(kept: &[u8]) -> usize {
    kept.len() + BESIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_limit_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(2000);
        assert!(cache.is_empty());
        cache.keep(0, vec![0; 100]);
        for n in 1..100 {
            cache.keep(n, vec![n; 100]);
            assert_eq!(cache.find(&0), Some(vec![0; 100]), "asked for at {n}");
            let held = cache.young.values().chain(cache.old.values()).map(Vec::len);
            assert!(held.sum::<usize>() <= 2000 - 128);
        }
        assert_eq!(cache.find(&1), None);
        // What takes a place that is taken needs no other.
        for n in 0..100 {
            cache.keep(99, vec![n; 100]);
        }
        assert_eq!(cache.find(&0), Some(vec![0; 100]));
        assert_eq!(cache.find(&99), Some(vec![99; 100]));
        cache.keep(200, vec![0; 873]);
        assert_eq!(cache.find(&200), None);
    }
}
