//! A sorted map that is cheap to copy and quick to fill: what two copies have in common, they share.
//!
//! Entries lie in blocks of at most [`MOST`], in order. A copy shares the blocks; a change copies the one that it
//! touches. A balanced tree of single entries does the same with less copying, but takes so long to fill that it was
//! most of a start (docs/adr/0005), and filling is what a start and a first sync wait for.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Bound;

/// Entries of a block. Fewer make changes cheaper; more make copies cheaper.
const MOST: usize = 128;

type Block<K, V> = Arc<Vec<(K, V)>>;

/// Keys and their values, by ascending key.
#[derive(Debug, Clone)]
pub(super) struct Sorted<K, V> {
    /// None of them is empty.
    blocks: Vec<Block<K, V>>,
    length: usize,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            length: 0,
        }
    }
}

impl<K: Ord + Copy, V: Clone> Sorted<K, V> {
    /// Of entries in any order; of equal keys, any one is kept.
    pub(super) fn of(mut entries: Vec<(K, V)>) -> Self {
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.dedup_by_key(|(key, _)| *key);
        let length = entries.len();
        let blocks = entries.chunks(MOST).map(|chunk| Arc::new(chunk.to_vec()));
        Self {
            blocks: blocks.collect(),
            length,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let block = self.blocks.get(self.place(key))?;
        let at = find(block, key).ok()?;
        block.get(at).map(|(_, value)| value)
    }

    /// A value to be changed; what other copies see stays as it is.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key);
        let block = self.blocks.get_mut(place)?;
        let at = find(block, key).ok()?;
        Arc::make_mut(block).get_mut(at).map(|(_, value)| value)
    }

    /// The value that it takes the place of, if there was one.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        let Some(block) = self.blocks.get_mut(place) else {
            self.push(key, value);
            return None;
        };
        let found = find(block, &key);
        let block = Arc::make_mut(block);
        match found {
            Ok(at) => block
                .get_mut(at)
                .map(|(_, held)| core::mem::replace(held, value)),
            Err(at) => {
                block.insert(at, (key, value));
                self.length += 1;
                if block.len() > MOST {
                    let second = block.split_off(MOST / 2);
                    self.blocks.insert(place + 1, Arc::new(second));
                }
                None
            }
        }
    }

    /// Behind all others: blocks that are filled in order become full.
    fn push(&mut self, key: K, value: V) {
        self.length += 1;
        match self.blocks.last_mut() {
            Some(last) if last.len() < MOST => Arc::make_mut(last).push((key, value)),
            _ => {
                let mut block = Vec::with_capacity(MOST);
                block.push((key, value));
                self.blocks.push(Arc::new(block));
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key);
        let block = self.blocks.get_mut(place)?;
        let at = find(block, key).ok()?;
        let block = Arc::make_mut(block);
        let (_, value) = block.remove(at);
        self.length -= 1;
        if block.is_empty() {
            self.blocks.remove(place);
        } else {
            self.join(place);
        }
        Some(value)
    }

    /// Makes one block of two small neighbours.
    fn join(&mut self, place: usize) {
        let first = place.saturating_sub(1);
        let length = |at: usize| self.blocks.get(at).map_or(MOST, |block| block.len());
        if length(first) + length(first + 1) <= MOST / 2 {
            let second = self.blocks.remove(first + 1);
            if let Some(block) = self.blocks.get_mut(first) {
                Arc::make_mut(block).extend(second.iter().cloned());
            }
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        let entries = self.blocks.iter().flat_map(|block| block.iter());
        entries.map(|(_, value)| value)
    }

    /// All values, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        let blocks = self.blocks.iter_mut();
        let entries = blocks.flat_map(|block| Arc::make_mut(block).iter_mut());
        entries.map(|(_, value)| value)
    }

    /// All from a key on.
    pub(super) fn range(&self, from: Bound<&K>) -> impl Iterator<Item = (&K, &V)> {
        let is_before = |(key, _): &(K, V)| match from {
            Bound::Included(from) => key < from,
            Bound::Excluded(from) => key <= from,
            Bound::Unbounded => false,
        };
        let place = self
            .blocks
            .partition_point(|block| block.last().is_some_and(is_before));
        let blocks = self.blocks.get(place..).unwrap_or_default();
        let before = blocks
            .first()
            .map_or(0, |block| block.partition_point(is_before));
        blocks
            .iter()
            .flat_map(|block| block.iter())
            .skip(before)
            .map(|(key, value)| (key, value))
    }

    /// The block that has a key, if any has; else the one before whose entries it belongs.
    fn place(&self, key: &K) -> usize {
        self.blocks
            .partition_point(|block| block.last().is_some_and(|(last, _)| last < key))
    }
}

