//! Bytes in, bytes out: fixed widths, lengths before what they count.

use alloc::vec::Vec;

use crate::{published::Digest, records::Fault, seal::Sealed};

/// It is not what we write: damage, for a store has no business of its own in it.
pub(crate) const MALFORMED: Fault = Fault::Unavailable;

/// What is written.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// Begins with a byte that says what it is.
    pub(crate) fn new(kind: u8) -> Self {
        Self(Vec::from([kind]))
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    /// How many follow, or how long what follows is. Nothing in memory has 2^32 parts.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.raw(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes())
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    pub(crate) fn name(&mut self, name: Option<&Digest>) -> &mut Self {
        match name {
            Some(name) => self.byte(1).raw(name.as_bytes()),
            None => self.byte(0),
        }
    }

    pub(crate) fn sealed(&mut self, sealed: Option<&Sealed>) -> &mut Self {
        match sealed {
            Some(sealed) => self.byte(1).bytes(sealed.as_bytes()),
            None => self.byte(0),
        }
    }
}

/// What is left to read. It cannot be made to reserve more than it holds.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Of something that begins with this byte.
    pub(crate) fn new(bytes: &'a [u8], kind: u8) -> Result<Self, Fault> {
        match bytes.split_first() {
            Some((first, rest)) if *first == kind => Ok(Self(rest)),
            _ => Err(MALFORMED),
        }
    }

    /// Of something without such a byte.
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.raw(N)?.try_into().map_err(|_| MALFORMED)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn count(&mut self) -> Result<usize, Fault> {
        usize::try_from(u32::from_be_bytes(self.array()?)).map_err(|_| MALFORMED)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.count()?;
        self.raw(length)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(MALFORMED),
        }
    }

    /// An identifier's text.
    pub(crate) fn id<T: core::str::FromStr>(&mut self) -> Result<T, Fault> {
        let text = self.raw(crate::id::ID_LENGTH)?;
        let text = core::str::from_utf8(text).map_err(|_| MALFORMED)?;
        text.parse().map_err(|_| MALFORMED)
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, Fault> {
        self.array().map(Digest::from_bytes)
    }

    pub(crate) fn name(&mut self) -> Result<Option<Digest>, Fault> {
        self.flag()?.then(|| self.digest()).transpose()
    }

    pub(crate) fn sealed(&mut self) -> Result<Option<Sealed>, Fault> {
        let sealed = |bytes: &[u8]| Sealed::from_bytes(bytes.to_vec());
        self.flag()?.then(|| self.bytes().map(sealed)).transpose()
    }

    /// So many things, each read by `one`.
    pub(crate) fn many<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.count()?;
        (0..count).map(|_| one(self)).collect()
    }

    /// All that is left.
    pub(crate) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is read, if nothing is left over.
    pub(crate) const fn end<T: Copy>(&self, read: T) -> Result<T, Fault> {
        if self.is_empty() {
            Ok(read)
        } else {
            Err(MALFORMED)
        }
    }
}
