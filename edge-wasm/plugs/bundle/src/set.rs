//! The set as it lies in the component (docs/protocol.md, "A bundle"). It was proven when the component was built, and
//! whoever could alter it could alter this code too.

use sekisho_core::{
    published::{Digest, Objects},
    records::Fault,
};

use crate::bindings::sekisho::bundle::data;

/// What the component beside this one holds.
pub(crate) struct Set;

fn find(name: &Digest) -> Option<Vec<u8>> {
    let [high, low] = name.numbers();
    let found = data::find(high, low);
    (!found.is_empty()).then_some(found)
}

impl Objects for Set {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        Ok(data::pointer())
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        find(name).ok_or(Fault::Unavailable)
    }

    fn are_proven(&self) -> bool {
        true
    }

    /// Everything that stands in a tree was put beside the objects, so that no way leads through nodes.
    fn recall(&self, tree: &Digest, key: &[u8]) -> Option<Vec<u8>> {
        find(&Digest::of_place(tree, key))
    }
}
