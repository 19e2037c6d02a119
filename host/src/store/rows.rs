//! Records to rows and back. A row that makes no sense is damage.

use rusqlite::{Row, Transaction, named_params};
use sekisho_core::{
    id::{IdError, ItemId, VaultId},
    records::{ItemRecord, TitleMark, TokenRecord, VaultRecord, VaultType},
    seal::Sealed,
    time::Timestamp,
};

use super::StoreError;

pub(super) fn put_vault(
    transaction: &Transaction<'_>,
    change: i64,
    vault: &VaultRecord,
) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO vault
             VALUES (:id, :change, :kind, :attribute, :content, :items, :created, :updated, :attributes)",
        )?
        .execute(named_params! {
            ":id": vault.id.as_str(),
            ":change": change,
            ":kind": vault.kind.as_str(),
            ":attribute": vault.attribute_version.cast_signed(),
            ":content": vault.content_version.cast_signed(),
            ":items": vault.items.cast_signed(),
            ":created": vault.created_at.millis().cast_signed(),
            ":updated": vault.updated_at.millis().cast_signed(),
            ":attributes": vault.attributes.as_bytes(),
        })?;
    Ok(())
}

pub(super) fn put_item(
    transaction: &Transaction<'_>,
    change: i64,
    vault: &VaultId,
    item: &ItemRecord,
) -> Result<(), StoreError> {
    // As in the snapshot: an item of a vault that is not held has nowhere to go.
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO item
                 (vault, id, change, version, archived, exact, folded, overview, details, extra, files)
             SELECT :vault, :id, :change, :version, :archived, :exact, :folded, :overview, :details, :extra, :files
             WHERE EXISTS (SELECT 1 FROM vault WHERE id = :vault)",
        )?
        .execute(named_params! {
            ":vault": vault.as_str(),
            ":id": item.id.as_str(),
            ":change": change,
            ":version": item.version.cast_signed(),
            ":archived": item.archived,
            ":exact": item.marks[0].0.as_slice(),
            ":folded": item.marks[1].0.as_slice(),
            ":overview": item.overview.as_bytes(),
            ":details": item.details.as_bytes(),
            ":extra": item.extra.as_ref().map(Sealed::as_bytes),
            ":files": item.files.as_ref().map(Sealed::as_bytes),
        })?;
    Ok(())
}

pub(super) fn vault(row: &Row<'_>) -> Result<VaultRecord, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(VaultRecord {
        id: id(VaultId::parse(text(row, "id")?))?,
        kind: VaultType::parse(&kind).ok_or(StoreError::Damaged("a vault's type"))?,
        attribute_version: number(row, "attribute_version")?,
        content_version: number(row, "content_version")?,
        items: number(row, "items")?,
        created_at: Timestamp::from_millis(number(row, "created_at")?),
        updated_at: Timestamp::from_millis(number(row, "updated_at")?),
        attributes: Sealed::from_bytes(row.get("attributes")?),
    })
}

/// Columns in the order of [`ITEM`]: ten thousand rows at a start, and names are looked up for each.
pub(super) fn item(row: &Row<'_>) -> Result<(VaultId, ItemRecord), StoreError> {
    let text = |column| {
        row.get_ref(column)
            .map(|value| value.as_str().unwrap_or_default())
    };
    let vault = id(VaultId::parse(text(0)?))?;
    let item = ItemRecord {
        id: id(ItemId::parse(text(1)?))?,
        version: row.get::<_, i64>(2)?.cast_unsigned(),
        archived: row.get(3)?,
        marks: [TitleMark(row.get(4)?), TitleMark(row.get(5)?)],
        overview: Sealed::from_bytes(row.get(6)?),
        details: Sealed::from_bytes(row.get(7)?),
        extra: row.get::<_, Option<_>>(8)?.map(Sealed::from_bytes),
        files: row.get::<_, Option<_>>(9)?.map(Sealed::from_bytes),
    };
    Ok((vault, item))
}

/// What [`item`] reads.
pub(super) const ITEM: &str =
    "vault, id, version, archived, exact, folded, overview, details, extra, files";

pub(super) fn token(row: &Row<'_>) -> Result<TokenRecord, StoreError> {
    let record = text(row, "record")?;
    serde_json::from_str(record).map_err(|_| StoreError::Damaged("a token's record"))
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: &str) -> Result<&'r str, StoreError> {
    Ok(row.get_ref(column)?.as_str().unwrap_or_default())
}

pub(super) fn id<T>(parsed: Result<T, IdError>) -> Result<T, StoreError> {
    parsed.map_err(|_| StoreError::Damaged("an id"))
}

fn number(row: &Row<'_>, column: &str) -> Result<u64, StoreError> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}
