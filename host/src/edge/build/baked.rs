//! A published set as what a bundle holds (docs/protocol.md, "A bundle").

use std::collections::BTreeMap;

use sekisho_core::{
    published::{AcceptError, Digest, EdgeKeys, Objects, accept, names, values},
    records::Fault,
};

/// Why a set is not baked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BakeError {
    /// There is no pointer, or it cannot be read.
    #[error("nothing is published there: run `sekisho edge publish --to DIR` first")]
    Nothing,
    /// The set is not one that an edge of this Connect server may serve.
    #[error(transparent)]
    Refused(#[from] AcceptError),
}

/// A set that was proven whole: the pointer, and under names the objects and what stands in their trees.
#[derive(Debug, Clone, Default)]
pub struct Baked {
    pub(super) pointer: Vec<u8>,
    pub(super) named: BTreeMap<[u64; 2], Vec<u8>>,
}

impl Baked {
    /// Bytes of what it holds.
    pub fn size(&self) -> usize {
        let named = self.named.values().map(Vec::len);
        self.pointer.len() + named.sum::<usize>()
    }
}

/// Proves a set, all of it.
///
/// Nothing of the device secret goes in: the pointer has no MAC, for its place proves it.
/// `max_stale`: seconds for which it may be served after the account vouched for it; `None` = as published.
pub fn bake(
    objects: &(impl Objects + ?Sized),
    keys: &EdgeKeys,
    max_stale: Option<u64>,
) -> Result<Baked, BakeError> {
    let bytes = objects.pointer().map_err(|_| BakeError::Nothing)?;
    let mut pointer = accept(&bytes, None, objects, keys)?;
    let incomplete = |_: Fault| BakeError::Refused(AcceptError::Incomplete);
    let mut named = BTreeMap::new();
    for name in names(objects, &pointer.root).map_err(incomplete)? {
        let bytes = objects.object(&name).map_err(incomplete)?;
        if Digest::of(&bytes) != name {
            return Err(BakeError::Refused(AcceptError::Incomplete));
        }
        named.insert(name.numbers(), bytes);
    }
    values(objects, &pointer.root, &mut |tree, key, value| {
        named.insert(Digest::of_place(tree, key).numbers(), value.to_vec());
    })
    .map_err(incomplete)?;
    pointer.max_stale = max_stale.unwrap_or(pointer.max_stale);
    Ok(Baked {
        pointer: pointer.text(),
        named,
    })
}
