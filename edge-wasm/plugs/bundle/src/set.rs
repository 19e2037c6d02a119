//! The set as it lies in the component (docs/protocol.md, "A bundle"). It was proven when the component was built, and
//! whoever could alter it could alter this code too.

use sekisho_core::{
    published::{Digest, EdgeKeys, Objects},
    records::Fault,
};

use crate::bindings::sekisho::bundle::data;

const MAGIC: [u8; 4] = *b"SKB\x01";
const HEADER: u32 = 16;
/// For each first byte of a name, how many names begin with it or with a smaller one.
const FAN: u32 = 256 * 4;
const NAME: usize = 32;
const ENTRY: u32 = 40;

/// Where the bytes are.
pub(crate) struct Source;

impl Source {
    fn read(&self, offset: u32, length: u32) -> Option<Vec<u8>> {
        // Asking for what is not there would end the instance.
        let is_there = offset.checked_add(length)? <= data::size();
        is_there.then(|| data::read(offset, length))
    }
}

/// An opened set.
pub(crate) struct Set {
    source: Source,
    pub(crate) keys: EdgeKeys,
    pointer: Vec<u8>,
    fan: u32,
}

impl Set {
    pub(crate) fn open(source: Source) -> Option<Self> {
        let header = source.read(0, HEADER)?;
        let (magic, numbers) = header.split_first_chunk::<4>()?;
        let keys_length = number(numbers, 0)?;
        let pointer_length = number(numbers, 4)?;
        let texts = source.read(HEADER, keys_length.checked_add(pointer_length)?)?;
        let (keys, pointer) = texts.split_at_checked(keys_length as usize)?;
        let keys = EdgeKeys::parse(std::str::from_utf8(keys).ok()?).ok()?;
        (*magic == MAGIC).then(|| Self {
            source,
            keys,
            pointer: pointer.to_vec(),
            fan: HEADER + keys_length + pointer_length,
        })
    }

    fn find(&self, name: &Digest) -> Option<Vec<u8>> {
        let first = u32::from(*name.as_bytes().first()?);
        let (begin, end) = match first.checked_sub(1) {
            None => (0, number(&self.source.read(self.fan, 4)?, 0)?),
            Some(before) => {
                let fan = self.source.read(self.fan + before * 4, 8)?;
                (number(&fan, 0)?, number(&fan, 4)?)
            }
        };
        let index = self.fan + FAN;
        let length = end.checked_sub(begin)?.checked_mul(ENTRY)?;
        let entries = self
            .source
            .read(index + begin.checked_mul(ENTRY)?, length)?;
        let mut entries = entries.chunks_exact(ENTRY as usize);
        let entry = entries.find(|entry| entry.starts_with(name.as_bytes()))?;
        self.source
            .read(number(entry, NAME)?, number(entry, NAME + 4)?)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let (number, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*number))
}

impl Objects for Set {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.pointer.clone())
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        self.find(name).ok_or(Fault::Unavailable)
    }

    fn are_proven(&self) -> bool {
        true
    }
}
