//! An account in memory: one vault, one token, a log of changes.

use std::{
    collections::BTreeMap,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand_core::{TryCryptoRng, TryRng};
use sekisho_core::{
    file::{CHUNK, ChunkPosition, FileEntry, FileKey, FilePlace, seal_chunk},
    id::{AccountId, EnvironmentId, FileId, ItemId, VaultId},
    item::{
        File,
        build::{self, Writing},
        draft::Draft,
        stored::StoredItem,
    },
    key::{EnvironmentKey, SigningKey, VaultKey},
    records::{
        DeleteRequest, Expect, Fault, ItemRecord, PutChunkRequest, PutRequest, SigningKeyRecord,
        TokenRecord, VaultRecord, VaultType,
    },
    rest::UsageEvent,
    secret::SecretBytes,
    sync::{FeedItem, FeedPage, GoneItem, SignedHead, Trust, token_list_digest},
    time::Timestamp,
    token::{self, ReadAccess, Rights, TokenOrder, WriteAccess},
    vault::VaultAttributes,
    vouch::EndorsedKey,
};
use sekisho_host::sync::{Upstream, UpstreamError, UsageReport};
use serde_json::json;

use super::NOW;

/// Reproducible bytes.
pub struct TestRng(u64);

impl TryRng for TestRng {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.try_next_u64()? as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = self.try_next_u64()? as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// The account.
pub struct MemoryAccount {
    pub account: AccountId,
    pub environment: EnvironmentId,
    pub vault: VaultId,
    pub token: String,
    /// Whether it can be reached.
    pub offline: AtomicBool,
    /// It takes writes in, and says nothing about them until this is over.
    pub stalls: AtomicBool,
    /// Failures of `report_usage` still to come.
    pub usage_failures: AtomicUsize,
    head_key: SigningKey,
    environment_key: EnvironmentKey,
    vault_key: VaultKey,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    version: u64,
    vault: VaultRecord,
    tokens: Vec<TokenRecord>,
    signing_keys: Vec<EndorsedKey>,
    /// Each thing's newest state, by the version that brought it.
    items: BTreeMap<ItemId, (u64, Option<ItemRecord>)>,
    chunks: BTreeMap<(FileId, u32), Vec<u8>>,
    usage: BTreeMap<String, UsageReport>,
    waited: u64,
    chunk_calls: usize,
}

impl MemoryAccount {
    /// An account whose vault has so many items.
    pub fn new(items: usize) -> Self {
        let rng = &mut TestRng(7);
        let (account, environment) = (AccountId::generate(rng), EnvironmentId::generate(rng));
        let (vault, vault_key) = (VaultId::generate(rng), VaultKey::generate(1, rng));
        let (head_key, environment_key) = (
            SigningKey::derive(&SecretBytes::generate(rng), b"head"),
            EnvironmentKey::generate(rng),
        );
        let order = TokenOrder {
            account,
            environment,
            issued_at: NOW,
            expires_at: None,
            vaults: &[(vault, Rights::READ_WRITE, std::slice::from_ref(&vault_key))],
        };
        let issued = token::issue(&order, &environment_key, rng).unwrap();
        let access = access(vault, &vault_key);
        let attributes = VaultAttributes {
            name: "Demo".into(),
            description: String::new(),
        };
        let attributes = serde_json::to_vec(&attributes).unwrap();
        let record = VaultRecord {
            id: vault,
            kind: VaultType::UserCreated,
            attribute_version: 1,
            content_version: 1,
            items: items as u64,
            created_at: NOW,
            updated_at: NOW,
            attributes: access.seal_attributes(1, &attributes, rng).unwrap(),
        };
        let state = State {
            version: 1,
            vault: record,
            tokens: vec![issued.record],
            signing_keys: Vec::new(),
            items: (0..items)
                .map(|n| item(n, vault, &access, rng))
                .map(|item| (item.id, (1, Some(item))))
                .collect(),
            chunks: BTreeMap::new(),
            usage: BTreeMap::new(),
            waited: 0,
            chunk_calls: 0,
        };
        Self {
            account,
            environment,
            vault,
            token: issued.text.expose().to_owned(),
            stalls: AtomicBool::new(false),
            offline: AtomicBool::new(false),
            usage_failures: AtomicUsize::new(0),
            head_key,
            environment_key,
            vault_key,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub fn trust(&self) -> Trust {
        Trust {
            account: self.account,
            environment: self.environment,
            head_key: self.head_key.public(),
        }
    }

    pub fn signing_keys(&self) -> Vec<SigningKeyRecord> {
        vec![SigningKeyRecord {
            id: self.environment_key.id(),
            public: self.environment_key.public(),
        }]
    }

    /// The ids of the items, ascending.
    pub fn items(&self) -> Vec<ItemId> {
        self.state.lock().unwrap().items.keys().copied().collect()
    }

    /// Usage that arrived.
    pub fn usage(&self) -> Vec<UsageEvent> {
        let state = self.state.lock().unwrap();
        state
            .usage
            .values()
            .map(|report| report.event.clone())
            .collect()
    }

    pub fn chunk_calls(&self) -> usize {
        self.state.lock().unwrap().chunk_calls
    }

    /// Adds an item with a file of this size, sealed in chunks.
    pub fn add_file(&self, size: usize) -> (ItemId, FileId) {
        let rng = &mut TestRng(99);
        let access = access(self.vault, &self.vault_key);
        let mut stored = StoredItem::new(plain_item(1_000_000, self.vault, rng));
        let entry = FileEntry {
            id: FileId::generate(rng),
            name: "big.bin".into(),
            size: size as u64,
            chunk_size: CHUNK,
            key: FileKey::generate(rng),
            section: None,
            content: None,
        };
        let place = FilePlace {
            vault: self.vault,
            item: stored.item.id,
            file: entry.id,
        };
        let content: Vec<u8> = (0..size).map(byte_at).collect();
        let pieces: Vec<_> = content.chunks(CHUNK as usize).collect();
        let mut state = self.state.lock().unwrap();
        for (index, piece) in pieces.iter().enumerate() {
            let position = ChunkPosition {
                index: index as u32,
                last: index + 1 == pieces.len(),
            };
            let sealed = seal_chunk(&entry.key, &place, position, piece);
            state.chunks.insert((entry.id, index as u32), sealed);
        }
        stored.item.files.push(File {
            id: entry.id,
            name: entry.name.clone(),
            size: entry.size,
            section: None,
        });
        let (item, file) = (stored.item.id, entry.id);
        stored.files = Some(serde_json::to_vec(&[entry]).unwrap().into());
        let record = stored.seal(&access, rng).unwrap();
        self.change(&mut state, item, Some(record));
        (item, file)
    }

    /// From then on the token may not be used.
    pub fn expire(&self, at: Timestamp) {
        let mut state = self.state.lock().unwrap();
        state.tokens[0].expires_at = Some(at);
        state.version += 1;
        self.changed.notify_all();
    }

    /// Gives the environment a new signing key, endorsed by the first; hands back a token that it signed, of which
    /// the account tells nobody.
    pub fn rotate_signing_key(&self) -> String {
        let rng = &mut TestRng(23);
        let next = EnvironmentKey::generate(rng);
        let record = SigningKeyRecord {
            id: next.id(),
            public: next.public(),
        };
        let order = TokenOrder {
            account: self.account,
            environment: self.environment,
            issued_at: NOW,
            expires_at: None,
            vaults: &[],
        };
        let issued = token::issue(&order, &next, rng).unwrap();
        let mut state = self.state.lock().unwrap();
        let endorsed = self.environment_key.endorse(&self.environment, record);
        state.signing_keys.push(endorsed);
        state.version += 1;
        self.changed.notify_all();
        issued.text.expose().to_owned()
    }

    /// Whether an item was deleted.
    pub fn is_gone(&self, item: ItemId) -> bool {
        let state = self.state.lock().unwrap();
        state
            .items
            .get(&item)
            .is_none_or(|(_, held)| held.is_none())
    }

    /// Deletes an item, as an operator does.
    pub fn remove(&self, item: ItemId) {
        self.change(&mut self.state.lock().unwrap(), item, None);
    }

    /// Revokes the token.
    pub fn revoke(&self) {
        let mut state = self.state.lock().unwrap();
        state.tokens[0].state = sekisho_core::records::TokenState::Revoked;
        state.version += 1;
        self.changed.notify_all();
    }

    fn change(&self, state: &mut State, item: ItemId, record: Option<ItemRecord>) {
        state.version += 1;
        state.vault.content_version += 1;
        let version = state.version;
        state.items.insert(item, (version, record));
        state.vault.items = state
            .items
            .values()
            .filter(|(_, item)| item.is_some())
            .count() as u64;
        self.changed.notify_all();
    }

    fn reach(&self) -> Result<(), UpstreamError> {
        if self.offline.load(Ordering::Relaxed) {
            Err(UpstreamError::Unreachable("unplugged".into()))
        } else {
            Ok(())
        }
    }

    fn refused<T>(fault: Fault) -> Result<T, UpstreamError> {
        Err(UpstreamError::Refused(fault))
    }
}

/// What stands in a file at a place.
pub fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

fn access(vault: VaultId, key: &VaultKey) -> WriteAccess {
    WriteAccess::of_operator(ReadAccess::of_maker(vault, key.clone()))
}

fn plain_item(n: usize, vault: VaultId, rng: &mut TestRng) -> sekisho_core::item::Item {
    let draft = Draft::parse(json!({
        "title": format!("Item {n}"),
        "category": "LOGIN",
        "vault": { "id": vault },
        "urls": [{ "href": "https://example.com" }],
        "tags": ["one", "two"],
        "fields": [
            { "id": "username", "purpose": "USERNAME", "type": "STRING", "label": "username", "value": "wendy" },
            { "id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "label": "password", "value": format!("mjXehR*uQj!aoe!iktt7KMtWb{n}") },
            { "id": "notesPlain", "purpose": "NOTES", "type": "STRING", "label": "notesPlain", "value": "n".repeat(300) },
        ],
    }))
    .unwrap();
    let writing = Writing {
        vault,
        now: NOW,
        editor: "TESTTESTTESTTESTTESTTESTTE",
    };
    build::create(draft, &writing, rng).unwrap()
}

fn item(n: usize, vault: VaultId, access: &WriteAccess, rng: &mut TestRng) -> ItemRecord {
    StoredItem::new(plain_item(n, vault, rng))
        .seal(access, rng)
        .unwrap()
}

impl Upstream for MemoryAccount {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        self.reach()?;
        let state = self.state.lock().unwrap();
        let since: u64 = cursor.parse().unwrap_or(0);
        let mut page = FeedPage {
            after: None,
            cursor: state.version.to_string(),
            more: false,
            reset: false,
            head: SignedHead::sign(
                self.account,
                self.environment,
                state.version,
                NOW,
                token_list_digest(state.tokens.iter()),
                &self.head_key,
            ),
            vaults: Vec::new(),
            gone_vaults: Vec::new(),
            items: Vec::new(),
            gone_items: Vec::new(),
            tokens: Vec::new(),
            gone_tokens: Vec::new(),
            signing_keys: state.signing_keys.clone(),
        };
        if since < state.version {
            page.vaults.push(state.vault.clone());
            page.tokens.clone_from(&state.tokens);
        }
        for (id, (version, item)) in &state.items {
            match item {
                _ if *version <= since => {}
                Some(item) => page.items.push(FeedItem {
                    vault: self.vault,
                    item: item.clone(),
                }),
                None => page.gone_items.push(GoneItem {
                    vault: self.vault,
                    item: *id,
                }),
            }
        }
        Ok(page)
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.reach()?;
        let place = (request.file, request.index);
        self.state
            .lock()
            .unwrap()
            .chunks
            .insert(place, request.content.as_bytes().to_vec());
        Ok(())
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        while self.stalls.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.reach()?;
        let mut state = self.state.lock().unwrap();
        let held = state
            .items
            .get(&request.item.id)
            .and_then(|(_, item)| item.as_ref());
        match (request.expect, held.map(|item| item.version)) {
            (Expect::Absent, None) => {}
            (Expect::Version(expected), Some(held)) if expected == held => {}
            (_, None) => return Self::refused(Fault::Missing),
            _ => return Self::refused(Fault::Conflict),
        }
        self.change(&mut state, request.item.id, Some(request.item.clone()));
        Ok(())
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.reach()?;
        let mut state = self.state.lock().unwrap();
        self.change(&mut state, request.item, None);
        Ok(())
    }

    fn chunk(
        &self,
        _: &VaultId,
        _: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.reach()?;
        let mut state = self.state.lock().unwrap();
        state.chunk_calls += 1;
        match state.chunks.get(&(*file, index)) {
            Some(chunk) => Ok(chunk.clone()),
            None => Self::refused(Fault::Missing),
        }
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.reach()?;
        let mut state = self.state.lock().unwrap();
        for report in reports {
            state.usage.insert(report.id.clone(), report.clone());
        }
        drop(state);
        // Taken, but the answer is lost on its way.
        if self.usage_failures.load(Ordering::Relaxed) > 0 {
            self.usage_failures.fetch_sub(1, Ordering::Relaxed);
            return Err(UpstreamError::Unreachable("lost".into()));
        }
        Ok(())
    }

    fn wait(&self, timeout: Duration) -> bool {
        let state = self.state.lock().unwrap();
        let (mut state, result) = self
            .changed
            .wait_timeout_while(state, timeout, |state| state.version == state.waited)
            .unwrap();
        state.waited = state.version;
        !result.timed_out()
    }
}
