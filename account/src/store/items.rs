//! Items: compare the version, then swap; count; keep a tombstone.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{ItemId, VaultId},
    records::{Expect, ItemRecord, TitleMark},
    seal::Sealed,
};

use super::{
    change::Change,
    columns::{self, int},
    mirrors, vaults,
};
use crate::{
    AccountError,
    protocol::{ListedItem, MAX_BATCH, SettledItem},
};

/// Largest item, all sealed parts together, in bytes.
pub const MAX_ITEM: usize = 16 * 1024 * 1024;

/// Longest page of a list.
const MAX_LIST: u32 = 1000;

/// What stands in an item's row now.
struct Held {
    version: u64,
    deleted: bool,
    archived: bool,
}

impl Held {
    const fn is_active(&self) -> bool {
        !self.deleted && !self.archived
    }
}

pub(super) fn put(
    change: &Change<'_>,
    vault: &VaultId,
    expect: Expect,
    item: &ItemRecord,
) -> Result<(), AccountError> {
    let difference = place(change, vault, expect, item)?;
    vaults::touch(change, vault, difference)
}

/// Writes an item; answers how many active ones the vault has more. The vault is the caller's to touch.
fn place(
    change: &Change<'_>,
    vault: &VaultId,
    expect: Expect,
    item: &ItemRecord,
) -> Result<i64, AccountError> {
    check_size(item)?;
    vaults::generation_in_use(change, vault, generation(item)?)?;
    let held = held(change, vault, &item.id)?;
    check_version(item, expect, held.as_ref())?;
    let before = held.is_some_and(|held| held.is_active());
    write(change, vault, item)?;
    Ok(difference(before, !item.archived))
}

/// Writes several items; answers the same.
pub(super) fn place_all(
    change: &Change<'_>,
    vault: &VaultId,
    items: &[SettledItem],
) -> Result<i64, AccountError> {
    let each = items
        .iter()
        .map(|SettledItem { expect, item }| place(change, vault, *expect, item));
    each.sum()
}

/// Several writes and deletions as one change of the vault.
pub(super) fn put_all(
    change: &Change<'_>,
    vault: &VaultId,
    items: &[SettledItem],
    gone: &[ItemId],
) -> Result<(), AccountError> {
    if !(1..=MAX_BATCH).contains(&(items.len() + gone.len())) {
        return Err(AccountError::invalid(
            "a batch is of one item at least and of 200 at most",
        ));
    }
    let bytes: usize = items.iter().map(|settled| size(&settled.item)).sum();
    if bytes > MAX_ITEM {
        return Err(AccountError::TooLarge { limit: MAX_ITEM });
    }
    let mut difference = place_all(change, vault, items)?;
    for item in gone {
        if let Some(held) = held(change, vault, item)?.filter(|held| !held.deleted) {
            difference += bury(change, vault, item, &held)?;
        }
    }
    if mirrors::of(change, vault)?.is_some() {
        vaults::fill(change, vault, difference)?;
        return mirrors::moved(change, vault);
    }
    vaults::touch(change, vault, difference)
}

fn check_version(
    item: &ItemRecord,
    expect: Expect,
    held: Option<&Held>,
) -> Result<(), AccountError> {
    let conflict = |held: Option<u64>| AccountError::conflict("item", item.id, held);
    match (expect, held) {
        (Expect::Absent, None) if item.version >= 1 => Ok(()),
        (Expect::Absent, None) => Err(AccountError::invalid("an item's versions begin at 1")),
        // A mirrored item that was archived upstream, or missing for a moment, and is back. Only operators get here so.
        (Expect::Absent, Some(held)) if held.deleted && item.version >= held.version => Ok(()),
        (Expect::Absent, Some(held)) => Err(conflict(Some(held.version))),
        (Expect::Version(_), None) => Err(AccountError::missing("item", item.id)),
        (Expect::Version(_), Some(held)) if held.deleted => {
            Err(AccountError::missing("item", item.id))
        }
        (Expect::Version(wanted), Some(held)) if wanted != held.version => {
            Err(conflict(Some(held.version)))
        }
        (Expect::Version(_), Some(held)) if item.version > held.version => Ok(()),
        (Expect::Version(_), Some(_)) => Err(AccountError::invalid(
            "an item's version rises with each change",
        )),
    }
}

