//! The WIT imports `sekisho:vault/records` and `usage`, on a [`Link`]. Ids are parsed here; what does not parse is
//! nowhere, hence missing.

use std::sync::Arc;

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Expect, Fault, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        TitleMark, TokenState, VaultType,
    },
    rest::{Action, ActivityQuery, Caller, Usage, UsageEvent, Verdict},
    seal::Sealed,
    time::Timestamp,
};

use super::bindings::{records as wit, request, usage};
use crate::engine::link::Link;

impl wit::Host for Link {
    /// All records are at hand.
    fn foresee(&mut self, _: String, _: Option<String>, _: Option<String>) {}

    fn get_head(&mut self) -> Result<wit::Head, wit::Fault> {
        let head = self.head().map_err(fault)?;
        Ok(wit::Head {
            environment: head.environment.as_str().to_owned(),
            account: head.account.as_str().to_owned(),
            version: head.version,
            issued_at: head.issued_at.millis(),
            max_stale: head.max_stale,
            max_inline: head.max_inline,
        })
    }

    fn signing_keys(&mut self) -> Result<Vec<wit::SigningKey>, wit::Fault> {
        let keys = Records::signing_keys(self).map_err(fault)?;
        Ok(keys
            .into_iter()
            .map(|key| wit::SigningKey {
                id: key.id.as_str().to_owned(),
                point: key.public.as_bytes().to_vec(),
            })
            .collect())
    }

    fn token(&mut self, id: String) -> Result<wit::TokenRecord, wit::Fault> {
        let id = TokenId::parse(&id).map_err(missing)?;
        let token = self.shared_token(&id).map_err(fault)?;
        Ok(wit::TokenRecord {
            id: token.id.as_str().to_owned(),
            key: token.key.as_str().to_owned(),
            digest: token.digest.to_vec(),
            revoked: token.state == TokenState::Revoked,
            expires_at: token.expires_at.map(Timestamp::millis),
            grants: token
                .grants
                .iter()
                .map(|grant| wit::TokenGrant {
                    vault: grant.vault.as_str().to_owned(),
                    rights: grant.rights.bits(),
                    keys: grant
                        .keys
                        .iter()
                        .map(|key| key.as_bytes().to_vec())
                        .collect(),
                })
                .collect(),
        })
    }

    fn vault(&mut self, id: String) -> Result<wit::VaultRecord, wit::Fault> {
        let id = VaultId::parse(&id).map_err(missing)?;
        let vault = self.shared_vault(&id).map_err(fault)?;
        Ok(wit::VaultRecord {
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
        })
    }

    fn list(
        &mut self,
        vault: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let after = after
            .map(|id| ItemId::parse(&id))
            .transpose()
            .map_err(missing)?;
        let parts = Records::list(self, &vault, after.as_ref(), limit).map_err(fault)?;
        Ok(parts.into_iter().map(part).collect())
    }

    fn find(&mut self, vault: String, mark: Vec<u8>) -> Result<Vec<wit::PartRecord>, wit::Fault> {
        let vault = VaultId::parse(&vault).map_err(missing)?;
        let mark = TitleMark(mark.try_into().map_err(missing)?);
        let parts = Records::find(self, &vault, &mark).map_err(fault)?;
        Ok(parts.into_iter().map(part).collect())
    }

    fn version(&mut self, vault: String, item: String) -> Result<u64, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        Records::version(self, &vault, &item).map_err(fault)
    }

    fn details(&mut self, vault: String, item: String) -> Result<wit::PartRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        Records::details(self, &vault, &item)
            .map(part)
            .map_err(fault)
    }

    fn item(&mut self, vault: String, item: String) -> Result<wit::ItemRecord, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        self.shared_item(&vault, &item)
            .map(|item| whole_item(&item))
            .map_err(fault)
    }

    async fn chunk(
        &mut self,
        vault: String,
        item: String,
        file: String,
        index: u32,
    ) -> Result<Vec<u8>, wit::Fault> {
        let (vault, item) = place(&vault, &item)?;
        let file = FileId::parse(&file).map_err(missing)?;
        self.moves_on();
        let chunks = Arc::clone(&self.backing().chunks);
        tokio::task::spawn_blocking(move || chunks.load(&vault, &item, &file, index))
            .await
            .map_err(|_| wit::Fault::Unavailable)?
            .map_err(fault)
    }

    async fn put(&mut self, request: wit::PutRequest) -> Result<(), wit::Fault> {
        let request = put_request(request)?;
        self.put_async(request).await.map_err(fault)
    }

    async fn put_chunk(&mut self, request: wit::PutChunkRequest) -> Result<(), wit::Fault> {
        let request = put_chunk_request(request)?;
        self.put_chunk_async(request).await.map_err(fault)
    }

    async fn delete(&mut self, request: wit::DeleteRequest) -> Result<(), wit::Fault> {
        let (vault, item) = place(&request.vault, &request.item)?;
        let request = DeleteRequest {
            token: TokenId::parse(&request.token).map_err(missing)?,
            vault,
            item,
            version: request.version,
        };
        self.delete_async(request).await.map_err(fault)
    }
}

