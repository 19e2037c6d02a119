//! The one thing of a published set that changes.

use alloc::vec::Vec;

use super::{Digest, EdgeKeys};
use crate::{
    records::{Fault, Head},
    sync::SignedHead,
    time::Timestamp,
    wire::{MALFORMED, Reader, Writer},
};

const VERSION: u8 = 1;
const MAC: usize = 32;

/// Which set is published now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// What the account vouches for.
    pub head: SignedHead,
    /// The root of the set.
    pub root: Digest,
    /// [`Head::max_stale`].
    pub max_stale: u64,
    /// [`Head::max_inline`].
    pub max_inline: u64,
    /// When it was written.
    pub published_at: Timestamp,
}

impl Pointer {
    /// The bytes to store.
    pub fn write(&self, keys: &EdgeKeys) -> Vec<u8> {
        let mut text = self.text();
        let mac = keys.mac(&text);
        text.extend_from_slice(&mac);
        text
    }

    /// The same without the MAC.
    pub fn text(&self) -> Vec<u8> {
        let mut out = Writer::new(VERSION);
        out.raw(self.head.account.as_bytes())
            .raw(self.head.environment.as_bytes())
            .number(self.head.version)
            .number(self.head.issued_at.millis())
            .raw(&self.head.tokens)
            .raw(&self.head.signature)
            .raw(self.root.as_bytes())
            .number(self.max_stale)
            .number(self.max_inline)
            .number(self.published_at.millis());
        out.0
    }

    /// Takes bytes that whoever holds the keys wrote for this environment. The account's signature is not checked.
    pub fn read(bytes: &[u8], keys: &EdgeKeys) -> Result<Self, Fault> {
        let (text, mac) = bytes.split_last_chunk::<MAC>().ok_or(MALFORMED)?;
        if !keys.has_mac(text, mac) {
            return Err(MALFORMED);
        }
        let pointer = Self::of_text(text)?;
        let trust = keys.trust();
        if pointer.head.account != trust.account || pointer.head.environment != trust.environment {
            return Err(MALFORMED);
        }
        Ok(pointer)
    }

    /// From [`Pointer::text`], which proves nothing.
    pub(super) fn of_text(text: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(text, VERSION)?;
        let pointer = Self {
            head: SignedHead {
                account: reader.id()?,
                environment: reader.id()?,
                version: reader.number()?,
                issued_at: Timestamp::from_millis(reader.number()?),
                tokens: reader.array()?,
                signature: reader.array()?,
            },
            root: reader.digest()?,
            max_stale: reader.number()?,
            max_inline: reader.number()?,
            published_at: Timestamp::from_millis(reader.number()?),
        };
        reader.end(())?;
        Ok(pointer)
    }

    /// Whether the account vouched for this one before it vouched for the other.
    pub fn is_older_than(&self, other: &Self) -> bool {
        let age = |pointer: &Self| (pointer.head.version, pointer.head.issued_at);
        age(self) < age(other)
    }

    /// What is served, and how fresh it is.
    pub const fn to_head(&self) -> Head {
        Head {
            environment: self.head.environment,
            account: self.head.account,
            version: self.head.version,
            issued_at: self.head.issued_at,
            max_stale: self.max_stale,
            max_inline: self.max_inline,
        }
    }
}
