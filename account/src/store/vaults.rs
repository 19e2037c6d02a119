//! Vaults: sealed attributes, counters, wrapped keys.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{UserId, VaultId},
    key::WrappedKey,
    records::{VaultRecord, VaultType},
    seal::Sealed,
};

use super::{
    change::Change,
    columns::{self, damaged, int, millis},
    grants, sharing,
};
use crate::{
    AccountError,
    protocol::{NewVault, UpstreamVault, VaultInfo},
};

/// Largest sealed attributes, in bytes.
const MAX_ATTRIBUTES: usize = 256 * 1024;

pub(super) fn create(
    change: &Change<'_>,
    user: &UserId,
    new: &NewVault,
) -> Result<(), AccountError> {
    check_new(user, new)?;
    let added = change.run(
        "INSERT OR IGNORE INTO vaults (id, kind, maker, generation, oldest, attribute_version, content_version, items, created, updated, seq, attributes)
         VALUES (?1, ?2, ?3, 1, 1, 1, 0, 0, ?4, ?4, ?5, ?6)",
        params![
            new.id.as_str(),
            new.kind.as_str(),
            user.as_str(),
            change.now(),
            change.seq(),
            new.attributes.as_bytes()
        ],
    )?;
    if added == 0 {
        // Also for a deleted one: hosts would take the new vault's items for rolled-back old ones.
        return Err(AccountError::conflict("vault", new.id, None));
    }
    put_keys(change, new)
}

/// Makes a deleted vault again, for who made it. Whoever asks for it knows that versions of its items only rise.
pub(super) fn restore(
    change: &Change<'_>,
    user: &UserId,
    new: &NewVault,
) -> Result<(), AccountError> {
    check_new(user, new)?;
    if maker(change, &new.id)?.as_deref() != Some(user.as_str()) {
        return Err(AccountError::NoVaultAccess(new.id));
    }
    let restored = change.run(
        "UPDATE vaults SET deleted = 0, generation = 1, oldest = 1, attribute_version = 1, items = 0, updated = ?, seq = ?,
             attributes = ? WHERE id = ? AND kind = ? AND deleted = 1",
        params![
            change.now(),
            change.seq(),
            new.attributes.as_bytes(),
            new.id.as_str(),
            new.kind.as_str()
        ],
    )?;
    if restored == 0 {
        return Err(AccountError::conflict("vault", new.id, None));
    }
    put_keys(change, new)
}

fn maker(db: &Connection, vault: &VaultId) -> Result<Option<String>, AccountError> {
    let found = db
        .prepare_cached("SELECT maker FROM vaults WHERE id = ?")?
        .query_row([vault.as_str()], |row| row.get(0));
    Ok(found.optional()?)
}

fn check_new(user: &UserId, new: &NewVault) -> Result<(), AccountError> {
    check_size(&new.attributes)?;
    if new.keys.iter().any(|key| key.user == *user) {
        Ok(())
    } else {
        Err(AccountError::invalid(
            "a new vault's key must be wrapped to the one who makes it",
        ))
    }
}

fn put_keys(change: &Change<'_>, new: &NewVault) -> Result<(), AccountError> {
    generation_in_use(change, &new.id, generation(&new.attributes)?)?;
    new.keys
        .iter()
        .try_for_each(|key| sharing::put_key(change, &new.id, key))
}

