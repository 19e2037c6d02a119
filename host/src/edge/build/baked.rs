//! A published set as the bytes that the plug *bundle* reads (docs/protocol.md, "A bundle").

use std::collections::BTreeMap;

use sekisho_core::{
    key::DeviceSecret,
    published::{AcceptError, Digest, EdgeKeys, Objects, accept, names},
    records::Fault,
};

use crate::random::{CoreRng, Random};

const MAGIC: &[u8; 4] = b"SKB\x01";
const HEADER: usize = 16;
const ENTRY: usize = 40;

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
    /// Offsets have four bytes.
    #[error("the set is larger than 4 GiB: publish fewer vaults")]
    TooLarge,
}

/// Proves a set, all of it, and makes one run of bytes of it: whose tokens it serves, the pointer, an index, the objects.
///
/// Nothing of the device secret goes in: the pointer is written anew with the MAC of a key made for this one bundle.
/// `max_stale`: seconds for which it may be served after the account vouched for it; `None` = as published.
pub fn bake(
    objects: &(impl Objects + ?Sized),
    keys: &EdgeKeys,
    max_stale: Option<u64>,
    random: &dyn Random,
) -> Result<Vec<u8>, BakeError> {
    let bytes = objects.pointer().map_err(|_| BakeError::Nothing)?;
    let mut pointer = accept(&bytes, None, objects, keys)?;
    let incomplete = |_: Fault| BakeError::Refused(AcceptError::Incomplete);
    let mut held = BTreeMap::new();
    for name in names(objects, &pointer.root).map_err(incomplete)? {
        let bytes = objects.object(&name).map_err(incomplete)?;
        if Digest::of(&bytes) != name {
            return Err(BakeError::Refused(AcceptError::Incomplete));
        }
        held.insert(name, bytes);
    }
    pointer.max_stale = max_stale.unwrap_or(pointer.max_stale);
    let secret = DeviceSecret::generate(&mut CoreRng(random));
    let keys = EdgeKeys::derive(*keys.trust(), &secret);
    // EXPOSE: these open nothing; they are made for this bundle, and the plug inside checks the pointer with them.
    let text = keys.to_text();
    lay_out(text.expose().as_bytes(), &pointer.write(&keys), &held).ok_or(BakeError::TooLarge)
}

fn lay_out(keys: &[u8], pointer: &[u8], objects: &BTreeMap<Digest, Vec<u8>>) -> Option<Vec<u8>> {
    let number = |number: usize| u32::try_from(number).ok().map(u32::to_be_bytes);
    let mut out = MAGIC.to_vec();
    for length in [keys.len(), pointer.len(), objects.len()] {
        out.extend(number(length)?);
    }
    out.extend_from_slice(keys);
    out.extend_from_slice(pointer);
    let mut fan = [0usize; 256];
    for name in objects.keys() {
        let [first, ..] = *name.as_bytes();
        fan.iter_mut()
            .skip(usize::from(first))
            .for_each(|count| *count += 1);
    }
    for count in fan {
        out.extend(number(count)?);
    }
    debug_assert_eq!(
        out.len(),
        HEADER + keys.len() + pointer.len() + 4 * fan.len()
    );
    let mut offset = out.len() + objects.len() * ENTRY;
    for (name, bytes) in objects {
        out.extend_from_slice(name.as_bytes());
        out.extend(number(offset)?);
        out.extend(number(bytes.len())?);
        offset += bytes.len();
    }
    number(offset)?;
    for bytes in objects.values() {
        out.extend_from_slice(bytes);
    }
    Some(out)
}
