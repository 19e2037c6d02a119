//! A vault's next key, without a moment in which it does not open.
//!
//! ```text
//! begin    every holder gets the new key beside the old one; from now on the new one seals, both open
//! reseal   items in batches, at their versions; whoever wrote meanwhile is passed over and found again if need be
//! finish   nothing is sealed under the old key: it is dropped, from users and tokens
//! ```
//!
//! What has been done is in the rows, so anyone who holds the vault can go on after a crash.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use sekisho_core::{
    id::{TokenId, UserId, VaultId},
    key::{OperatorPublic, WrappedKey},
    records::ItemRecord,
    seal::Sealed,
    token::Rights,
    vouch::HolderProof,
};

use super::{
    change::Change,
    columns::{self, damaged, int},
    items, sharing, vaults,
};
use crate::{
    AccountError,
    protocol::{NewGeneration, TokenHolder, TokenWrap, UserHolder, VaultHolders},
};

/// Bytes of ciphertext after which a batch ends.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Most items in a batch.
const MAX_ITEMS: u32 = 500;

/// Everyone who holds the newest key.
pub(super) fn holders(db: &Connection, vault: &VaultId) -> Result<VaultHolders, AccountError> {
    let (oldest, generation) = vaults::generations(db, vault)?;
    Ok(VaultHolders {
        generation,
        oldest,
        users: user_holders(db, vault, generation)?,
        tokens: token_holders(db, vault)?,
    })
}

fn user_holders(
    db: &Connection,
    vault: &VaultId,
    generation: u32,
) -> Result<Vec<UserHolder>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT u.id, u.wrapping, u.signing, k.proof FROM vault_keys k JOIN users u ON u.id = k.user
         WHERE k.vault = ? AND k.generation = ? ORDER BY u.id",
    )?;
    let users = statement.query_map(params![vault.as_str(), generation], |row| {
        Ok(UserHolder {
            user: columns::id(row, "id")?,
            public: OperatorPublic {
                wrapping: columns::array(row, "wrapping")?,
                signing: columns::public_key(row, "signing")?,
            },
            proof: HolderProof(columns::array(row, "proof")?),
        })
    })?;
    Ok(users.collect::<Result<_, _>>()?)
}

fn token_holders(db: &Connection, vault: &VaultId) -> Result<Vec<TokenHolder>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT t.id, t.environment, t.public, g.rights, g.proof FROM token_grants g JOIN tokens t ON t.id = g.token
         WHERE g.vault = ? AND t.state = 'ACTIVE' ORDER BY t.id",
    )?;
    let tokens = statement.query_map([vault.as_str()], |row| {
        Ok(TokenHolder {
            token: columns::id(row, "id")?,
            environment: columns::id(row, "environment")?,
            rights: Rights::from_bits(row.get("rights")?).ok_or_else(|| damaged("rights"))?,
            public: columns::array(row, "public")?,
            proof: HolderProof(columns::array(row, "proof")?),
        })
    })?;
    Ok(tokens.collect::<Result<_, _>>()?)
}

pub(super) fn begin(change: &Change<'_>, new: &NewGeneration) -> Result<(), AccountError> {
    let vault = &new.vault;
    let held = holders(change, vault)?;
    let conflict =
        || AccountError::conflict("the key of vault", vault, Some(held.generation.into()));
    if held.oldest != held.generation || new.generation != held.generation.saturating_add(1) {
        return Err(conflict());
    }
    // Nobody may be left behind, and nobody added in passing.
    let users: BTreeSet<UserId> = held.users.iter().map(|holder| holder.user).collect();
    let tokens: BTreeSet<TokenId> = held.tokens.iter().map(|holder| holder.token).collect();
    if new
        .users
        .iter()
        .map(|wrap| wrap.user)
        .collect::<BTreeSet<_>>()
        != users
        || new
            .tokens
            .iter()
            .map(|wrap| wrap.token)
            .collect::<BTreeSet<_>>()
            != tokens
    {
        return Err(conflict());
    }
    let keys = new.users.iter().map(|wrap| &wrap.wrapped);
    let mut keys = keys.chain(new.tokens.iter().map(|wrap| &wrap.wrapped));
    if keys.any(|key| key.generation() != Some(new.generation)) {
        return Err(AccountError::invalid(
            "the keys are not of the new generation",
        ));
    }
    change.run(
        "UPDATE vaults SET generation = ?, seq = ? WHERE id = ?",
        params![new.generation, change.seq(), vault.as_str()],
    )?;
    for wrap in &new.users {
        sharing::insert(change, vault, wrap)?;
    }
    for TokenWrap {
        token,
        wrapped,
        proof,
    } in &new.tokens
    {
        let mut keys = token_keys(change, vault, token)?;
        keys.insert(0, wrapped.clone());
        put_token_keys(change, vault, token, &keys)?;
        change.run(
            "UPDATE token_grants SET proof = ? WHERE token = ? AND vault = ?",
            params![proof.0, token.as_str(), vault.as_str()],
        )?;
    }
    Ok(())
}

