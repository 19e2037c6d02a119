//! Records to the values of a tree and back.

use alloc::vec::Vec;

use super::Digest;
use crate::{
    id::{FileId, ID_LENGTH, ItemId, VaultId},
    key::{PublicKey, WrappedKey},
    records::{
        Fault, ItemRecord, PartRecord, SigningKeyRecord, TitleMark, TokenGrant, TokenRecord,
        TokenState, VaultRecord, VaultType,
    },
    seal::Sealed,
    time::Timestamp,
    token::Rights,
    wire::{MALFORMED, Reader, Writer},
};

/// What kind of object it is, and in which form.
pub(super) const ROOT: u8 = 1;
const REST: u8 = 1;
const CHUNKS: u8 = 1;

/// What the pointer names.
#[derive(Debug, Clone)]
pub(super) struct Root {
    keys: Vec<u8>,
    pub(super) tokens: Digest,
    pub(super) vaults: Digest,
}

/// An id and a point.
const SIGNING_KEY: usize = ID_LENGTH + 65;

impl Root {
    pub(super) fn new(keys: &[SigningKeyRecord], tokens: Digest, vaults: Digest) -> Self {
        let mut out = Writer::default();
        for key in keys {
            out.raw(key.id.as_bytes()).raw(key.public.as_bytes());
        }
        Self {
            keys: out.0,
            tokens,
            vaults,
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Writer::new(ROOT);
        out.count(self.keys.len() / SIGNING_KEY).raw(&self.keys);
        out.raw(self.tokens.as_bytes()).raw(self.vaults.as_bytes());
        out.0
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes, ROOT)?;
        let keys = reader.count()?.checked_mul(SIGNING_KEY).ok_or(MALFORMED)?;
        let root = Self {
            keys: reader.raw(keys)?.to_vec(),
            tokens: reader.digest()?,
            vaults: reader.digest()?,
        };
        reader.end(())?;
        Ok(root)
    }

    /// The keys that verify tokens. Few requests ask for them, and a point is slow to check.
    pub(super) fn keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        let keys = self.keys.chunks_exact(SIGNING_KEY).map(|key| {
            let mut reader = Reader::of(key);
            Ok(SigningKeyRecord {
                id: reader.id()?,
                public: PublicKey::parse(reader.rest()).map_err(|_| MALFORMED)?,
            })
        });
        keys.collect()
    }
}

pub(super) fn write_token(token: &TokenRecord) -> Vec<u8> {
    let mut out = Writer::default();
    out.raw(token.key.as_bytes()).raw(&token.digest);
    out.byte(u8::from(token.state == TokenState::Revoked));
    match token.expires_at {
        Some(at) => out.byte(1).number(at.millis()),
        None => out.byte(0),
    };
    out.count(token.grants.len());
    for grant in &token.grants {
        out.raw(grant.vault.as_bytes()).byte(grant.rights.bits());
        out.count(grant.keys.len());
        for key in &grant.keys {
            out.bytes(key.as_bytes());
        }
    }
    out.0
}

pub(super) fn read_token(id: &[u8], bytes: &[u8]) -> Result<TokenRecord, Fault> {
    let mut reader = Reader::of(bytes);
    let token = TokenRecord {
        id: Reader::of(id).id()?,
        key: reader.id()?,
        digest: reader.array()?,
        state: if reader.flag()? {
            TokenState::Revoked
        } else {
            TokenState::Active
        },
        expires_at: if reader.flag()? {
            Some(Timestamp::from_millis(reader.number()?))
        } else {
            None
        },
        grants: reader.many(|reader| {
            Ok(TokenGrant {
                vault: reader.id()?,
                rights: Rights::from_bits(reader.byte()?).ok_or(MALFORMED)?,
                keys: reader.many(|reader| Ok(WrappedKey::from_bytes(reader.bytes()?.to_vec())))?,
            })
        })?,
    };
    reader.end(())?;
    Ok(token)
}

/// A vault: its record, and where its trees begin.
#[derive(Debug, Clone)]
pub(super) struct VaultEntry {
    pub(super) record: VaultRecord,
    pub(super) items: Digest,
    pub(super) overviews: Digest,
    pub(super) marks: Digest,
}

const TYPES: [VaultType; 4] = [
    VaultType::UserCreated,
    VaultType::Personal,
    VaultType::Everyone,
    VaultType::Transfer,
];

