//! Sealed objects that an instance keeps: within a limit, the ones not asked for lately go first.

use std::{collections::HashMap, mem};

use sekisho_core::published::Digest;

/// Two generations of half the limit each; what is asked for again moves into the younger one.
pub(crate) struct Cache {
    half: usize,
    held: usize,
    young: HashMap<Digest, Vec<u8>>,
    old: HashMap<Digest, Vec<u8>>,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            held: 0,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn find(&mut self, name: &Digest) -> Option<Vec<u8>> {
        if let Some(bytes) = self.young.get(name) {
            return Some(bytes.clone());
        }
        let bytes = self.old.remove(name)?;
        self.keep(*name, bytes.clone());
        Some(bytes)
    }

    pub(crate) fn keep(&mut self, name: Digest, bytes: Vec<u8>) {
        if bytes.len() > self.half {
            return;
        }
        if self.held + bytes.len() > self.half {
            self.old = mem::take(&mut self.young);
            self.held = 0;
        }
        self.held += bytes.len();
        self.young.insert(name, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_limit_and_keeps_what_is_asked_for() {
        let mut cache = Cache::new(1000);
        let name = |n: u8| Digest::of(&[n]);
        cache.keep(name(0), vec![0; 100]);
        for n in 1..100 {
            cache.keep(name(n), vec![n; 100]);
            assert_eq!(cache.find(&name(0)), Some(vec![0; 100]), "asked for at {n}");
            let held = cache.young.values().chain(cache.old.values()).map(Vec::len);
            assert!(held.sum::<usize>() <= 1000);
        }
        assert_eq!(cache.find(&name(1)), None);
        cache.keep(name(200), vec![0; 501]);
        assert_eq!(cache.find(&name(200)), None);
    }
}