fn find<K: Ord, V>(block: &[(K, V)], key: &K) -> Result<usize, usize> {
    block.binary_search_by(|(held, _)| held.cmp(key))
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    impl<K: Ord + Copy, V: Clone> Sorted<K, V> {
        fn check(&self) {
            assert!(
                self.blocks
                    .iter()
                    .all(|block| (1..=MOST).contains(&block.len()))
            );
            assert_eq!(
                self.blocks.iter().map(|block| block.len()).sum::<usize>(),
                self.length
            );
        }

        fn entries(&self) -> Vec<(K, V)> {
            let all = self.range(Bound::Unbounded);
            all.map(|(key, value)| (*key, value.clone())).collect()
        }
    }

    #[derive(Debug, Clone)]
    enum Change {
        Insert(u16, u8),
        Remove(u16),
        /// Many in a row, so that blocks become small and go.
        RemoveFrom(u16),
        Edit(u16),
    }

    fn change() -> impl Strategy<Value = Change> {
        let key = 0..2000_u16;
        prop_oneof![
            20 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Change::Insert(key, value)),
            6 => key.clone().prop_map(Change::Remove),
            1 => key.clone().prop_map(Change::RemoveFrom),
            3 => key.prop_map(Change::Edit),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_holds_what_a_map_holds_and_copies_keep_theirs(
            first in vec((0..2000_u16, any::<u8>()), 0..1000),
            changes in vec(change(), 0..2000),
            from in 0..2100_u16,
        ) {
            let mut map: BTreeMap<_, _> = first.iter().copied().collect();
            let mut sorted = Sorted::of(map.clone().into_iter().rev().collect());
            let (copy, held) = (sorted.clone(), map.clone());
            for change in changes {
                match change {
                    Change::Insert(key, value) => {
                        prop_assert_eq!(sorted.insert(key, value), map.insert(key, value));
                    }
                    Change::Remove(key) => prop_assert_eq!(sorted.remove(&key), map.remove(&key)),
                    Change::RemoveFrom(from) => for key in from..from + 400 {
                        prop_assert_eq!(sorted.remove(&key), map.remove(&key));
                    },
                    Change::Edit(key) => {
                        let edit = |value: &mut u8| *value = value.wrapping_add(1);
                        prop_assert_eq!(
                            sorted.get_mut(&key).map(edit).is_some(),
                            map.get_mut(&key).map(edit).is_some()
                        );
                    }
                }
            }
            sorted.check();
            let all: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
            prop_assert_eq!(sorted.entries(), all);
            prop_assert_eq!(sorted.len(), map.len());
            prop_assert_eq!(sorted.get(&from), map.get(&from));
            prop_assert!(sorted.values().eq(map.values()));
            for bound in [Bound::Included(&from), Bound::Excluded(&from)] {
                prop_assert!(sorted.range(bound).eq(map.range((bound, Bound::Unbounded))));
            }
            copy.check();
            prop_assert_eq!(copy.entries(), held.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn blocks_that_are_filled_in_order_are_full() {
        let mut sorted = Sorted::default();
        for key in 0..10 * MOST {
            sorted.insert(key, ());
        }
        assert_eq!(sorted.blocks.len(), 10);
    }
}