impl usage::Host for Link {
    fn note(&mut self, event: usage::Event) {
        // A guest that notes what is no id has nothing to count.
        if let Some(event) = usage_event(event) {
            Usage::note(self, event);
        }
    }

    fn recent(&mut self, wanted: usage::ActivityQuery) -> usage::ActivityPage {
        let vaults = wanted
            .vaults
            .iter()
            .filter_map(|id| VaultId::parse(id).ok());
        let page = Usage::recent(
            self,
            ActivityQuery {
                vaults: vaults.collect(),
                offset: wanted.offset,
                limit: wanted.limit,
            },
        );
        usage::ActivityPage {
            total: page.total,
            events: page.events.into_iter().map(noted_event).collect(),
        }
    }

    fn checked(&mut self, verdict: usage::Verdict) {
        Usage::checked(
            self,
            match verdict {
                usage::Verdict::Accepted => Verdict::Accepted,
                usage::Verdict::Missing => Verdict::Missing,
                usage::Verdict::Malformed => Verdict::Malformed,
                usage::Verdict::Forged => Verdict::Forged,
                usage::Verdict::OtherServer => Verdict::OtherServer,
                usage::Verdict::NotSynchronised => Verdict::NotSynchronised,
                usage::Verdict::Revoked => Verdict::Revoked,
                usage::Verdict::Expired => Verdict::Expired,
                usage::Verdict::Unavailable => Verdict::Unavailable,
            },
        );
    }
}

impl request::Host for Link {
    /// A sandbox answers one request and is gone, with all it held.
    fn finished(&mut self) {}
}

fn noted_event(event: UsageEvent) -> usage::Event {
    usage::Event {
        token: event.token.as_str().to_owned(),
        action: match event.action {
            Action::Read => usage::Action::Read,
            Action::Create => usage::Action::Create,
            Action::Update => usage::Action::Update,
            Action::Delete => usage::Action::Delete,
        },
        allowed: event.allowed,
        vault: event.vault.as_str().to_owned(),
        item: event.item.map(|item| item.as_str().to_owned()),
        item_version: event.item_version,
        at: event.at.millis(),
        request_id: event.caller.request_id,
        user_agent: event.caller.user_agent,
        peer: event
            .caller
            .peer
            .map(|peer| peer.to_string())
            .unwrap_or_default(),
    }
}

fn usage_event(event: usage::Event) -> Option<UsageEvent> {
    Some(UsageEvent {
        token: TokenId::parse(&event.token).ok()?,
        action: match event.action {
            usage::Action::Read => Action::Read,
            usage::Action::Create => Action::Create,
            usage::Action::Update => Action::Update,
            usage::Action::Delete => Action::Delete,
        },
        allowed: event.allowed,
        vault: VaultId::parse(&event.vault).ok()?,
        item: event.item.as_deref().map(ItemId::parse).transpose().ok()?,
        item_version: event.item_version,
        at: Timestamp::from_millis(event.at),
        caller: Caller {
            request_id: event.request_id,
            user_agent: event.user_agent,
            peer: event.peer.parse().ok(),
        },
    })
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

fn part(part: PartRecord) -> wit::PartRecord {
    wit::PartRecord {
        id: part.id.as_str().to_owned(),
        version: part.version,
        archived: part.archived,
        sealed: part.sealed.into_bytes(),
    }
}

fn whole_item(item: &ItemRecord) -> wit::ItemRecord {
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
    ids.iter()
        .map(|id| FileId::parse(id).map_err(missing))
        .collect()
}

fn put_chunk_request(request: wit::PutChunkRequest) -> Result<PutChunkRequest, wit::Fault> {
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

fn put_request(request: wit::PutRequest) -> Result<PutRequest, wit::Fault> {
    let item = request.item;
    let mark = |bytes: Vec<u8>| bytes.try_into().map(TitleMark).map_err(missing);
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
