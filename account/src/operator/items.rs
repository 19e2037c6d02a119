//! Items, sealed and opened. What their parts say is [`sekisho_core::item`]'s matter: here they are bytes.

use sekisho_core::{
    id::{ItemId, VaultId},
    records::{Expect, ItemRecord},
    seal::{Kind, Sealed},
    time::Timestamp,
    token::{ReadAccess, WriteAccess},
};
use zeroize::Zeroizing;

use super::{Operator, OperatorError};
use crate::{
    Request, Response,
    protocol::{ListedItem, SettledItem},
};

/// Items asked for at once.
const PAGE: u32 = 500;

type Opened = Zeroizing<Vec<u8>>;

/// An item, opened. Its bytes wipe themselves.
pub struct OpenItem {
    /// The item.
    pub id: ItemId,
    /// Its version.
    pub version: u64,
    /// Whether lists leave it out.
    pub archived: bool,
    /// The item whole.
    pub details: Opened,
    /// What goes beyond.
    pub extra: Option<Opened>,
    /// Its files.
    pub files: Option<Opened>,
}

impl std::fmt::Debug for OpenItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenItem")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// An item as lists have it, opened.
pub struct OpenOverview {
    /// The item.
    pub id: ItemId,
    /// Its version.
    pub version: u64,
    /// Whether clients' lists leave it out.
    pub archived: bool,
    /// When the account took it.
    pub updated_at: Timestamp,
    /// Its summary.
    pub overview: Opened,
}

impl std::fmt::Debug for OpenOverview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOverview")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Operator {
    /// Writes a sealed item to the vault it was sealed for.
    pub fn put_item(
        &self,
        access: &WriteAccess,
        item: ItemRecord,
        expect: Expect,
    ) -> Result<(), OperatorError> {
        self.command(&Request::PutItem {
            vault: access.vault(),
            expect,
            item: Box::new(item),
        })
    }

    /// Writes several sealed items to the vault they were sealed for and takes others out: all or nothing.
    pub fn put_items(
        &self,
        access: &WriteAccess,
        items: Vec<SettledItem>,
        gone: Vec<ItemId>,
    ) -> Result<(), OperatorError> {
        let vault = access.vault();
        self.command(&Request::PutItems { vault, items, gone })
    }

    /// All items of a vault by ascending id, archived ones included.
    pub fn items(&self, vault: VaultId) -> Result<Vec<OpenOverview>, OperatorError> {
        let access = self.read_access(vault)?;
        let mut opened: Vec<OpenOverview> = Vec::new();
        loop {
            let after = opened.last().map(|item| item.id);
            let page = self.list(vault, after)?;
            let is_last = page.len() < PAGE as usize;
            for item in page {
                opened.push(open_overview(&access, item)?);
            }
            if is_last {
                return Ok(opened);
            }
        }
    }

    fn list(
        &self,
        vault: VaultId,
        after: Option<ItemId>,
    ) -> Result<Vec<ListedItem>, OperatorError> {
        let limit = PAGE;
        match self.call(&Request::Items {
            vault,
            after,
            limit,
        })? {
            Response::Items(items) => Ok(items),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// One item as it lies there.
    pub fn sealed_item(&self, vault: VaultId, item: ItemId) -> Result<ItemRecord, OperatorError> {
        match self.call(&Request::Item { vault, item })? {
            Response::Item(record) => Ok(*record),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// One item, opened.
    pub fn open_item(&self, vault: VaultId, item: ItemId) -> Result<OpenItem, OperatorError> {
        let access = self.read_access(vault)?;
        open_record(&access, &self.sealed_item(vault, item)?)
    }

    /// Deletes an item, at this version or whichever it is at.
    pub fn delete_item(
        &self,
        vault: VaultId,
        item: ItemId,
        version: Option<u64>,
    ) -> Result<(), OperatorError> {
        self.command(&Request::DeleteItem {
            vault,
            item,
            version,
        })
    }

    /// Archives an item, or takes it back.
    pub fn archive_item(
        &self,
        vault: VaultId,
        item: ItemId,
        archived: bool,
    ) -> Result<(), OperatorError> {
        self.command(&Request::ArchiveItem {
            vault,
            item,
            archived,
        })
    }
}

fn open_record(access: &ReadAccess, record: &ItemRecord) -> Result<OpenItem, OperatorError> {
    let open = |kind, sealed: &Sealed| {
        access
            .open_item(kind, record.id, record.version, sealed)
            .map_err(|_| OperatorError::does_not_open("item", record.id))
    };
    let optional = |kind, sealed: Option<&Sealed>| sealed.map(|s| open(kind, s)).transpose();
    Ok(OpenItem {
        id: record.id,
        version: record.version,
        archived: record.archived,
        details: open(Kind::Details, &record.details)?,
        extra: optional(Kind::Extra, record.extra.as_ref())?,
        files: optional(Kind::Files, record.files.as_ref())?,
    })
}

fn open_overview(access: &ReadAccess, item: ListedItem) -> Result<OpenOverview, OperatorError> {
    let overview = access
        .open_item(Kind::Overview, item.id, item.version, &item.overview)
        .map_err(|_| OperatorError::does_not_open("item", item.id))?;
    Ok(OpenOverview {
        id: item.id,
        version: item.version,
        archived: item.archived,
        updated_at: item.updated_at,
        overview,
    })
}
