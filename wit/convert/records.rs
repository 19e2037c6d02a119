//! Core's records as the interface `records` spells them, and what is asked of them back: for whoever gives the interface.
//!
//! Each binding generator makes types of its own, alike but for where they are. So this is source, not a crate: a module
//! that has the generated ones as `super::wit` includes it by `#[path]`. What does not parse is nowhere, hence missing.

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Expect, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest,
        SigningKeyRecord, TitleMark, TokenGrant, TokenRecord, TokenState, VaultRecord, VaultType,
    },
    seal::Sealed,
    time::Timestamp,
};

use super::wit;

pub(super) fn fault(fault: Fault) -> wit::Fault {
    match fault {
        Fault::Missing => wit::Fault::Missing,
        Fault::Denied => wit::Fault::Denied,
        Fault::Conflict => wit::Fault::Conflict,
        Fault::TooLarge => wit::Fault::TooLarge,
        Fault::NotSynchronised => wit::Fault::NotSynchronised,
        Fault::ReadOnly => wit::Fault::ReadOnly,
        Fault::Mirrored => wit::Fault::Mirrored,
        Fault::Refused => wit::Fault::Refused,
        _ => wit::Fault::Unavailable,
    }
}

pub(super) fn missing<E>(_: E) -> wit::Fault {
    wit::Fault::Missing
}

pub(super) fn place(vault: &str, item: &str) -> Result<(VaultId, ItemId), wit::Fault> {
    Ok((
        VaultId::parse(vault).map_err(missing)?,
        ItemId::parse(item).map_err(missing)?,
    ))
}

pub(super) fn mark(bytes: Vec<u8>) -> Result<TitleMark, wit::Fault> {
    bytes.try_into().map(TitleMark).map_err(missing)
}

pub(super) fn head(head: &Head) -> wit::Head {
    wit::Head {
        environment: head.environment.as_str().to_owned(),
        account: head.account.as_str().to_owned(),
        version: head.version,
        issued_at: head.issued_at.millis(),
        max_stale: head.max_stale,
        max_inline: head.max_inline,
    }
}

pub(super) fn signing_key(key: &SigningKeyRecord) -> wit::SigningKey {
    wit::SigningKey {
        id: key.id.as_str().to_owned(),
        point: key.public.as_bytes().to_vec(),
    }
}

pub(super) fn token(token: &TokenRecord) -> wit::TokenRecord {
    wit::TokenRecord {
        id: token.id.as_str().to_owned(),
        key: token.key.as_str().to_owned(),
        digest: token.digest.to_vec(),
        revoked: token.state == TokenState::Revoked,
        expires_at: token.expires_at.map(Timestamp::millis),
        grants: token.grants.iter().map(grant).collect(),
    }
}

fn grant(grant: &TokenGrant) -> wit::TokenGrant {
    wit::TokenGrant {
        vault: grant.vault.as_str().to_owned(),
        rights: grant.rights.bits(),
        keys: grant
            .keys
            .iter()
            .map(|key| key.as_bytes().to_vec())
            .collect(),
    }
}

pub(super) fn vault(vault: &VaultRecord) -> wit::VaultRecord {
    wit::VaultRecord {
        id: vault.id.as_str().to_owned(),
        kind: match vault.kind {
            VaultType::UserCreated => wit::VaultType::UserCreated,
            VaultType::Personal => wit::VaultType::Personal,
            VaultType::Everyone => wit::VaultType::Everyone,
            VaultType::Transfer => wit::VaultType::Transfer,
        },
        attribute_version: vault.attribute_version,
        content_version: vault.content_version,
        items: vault.items,
        created_at: vault.created_at.millis(),
        updated_at: vault.updated_at.millis(),
        attributes: vault.attributes.as_bytes().to_vec(),
    }
}

pub(super) fn part(part: PartRecord) -> wit::PartRecord {
    wit::PartRecord {
        id: part.id.as_str().to_owned(),
        version: part.version,
        archived: part.archived,
        sealed: part.sealed.into_bytes(),
    }
}

pub(super) fn whole_item(item: &ItemRecord) -> wit::ItemRecord {
    let [exact, folded] = item.marks;
    let bytes = |sealed: &Sealed| sealed.as_bytes().to_vec();
    wit::ItemRecord {
        id: item.id.as_str().to_owned(),
        version: item.version,
        archived: item.archived,
        exact_mark: exact.0.to_vec(),
        folded_mark: folded.0.to_vec(),
        overview: bytes(&item.overview),
        details: bytes(&item.details),
        extra: item.extra.as_ref().map(bytes),
        files: item.files.as_ref().map(bytes),
    }
}

fn file_ids(ids: &[String]) -> Result<Vec<FileId>, wit::Fault> {
    let ids = ids.iter().map(|id| FileId::parse(id).map_err(missing));
    ids.collect()
}

pub(super) fn put_request(request: wit::PutRequest) -> Result<PutRequest, wit::Fault> {
    let item = request.item;
    Ok(PutRequest {
        token: TokenId::parse(&request.token).map_err(missing)?,
        vault: VaultId::parse(&request.vault).map_err(missing)?,
        expect: request.expect.map_or(Expect::Absent, Expect::Version),
        item: ItemRecord {
            id: ItemId::parse(&item.id).map_err(missing)?,
            version: item.version,
            archived: item.archived,
            marks: [mark(item.exact_mark)?, mark(item.folded_mark)?],
            overview: Sealed::from_bytes(item.overview),
            details: Sealed::from_bytes(item.details),
            extra: item.extra.map(Sealed::from_bytes),
            files: item.files.map(Sealed::from_bytes),
        },
        added: file_ids(&request.added)?,
        dropped: file_ids(&request.dropped)?,
    })
}

pub(super) fn put_chunk_request(
    request: wit::PutChunkRequest,
) -> Result<PutChunkRequest, wit::Fault> {
    let (vault, item) = place(&request.vault, &request.item)?;
    Ok(PutChunkRequest {
        token: TokenId::parse(&request.token).map_err(missing)?,
        vault,
        item,
        file: FileId::parse(&request.file).map_err(missing)?,
        index: request.index,
        content: Sealed::from_bytes(request.content),
    })
}

pub(super) fn delete_request(request: &wit::DeleteRequest) -> Result<DeleteRequest, wit::Fault> {
    let (vault, item) = place(&request.vault, &request.item)?;
    Ok(DeleteRequest {
        token: TokenId::parse(&request.token).map_err(missing)?,
        vault,
        item,
        version: request.version,
    })
}
