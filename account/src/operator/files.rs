//! Files: sealed chunk by chunk on the way up, opened chunk by chunk on the way down.

use std::io::{self, Read, Write};

use sekisho_core::{
    file::{CHUNK, FileEntry, FileKey, FilePlace, seal_chunk},
    id::{FileId, ItemId, VaultId},
    seal::Sealed,
};
use zeroize::Zeroizing;

use super::{Operator, OperatorError};
use crate::{Request, Response, random::SystemRng};

/// A file to be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its id; never used before, for stored chunks do not change.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// The item's section it stands in, if it stands in one.
    pub section: Option<String>,
    /// Bytes of its content.
    pub size: u64,
}

impl Operator {
    /// Seals and stores a file's content. What is handed back belongs into the item's Files part; store the item
    /// afterwards, so that no host ever hears of a file that is not there.
    pub fn put_file(
        &self,
        vault: VaultId,
        item: ItemId,
        file: NewFile,
        content: &mut dyn Read,
    ) -> Result<FileEntry, OperatorError> {
        let entry = FileEntry {
            id: file.id,
            name: file.name,
            size: file.size,
            section: file.section,
            content: None,
            key: FileKey::generate(&mut SystemRng),
            chunk_size: CHUNK,
        };
        let length = || OperatorError::Length {
            expected: entry.size,
        };
        let place = FilePlace {
            vault,
            item,
            file: entry.id,
        };
        let mut left = entry.size;
        for index in 0..entry.chunks().ok_or_else(length)? {
            let bytes = take(content, left.min(u64::from(CHUNK)))?.ok_or_else(length)?;
            left -= bytes.len() as u64;
            let position = entry.position(index).ok_or_else(length)?;
            let sealed = seal_chunk(&entry.key, &place, position, &bytes);
            self.put_chunk(&place, index, sealed)?;
        }
        match take(content, 1)? {
            None => Ok(entry),
            Some(_) => Err(length()),
        }
    }

    fn put_chunk(
        &self,
        place: &FilePlace,
        index: u32,
        sealed: Vec<u8>,
    ) -> Result<(), OperatorError> {
        self.command(&Request::PutChunk {
            vault: place.vault,
            item: place.item,
            file: place.file,
            index,
            content: Sealed::from_bytes(sealed),
        })
    }

    /// Opens a file's content into `out`. After an error, what was written is genuine but not whole.
    pub fn read_file(
        &self,
        vault: VaultId,
        item: ItemId,
        entry: &FileEntry,
        out: &mut dyn Write,
    ) -> Result<(), OperatorError> {
        let damaged = || OperatorError::damaged("file", entry.id);
        for index in 0..entry.chunks().ok_or_else(damaged)? {
            let request = Request::Chunk {
                vault,
                item,
                file: entry.id,
                index,
            };
            let Response::Chunk(sealed) = self.call(&request)? else {
                return Err(OperatorError::Unexpected);
            };
            let opened = entry
                .open_chunk(vault, item, index, sealed.as_bytes())
                .map_err(|_| OperatorError::does_not_open("file", entry.id))?;
            out.write_all(&opened).map_err(|error| content(&error))?;
        }
        Ok(())
    }
}

/// Just so many bytes; `None` = the content ends before. To see that it has ended, take one more.
fn take(from: &mut dyn Read, length: u64) -> Result<Option<Zeroizing<Vec<u8>>>, OperatorError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CHUNK as usize));
    from.take(length)
        .read_to_end(&mut bytes)
        .map_err(|error| content(&error))?;
    Ok((bytes.len() as u64 == length).then_some(bytes))
}

fn content(error: &io::Error) -> OperatorError {
    OperatorError::Content(error.kind())
}