/// The generations in use: the oldest that opens, the newest, which seals. They differ while a rotation is under way.
pub(super) fn generations(db: &Connection, vault: &VaultId) -> Result<(u32, u32), AccountError> {
    let found = db
        .prepare_cached("SELECT oldest, generation FROM vaults WHERE id = ? AND deleted = 0")?
        .query_row([vault.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.ok_or(AccountError::NoVaultAccess(*vault))
}

/// A key that is not in use any more, or not yet, seals nothing: whoever has it must read the vault's keys again.
pub(super) fn generation_in_use(
    db: &Connection,
    vault: &VaultId,
    generation: u32,
) -> Result<(), AccountError> {
    let (oldest, newest) = generations(db, vault)?;
    if (oldest..=newest).contains(&generation) {
        Ok(())
    } else {
        let held = Some(u64::from(newest));
        Err(AccountError::conflict("the key of vault", vault, held))
    }
}

/// The generation that sealed attributes claim.
pub(super) fn generation(attributes: &Sealed) -> Result<u32, AccountError> {
    attributes
        .generation()
        .ok_or_else(|| AccountError::invalid("the vault's attributes are not sealed"))
}

pub(super) fn edit(
    change: &Change<'_>,
    vault: &VaultId,
    expect: u64,
    version: Option<u64>,
    attributes: &Sealed,
) -> Result<(), AccountError> {
    check_size(attributes)?;
    let version = version.unwrap_or_else(|| expect.saturating_add(1));
    if version <= expect {
        return Err(AccountError::invalid(
            "the version of a vault's attributes rises with each change",
        ));
    }
    generation_in_use(change, vault, generation(attributes)?)?;
    let changed = change.run(
        "UPDATE vaults SET attribute_version = ?, attributes = ?, updated = ?, seq = ?
         WHERE id = ? AND attribute_version = ?",
        params![
            int(version),
            attributes.as_bytes(),
            change.now(),
            change.seq(),
            vault.as_str(),
            int(expect)
        ],
    )?;
    if changed == 1 {
        Ok(())
    } else {
        let held = record(change, vault)?.map(|record| record.attribute_version);
        Err(AccountError::conflict("vault", vault, held))
    }
}

/// Removes contents and keys; the row stays, see the schema.
pub(super) fn delete(change: &Change<'_>, vault: &VaultId) -> Result<(), AccountError> {
    grants::revoke_everywhere(change, vault)?;
    for sql in [
        "DELETE FROM items WHERE vault = ?",
        "DELETE FROM chunks WHERE vault = ?",
        "DELETE FROM vault_keys WHERE vault = ?",
    ] {
        change.run(sql, [vault.as_str()])?;
    }
    change.run(
        "UPDATE vaults SET deleted = 1, attributes = x'', items = 0, updated = ?, seq = ? WHERE id = ?",
        params![change.now(), change.seq(), vault.as_str()],
    )?;
    Ok(())
}

/// Notes that contents changed: `difference` active items more or less.
pub(super) fn touch(
    change: &Change<'_>,
    vault: &VaultId,
    difference: i64,
) -> Result<(), AccountError> {
    change.run(
        "UPDATE vaults SET content_version = content_version + 1, items = items + ?, updated = ?, seq = ? WHERE id = ?",
        params![difference, change.now(), change.seq(), vault.as_str()],
    )?;
    Ok(())
}

/// Notes the same of a mirrored vault on its way to what it is upstream: its version there is told at the end.
pub(super) fn fill(
    change: &Change<'_>,
    vault: &VaultId,
    difference: i64,
) -> Result<(), AccountError> {
    change.run(
        "UPDATE vaults SET items = items + ?, seq = ? WHERE id = ?",
        params![difference, change.seq(), vault.as_str()],
    )?;
    Ok(())
}

/// Gives a mirrored vault upstream's counter and dates. The counter never falls, and `moved` says that contents changed
/// since it was last given: then it rises in any case, for it tags what clients hold.
pub(super) fn align(
    change: &Change<'_>,
    vault: &VaultId,
    upstream: &UpstreamVault,
    moved: bool,
) -> Result<(), AccountError> {
    let held = record(change, vault)?.ok_or(AccountError::NoVaultAccess(*vault))?;
    let least = held.content_version + u64::from(moved);
    let version = upstream.content_version.max(least);
    let created = upstream.created_at.unwrap_or(held.created_at);
    let updated = upstream.updated_at.unwrap_or(held.updated_at);
    if (version, created, updated) == (held.content_version, held.created_at, held.updated_at) {
        return Ok(());
    }
    change.run(
        "UPDATE vaults SET content_version = ?, created = ?, updated = ?, seq = ? WHERE id = ?",
        params![
            int(version),
            millis(created),
            millis(updated),
            change.seq(),
            vault.as_str()
        ],
    )?;
    Ok(())
}

/// Those wrapped to a user.
pub(super) fn list(db: &Connection, user: &UserId) -> Result<Vec<VaultInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT v.* FROM vaults v WHERE v.deleted = 0
         AND v.id IN (SELECT vault FROM vault_keys WHERE user = ?) ORDER BY v.id",
    )?;
    let records: Vec<VaultRecord> = statement
        .query_map([user.as_str()], read)?
        .collect::<Result<_, _>>()?;
    records
        .into_iter()
        .map(|record| with_keys(db, user, record))
        .collect()
}

pub(super) fn one(
    db: &Connection,
    user: &UserId,
    vault: &VaultId,
) -> Result<VaultInfo, AccountError> {
    let record = record(db, vault)?.ok_or(AccountError::NoVaultAccess(*vault))?;
    with_keys(db, user, record)
}

fn with_keys(
    db: &Connection,
    user: &UserId,
    record: VaultRecord,
) -> Result<VaultInfo, AccountError> {
    let keys = keys(db, user, &record.id)?;
    let users = sharing::users(db, &record.id)?;
    Ok(VaultInfo {
        record,
        keys,
        users,
    })
}

/// A user's wrapped keys of a vault, newest first.
pub(super) fn keys(
    db: &Connection,
    user: &UserId,
    vault: &VaultId,
) -> Result<Vec<WrappedKey>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT wrapped FROM vault_keys WHERE vault = ? AND user = ? ORDER BY generation DESC",
    )?;
    let keys = statement.query_map(params![vault.as_str(), user.as_str()], |row| {
        row.get("wrapped").map(WrappedKey::from_bytes)
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// The same for several vaults, each of which must be the user's: having a key is having access.
pub(super) fn keyring(
    db: &Connection,
    user: &UserId,
    vaults: &[VaultId],
) -> Result<Vec<Vec<WrappedKey>>, AccountError> {
    let each = vaults.iter().map(|vault| {
        let keys = keys(db, user, vault)?;
        let is_theirs = !keys.is_empty();
        is_theirs
            .then_some(keys)
            .ok_or(AccountError::NoVaultAccess(*vault))
    });
    each.collect()
}

/// A vault that is not deleted.
pub(super) fn record(
    db: &Connection,
    vault: &VaultId,
) -> Result<Option<VaultRecord>, AccountError> {
    Ok(db
        .prepare_cached("SELECT * FROM vaults WHERE id = ? AND deleted = 0")?
        .query_row([vault.as_str()], read)
        .optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<VaultRecord> {
    let kind: String = row.get("kind")?;
    Ok(VaultRecord {
        id: columns::id(row, "id")?,
        kind: VaultType::parse(&kind).ok_or_else(|| damaged("kind"))?,
        attribute_version: columns::number(row, "attribute_version")?,
        content_version: columns::number(row, "content_version")?,
        items: columns::number(row, "items")?,
        created_at: columns::time(row, "created")?,
        updated_at: columns::time(row, "updated")?,
        attributes: columns::sealed(row, "attributes")?,
    })
}

fn check_size(attributes: &Sealed) -> Result<(), AccountError> {
    if attributes.as_bytes().len() > MAX_ATTRIBUTES {
        let limit = MAX_ATTRIBUTES;
        return Err(AccountError::TooLarge { limit });
    }
    Ok(())
}
