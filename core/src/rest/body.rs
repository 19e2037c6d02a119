//! An answer's body: pulled piece by piece, so that a large file never sits whole in memory.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{
    file::FileEntry,
    id::{ItemId, VaultId},
    records::{Fault, Records},
};

/// An answer's body. Pieces wipe themselves when dropped.
#[derive(Debug)]
pub struct Body(Source);

#[derive(Debug)]
enum Source {
    Full(Option<Zeroizing<Vec<u8>>>),
    /// By the last piece first, and the bytes of all.
    Pieces(Vec<Zeroizing<Vec<u8>>>, u64),
    File(FileBody),
}

/// What is left to send of a file.
#[derive(Debug)]
struct FileBody {
    vault: VaultId,
    item: ItemId,
    entry: FileEntry,
    at: u64,
    left: u64,
}

impl Body {
    /// A body that is all there.
    pub const fn full(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Source::Full(Some(bytes)))
    }

    /// A body that is all there, to be sent and forgotten piece by piece.
    pub(super) fn pieces(mut pieces: Vec<Zeroizing<Vec<u8>>>) -> Self {
        if pieces.len() < 2 {
            return Self::full(pieces.pop().unwrap_or_default());
        }
        pieces.reverse();
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self(Source::Pieces(pieces, length))
    }

    /// `length` bytes of a file's content from `at` on.
    pub(super) const fn file(
        vault: VaultId,
        item: ItemId,
        entry: FileEntry,
        at: u64,
        length: u64,
    ) -> Self {
        Self(Source::File(FileBody {
            vault,
            item,
            entry,
            at,
            left: length,
        }))
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        match &self.0 {
            Source::Full(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Source::Pieces(_, left) => *left,
            Source::File(file) => file.left,
        }
    }

    /// The whole body, when it is in one piece: what a carrier can send at once.
    pub fn take_full(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        match &mut self.0 {
            Source::Full(bytes) => bytes.take(),
            Source::Pieces(..) | Source::File(_) => None,
        }
    }

    /// The same, to look at.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match &self.0 {
            Source::Full(bytes) => bytes.as_deref().map(Vec::as_slice),
            Source::Pieces(..) | Source::File(_) => None,
        }
    }

    /// The next piece; `None` at the end. A fault in the middle means that the connection must be broken off: the
    /// length promised cannot be kept.
    pub fn next_chunk(
        &mut self,
        records: &dyn Records,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        match &mut self.0 {
            Source::Full(bytes) => Ok(bytes.take().filter(|bytes| !bytes.is_empty())),
            Source::Pieces(pieces, left) => {
                let piece = pieces.pop();
                *left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
                Ok(piece)
            }
            Source::File(file) if file.left == 0 => Ok(None),
            Source::File(file) => file.next(records).map(Some),
        }
    }
}

impl FileBody {
    fn next(&mut self, records: &dyn Records) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let size = u64::from(self.entry.chunk_size.max(1));
        let index = u32::try_from(self.at / size).map_err(|_| Fault::Unavailable)?;
        let sealed = records.chunk(&self.vault, &self.item, &self.entry.stored(), index)?;
        let mut content = self
            .entry
            .open_chunk(self.vault, self.item, index, &sealed)
            .map_err(|_| Fault::Unavailable)?;
        let skip = usize::try_from(self.at % size).map_err(|_| Fault::Unavailable)?;
        let skip = skip.min(content.len());
        content.drain(..skip);
        content.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        if content.is_empty() {
            return Err(Fault::Unavailable);
        }
        self.at += content.len() as u64;
        self.left -= content.len() as u64;
        Ok(content)
    }
}
