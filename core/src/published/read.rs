//! A published set as [`Records`].

use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};

use super::{
    EdgeKeys, FileChunks, Objects, Pointer,
    codec::{self, ItemEntry, Root, VaultEntry},
    layout::mark_key,
    load,
    tree::{self, Walk},
};
use crate::{
    id::{FileId, ID_LENGTH, ItemId, TokenId, VaultId},
    records::{
        Fault, Head, ItemRecord, PartRecord, Records, SigningKeyRecord, TitleMark, TokenRecord,
        VaultRecord,
    },
    seal::Sealed,
};

/// Reads a published set. All its answers come from the set that was current when it was first asked, until
/// [`Published::renew`], which is called between requests. It only reads.
pub struct Published<'k, O> {
    objects: O,
    /// `None` = the pointer needs no proof.
    keys: Option<&'k EdgeKeys>,
    floor: u64,
    set: OnceCell<Set>,
    /// What was read until the last [`Published::renew`].
    before: RefCell<Option<Set>>,
    // What requests ask for more than once. It is sealed, and belongs to one root.
    token: RefCell<Option<TokenRecord>>,
    vault: RefCell<Option<VaultEntry>>,
    item: RefCell<Option<(VaultId, ItemId, ItemEntry)>>,
}

struct Set {
    bytes: Vec<u8>,
    pointer: Pointer,
    root: Root,
}

impl<'k, O: Objects> Published<'k, O> {
    /// Over a store, believing only what bears the MAC of these keys.
    pub const fn new(objects: O, keys: &'k EdgeKeys) -> Self {
        Self::over(objects, Some(keys))
    }

    /// Over a set whose pointer ([`Pointer::text`]) and objects were proven where nobody could alter them since without
    /// altering this program too.
    pub const fn proven(objects: O) -> Self {
        Self::over(objects, None)
    }

    const fn over(objects: O, keys: Option<&'k EdgeKeys>) -> Self {
        Self {
            objects,
            keys,
            floor: 0,
            set: OnceCell::new(),
            before: RefCell::new(None),
            token: RefCell::new(None),
            vault: RefCell::new(None),
            item: RefCell::new(None),
        }
    }

    /// From here on answers come from the set that is current when it is asked next, and from none older than the last.
    /// What was read stays as long as the pointer names the same root.
    pub fn renew(&mut self) {
        if let Some(set) = self.set.take() {
            self.floor = self.floor.max(set.pointer.head.version);
            self.before = RefCell::new(Some(set));
        }
    }

    /// The pointer whose set is read.
    pub fn pointer(&self) -> Result<&Pointer, Fault> {
        self.set().map(|set| &set.pointer)
    }

    /// The chunks of an item's files by name.
    pub fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<FileChunks>, Fault> {
        let Some(table) = self.item_entry(vault, item)?.chunks else {
            return Ok(Vec::new());
        };
        let files = codec::read_chunks(&load(&self.objects, &table)?)?;
        let files = files.into_iter();
        Ok(files
            .map(|(file, chunks)| FileChunks { file, chunks })
            .collect())
    }

    fn set(&self) -> Result<&Set, Fault> {
        if let Some(set) = self.set.get() {
            return Ok(set);
        }
        let bytes = self.objects.pointer()?;
        let before = self.before.take();
        let pointer = match &before {
            // The very bytes were proven before.
            Some(before) if before.bytes == bytes => before.pointer.clone(),
            _ => match self.keys {
                Some(keys) => Pointer::read(&bytes, keys)?,
                None => Pointer::of_text(&bytes)?,
            },
        };
        if pointer.head.version < self.floor {
            return Err(Fault::Unavailable);
        }
        let root = match before {
            Some(before) if before.pointer.root == pointer.root => before.root,
            _ => {
                self.token.take();
                self.vault.take();
                self.item.take();
                Root::read(&load(&self.objects, &pointer.root)?)?
            }
        };
        let set = Set {
            bytes,
            pointer,
            root,
        };
        Ok(self.set.get_or_init(|| set))
    }

    fn root(&self) -> Result<&Root, Fault> {
        self.set().map(|set| &set.root)
    }

    fn vault_entry(&self, id: &VaultId) -> Result<VaultEntry, Fault> {
        // First, for it drops what belongs to another root.
        let vaults = &self.root()?.vaults;
        if let Some(held) = self
            .vault
            .borrow()
            .as_ref()
            .filter(|held| held.record.id == *id)
        {
            return Ok(held.clone());
        }
        let found = tree::find(&self.objects, vaults, id.as_bytes(), |value| {
            VaultEntry::read(id.as_bytes(), value)
        })?;
        let entry = found.ok_or(Fault::Missing)?;
        *self.vault.borrow_mut() = Some(entry.clone());
        Ok(entry)
    }