/// Items sealed under a key before the newest.
pub(super) fn stale(
    db: &Connection,
    vault: &VaultId,
    limit: u32,
) -> Result<Vec<ItemRecord>, AccountError> {
    let (_, newest) = vaults::generations(db, vault)?;
    let mut statement = db.prepare_cached(
        "SELECT * FROM items WHERE vault = ? AND generation < ? AND deleted = 0 ORDER BY id LIMIT ?",
    )?;
    let limit = limit.clamp(1, MAX_ITEMS);
    let mut rows = statement.query(params![vault.as_str(), newest, limit])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let item = items::read(row)?;
        bytes += items::size(&item);
        found.push(item);
        if bytes >= MAX_BYTES {
            break;
        }
    }
    Ok(found)
}

/// Puts items sealed anew. Contents stay what they were: no version rises, no date changes.
pub(super) fn reseal(
    change: &Change<'_>,
    vault: &VaultId,
    batch: &[ItemRecord],
) -> Result<(), AccountError> {
    let (_, newest) = vaults::generations(change, vault)?;
    let mut taken = 0;
    for item in batch {
        items::check_size(item)?;
        if items::generation(item)? != newest {
            let held = Some(u64::from(newest));
            return Err(AccountError::conflict("the key of vault", vault, held));
        }
        taken += change.run(
            "UPDATE items SET seq = ?1, generation = ?2, mark_exact = ?3, mark_folded = ?4, overview = ?5,
                 details = ?6, extra = ?7, files = ?8
             WHERE vault = ?9 AND id = ?10 AND version = ?11 AND generation < ?2 AND deleted = 0",
            params![
                change.seq(),
                newest,
                item.marks[0].0,
                item.marks[1].0,
                item.overview.as_bytes(),
                item.details.as_bytes(),
                item.extra.as_ref().map(Sealed::as_bytes),
                item.files.as_ref().map(Sealed::as_bytes),
                vault.as_str(),
                item.id.as_str(),
                int(item.version)
            ],
        )?;
    }
    if taken > 0 {
        notice(change, vault)?;
    }
    Ok(())
}

/// Puts attributes sealed anew; new ones that someone wrote meanwhile win.
pub(super) fn reseal_attributes(
    change: &Change<'_>,
    vault: &VaultId,
    version: u64,
    attributes: &Sealed,
) -> Result<(), AccountError> {
    let (_, newest) = vaults::generations(change, vault)?;
    if vaults::generation(attributes)? != newest {
        let held = Some(u64::from(newest));
        return Err(AccountError::conflict("the key of vault", vault, held));
    }
    change.run(
        "UPDATE vaults SET attributes = ?, seq = ? WHERE id = ? AND attribute_version = ?",
        params![
            attributes.as_bytes(),
            change.seq(),
            vault.as_str(),
            int(version)
        ],
    )?;
    Ok(())
}

/// Drops every key but the newest, if nothing needs them.
pub(super) fn finish(change: &Change<'_>, vault: &VaultId) -> Result<(), AccountError> {
    let (oldest, newest) = vaults::generations(change, vault)?;
    if oldest == newest {
        return Ok(());
    }
    let record = vaults::record(change, vault)?.ok_or(AccountError::NoVaultAccess(*vault))?;
    if vaults::generation(&record.attributes)? != newest || !stale(change, vault, 1)?.is_empty() {
        let held = Some(u64::from(newest));
        return Err(AccountError::conflict("the key of vault", vault, held));
    }
    change.run(
        "DELETE FROM vault_keys WHERE vault = ? AND generation < ?",
        params![vault.as_str(), newest],
    )?;
    for holder in token_holders(change, vault)? {
        let mut keys = token_keys(change, vault, &holder.token)?;
        keys.retain(|key| key.generation() == Some(newest));
        put_token_keys(change, vault, &holder.token, &keys)?;
    }
    change.run(
        "UPDATE vaults SET oldest = generation WHERE id = ?",
        [vault.as_str()],
    )?;
    notice(change, vault)
}

/// Lets hosts look.
fn notice(change: &Change<'_>, vault: &VaultId) -> Result<(), AccountError> {
    change.run(
        "UPDATE vaults SET seq = ? WHERE id = ?",
        params![change.seq(), vault.as_str()],
    )?;
    Ok(())
}

fn token_keys(
    db: &Connection,
    vault: &VaultId,
    token: &TokenId,
) -> Result<Vec<WrappedKey>, AccountError> {
    let keys = db
        .prepare_cached("SELECT keys FROM token_grants WHERE token = ? AND vault = ?")?
        .query_row([token.as_str(), vault.as_str()], |row| {
            serde_json::from_str(row.get_ref("keys")?.as_str()?).map_err(|_| damaged("keys"))
        })?;
    Ok(keys)
}

fn put_token_keys(
    change: &Change<'_>,
    vault: &VaultId,
    token: &TokenId,
    keys: &[WrappedKey],
) -> Result<(), AccountError> {
    let keys = serde_json::to_string(keys)
        .map_err(|_| AccountError::invalid("wrapped keys cannot be written as JSON"))?;
    change.run(
        "UPDATE token_grants SET keys = ? WHERE token = ? AND vault = ?",
        params![keys, token.as_str(), vault.as_str()],
    )?;
    change.run(
        "UPDATE tokens SET seq = ? WHERE id = ?",
        params![change.seq(), token.as_str()],
    )?;
    Ok(())
}
