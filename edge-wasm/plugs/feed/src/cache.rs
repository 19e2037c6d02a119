//! Sealed bytes that an instance keeps: within a limit, the ones not asked for lately go first.

use std::{collections::HashMap, hash::Hash, mem};

/// What a name and its place in a table take, roughly.
const BESIDE: usize = 128;

/// Two generations of half the limit each; what is asked for again moves into the younger one.
pub(crate) struct Cache<Name> {
    half: usize,
    held: usize,
    young: HashMap<Name, Vec<u8>>,
    old: HashMap<Name, Vec<u8>>,
}

impl<Name: Copy + Eq + Hash> Cache<Name> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            held: 0,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    pub(crate) fn find(&mut self, name: &Name) -> Option<Vec<u8>> {
        if let Some(bytes) = self.young.get(name) {
            return Some(bytes.clone());
        }
        let bytes = self.old.remove(name)?;
        self.keep(*name, bytes.clone());
        Some(bytes)
    }

    pub(crate) fn keep(&mut self, name: Name, bytes: Vec<u8>) {
        let room = bytes.len() + BESIDE;
        if room > self.half {
            return;
        }
        if self.held + room > self.half {
            self.old = mem::take(&mut self.young);
            self.held = 0;
        }
        self.held += room;
        self.young.insert(name, bytes);
    }
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
        cache.keep(200, vec![0; 873]);
        assert_eq!(cache.find(&200), None);
    }
}
