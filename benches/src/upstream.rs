//! An account that exists only as what it sends: one vault, one token, and what is written to it comes back as the
//! next change. It forgets what it has sent, so that the memory measured is the host's; its file's content is made
//! and sealed when it is asked for.

use std::{
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use sekisho_core::{
    file::{CHUNK, FileEntry, FileKey, FilePlace, seal_chunk},
    id::{AccountId, EnvironmentId, FileId, ItemId, VaultId},
    item::{
        Item,
        build::{self, Writing},
        draft::Draft,
        json as item_json,
        stored::StoredItem,
    },
    key::{EnvironmentKey, SigningKey, VaultKey},
    records::{
        DeleteRequest, Fault, ItemRecord, PutChunkRequest, PutRequest, SigningKeyRecord,
        TokenRecord, TokenState, VaultRecord, VaultType,
    },
    secret::SecretBytes,
    sync::{FeedItem, FeedPage, SignedHead, Trust, token_list_digest},
    time::Timestamp,
    token::{self, ReadAccess, Rights, TokenOrder, WriteAccess},
    vault::VaultAttributes,
};
use sekisho_host::sync::{Upstream, UpstreamError, UsageReport};
use serde_json::json;

use crate::rng::Reproducible;

/// The time of all benches: 2026-01-01T00:00:00Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// Bytes of an item's JSON, as a client gets it.
pub const ITEM: usize = 1024;

/// The account.
pub struct Account {
    /// Its vault.
    pub vault: VaultId,
    /// What goes into `Authorization`, after `Bearer`.
    pub token: String,
    /// Its items, in the order of their titles `Item 0`, `Item 1`, …
    pub items: Vec<ItemId>,
    /// The item with a file, and the file.
    pub file: Option<(ItemId, FileEntry)>,
    account: AccountId,
    environment: EnvironmentId,
    head_key: SigningKey,
    environment_key: EnvironmentKey,
    vault_key: VaultKey,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    version: u64,
    waited: u64,
    vault: VaultRecord,
    token: TokenRecord,
    unsent: Vec<ItemRecord>,
}

impl Account {
    /// With so many items in the vault, and one more with a file of `file_size` bytes if that is not 0.
    pub fn new(items: usize, file_size: u64) -> Self {
        let rng = &mut Reproducible(7);
        let (account, environment) = (AccountId::generate(rng), EnvironmentId::generate(rng));
        let (vault, vault_key) = (VaultId::generate(rng), VaultKey::generate(1, rng));
        let head_key = SigningKey::derive(&SecretBytes::generate(rng), b"sekisho-benches/head");
        let environment_key = EnvironmentKey::generate(rng);
        let order = TokenOrder {
            account,
            environment,
            issued_at: NOW,
            expires_at: None,
            vaults: &[(vault, Rights::READ_WRITE, std::slice::from_ref(&vault_key))],
        };
        let issued = token::issue(&order, &environment_key, rng).unwrap();
        let access = WriteAccess::of_operator(ReadAccess::of_maker(vault, vault_key.clone()));
        let attributes = VaultAttributes {
            name: "Bench".into(),
            description: String::new(),
        };
        let attributes = serde_json::to_vec(&attributes).unwrap();
        let mut records: Vec<_> = (0..items)
            .map(|n| {
                StoredItem::new(plain_item(n, vault, rng))
                    .seal(&access, rng)
                    .unwrap()
            })
            .collect();
        let ids = records.iter().map(|record| record.id).collect();
        let file = (file_size > 0).then(|| {
            let (record, entry) = item_with_file(items, file_size, &access, rng);
            let item = record.id;
            records.push(record);
            (item, entry)
        });
        let record = VaultRecord {
            id: vault,
            kind: VaultType::UserCreated,
            attribute_version: 1,
            content_version: 1,
            items: records.len() as u64,
            created_at: NOW,
            updated_at: NOW,
            attributes: access.seal_attributes(1, &attributes, rng).unwrap(),
        };
        Self {
            vault,
            token: issued.text.expose().to_owned(),
            items: ids,
            file,
            account,
            environment,
            head_key,
            environment_key,
            vault_key,
            state: Mutex::new(State {
                version: 1,
                waited: 1,
                vault: record,
                token: issued.record,
                unsent: records,
            }),
            changed: Condvar::new(),
        }
    }

    /// Whom a host believes.
    pub fn trust(&self) -> Trust {
        Trust {
            account: self.account,
            environment: self.environment,
            head_key: self.head_key.public(),
        }
    }

    /// What tokens are verified with.
    pub fn signing_keys(&self) -> Vec<SigningKeyRecord> {
        vec![SigningKeyRecord {
            id: self.environment_key.id(),
            public: self.environment_key.public(),
        }]
    }

    /// The proof that its vault may be written to.
    pub fn access(&self) -> WriteAccess {
        WriteAccess::of_operator(ReadAccess::of_maker(self.vault, self.vault_key.clone()))
    }

    /// The path of an item.
    pub fn item_path(&self, n: usize) -> String {
        let item = self.items.get(n % self.items.len()).unwrap();
        format!("/v1/vaults/{}/items/{item}", self.vault)
    }

    /// The path of its items.
    pub fn items_path(&self) -> String {
        format!("/v1/vaults/{}/items", self.vault)
    }

    /// The path of its file's content.
    pub fn content_path(&self) -> String {
        let (item, file) = self.file.as_ref().unwrap();
        format!(
            "/v1/vaults/{}/items/{item}/files/{}/content",
            self.vault, file.id
        )
    }

    /// Takes its token back, and says so to who waits.
    pub fn revoke(&self) {
        let mut state = self.lock();
        state.version += 1;
        state.token.state = TokenState::Revoked;
        drop(state);
        self.changed.notify_all();
    }

    /// What it has not sent yet.
    pub fn page(&self) -> FeedPage {
        let mut state = self.lock();
        let items = std::mem::take(&mut state.unsent);
        FeedPage {
            after: None,
            cursor: state.version.to_string(),
            more: false,
            reset: false,
            head: SignedHead::sign(
                self.account,
                self.environment,
                state.version,
                NOW,
                token_list_digest(std::iter::once(&state.token)),
                &self.head_key,
            ),
            vaults: vec![state.vault.clone()],
            gone_vaults: Vec::new(),
            items: items
                .into_iter()
                .map(|item| FeedItem {
                    vault: self.vault,
                    item,
                })
                .collect(),
            gone_items: Vec::new(),
            tokens: vec![state.token.clone()],
            gone_tokens: Vec::new(),
            signing_keys: Vec::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn draft(n: usize, padding: usize) -> Draft {
    Draft::parse(json!({
        "title": title(n),
        "category": "LOGIN",
        "urls": [{ "href": "https://example.com" }],
        "tags": ["one", "two"],
        "fields": [
            { "id": "username", "purpose": "USERNAME", "type": "STRING", "label": "username", "value": "wendy" },
            { "id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "label": "password", "value": "mjXehR*uQj!aoe!iktt7KMtWb" },
            { "id": "notesPlain", "purpose": "NOTES", "type": "STRING", "label": "notesPlain", "value": "n".repeat(padding) },
        ],
    }))
    .unwrap()
}

/// What item `n` is called.
pub fn title(n: usize) -> String {
    format!("Item {n}")
}

/// An item of about [`ITEM`] bytes.
pub fn plain_item(n: usize, vault: VaultId, rng: &mut Reproducible) -> Item {
    let mut make = |padding| {
        let writing = Writing {
            vault,
            now: NOW,
            editor: "BENCHBENCHBENCHBENCHBENCHB",
        };
        build::create(draft(n, padding), &writing, rng).unwrap()
    };
    static BARE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let bare = BARE.get_or_init(|| item_json::sealed_details(&make(1)).len() - 1);
    make(ITEM.saturating_sub(*bare).max(1))
}

fn item_with_file(
    n: usize,
    size: u64,
    access: &WriteAccess,
    rng: &mut Reproducible,
) -> (ItemRecord, FileEntry) {
    let vault = access.current().vault();
    let mut stored = StoredItem::new(plain_item(n, vault, rng));
    let entry = FileEntry {
        id: FileId::generate(rng),
        name: "large.bin".into(),
        size,
        section: None,
        content: None,
        key: FileKey::generate(rng),
        chunk_size: CHUNK,
    };
    stored.set_file_entries(std::slice::from_ref(&entry));
    (stored.seal(access, rng).unwrap(), entry)
}

impl Upstream for Account {
    fn changes(&self, _: &str) -> Result<FeedPage, UpstreamError> {
        Ok(self.page())
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        let mut state = self.lock();
        state.version += 1;
        state.vault.content_version += 1;
        state.unsent.push(request.item.clone());
        Ok(())
    }

    fn put_chunk(&self, _: &PutChunkRequest) -> Result<(), UpstreamError> {
        Err(UpstreamError::Refused(Fault::ReadOnly))
    }

    fn delete(&self, _: &DeleteRequest) -> Result<(), UpstreamError> {
        Err(UpstreamError::Refused(Fault::ReadOnly))
    }

    /// Zeroes, sealed for their place.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        let missing = UpstreamError::Refused(Fault::Missing);
        let (_, entry) = self.file.as_ref().ok_or(missing.clone())?;
        let position = entry.position(index).ok_or(missing)?;
        let place = FilePlace {
            vault: *vault,
            item: *item,
            file: *file,
        };
        let begin = u64::from(index) * u64::from(CHUNK);
        let length = (entry.size - begin).min(u64::from(CHUNK)) as usize;
        Ok(seal_chunk(
            &entry.key,
            &place,
            position,
            &[0; CHUNK as usize][..length],
        ))
    }

    fn report_usage(&self, _: &[UsageReport]) -> Result<(), UpstreamError> {
        Ok(())
    }

    fn wait(&self, timeout: Duration) -> bool {
        let (mut state, result) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |state| state.version == state.waited)
            .unwrap();
        state.waited = state.version;
        !result.timed_out()
    }
}
