//! The import `sekisho:vault/records` as core's port.
//!
//! What comes in is parsed at once. A runtime that hands out a malformed id or key is broken, and what is broken is
//! not available: there is nothing a client could do about it.

use std::cell::RefCell;

use sekisho_core::{
    id::{AccountId, EnvironmentId, FileId, IdError, ItemId, KeyId, TokenId, VaultId},
    key::{PublicKey, WrappedKey},
    records::{
        DeleteRequest, Expect, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest,
        Records, SigningKeyRecord, TitleMark, TokenGrant, TokenRecord, TokenState, VaultRecord,
        VaultType,
    },
    seal::Sealed,
    time::Timestamp,
    token::Rights,
};

use crate::bindings::{sekisho::vault::records as wit, wasi::clocks::wall_clock};

/// The time, from the runtime.
pub(crate) fn now() -> Timestamp {
    let now = wall_clock::now();
    Timestamp::from_millis(now.seconds * 1000 + u64::from(now.nanoseconds / 1_000_000))
}

/// The records that the runtime provides, as one request sees them.
#[derive(Default)]
pub(crate) struct Imported {
    at_hand: RefCell<AtHand>,
}

/// What the runtime handed out when it was told what comes. Each is taken once, and a write ends it: it may be no more
/// true then.
#[derive(Default)]
struct AtHand {
    head: Option<wit::Head>,
    token: Option<wit::TokenRecord>,
    details: Option<(VaultId, wit::PartRecord)>,
}

impl Imported {
    /// What is served now, which is asked for next.
    pub(crate) fn has_head(&self, head: Option<wit::Head>) {
        self.at_hand.borrow_mut().head = head;
    }
}

impl Records for Imported {
    fn foresee(&self, token: &TokenId, vault: Option<&VaultId>, item: Option<&ItemId>) {
        let (place, item) = (vault.map(VaultId::as_str), item.map(ItemId::as_str));
        let foreseen = wit::foresee(token.as_str(), place, item);
        self.at_hand.replace(AtHand {
            head: foreseen.head,
            token: foreseen.token,
            details: vault.copied().zip(foreseen.details),
        });
    }

    fn head(&self) -> Result<Head, Fault> {
        let at_hand = self.at_hand.borrow_mut().head.take();
        let given = at_hand.map_or_else(wit::get_head, Ok);
        given.map_err(fault).and_then(head)
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        let keys = wit::signing_keys().map_err(fault)?;
        keys.into_iter().map(signing_key).collect()
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        let is_it = |token: &mut wit::TokenRecord| token.id == id.as_str();
        let at_hand = self.at_hand.borrow_mut().token.take_if(is_it);
        let token = at_hand.map_or_else(|| wit::token(id.as_str()), Ok);
        token.map_err(fault).and_then(whole_token)
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        wit::vault(id.as_str()).map_err(fault).and_then(vault)
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        let parts = wit::list(vault.as_str(), after.map(ItemId::as_str), limit).map_err(fault)?;
        parts.into_iter().map(part).collect()
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        let parts = wit::find(vault.as_str(), &mark.0).map_err(fault)?;
        parts.into_iter().map(part).collect()
    }

    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        match &self.at_hand.borrow().details {
            Some(details) if is_of(details, vault, item) => Ok(details.1.version),
            _ => wit::version(vault.as_str(), item.as_str()).map_err(fault),
        }
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        let is_it = |details: &mut (VaultId, wit::PartRecord)| is_of(details, vault, item);
        let at_hand = self.at_hand.borrow_mut().details.take_if(is_it);
        let details = at_hand.map_or_else(
            || wit::details(vault.as_str(), item.as_str()),
            |(_, details)| Ok(details),
        );
        details.map_err(fault).and_then(part)
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        wit::item(vault.as_str(), item.as_str())
            .map_err(fault)
            .and_then(whole_item)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        wit::chunk(vault.as_str(), item.as_str(), file.as_str(), index).map_err(fault)
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.at_hand.take();
        wit::put(&put_request(request)).map_err(fault)
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        wit::put_chunk(&put_chunk_request(request)).map_err(fault)
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        self.at_hand.take();
        let request = wit::DeleteRequest {
            token: request.token.as_str().to_owned(),
            vault: request.vault.as_str().to_owned(),
            item: request.item.as_str().to_owned(),
            version: request.version,
        };
        wit::delete(&request).map_err(fault)
    }
}

fn is_of((of, part): &(VaultId, wit::PartRecord), vault: &VaultId, item: &ItemId) -> bool {
    of == vault && part.id == item.as_str()
}

fn fault(fault: wit::Fault) -> Fault {
    match fault {
        wit::Fault::Missing => Fault::Missing,
        wit::Fault::Denied => Fault::Denied,
        wit::Fault::Conflict => Fault::Conflict,
        wit::Fault::TooLarge => Fault::TooLarge,
        wit::Fault::NotSynchronised => Fault::NotSynchronised,
        wit::Fault::Unavailable => Fault::Unavailable,
        wit::Fault::ReadOnly => Fault::ReadOnly,
        wit::Fault::Mirrored => Fault::Mirrored,
        wit::Fault::Refused => Fault::Refused,
    }
}