/// The one key generation under which all of an item's parts are sealed, as their headers claim.
pub(super) fn generation(item: &ItemRecord) -> Result<u32, AccountError> {
    let parts = [&item.overview, &item.details].into_iter();
    let parts = parts.chain(&item.extra).chain(&item.files);
    let mut generations = parts.map(Sealed::generation);
    match generations.next() {
        Some(Some(first)) if generations.all(|other| other == Some(first)) => Ok(first),
        _ => Err(AccountError::invalid(
            "all parts of an item are sealed under one key",
        )),
    }
}

fn write(change: &Change<'_>, vault: &VaultId, item: &ItemRecord) -> Result<(), AccountError> {
    change.run(
        "INSERT INTO items (vault, id, seq, version, archived, updated, mark_exact, mark_folded, overview, details, extra, files, generation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (vault, id) DO UPDATE SET seq = ?3, version = ?4, archived = ?5, deleted = 0, updated = ?6, mark_exact = ?7,
             mark_folded = ?8, overview = ?9, details = ?10, extra = ?11, files = ?12, generation = ?13",
        params![
            vault.as_str(),
            item.id.as_str(),
            change.seq(),
            int(item.version),
            item.archived,
            change.now(),
            item.marks[0].0,
            item.marks[1].0,
            item.overview.as_bytes(),
            item.details.as_bytes(),
            item.extra.as_ref().map(Sealed::as_bytes),
            item.files.as_ref().map(Sealed::as_bytes),
            generation(item)?
        ],
    )?;
    Ok(())
}

/// Clients never bring back what was deleted: an id that was used is used.
pub(super) fn require_unused(
    change: &Change<'_>,
    vault: &VaultId,
    item: &ItemId,
) -> Result<(), AccountError> {
    match held(change, vault, item)? {
        None => Ok(()),
        Some(held) => Err(AccountError::conflict("item", item, Some(held.version))),
    }
}

pub(super) fn delete(
    change: &Change<'_>,
    vault: &VaultId,
    item: &ItemId,
    version: Option<u64>,
) -> Result<(), AccountError> {
    let held = alive(change, vault, item)?;
    if version.is_some_and(|version| version != held.version) {
        return Err(AccountError::conflict("item", item, Some(held.version)));
    }
    let difference = bury(change, vault, item, &held)?;
    vaults::touch(change, vault, difference)
}

/// Leaves a tombstone.
fn bury(
    change: &Change<'_>,
    vault: &VaultId,
    item: &ItemId,
    held: &Held,
) -> Result<i64, AccountError> {
    change.run(
        "UPDATE items SET deleted = 1, seq = ?, updated = ?, mark_exact = zeroblob(16), mark_folded = zeroblob(16),
             overview = x'', details = x'', extra = NULL, files = NULL WHERE vault = ? AND id = ?",
        params![change.seq(), change.now(), vault.as_str(), item.as_str()],
    )?;
    change.run(
        "DELETE FROM chunks WHERE vault = ? AND item = ?",
        [vault.as_str(), item.as_str()],
    )?;
    Ok(difference(held.is_active(), false))
}

/// Sets the flag only: parts are sealed at a version, so the version stays.
pub(super) fn archive(
    change: &Change<'_>,
    vault: &VaultId,
    item: &ItemId,
    archived: bool,
) -> Result<(), AccountError> {
    let held = alive(change, vault, item)?;
    if held.archived == archived {
        return Ok(());
    }
    change.run(
        "UPDATE items SET archived = ?, seq = ?, updated = ? WHERE vault = ? AND id = ?",
        params![
            archived,
            change.seq(),
            change.now(),
            vault.as_str(),
            item.as_str()
        ],
    )?;
    vaults::touch(change, vault, difference(held.is_active(), !archived))
}

