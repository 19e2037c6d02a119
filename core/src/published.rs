//! Records as a tree of objects in any store that keeps bytes by name: what runs where no host is near reads it.
//!
//! A published set is objects that never change, each named by the SHA-256 of its bytes, and one [`Pointer`], which is
//! written last. So a reader sees one set or the next and never a mix, a change costs its own path to the root, and a
//! copy that was kept is never stale. Only the pointer must be fresh.
//!
//! ```text
//! pointer ── root ─┬─ signing keys
//!                  ├─ tokens, a tree: token id → record
//!                  └─ vaults, a tree: vault id → record and three trees
//!                        ├─ items: item id → version, marks, names of the details, of the rest and of the chunk table
//!                        ├─ overviews: item id → overview
//!                        └─ marks: title mark ‖ item id → nothing
//!
//! pointer  0x01 ‖ account (26) ‖ environment (26) ‖ version ‖ issued at ‖ token list (32) ‖ signature (64)
//!          ‖ root (32) ‖ max stale ‖ max inline ‖ published at ‖ HMAC-SHA-256 (32) over all before
//! root     0x01 ‖ count (4) ‖ { key id (26) ‖ point (65) } … ‖ tokens (32) ‖ vaults (32)
//! leaf     0x01 ‖ count (4) ‖ { key length (1) ‖ key ‖ value length (4) ‖ value } …, by ascending key
//! branch   0x02 ‖ count (4) ‖ { next byte of the key (1) ‖ name of the node (32) } …, by ascending byte
//! rest     0x01 ‖ extra ‖ files, each 0x00, or 0x01 ‖ length (4) ‖ sealed bytes
//! chunks   0x01 ‖ count (4) ‖ { file id (26) ‖ count (4) ‖ { name (32) } … } …
//! details, chunk   the sealed bytes as they are
//! ```
//!
//! Numbers are big-endian, of eight bytes where no length stands. Nothing in it opens without a token: it is what a
//! host's replica holds. The MAC's key follows from the device secret, so only who holds that publishes; the account's
//! signed head inside is checked by whoever makes or accepts a pointer, because that is too slow for each read. A
//! reader who finds an object missing or altered says [`Fault::Unavailable`], never what another object would say.

use alloc::vec::Vec;
use core::fmt;

use crate::{cipher::hash, records::Fault};

mod accept;
mod backed;
mod codec;
mod keys;
mod layout;
mod pointer;
mod read;
mod tree;

pub use self::{
    accept::{AcceptError, accept, names, values},
    backed::Backed,
    keys::EdgeKeys,
    layout::{FileChunks, Files, Layout, lay_out},
    pointer::Pointer,
    read::Published,
};

/// No object is larger. A store may refuse one earlier.
pub const MAX_OBJECT: usize = 16 * 1024 * 1024;

/// An object's name: the SHA-256 of its bytes. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hash::sha256(&[bytes]))
    }

    /// What stands for a key of a tree where values lie beside objects: like a name, and the name of no object.
    pub fn of_place(tree: &Self, key: &[u8]) -> Self {
        Self(hash::sha256(&[&tree.0, key]))
    }

    /// The first 16 bytes as two big-endian numbers.
    pub fn numbers(&self) -> [u64; 2] {
        let first = self.0.first_chunk().copied().unwrap_or_default();
        let number = u128::from_be_bytes(first);
        [(number >> 64) as u64, number as u64]
    }

    /// The name that these 32 bytes are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 64 hexadecimal digits, in lower case as they are written.
    pub fn parse(text: &str) -> Option<Self> {
        let mut out = [0; 32];
        let read = base16ct::lower::decode(text, &mut out).ok()?;
        (read.len() == 32).then_some(Self(out))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Where the bytes are kept. Whoever implements it is not believed.
pub trait Objects {
    /// The pointer as it stands now, or stood half a second ago at most; [`Fault::NotSynchronised`] = there is none.
    fn pointer(&self) -> Result<Vec<u8>, Fault>;

    /// The object of a name. What is not there is a fault of the store: [`Fault::Unavailable`].
    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault>;

    /// Whether every object was already compared with its name where it cannot have changed since, so that it need
    /// not be hashed again: in this program itself, or in its memory.
    fn are_proven(&self) -> bool {
        false
    }

    /// What [`Objects::keep`] was told of a key. A tree is named by what is in it, so this is never out of date.
    fn recall(&self, _tree: &Digest, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Is told what stands at a key of a tree, as proven as the tree's objects are: it may be kept, for it is sealed, and
    /// spares the way through the tree the next time.
    fn keep(&self, _tree: &Digest, _key: &[u8], _value: &[u8]) {}
}

impl<O: Objects + ?Sized> Objects for &O {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        (**self).pointer()
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        (**self).object(name)
    }

    fn are_proven(&self) -> bool {
        (**self).are_proven()
    }

    fn recall(&self, tree: &Digest, key: &[u8]) -> Option<Vec<u8>> {
        (**self).recall(tree, key)
    }

    fn keep(&self, tree: &Digest, key: &[u8], value: &[u8]) {
        (**self).keep(tree, key, value);
    }
}

/// An object as its name says it is.
fn load(objects: &(impl Objects + ?Sized), name: &Digest) -> Result<Vec<u8>, Fault> {
    let bytes = match objects.object(name) {
        // Whatever a store's word for it: a set that names what is not there is damaged.
        Err(Fault::Missing) => return Err(Fault::Unavailable),
        found => found?,
    };
    if bytes.len() > MAX_OBJECT || (!objects.are_proven() && Digest::of(&bytes) != *name) {
        return Err(Fault::Unavailable);
    }
    Ok(bytes)
}
