//! The memory that core and host share: blocks of bytes beside the module's own memory, as Extism defines it
//! (op-account.md §A.2). A handle is the offset of a block, 0 is none. Everything in it is wiped when a call ends.

use std::collections::BTreeMap;

use zeroize::Zeroize;

/// Offset of the first block: 0 must stay free.
const FIRST: usize = 16;
/// Blocks begin at multiples of this.
const ALIGN: usize = 16;
/// Bytes to begin with.
const INITIAL: usize = 64 * 1024;

/// An access outside of every block, or more memory than there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the core reaches outside of its blocks, or wants more memory than it may have")]
pub(super) struct BadAccess;

/// The blocks of one call.
pub(super) struct Blocks {
    bytes: Vec<u8>,
    /// Lengths by offset, of those in use.
    used: BTreeMap<usize, usize>,
    /// Offsets of those given back, by room.
    free: BTreeMap<usize, Vec<usize>>,
    end: usize,
    limit: usize,
    /// Most bytes there ever were.
    peak: usize,
}

impl Blocks {
    /// None, and never more bytes than this.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: vec![0; INITIAL],
            used: BTreeMap::new(),
            free: BTreeMap::new(),
            end: FIRST,
            limit,
            peak: FIRST,
        }
    }

    /// Forgets and wipes everything.
    pub(super) fn clear(&mut self) {
        let end = self.end.min(self.bytes.len());
        if let Some(used) = self.bytes.get_mut(..end) {
            used.zeroize();
        }
        self.used.clear();
        self.free.clear();
        self.end = FIRST;
    }

    /// Most bytes that were ever in use: what a large call leaves behind is not given back to the system.
    pub(super) const fn peak(&self) -> usize {
        self.peak
    }

    /// A new block; none for no bytes.
    pub(super) fn alloc(&mut self, length: u64) -> Result<u64, BadAccess> {
        let length = usize::try_from(length).map_err(|_| BadAccess)?;
        if length == 0 {
            return Ok(0);
        }
        if length > self.limit {
            return Err(BadAccess);
        }
        let room = length.next_multiple_of(ALIGN);
        let offset = match self.reuse(room) {
            Some(offset) => offset,
            None => self.extend(room)?,
        };
        self.used.insert(offset, length);
        Ok(offset as u64)
    }

    /// A block given back, if one has the room and not twice of it.
    fn reuse(&mut self, room: usize) -> Option<usize> {
        let (found, offsets) = self.free.range_mut(room..=room.saturating_mul(2)).next()?;
        let (found, offset) = (*found, offsets.pop()?);
        if offsets.is_empty() {
            self.free.remove(&found);
        }
        Some(offset)
    }

    fn extend(&mut self, room: usize) -> Result<usize, BadAccess> {
        let offset = self.end;
        let end = offset
            .checked_add(room)
            .filter(|end| *end <= self.limit)
            .ok_or(BadAccess)?;
        if end > self.bytes.len() {
            // By hand: growing in place would leave an unwiped copy behind.
            let size = end.next_power_of_two().min(self.limit.max(end));
            let mut larger = vec![0; size];
            if let Some(start) = larger.get_mut(..self.bytes.len()) {
                start.copy_from_slice(&self.bytes);
            }
            self.bytes.zeroize();
            self.bytes = larger;
        }
        self.end = end;
        self.peak = self.peak.max(end);
        Ok(offset)
    }

    /// A new block with this content.
    pub(super) fn put(&mut self, content: &[u8]) -> Result<u64, BadAccess> {
        let handle = self.alloc(content.len() as u64)?;
        if handle != 0 {
            self.slice_mut(handle, content.len())?
                .copy_from_slice(content);
        }
        Ok(handle)
    }

    /// Gives a block back. What is no block is passed over.
    pub(super) fn free(&mut self, handle: u64) {
        let Ok(offset) = usize::try_from(handle) else {
            return;
        };
        if let Some(length) = self.used.remove(&offset) {
            if let Some(bytes) = self.bytes.get_mut(offset..offset + length) {
                bytes.zeroize();
            }
            let room = length.next_multiple_of(ALIGN);
            self.free.entry(room).or_default().push(offset);
        }
    }

    /// Bytes in a block; 0 for what is none.
    pub(super) fn length(&self, handle: u64) -> u64 {
        let offset = usize::try_from(handle).unwrap_or_default();
        self.used.get(&offset).copied().unwrap_or_default() as u64
    }

    /// A whole block.
    pub(super) fn block(&self, handle: u64) -> Result<&[u8], BadAccess> {
        self.slice(handle, self.length(handle))
    }

    /// Bytes anywhere in what is allocated.
    pub(super) fn slice(&self, offset: u64, length: u64) -> Result<&[u8], BadAccess> {
        let start = usize::try_from(offset).map_err(|_| BadAccess)?;
        let length = usize::try_from(length).map_err(|_| BadAccess)?;
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.end)
            .ok_or(BadAccess)?;
        self.bytes.get(start..end).ok_or(BadAccess)
    }

    fn slice_mut(&mut self, offset: u64, length: usize) -> Result<&mut [u8], BadAccess> {
        let start = usize::try_from(offset).map_err(|_| BadAccess)?;
        let end = start
            .checked_add(length)
            .filter(|end| *end <= self.end)
            .ok_or(BadAccess)?;
        self.bytes.get_mut(start..end).ok_or(BadAccess)
    }

    /// So many bytes at an offset.
    pub(super) fn load<const N: usize>(&self, offset: u64) -> Result<[u8; N], BadAccess> {
        let bytes = self.slice(offset, N as u64)?;
        bytes.try_into().map_err(|_| BadAccess)
    }

    /// Writes bytes at an offset.
    pub(super) fn store<const N: usize>(
        &mut self,
        offset: u64,
        bytes: [u8; N],
    ) -> Result<(), BadAccess> {
        self.slice_mut(offset, N)?.copy_from_slice(&bytes);
        Ok(())
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_apart_and_come_back_wiped() {
        let mut blocks = Blocks::new(1024 * 1024);
        assert_eq!(blocks.alloc(0), Ok(0));
        let a = blocks.put(b"first").unwrap();
        let b = blocks.put(b"second one").unwrap();
        assert_eq!(blocks.block(a), Ok(b"first".as_slice()));
        assert_eq!(blocks.length(b), 10);
        assert_eq!(blocks.length(b + 1), 0, "no handle");
        blocks.free(a);
        assert_eq!(blocks.length(a), 0);
        let again = blocks.alloc(3).unwrap();
        assert_eq!(again, a, "room is used again");
        assert_eq!(blocks.block(again), Ok([0; 3].as_slice()));
        blocks.store(again, 7u16.to_le_bytes()).unwrap();
        assert_eq!(blocks.load::<2>(again), Ok([7, 0]));
    }

    #[test]
    fn nothing_outside_and_not_too_much() {
        let mut blocks = Blocks::new(INITIAL * 4);
        assert_eq!(blocks.load::<8>(1 << 40), Err(BadAccess));
        assert_eq!(blocks.load::<8>(u64::MAX - 3), Err(BadAccess));
        assert_eq!(blocks.alloc(INITIAL as u64 * 5), Err(BadAccess));
        assert_eq!(blocks.alloc(u64::MAX), Err(BadAccess));
        let large = blocks.alloc(INITIAL as u64 * 2).unwrap();
        assert!(blocks.store(large, [1]).is_ok());
        assert_eq!(blocks.alloc(INITIAL as u64 * 3), Err(BadAccess));
        blocks.clear();
        assert!(blocks.alloc(INITIAL as u64 * 3).is_ok());
        assert!(blocks.peak() > INITIAL * 3);
    }
}
