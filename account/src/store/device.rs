//! What hosts do at the account: prove who they are, write for a client, fetch a file's chunks.
//!
//! The host has checked the token itself; the account checks again what it can see: that the token is this
//! environment's, in force, and may write there. A host that lies gains nothing a stolen credentials file would not.

use sekisho_core::{
    file::FilePlace,
    id::{EnvironmentId, FileId, ItemId, TokenId, VaultId},
    key::DeviceSecret,
    records::{DeleteRequest, Expect, PutChunkRequest, PutRequest},
    seal::Sealed,
    time::Timestamp,
};

use super::{
    Account, StoredFile, change::Actor, chunks, environments, grants, items, mirrors, tokens,
};
use crate::{AccountError, protocol::Parked};

impl Account {
    /// Whose device this is. A deleted environment's is still known, see [`Account::changes`]: it gets a signed head
    /// under which there is nothing left.
    pub fn authenticate_device(
        &self,
        device: &DeviceSecret,
    ) -> Result<EnvironmentId, AccountError> {
        self.read(|db| environments::of_device(db, device))
    }

    /// Writes an item for a client. Chunks of the files it drops go with it.
    pub fn put(
        &self,
        environment: &EnvironmentId,
        request: &PutRequest,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        if self.is_parked(&request.vault)? {
            check_next_version(request)?;
            let write = Parked::Put(Box::new(request.clone()));
            return self.park(environment, &request.token, &write, now);
        }
        let item = &request.item;
        let objects = [
            environment.as_str(),
            request.vault.as_str(),
            item.id.as_str(),
        ];
        let actor = of_token(&request.token, now);
        self.change(&actor, "item.put", &objects, |change| {
            tokens::require_write(change, environment, &request.token, &request.vault)?;
            mirrors::require_none(change, &request.vault)?;
            check_next_version(request)?;
            if request.expect == Expect::Absent {
                items::require_unused(change, &request.vault, &item.id)?;
            }
            items::put(change, &request.vault, request.expect, item)?;
            chunks::settle(
                change,
                &request.vault,
                &item.id,
                &request.added,
                &request.dropped,
            )
        })
    }

    /// Stores a chunk for a client. It counts for nothing before a write adds the file.
    pub fn put_chunk(
        &self,
        environment: &EnvironmentId,
        request: &PutChunkRequest,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let PutChunkRequest {
            token,
            vault,
            item,
            file,
            index,
            content,
        } = request;
        let objects = [
            environment.as_str(),
            vault.as_str(),
            item.as_str(),
            file.as_str(),
        ];
        self.change(&of_token(token, now), "chunk.put", &objects, |change| {
            tokens::require_write(change, environment, token, vault)?;
            mirrors::require_none(change, vault)?;
            items::version(change, vault, item)?;
            let place = FilePlace {
                vault: *vault,
                item: *item,
                file: *file,
            };
            chunks::put(change, &place, *index, content, chunks::Standing::Staged)
        })
    }

    /// Deletes an item for a client.
    pub fn delete(
        &self,
        environment: &EnvironmentId,
        request: &DeleteRequest,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let DeleteRequest {
            token,
            vault,
            item,
            version,
        } = request;
        if self.is_parked(vault)? {
            let write = Parked::Delete(request.clone());
            return self.park(environment, token, &write, now);
        }
        let objects = [environment.as_str(), vault.as_str(), item.as_str()];
        self.change(&of_token(token, now), "item.delete", &objects, |change| {
            tokens::require_write(change, environment, token, vault)?;
            mirrors::require_none(change, vault)?;
            items::delete(change, vault, item, Some(*version))
        })
    }

    /// An item's files by the ids under which their chunks are kept, for who copies them: what an item says of its
    /// files is sealed.
    pub fn files(
        &self,
        environment: &EnvironmentId,
        vault: &VaultId,
        item: &ItemId,
    ) -> Result<Vec<StoredFile>, AccountError> {
        self.read(|db| {
            grants::require(db, environment, vault)?;
            chunks::of_item(db, vault, item)
        })
    }

    /// A sealed chunk of a file.
    pub fn chunk(
        &self,
        environment: &EnvironmentId,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError> {
        let place = FilePlace {
            vault: *vault,
            item: *item,
            file: *file,
        };
        self.read(|db| {
            grants::require(db, environment, vault)?;
            chunks::one(db, &place, index)
        })
    }
}

fn of_token(token: &TokenId, now: Timestamp) -> Actor<'_> {
    Actor {
        who: token.as_str(),
        origin: "device",
        now,
    }
}

/// Clients' changes go step by step; only operators bring versions of elsewhere.
fn check_next_version(request: &PutRequest) -> Result<(), AccountError> {
    let next = match request.expect {
        Expect::Absent => 1,
        Expect::Version(version) => version.saturating_add(1),
    };
    if request.item.version == next {
        Ok(())
    } else {
        Err(AccountError::invalid(
            "an item's version rises by one with each change",
        ))
    }
}