fn id<T>(parsed: Result<T, IdError>) -> Result<T, Fault> {
    parsed.map_err(|_| Fault::Unavailable)
}

fn exactly<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], Fault> {
    bytes.try_into().map_err(|_| Fault::Unavailable)
}

fn head(head: wit::Head) -> Result<Head, Fault> {
    Ok(Head {
        environment: id(EnvironmentId::parse(&head.environment))?,
        account: id(AccountId::parse(&head.account))?,
        version: head.version,
        issued_at: Timestamp::from_millis(head.issued_at),
        max_stale: head.max_stale,
        max_inline: head.max_inline,
    })
}

fn signing_key(key: wit::SigningKey) -> Result<SigningKeyRecord, Fault> {
    Ok(SigningKeyRecord {
        id: id(KeyId::parse(&key.id))?,
        public: PublicKey::parse(&key.point).map_err(|_| Fault::Unavailable)?,
    })
}

fn whole_token(token: wit::TokenRecord) -> Result<TokenRecord, Fault> {
    Ok(TokenRecord {
        id: id(TokenId::parse(&token.id))?,
        key: id(KeyId::parse(&token.key))?,
        digest: exactly(token.digest)?,
        state: if token.revoked {
            TokenState::Revoked
        } else {
            TokenState::Active
        },
        expires_at: token.expires_at.map(Timestamp::from_millis),
        grants: token
            .grants
            .into_iter()
            .map(grant)
            .collect::<Result<_, _>>()?,
    })
}

fn grant(grant: wit::TokenGrant) -> Result<TokenGrant, Fault> {
    Ok(TokenGrant {
        vault: id(VaultId::parse(&grant.vault))?,
        rights: Rights::from_bits(grant.rights).ok_or(Fault::Unavailable)?,
        keys: grant.keys.into_iter().map(WrappedKey::from_bytes).collect(),
    })
}

fn vault(vault: wit::VaultRecord) -> Result<VaultRecord, Fault> {
    Ok(VaultRecord {
        id: id(VaultId::parse(&vault.id))?,
        kind: match vault.kind {
            wit::VaultType::UserCreated => VaultType::UserCreated,
            wit::VaultType::Personal => VaultType::Personal,
            wit::VaultType::Everyone => VaultType::Everyone,
            wit::VaultType::Transfer => VaultType::Transfer,
        },
        attribute_version: vault.attribute_version,
        content_version: vault.content_version,
        items: vault.items,
        created_at: Timestamp::from_millis(vault.created_at),
        updated_at: Timestamp::from_millis(vault.updated_at),
        attributes: Sealed::from_bytes(vault.attributes),
    })
}

fn part(part: wit::PartRecord) -> Result<PartRecord, Fault> {
    Ok(PartRecord {
        id: id(ItemId::parse(&part.id))?,
        version: part.version,
        archived: part.archived,
        sealed: Sealed::from_bytes(part.sealed),
    })
}

fn whole_item(item: wit::ItemRecord) -> Result<ItemRecord, Fault> {
    Ok(ItemRecord {
        id: id(ItemId::parse(&item.id))?,
        version: item.version,
        archived: item.archived,
        marks: [
            TitleMark(exactly(item.exact_mark)?),
            TitleMark(exactly(item.folded_mark)?),
        ],
        overview: Sealed::from_bytes(item.overview),
        details: Sealed::from_bytes(item.details),
        extra: item.extra.map(Sealed::from_bytes),
        files: item.files.map(Sealed::from_bytes),
    })
}

fn file_ids(ids: &[FileId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

fn put_chunk_request(request: PutChunkRequest) -> wit::PutChunkRequest {
    wit::PutChunkRequest {
        token: request.token.as_str().to_owned(),
        vault: request.vault.as_str().to_owned(),
        item: request.item.as_str().to_owned(),
        file: request.file.as_str().to_owned(),
        index: request.index,
        content: request.content.into_bytes(),
    }
}

fn put_request(request: PutRequest) -> wit::PutRequest {
    let item = request.item;
    let [exact, folded] = item.marks;
    wit::PutRequest {
        token: request.token.as_str().to_owned(),
        vault: request.vault.as_str().to_owned(),
        expect: match request.expect {
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
        },
        item: wit::ItemRecord {
            id: item.id.as_str().to_owned(),
            version: item.version,
            archived: item.archived,
            exact_mark: exact.0.to_vec(),
            folded_mark: folded.0.to_vec(),
            overview: item.overview.into_bytes(),
            details: item.details.into_bytes(),
            extra: item.extra.map(Sealed::into_bytes),
            files: item.files.map(Sealed::into_bytes),
        },
        added: file_ids(&request.added),
        dropped: file_ids(&request.dropped),
    }
}
