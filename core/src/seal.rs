//! The envelope in which every piece of data lies: AES-256-GCM, bound to what it is and where it lives (invariant 5).
//!
//! ```text
//!  0        1        2..6            6..18       18..
//! +--------+--------+---------------+-----------+-------------------------+
//! | 0x01   | kind   | generation BE | nonce     | ciphertext ‖ tag (16)   |
//! | version|        | of vault key  | 96 random |                         |
//! +--------+--------+---------------+-----------+-------------------------+
//!
//! associated data, 85 bytes:
//! "sekisho/v1/seal" 00 ‖ version ‖ kind ‖ generation (4 BE) ‖ vault id (26) ‖ item id (26; zeros for a vault) ‖ item version (8 BE)
//! ```
//!
//! A sealed thing moved to another vault or item, renamed to another kind, or handed out under another version does
//! not open, and the error does not say why.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use crate::cipher::OpenError;
use crate::{
    cipher::aead::{self, NONCE_LENGTH, TAG_LENGTH},
    encoding,
    id::{ID_LENGTH, ItemId, VaultId},
    key::VaultKey,
};

const VERSION: u8 = 1;
const HEADER: usize = 6 + NONCE_LENGTH;

/// Bytes an envelope adds to its content.
pub const OVERHEAD: usize = HEADER + TAG_LENGTH;

/// What a sealed thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A vault's name and description.
    Vault = 1,
    /// An item's summary, as lists show it.
    Overview = 2,
    /// An item whole, as its GET shows it.
    Details = 3,
    /// What an item holds beyond Connect's shape: history, members of other origins.
    Extra = 4,
    /// Names, sizes and content keys of an item's files.
    Files = 5,
}

/// Where a sealed thing lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    kind: Kind,
    vault: VaultId,
    item: [u8; ID_LENGTH],
    version: u64,
}

impl Place {
    /// A vault's metadata at an attribute version.
    pub const fn vault(vault: VaultId, attribute_version: u64) -> Self {
        Self {
            kind: Kind::Vault,
            vault,
            item: [0; ID_LENGTH],
            version: attribute_version,
        }
    }

    /// A part of an item at an item version.
    pub const fn item(kind: Kind, vault: VaultId, item: ItemId, version: u64) -> Self {
        Self {
            kind,
            vault,
            item: *item.as_bytes(),
            version,
        }
    }

    fn associated_data(&self, generation: u32) -> [u8; 16 + 6 + 2 * ID_LENGTH + 8] {
        let mut out = [0; 16 + 6 + 2 * ID_LENGTH + 8];
        let parts: [&[u8]; 6] = [
            b"sekisho/v1/seal\0",
            &[VERSION, self.kind as u8],
            &generation.to_be_bytes(),
            self.vault.as_bytes(),
            &self.item,
            &self.version.to_be_bytes(),
        ];
        for (slot, byte) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        out
    }
}

/// A sealed thing's bytes. Anyone may hold them.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(#[serde(with = "encoding::bytes")] Vec<u8>);

impl Sealed {
    /// Takes bytes as they came; nothing is checked before they are opened.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes to store, given away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The key generation its header claims (authenticated when it opens).
    pub fn generation(&self) -> Option<u32> {
        self.0.get(2..6)?.try_into().ok().map(u32::from_be_bytes)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// `seal[key, place](plaintext)` under a fresh random nonce.
pub fn seal(key: &VaultKey, place: &Place, plaintext: &[u8], rng: &mut dyn CryptoRng) -> Sealed {
    let mut nonce = [0; NONCE_LENGTH];
    rng.fill_bytes(&mut nonce);
    let mut out = Vec::with_capacity(plaintext.len() + OVERHEAD);
    out.extend_from_slice(&[VERSION, place.kind as u8]);
    out.extend_from_slice(&key.generation().to_be_bytes());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plaintext);
    // EXPOSE: the vault key goes to the cipher.
    aead::seal_in_place(
        key.bytes().expose(),
        &nonce,
        &place.associated_data(key.generation()),
        &mut out,
        HEADER,
    );
    Sealed(out)
}

/// The plaintext, if it was sealed under this key in this place. It wipes itself when dropped.
pub fn open(
    key: &VaultKey,
    place: &Place,
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (header, text) = sealed.0.split_first_chunk::<HEADER>().ok_or(OpenError)?;
    let (&[version, kind, a, b, c, d], nonce) = header.split_first_chunk::<6>().ok_or(OpenError)?;
    let generation = u32::from_be_bytes([a, b, c, d]);
    if version != VERSION || kind != place.kind as u8 || generation != key.generation() {
        return Err(OpenError);
    }
    let nonce: [u8; NONCE_LENGTH] = nonce.try_into().map_err(|_| OpenError)?;
    let mut out = Zeroizing::new(text.to_vec());
    // EXPOSE: the vault key goes to the cipher.
    aead::open_in_place(
        key.bytes().expose(),
        &nonce,
        &place.associated_data(generation),
        &mut out,
    )?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::test_rng;

    fn place(rng: &mut dyn CryptoRng) -> Place {
        Place::item(
            Kind::Details,
            VaultId::generate(rng),
            ItemId::generate(rng),
            7,
        )
    }

    #[test]
    fn opens_where_it_was_sealed_and_nowhere_else() {
        let rng = &mut test_rng(5);
        let (key, here) = (VaultKey::generate(1, rng), place(rng));
        let sealed = seal(&key, &here, b"{}", rng);
        assert_eq!(open(&key, &here, &sealed).unwrap().as_slice(), b"{}");
        let elsewhere = [
            Place { version: 6, ..here },
            Place {
                kind: Kind::Overview,
                ..here
            },
            Place {
                vault: VaultId::generate(rng),
                ..here
            },
            Place {
                item: *ItemId::generate(rng).as_bytes(),
                ..here
            },
        ];
        for there in elsewhere {
            assert!(open(&key, &there, &sealed).is_err(), "{there:?}");
        }
        assert!(open(&VaultKey::generate(1, rng), &here, &sealed).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_refused() {
        let rng = &mut test_rng(6);
        let (key, here) = (VaultKey::generate(1, rng), place(rng));
        let sealed = seal(&key, &here, b"secret", rng).into_bytes();
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 0x10;
            assert!(
                open(&key, &here, &Sealed::from_bytes(broken)).is_err(),
                "byte {at}"
            );
            assert!(
                open(&key, &here, &Sealed::from_bytes(sealed[..at].to_vec())).is_err(),
                "cut at {at}"
            );
        }
    }
}
