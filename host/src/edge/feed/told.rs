//! Which reports of edges were counted: the newest of them, by the name that the edge gave each.

use std::collections::{HashSet, VecDeque};

/// An edge sends a report again within its instance's life, which is seconds.
const MOST: usize = 4096;
/// A name is 32 characters.
const LONGEST: usize = 64;

#[derive(Default)]
pub(super) struct Told {
    names: HashSet<String>,
    order: VecDeque<String>,
}

impl Told {
    /// Whether this name was not heard before; it is from now on.
    pub(super) fn is_new(&mut self, name: &str) -> bool {
        if name.len() > LONGEST || !self.names.insert(name.to_owned()) {
            return false;
        }
        self.order.push_back(name.to_owned());
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
    fn a_name_counts_once_and_not_all_are_kept() {
        let mut told = Told::default();
        assert!(told.is_new("a"));
        assert!(!told.is_new("a"));
        assert!(!told.is_new(&"x".repeat(65)));
        for n in 0..2 * MOST {
            assert!(told.is_new(&n.to_string()));
        }
        assert!(told.names.len() <= MOST && told.order.len() <= MOST);
        assert!(told.is_new("a"), "long ago");
    }
}
