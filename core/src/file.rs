//! File content in chunks: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over AES-256-GCM.
//!
//! A large file never sits whole in memory, and yet no chunk can be dropped, repeated, reordered or taken from another
//! file. Each file has a fresh random key, so counters can be nonces:
//!
//! ```text
//! nonce, 12 bytes:            00 × 7 ‖ chunk index (4 BE) ‖ 01 for the last chunk, else 00
//! associated data, 94 bytes:  "sekisho/v1/file" 00 ‖ vault id (26) ‖ item id (26) ‖ file id (26)
//! chunk:                      ciphertext (64 KiB, the last one shorter or as long) ‖ tag (16)
//! ```
//!
//! An empty file is one empty last chunk. The keys lie in the item's sealed [`crate::seal::Kind::Files`] part, a JSON
//! array of [`FileEntry`].

use alloc::{string::String, vec::Vec};
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    cipher::{
        OpenError,
        aead::{self, NONCE_LENGTH, TAG_LENGTH},
    },
    encoding,
    id::{FileId, ID_LENGTH, ItemId, VaultId},
    secret::SecretBytes,
};

/// Bytes of content in a chunk; the last one may have fewer.
pub const CHUNK: u32 = 64 * 1024;

/// Bytes a sealed chunk has more than its content.
pub const CHUNK_OVERHEAD: usize = TAG_LENGTH;

const CONTEXT: &[u8; 16] = b"sekisho/v1/file\0";

/// Seals one file. Never use it for a second one: its nonces are counters.
#[derive(Clone, PartialEq, Eq)]
pub struct FileKey(SecretBytes<32>);

impl FileKey {
    /// A fresh key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(SecretBytes::generate(rng))
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(…)")
    }
}

impl Serialize for FileKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // EXPOSE: written into the sealed Files part, nowhere else.
        let text = Zeroizing::new(encoding::base64url(self.0.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for FileKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        encoding::array::deserialize(deserializer).map(|bytes| Self(SecretBytes::new(bytes)))
    }
}

/// Where a file lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePlace {
    /// The vault.
    pub vault: VaultId,
    /// The item it is attached to.
    pub item: ItemId,
    /// The file.
    pub file: FileId,
}

impl FilePlace {
    fn associated_data(&self) -> [u8; 16 + 3 * ID_LENGTH] {
        let mut out = [0; 16 + 3 * ID_LENGTH];
        let parts: [&[u8]; 4] = [
            CONTEXT,
            self.vault.as_bytes(),
            self.item.as_bytes(),
            self.file.as_bytes(),
        ];
        for (slot, byte) in out.iter_mut().zip(parts.into_iter().flatten()) {
            *slot = *byte;
        }
        out
    }
}

/// Which chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPosition {
    /// From 0.
    pub index: u32,
    /// Whether the file ends with it.
    pub last: bool,
}

impl ChunkPosition {
    fn nonce(self) -> [u8; NONCE_LENGTH] {
        let [a, b, c, d] = self.index.to_be_bytes();
        [0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(self.last)]
    }
}

/// Seals one chunk. Sealing two contents at one position under one key gives both away: seal a changed file anew.
pub fn seal_chunk(
    key: &FileKey,
    place: &FilePlace,
    position: ChunkPosition,
    content: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + CHUNK_OVERHEAD);
    out.extend_from_slice(content);
    // EXPOSE: the file key goes to the cipher.
    aead::seal_in_place(
        key.0.expose(),
        &position.nonce(),
        &place.associated_data(),
        &mut out,
        0,
    );
    out
}

/// The content of one chunk, if it was sealed under this key, in this file, at this position. It wipes itself.
pub fn open_chunk(
    key: &FileKey,
    place: &FilePlace,
    position: ChunkPosition,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut out = Zeroizing::new(sealed.to_vec());
    // EXPOSE: the file key goes to the cipher.
    aead::open_in_place(
        key.0.expose(),
        &position.nonce(),
        &place.associated_data(),
        &mut out,
    )?;
    Ok(out)
}

/// A file of an item, as it stands in the item's sealed Files part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// The file.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// The item's section it stands in, if it stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// Under which id its chunks are kept, if it is not its own: a replaced content gets a new one, because chunks that
    /// are out in the world never change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<FileId>,
    /// Opens its chunks.
    pub key: FileKey,
    /// Bytes of content in each chunk but the last.
    pub chunk_size: u32,
}

impl FileEntry {
    /// The id under which its chunks are kept.
    pub fn stored(&self) -> FileId {
        self.content.unwrap_or(self.id)
    }

    /// Number of chunks; at least one. `None` = damaged: no chunk size, or more chunks than there are positions.
    pub fn chunks(&self) -> Option<u32> {
        let count = self
            .size
            .checked_add(u64::from(self.chunk_size).checked_sub(1)?)?
            .checked_div(u64::from(self.chunk_size))?;
        u32::try_from(count.max(1)).ok()
    }

    /// The position of a chunk of this file; `None` = past its end.
    pub fn position(&self, index: u32) -> Option<ChunkPosition> {
        let last = self.chunks()?.checked_sub(1)?;
        (index <= last).then_some(ChunkPosition {
            index,
            last: index == last,
        })
    }

