//! The interface `records`. Ids are parsed here; what does not parse is nowhere, hence missing.

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Expect, Fault, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        SigningKeyRecord, TitleMark, TokenGrant, TokenRecord, TokenState, VaultRecord, VaultType,
    },
    seal::Sealed,
    time::Timestamp,
};

use crate::{Exports, Instance, bindings::exports::sekisho::vault::records as wit};

impl<I: Instance> wit::Guest for Exports<I> {
    fn foresee(token: String, vault: Option<String>, item: Option<String>) {
        // What does not parse is nowhere.
        let vault = vault.and_then(|id| VaultId::parse(&id).ok());
        let item = item.and_then(|id| ItemId::parse(&id).ok());
        if let Ok(token) = TokenId::parse(&token) {
            I::with(|plug| plug.foresee(&token, vault.as_ref(), item.as_ref()));
        }
    }

    fn get_head() -> Result<wit::Head, wit::Fault> {
        let head = I::with(Records::head).map_err(fault)?;
        Ok(wit::Head {
            environment: head.environment.as_str().to_owned(),
            account: head.account.as_str().to_owned(),
            version: head.version,
            issued_at: head.issued_at.millis(),
            max_stale: head.max_stale,
            max_inline: head.max_inline,
        })
    }

    fn signing_keys() -> Result<Vec<wit::SigningKey>, wit::Fault> {
        let keys = I::with(Records::signing_keys).map_err(fault)?;
        Ok(keys.into_iter().map(signing_key).collect())
    }

    fn token(id: String) -> Result<wit::TokenRecord, wit::Fault> {
        let id = TokenId::parse(&id).map_err(missing)?;
        I::with(|plug| plug.token(&id)).map(token).map_err(fault)
    }

    fn vault(id: String) -> Result<wit::VaultRecord, wit::Fault> {
        let id = VaultId::parse(&id).map_err(missing)?;
        I::with(|plug| plug.vault(&id)).map(vault).map_err(fault)
    }

    fn list(
        vault: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let after = after.map(|id| ItemId::parse(&id));
        let after = after.transpose().map_err(missing)?;
        let parts = I::with(|plug| plug.list(&vault, after.as_ref(), limit)).map_err(fault)?;
        Ok(parts.into_iter().map(part).collect())
    }

    fn find(vault: String, mark: Vec<u8>) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let mark = TitleMark(mark.try_into().map_err(missing)?);
        let parts = I::with(|plug| plug.find(&vault, &mark)).map_err(fault)?;
        Ok(parts.into_iter().map(part).collect())
    }

    fn version(vault: String, item: String) -> Result<u64, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        I::with(|plug| plug.version(&vault, &item)).map_err(fault)
    }

    fn details(vault: String, item: String) -> Result<wit::PartRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let details = I::with(|plug| plug.details(&vault, &item));
        details.map(part).map_err(fault)
    }

    fn item(vault: String, item: String) -> Result<wit::ItemRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let item = I::with(|plug| plug.item(&vault, &item));
        item.map(whole_item).map_err(fault)
    }

    fn chunk(vault: String, item: String, file: String, index: u32) -> Result<Vec<u8>, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let file = FileId::parse(&file).map_err(missing)?;
        I::with(|plug| plug.chunk(&vault, &item, &file, index)).map_err(fault)
    }

    fn put(request: wit::PutRequest) -> Result<(), wit::Fault> {
        let request = put_request(request)?;
        I::with(|plug| plug.put(request)).map_err(fault)
    }

    fn put_chunk(request: wit::PutChunkRequest) -> Result<(), wit::Fault> {
        let (vault, item) = place(&request.vault, &request.item)?;
        let request = PutChunkRequest {
            token: TokenId::parse(&request.token).map_err(missing)?,
            vault,
            item,
            file: FileId::parse(&request.file).map_err(missing)?,
            index: request.index,
            content: Sealed::from_bytes(request.content),
        };
        I::with(|plug| plug.put_chunk(request)).map_err(fault)
    }

    fn delete(request: wit::DeleteRequest) -> Result<(), wit::Fault> {
        let (vault, item) = place(&request.vault, &request.item)?;
        let request = DeleteRequest {
            token: TokenId::parse(&request.token).map_err(missing)?,
            vault,
            item,
            version: request.version,
        };
        I::with(|plug| plug.delete(request)).map_err(fault)
    }
}

fn fault(fault: Fault) -> wit::Fault {
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

fn missing<E>(_: E) -> wit::Fault {
    wit::Fault::Missing
}

fn place(vault: &str, item: &str) -> Result<(VaultId, ItemId), wit::Fault> {
    Ok((
        VaultId::parse(vault).map_err(missing)?,
        ItemId::parse(item).map_err(missing)?,
    ))
}

fn signing_key(key: SigningKeyRecord) -> wit::SigningKey {
    wit::SigningKey {
        id: key.id.as_str().to_owned(),
        point: key.public.as_bytes().to_vec(),
    }
}

fn token(token: TokenRecord) -> wit::TokenRecord {
    wit::TokenRecord {
        id: token.id.as_str().to_owned(),
        key: token.key.as_str().to_owned(),
        digest: token.digest.to_vec(),
        revoked: token.state == TokenState::Revoked,
        expires_at: token.expires_at.map(Timestamp::millis),
        grants: token.grants.into_iter().map(grant).collect(),
    }
}

fn grant(grant: TokenGrant) -> wit::TokenGrant {
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

fn vault(vault: VaultRecord) -> wit::VaultRecord {
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
        attributes: vault.attributes.into_bytes(),
    }
}

fn part(part: PartRecord) -> wit::PartRecord {
    wit::PartRecord {
        id: part.id.as_str().to_owned(),
        version: part.version,
        archived: part.archived,
        sealed: part.sealed.into_bytes(),
    }
}

fn whole_item(item: ItemRecord) -> wit::ItemRecord {
    let [exact, folded] = item.marks;
    wit::ItemRecord {
        id: item.id.as_str().to_owned(),
        version: item.version,
        archived: item.archived,
        exact_mark: exact.0.to_vec(),
        folded_mark: folded.0.to_vec(),
        overview: item.overview.into_bytes(),
        details: item.details.into_bytes(),
        extra: item.extra.map(Sealed::into_bytes),
        files: item.files.map(Sealed::into_bytes),
    }
}

fn file_ids(ids: &[String]) -> Result<Vec<FileId>, wit::Fault> {
    let ids = ids.iter().map(|id| FileId::parse(id).map_err(missing));
    ids.collect()
}

fn put_request(request: wit::PutRequest) -> Result<PutRequest, wit::Fault> {
    let item = request.item;
    Ok(PutRequest {
        token: TokenId::parse(&request.token).map_err(missing)?,
        vault: VaultId::parse(&request.vault).map_err(missing)?,
        expect: request.expect.map_or(Expect::Absent, Expect::Version),
        item: ItemRecord {
            id: ItemId::parse(&item.id).map_err(missing)?,
            version: item.version,
            archived: item.archived,
            marks: [
                TitleMark(item.exact_mark.try_into().map_err(missing)?),
                TitleMark(item.folded_mark.try_into().map_err(missing)?),
            ],
            overview: Sealed::from_bytes(item.overview),
            details: Sealed::from_bytes(item.details),
            extra: item.extra.map(Sealed::from_bytes),
            files: item.files.map(Sealed::from_bytes),
        },
        added: file_ids(&request.added)?,
        dropped: file_ids(&request.dropped)?,
    })
}