    fn item_entry(&self, vault: &VaultId, item: &ItemId) -> Result<ItemEntry, Fault> {
        self.root()?;
        if let Some((_, _, held)) = self
            .item
            .borrow()
            .as_ref()
            .filter(|(of, id, _)| of == vault && id == item)
        {
            return Ok(held.clone());
        }
        let items = self.vault_entry(vault)?.items;
        let found = tree::find(&self.objects, &items, item.as_bytes(), ItemEntry::read)?;
        let entry = found.ok_or(Fault::Missing)?;
        *self.item.borrow_mut() = Some((*vault, *item, entry.clone()));
        Ok(entry)
    }

    fn overview(&self, vault: &VaultEntry, item: &ItemId) -> Result<PartRecord, Fault> {
        let found = tree::find(&self.objects, &vault.overviews, item.as_bytes(), |value| {
            codec::read_overview(item.as_bytes(), value)
        })?;
        // The set says that there is such an item.
        found.ok_or(Fault::Unavailable)
    }

    fn sealed(&self, name: &super::Digest) -> Result<Sealed, Fault> {
        load(&self.objects, name).map(Sealed::from_bytes)
    }
}

impl<O: Objects> Records for Published<'_, O> {
    fn head(&self) -> Result<Head, Fault> {
        self.pointer().map(Pointer::to_head)
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        self.root()?.keys()
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        let tokens = &self.root()?.tokens;
        if let Some(held) = self.token.borrow().as_ref().filter(|held| held.id == *id) {
            return Ok(held.clone());
        }
        let found = tree::find(&self.objects, tokens, id.as_bytes(), |value| {
            codec::read_token(id.as_bytes(), value)
        })?;
        let token = found.ok_or(Fault::Missing)?;
        *self.token.borrow_mut() = Some(token.clone());
        Ok(token)
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.vault_entry(id).map(|entry| entry.record)
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        let vault = self.vault_entry(vault)?;
        let after = after.map_or(&[][..], |id| id.as_bytes());
        let mut out = Vec::new();
        if limit == 0 {
            return Ok(out);
        }
        tree::walk(&self.objects, &vault.overviews, after, &mut |key, value| {
            if key > after {
                let overview = codec::read_overview(key, value)?;
                if !overview.archived {
                    out.push(overview);
                }
            }
            Ok(if out.len() < limit as usize {
                Walk::On
            } else {
                Walk::Enough
            })
        })?;
        Ok(out)
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        let vault = self.vault_entry(vault)?;
        let from = mark_key(mark, &ItemId::MIN);
        let (wanted, _) = from.split_at(ID_LENGTH);
        let mut found: Vec<ItemId> = Vec::new();
        tree::walk(&self.objects, &vault.marks, &from, &mut |key, _| {
            let Some(item) = key.strip_prefix(wanted) else {
                return Ok(Walk::Enough);
            };
            found.push(crate::wire::Reader::of(item).id()?);
            Ok(Walk::On)
        })?;
        found
            .iter()
            .map(|item| self.overview(&vault, item))
            .collect()
    }

    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        self.item_entry(vault, item).map(|entry| entry.version)
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        let entry = self.item_entry(vault, item)?;
        Ok(PartRecord {
            id: *item,
            version: entry.version,
            archived: entry.archived,
            sealed: self.sealed(&entry.details)?,
        })
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        let entry = self.item_entry(vault, item)?;
        let [extra, files] = match &entry.rest {
            Some(name) => codec::read_rest(&load(&self.objects, name)?)?,
            None => [None, None],
        };
        Ok(ItemRecord {
            id: *item,
            version: entry.version,
            archived: entry.archived,
            marks: entry.marks,
            overview: self.overview(&self.vault_entry(vault)?, item)?.sealed,
            details: self.sealed(&entry.details)?,
            extra,
            files,
        })
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        let table = self.item_entry(vault, item)?.chunks.ok_or(Fault::Missing)?;
        let files = codec::read_chunks(&load(&self.objects, &table)?)?;
        let chunks = files.iter().find(|(held, _)| held == file);
        let name = chunks.and_then(|(_, chunks)| chunks.get(index as usize));
        load(&self.objects, name.ok_or(Fault::Missing)?)
    }
}