/// The version of an item that is there.
pub(super) fn version(
    db: &Connection,
    vault: &VaultId,
    item: &ItemId,
) -> Result<u64, AccountError> {
    alive(db, vault, item).map(|held| held.version)
}

/// One item that is there, every part.
pub(super) fn one(
    db: &Connection,
    vault: &VaultId,
    item: &ItemId,
) -> Result<ItemRecord, AccountError> {
    record(db, vault, item)?.ok_or_else(|| AccountError::missing("item", item))
}

/// One item, every part; `None` for a tombstone.
pub(super) fn record(
    db: &Connection,
    vault: &VaultId,
    item: &ItemId,
) -> Result<Option<ItemRecord>, AccountError> {
    Ok(db
        .prepare_cached("SELECT * FROM items WHERE vault = ? AND id = ? AND deleted = 0")?
        .query_row([vault.as_str(), item.as_str()], read)
        .optional()?)
}

pub(super) fn list(
    db: &Connection,
    vault: &VaultId,
    after: Option<&ItemId>,
    limit: u32,
) -> Result<Vec<ListedItem>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT id, version, archived, updated, overview FROM items
         WHERE vault = ? AND id > ? AND deleted = 0 ORDER BY id LIMIT ?",
    )?;
    let after = after.map_or("", ItemId::as_str);
    let items = statement.query_map(
        params![vault.as_str(), after, limit.clamp(1, MAX_LIST)],
        listed,
    )?;
    Ok(items.collect::<Result<_, _>>()?)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedItem> {
    Ok(ListedItem {
        id: columns::id(row, "id")?,
        version: columns::number(row, "version")?,
        archived: row.get("archived")?,
        updated_at: columns::time(row, "updated")?,
        overview: columns::sealed(row, "overview")?,
    })
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<ItemRecord> {
    Ok(ItemRecord {
        id: columns::id(row, "id")?,
        version: columns::number(row, "version")?,
        archived: row.get("archived")?,
        marks: [
            TitleMark(columns::array(row, "mark_exact")?),
            TitleMark(columns::array(row, "mark_folded")?),
        ],
        overview: columns::sealed(row, "overview")?,
        details: columns::sealed(row, "details")?,
        extra: columns::optional_sealed(row, "extra")?,
        files: columns::optional_sealed(row, "files")?,
    })
}

fn held(db: &Connection, vault: &VaultId, item: &ItemId) -> Result<Option<Held>, AccountError> {
    Ok(db
        .prepare_cached("SELECT version, deleted, archived FROM items WHERE vault = ? AND id = ?")?
        .query_row([vault.as_str(), item.as_str()], |row| {
            Ok(Held {
                version: columns::number(row, "version")?,
                deleted: row.get("deleted")?,
                archived: row.get("archived")?,
            })
        })
        .optional()?)
}

fn alive(db: &Connection, vault: &VaultId, item: &ItemId) -> Result<Held, AccountError> {
    held(db, vault, item)?
        .filter(|held| !held.deleted)
        .ok_or_else(|| AccountError::missing("item", item))
}

fn difference(before: bool, after: bool) -> i64 {
    i64::from(after) - i64::from(before)
}

/// Bytes of ciphertext.
pub(super) fn size(item: &ItemRecord) -> usize {
    let parts = [&item.overview, &item.details].into_iter();
    let parts = parts.chain(&item.extra).chain(&item.files);
    parts.map(|part| part.as_bytes().len()).sum()
}

pub(super) fn check_size(item: &ItemRecord) -> Result<(), AccountError> {
    if size(item) > MAX_ITEM {
        return Err(AccountError::TooLarge { limit: MAX_ITEM });
    }
    Ok(())
}