    /// Opens a chunk of this file, of the length its size says.
    pub fn open_chunk(
        &self,
        vault: VaultId,
        item: ItemId,
        index: u32,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let position = self.position(index).ok_or(OpenError)?;
        let place = FilePlace {
            vault,
            item,
            file: self.stored(),
        };
        let content = open_chunk(&self.key, &place, position, sealed)?;
        if content.len() as u64 == self.length(position) {
            Ok(content)
        } else {
            Err(OpenError)
        }
    }

    fn length(&self, position: ChunkPosition) -> u64 {
        let size = u64::from(self.chunk_size);
        if position.last {
            self.size.saturating_sub(u64::from(position.index) * size)
        } else {
            size
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::test_rng;

    fn place(rng: &mut dyn CryptoRng) -> FilePlace {
        FilePlace {
            vault: VaultId::generate(rng),
            item: ItemId::generate(rng),
            file: FileId::generate(rng),
        }
    }

    fn entry(place: &FilePlace, key: &FileKey, size: u64) -> FileEntry {
        FileEntry {
            id: place.file,
            name: "a.txt".into(),
            size,
            section: None,
            content: None,
            key: key.clone(),
            chunk_size: 4,
        }
    }

    fn seal_all(entry: &FileEntry, place: &FilePlace, content: &[u8]) -> Vec<Vec<u8>> {
        (0..entry.chunks().unwrap())
            .map(|index| {
                let from = index as usize * 4;
                let to = content.len().min(from + 4);
                let position = entry.position(index).unwrap();
                seal_chunk(&entry.key, place, position, &content[from..to])
            })
            .collect()
    }

    #[test]
    fn every_length_comes_back() {
        let rng = &mut test_rng(30);
        for length in 0..14u8 {
            let (here, key) = (place(rng), FileKey::generate(rng));
            let content: Vec<u8> = (0..length).collect();
            let entry = entry(&here, &key, u64::from(length));
            let sealed = seal_all(&entry, &here, &content);
            let mut back = Vec::new();
            for (index, chunk) in sealed.iter().enumerate() {
                let opened = entry.open_chunk(here.vault, here.item, index as u32, chunk);
                back.extend_from_slice(&opened.unwrap());
            }
            assert_eq!(back, content);
            let past = sealed.len() as u32;
            assert!(
                entry
                    .open_chunk(here.vault, here.item, past, &sealed[0])
                    .is_err()
            );
        }
    }

    #[test]
    fn truncation_and_extension_do_not_open() {
        let rng = &mut test_rng(31);
        let (here, key) = (place(rng), FileKey::generate(rng));
        let whole = entry(&here, &key, 8);
        let sealed = seal_all(&whole, &here, b"01234567");
        let open = |index, last, chunk: &[u8]| {
            open_chunk(&key, &here, ChunkPosition { index, last }, chunk)
        };
        assert!(open(0, false, &sealed[0]).is_ok());
        assert!(
            open(0, true, &sealed[0]).is_err(),
            "a middle chunk is no end"
        );
        assert!(open(1, false, &sealed[1]).is_err(), "an end is no middle");
        let shorter = entry(&here, &key, 4);
        assert!(
            shorter
                .open_chunk(here.vault, here.item, 0, &sealed[0])
                .is_err()
        );
        let longer = entry(&here, &key, 12);
        assert!(
            longer
                .open_chunk(here.vault, here.item, 1, &sealed[1])
                .is_err()
        );
        assert!(
            entry(&here, &key, 7)
                .open_chunk(here.vault, here.item, 1, &sealed[1])
                .is_err(),
            "the size is checked"
        );
    }

    #[test]
    fn reordered_moved_and_altered_chunks_do_not_open() {
        let rng = &mut test_rng(32);
        let (here, key) = (place(rng), FileKey::generate(rng));
        let whole = entry(&here, &key, 12);
        let sealed = seal_all(&whole, &here, b"0123456789ab");
        assert!(
            whole
                .open_chunk(here.vault, here.item, 0, &sealed[1])
                .is_err()
        );
        let there = place(rng);
        for moved in [
            FilePlace {
                vault: there.vault,
                ..here
            },
            FilePlace {
                item: there.item,
                ..here
            },
            FilePlace {
                file: there.file,
                ..here
            },
        ] {
            let first = ChunkPosition {
                index: 0,
                last: false,
            };
            assert!(open_chunk(&key, &moved, first, &sealed[0]).is_err());
        }
        for at in 0..sealed[0].len() {
            let mut broken = sealed[0].clone();
            broken[at] ^= 1;
            assert!(whole.open_chunk(here.vault, here.item, 0, &broken).is_err());
        }
        assert!(FileKey::generate(rng) != key);
    }

    #[test]
    fn an_entry_survives_json_and_hides_its_key() {
        let rng = &mut test_rng(33);
        let (here, key) = (place(rng), FileKey::generate(rng));
        let entry = entry(&here, &key, 1);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<FileEntry>(&text).unwrap(), entry);
        assert!(text.contains("\"chunkSize\":4"));
        assert!(alloc::format!("{entry:?}").contains("FileKey(…)"));
        let none = FileEntry {
            chunk_size: 0,
            ..entry
        };
        assert_eq!(none.chunks(), None);
    }
}