impl VaultEntry {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let kind = TYPES.iter().position(|kind| *kind == self.record.kind);
        out.byte(
            kind.and_then(|kind| u8::try_from(kind).ok())
                .unwrap_or(u8::MAX),
        );
        for number in [
            self.record.attribute_version,
            self.record.content_version,
            self.record.items,
            self.record.created_at.millis(),
            self.record.updated_at.millis(),
        ] {
            out.number(number);
        }
        out.bytes(self.record.attributes.as_bytes());
        for tree in [&self.items, &self.overviews, &self.marks] {
            out.raw(tree.as_bytes());
        }
        out.0
    }

    pub(super) fn read(id: &[u8], bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::of(bytes);
        let kind = usize::from(reader.byte()?);
        let record = VaultRecord {
            id: Reader::of(id).id::<VaultId>()?,
            kind: TYPES.get(kind).copied().ok_or(MALFORMED)?,
            attribute_version: reader.number()?,
            content_version: reader.number()?,
            items: reader.number()?,
            created_at: Timestamp::from_millis(reader.number()?),
            updated_at: Timestamp::from_millis(reader.number()?),
            attributes: Sealed::from_bytes(reader.bytes()?.to_vec()),
        };
        let (items, overviews, marks) = (reader.digest()?, reader.digest()?, reader.digest()?);
        reader.end(())?;
        Ok(Self {
            record,
            items,
            overviews,
            marks,
        })
    }
}

/// An item, without what is large.
#[derive(Debug, Clone)]
pub(super) struct ItemEntry {
    pub(super) version: u64,
    pub(super) archived: bool,
    pub(super) marks: [TitleMark; 2],
    pub(super) details: Digest,
    pub(super) rest: Option<Digest>,
    pub(super) chunks: Option<Digest>,
}

impl ItemEntry {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.version).byte(u8::from(self.archived));
        for mark in &self.marks {
            out.raw(&mark.0);
        }
        out.raw(self.details.as_bytes());
        out.name(self.rest.as_ref()).name(self.chunks.as_ref());
        out.0
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::of(bytes);
        let entry = Self {
            version: reader.number()?,
            archived: reader.flag()?,
            marks: [TitleMark(reader.array()?), TitleMark(reader.array()?)],
            details: reader.digest()?,
            rest: reader.name()?,
            chunks: reader.name()?,
        };
        reader.end(())?;
        Ok(entry)
    }
}

pub(super) fn write_overview(item: &ItemRecord) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(item.version)
        .byte(u8::from(item.archived))
        .raw(item.overview.as_bytes());
    out.0
}

pub(super) fn read_overview(id: &[u8], bytes: &[u8]) -> Result<PartRecord, Fault> {
    let mut reader = Reader::of(bytes);
    Ok(PartRecord {
        id: Reader::of(id).id::<ItemId>()?,
        version: reader.number()?,
        archived: reader.flag()?,
        sealed: Sealed::from_bytes(reader.rest().to_vec()),
    })
}

/// The parts of an item that few requests ask for; `None` = it has none.
pub(super) fn write_rest(item: &ItemRecord) -> Option<Vec<u8>> {
    if item.extra.is_none() && item.files.is_none() {
        return None;
    }
    let mut out = Writer::new(REST);
    out.sealed(item.extra.as_ref()).sealed(item.files.as_ref());
    Some(out.0)
}

/// Extra and files.
pub(super) fn read_rest(bytes: &[u8]) -> Result<[Option<Sealed>; 2], Fault> {
    let mut reader = Reader::new(bytes, REST)?;
    let rest = [reader.sealed()?, reader.sealed()?];
    reader.end(())?;
    Ok(rest)
}

/// A file, and the names of its chunks in order.
pub(super) type ChunkNames = (FileId, Vec<Digest>);

pub(super) fn write_chunks<'a>(
    files: impl ExactSizeIterator<Item = (&'a FileId, &'a [Digest])>,
) -> Vec<u8> {
    let mut out = Writer::new(CHUNKS);
    out.count(files.len());
    for (file, chunks) in files {
        out.raw(file.as_bytes()).count(chunks.len());
        for chunk in chunks {
            out.raw(chunk.as_bytes());
        }
    }
    out.0
}

pub(super) fn read_chunks(bytes: &[u8]) -> Result<Vec<ChunkNames>, Fault> {
    let mut reader = Reader::new(bytes, CHUNKS)?;
    let files = reader.many(|reader| Ok((reader.id()?, reader.many(Reader::digest)?)))?;
    reader.end(())?;
    Ok(files)
}
