//! Which reports of edges were counted: the newest of them, by the name that the edge gave each.

use std::collections::{HashSet, VecDeque};

/// An edge sends a report again within its instance's life, which is seconds.
const MOST: usize = 4096;
/// What an edge calls a report: random bytes.
type Name = [u8; 16];

#[derive(Default)]
pub(super) struct Told {
    names: HashSet<Name>,
    order: VecDeque<Name>,
}

impl Told {
    /// Whether this name was not heard before; it is from now on.
    pub(super) fn is_new(&mut self, name: Name) -> bool {
        if !self.names.insert(name) {
            return false;
        }
        self.order.push_back(name);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_once_and_only_the_newest_are_remembered() {
        let mut told = Told::default();
        let name = |n: usize| (n as u128).to_be_bytes();
        for n in 0..=MOST {
            assert!(told.is_new(name(n)));
            assert!(!told.is_new(name(n)));
        }
        assert!(!told.is_new(name(1)), "among the newest");
        assert!(told.is_new(name(0)), "forgotten");
        assert_eq!((told.names.len(), told.order.len()), (MOST, MOST));
    }
}
