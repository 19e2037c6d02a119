//! All that a request is going to read, told at once: an edge whose instance holds nothing yet asks one question instead
//! of one for each object.

use std::cell::RefCell;

use bytes::Bytes;
use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    published::{Digest, Objects, Pointer, Published},
    records::{Fault, Records},
};

use super::laid::Laid;

/// A larger object is asked for by its name.
const LARGE: usize = 256 * 1024;
/// No answer is larger, but for its last object.
const MOST: usize = 1024 * 1024;

/// Whose token a request bears, and what its path names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    token: TokenId,
    vault: Option<VaultId>,
    item: Option<ItemId>,
}

impl Near {
    /// From the last parts of a path.
    pub(super) fn parse(parts: &[&str]) -> Option<Self> {
        let (token, vault, item) = match *parts {
            [token] => (token, None, None),
            [token, vault] => (token, Some(vault), None),
            [token, vault, item] => (token, Some(vault), Some(item)),
            _ => return None,
        };
        Some(Self {
            token: TokenId::parse(token).ok()?,
            vault: vault.map(VaultId::parse).transpose().ok()?,
            item: item.map(ItemId::parse).transpose().ok()?,
        })
    }

    /// The pointer and then objects, each after its length: those that the edge comes upon when it looks for the token,
    /// the vault and the item, or where no vault is named, for all vaults of the token.
    pub(super) fn answer(&self, laid: &Laid, pointer: &Pointer, written: &[u8]) -> Bytes {
        let way = Way {
            laid,
            pointer,
            out: RefCell::default(),
        };
        way.add(written);
        let set = Published::proven(&way);
        // What is not there is found out by the edge, on the same way.
        let token = set.token(&self.token);
        match (self.vault, self.item) {
            (Some(vault), Some(item)) => drop(set.details(&vault, &item)),
            (Some(vault), None) => drop(set.vault(&vault)),
            (None, _) => {
                for grant in token.iter().flat_map(|token| &token.grants) {
                    let _ = set.vault(&grant.vault);
                }
            }
        }
        drop(set);
        way.out.into_inner().into()
    }
}

/// Notes what is read.
struct Way<'a> {
    laid: &'a Laid,
    pointer: &'a Pointer,
    out: RefCell<Vec<u8>>,
}

impl Way<'_> {
    fn add(&self, bytes: &[u8]) {
        let mut out = self.out.borrow_mut();
        if let Ok(length) = u32::try_from(bytes.len())
            && bytes.len() <= LARGE
            && out.len() <= MOST
        {
            out.extend(length.to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

impl Objects for Way<'_> {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.pointer.text())
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let bytes = self.laid.find(name).ok_or(Fault::Unavailable)?;
        self.add(&bytes);
        Ok(bytes.into())
    }

    fn are_proven(&self) -> bool {
        true
    }
}
