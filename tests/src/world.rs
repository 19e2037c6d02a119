//! One deterministic little world, made with core alone from `cases/world.json`.
//!
//! Every id and key follows from its name there, so adding a thing moves no other. What an account would send of it
//! is [`World::page`]; what is served from it is [`World::snapshot`].

use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock};

use sekisho_core::{
    cache::Snapshot,
    file::{CHUNK, FileEntry, FileKey, FilePlace, seal_chunk},
    id::{AccountId, EnvironmentId, FileId, ItemId, KeyId, VaultId},
    item::{
        build::{self, Writing},
        draft::Draft,
        json as item_json,
        stored::StoredItem,
    },
    key::{EnvironmentKey, SigningKey, VaultKey},
    records::{ItemRecord, SigningKeyRecord, TokenRecord, TokenState, VaultRecord, VaultType},
    secret::SecretBytes,
    sync::{FeedItem, FeedPage, Incoming, SignedHead, Trust, token_list_digest},
    time::Timestamp,
    token::{self, ReadAccess, Rights, TokenOrder, WriteAccess},
    vault::VaultAttributes,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rng::labelled;

/// What every case begins with unless it says otherwise: 2026-01-01T00:00:00Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
/// When everything in the world was made: 2025-06-01T12:00:00Z.
pub const MADE: Timestamp = Timestamp::from_seconds(1_748_779_200);
/// `OP_MAX_INLINE_FILE_SIZE_KB` of 100.
pub const MAX_INLINE: u64 = 100 * 1024;
/// A day.
pub const MAX_STALE: u64 = 86_400;

/// The folder of the cases.
pub fn cases_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorld {
    vaults: BTreeMap<String, RawVault>,
    tokens: BTreeMap<String, RawToken>,
    items: BTreeMap<String, RawItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVault {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(rename = "type")]
    kind: String,
    /// Whether the account sends it; a token may name a vault that has not arrived.
    #[serde(default = "yes")]
    synchronised: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    vaults: BTreeMap<String, String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    revoked: bool,
    #[serde(default = "yes")]
    synchronised: bool,
    /// Made by another Connect server.
    #[serde(default)]
    elsewhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem {
    vault: String,
    #[serde(default)]
    archived: bool,
    /// As a client would POST it.
    #[serde(default)]
    create: Option<Value>,
    /// As it came from elsewhere: the item's JSON, completed with ids and dates.
    #[serde(default)]
    stored: Option<Value>,
    #[serde(default)]
    files: BTreeMap<String, RawFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    name: String,
    text: String,
    /// How often the text stands in the file.
    #[serde(default = "once")]
    times: usize,
    #[serde(default)]
    section: Option<String>,
}

const fn yes() -> bool {
    true
}

const fn once() -> usize {
    1
}

/// A vault and the key to it.
#[derive(Debug, Clone)]
pub struct WorldVault {
    /// Its id.
    pub id: VaultId,
    /// Its key.
    pub key: VaultKey,
    /// Whether it is in the page.
    pub synchronised: bool,
}

impl WorldVault {
    /// The proof of its maker.
    pub fn access(&self) -> WriteAccess {
        WriteAccess::of_operator(ReadAccess::of_maker(self.id, self.key.clone()))
    }
}

/// A sealed chunk and where it belongs.
#[derive(Debug, Clone)]
pub struct WorldChunk {
    /// The vault.
    pub vault: VaultId,
    /// The item.
    pub item: ItemId,
    /// The file.
    pub file: FileId,
    /// Its place in the file.
    pub index: u32,
    /// Its bytes.
    pub sealed: Vec<u8>,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// The account.
    pub account: AccountId,
    /// The environment, that is the Connect server.
    pub environment: EnvironmentId,
    /// Signs the environment's tokens.
    pub environment_key: EnvironmentKey,
    /// Signs heads.
    pub head_key: SigningKey,
    /// By name.
    pub vaults: BTreeMap<String, WorldVault>,
    /// By name: the vault and the id.
    pub items: BTreeMap<String, (VaultId, ItemId)>,
    /// By name.
    pub files: BTreeMap<String, FileId>,
    /// By name: the text that goes into `Authorization`.
    pub tokens: BTreeMap<String, String>,
    /// Every chunk of every file.
    pub chunks: Vec<WorldChunk>,
    page: FeedPage,
}

static WORLD: LazyLock<World> = LazyLock::new(World::build);

impl World {
    /// The one world.
    pub fn get() -> &'static Self {
        &WORLD
    }

    fn build() -> Self {
        let text = std::fs::read(cases_folder().join("world.json")).unwrap();
        let raw: RawWorld = serde_json::from_slice(&text).unwrap();
        let environment_key = EnvironmentKey::generate(&mut labelled("environment key"));
        let head_key = SigningKey::derive(
            &SecretBytes::generate(&mut labelled("head key")),
            b"sekisho-tests/head",
        );
        let account = AccountId::generate(&mut labelled("account"));
        let environment = EnvironmentId::generate(&mut labelled("environment"));
        let head = SignedHead::sign(account, environment, 1, NOW, [0; 32], &head_key);
        let mut world = Self {
            account,
            environment,
            environment_key,
            head_key,
            vaults: BTreeMap::new(),
            items: BTreeMap::new(),
            files: BTreeMap::new(),
            tokens: BTreeMap::new(),
            chunks: Vec::new(),
            page: blank_page(1, &head),
        };
        for (name, vault) in &raw.vaults {
            world.add_vault(name, vault, &raw.items);
        }
        for (name, item) in &raw.items {
            world.add_item(name, item);
        }
        for (name, token) in &raw.tokens {
            world.add_token(name, token);
        }
        world.add_bad_tokens();
        world.page.head = world.head(1, NOW, world.page.tokens.iter());
        world
    }

    fn add_vault(&mut self, name: &str, raw: &RawVault, items: &BTreeMap<String, RawItem>) {
        let vault = WorldVault {
            id: VaultId::generate(&mut labelled(&format!("vault {name}"))),
            key: VaultKey::generate(1, &mut labelled(&format!("vault key {name}"))),
            synchronised: raw.synchronised,
        };
        let attributes = VaultAttributes {
            name: raw.name.clone(),
            description: raw.description.clone(),
        };
        let attributes = vault
            .access()
            .seal_attributes(
                1,
                &serde_json::to_vec(&attributes).unwrap(),
                &mut labelled(&format!("vault seal {name}")),
            )
            .unwrap();
        let inside = |item: &&RawItem| item.vault == name;
        let active = |item: &&RawItem| !item.archived;
        if raw.synchronised {
            self.page.vaults.push(VaultRecord {
                id: vault.id,
                kind: VaultType::parse(&raw.kind).unwrap(),
                attribute_version: 1,
                content_version: 1 + items.values().filter(inside).count() as u64,
                items: items.values().filter(inside).filter(active).count() as u64,
                created_at: MADE,
                updated_at: MADE,
                attributes,
            });
        }
        self.vaults.insert(name.to_owned(), vault);
    }

    fn add_item(&mut self, name: &str, raw: &RawItem) {
        let vault = self.vaults[&raw.vault].clone();
        let mut stored = StoredItem::new(item_of(name, raw, vault.id));
        stored.item.archived = raw.archived;
        let item = stored.item.id;
        let mut entries = Vec::new();
        for (file, raw) in &raw.files {
            let (entry, chunks) = seal_file(file, raw, vault.id, item);
            stored.item.files.push(sekisho_core::item::File {
                id: entry.id,
                name: entry.name.clone(),
                size: entry.size,
                section: entry.section.clone(),
            });
            self.files.insert(file.clone(), entry.id);
            self.chunks.extend(chunks);
            entries.push(entry);
        }
        if !entries.is_empty() {
            stored.files = Some(serde_json::to_vec(&entries).unwrap().into());
        }
        let record = stored
            .seal(&vault.access(), &mut labelled(&format!("item seal {name}")))
            .unwrap();
        self.items.insert(name.to_owned(), (vault.id, item));
        self.page.items.push(FeedItem {
            vault: vault.id,
            item: record,
        });
    }

    fn add_token(&mut self, name: &str, raw: &RawToken) {
        let rng = &mut labelled(&format!("token {name}"));
        let elsewhere = raw.elsewhere.then(|| EnvironmentKey::generate(rng));
        let environment = if raw.elsewhere {
            EnvironmentId::generate(rng)
        } else {
            self.environment
        };
        let vaults: Vec<_> = raw
            .vaults
            .iter()
            .map(|(vault, rights)| {
                let vault = &self.vaults[vault];
                let keys = std::slice::from_ref(&vault.key);
                (vault.id, Rights::parse(rights).unwrap(), keys)
            })
            .collect();
        let order = TokenOrder {
            account: self.account,
            environment,
            issued_at: MADE,
            expires_at: raw
                .expires_at
                .as_deref()
                .map(|at| Timestamp::parse_rfc3339(at).unwrap()),
            vaults: &vaults,
        };
        let key = elsewhere.as_ref().unwrap_or(&self.environment_key);
        let mut issued = token::issue(&order, key, rng).unwrap();
        if raw.revoked {
            issued.record.state = TokenState::Revoked;
        }
        self.tokens
            .insert(name.to_owned(), issued.text.expose().to_owned());
        if raw.synchronised && !raw.elsewhere {
            self.page.tokens.push(issued.record);
        }
    }

    /// Texts that no key ever signed.
    fn add_bad_tokens(&mut self) {
        let (known, genuine) = (self.tokens["rw"].clone(), self.tokens["unknown"].clone());
        let mut add = |name: &str, text: String| {
            assert!(self.tokens.insert(name.to_owned(), text).is_none());
        };
        add("garbage", "not-a-token".into());
        add("tampered", flip_last(&known));
        add("forged", flip_last(&genuine));
        add(
            "unsigned",
            format!("{}.", known.rsplit_once('.').unwrap().0),
        );
    }

    /// A head of this account.
    pub fn head<'a>(
        &self,
        version: u64,
        issued_at: Timestamp,
        tokens: impl Iterator<Item = &'a TokenRecord>,
    ) -> SignedHead {
        SignedHead::sign(
            self.account,
            self.environment,
            version,
            issued_at,
            token_list_digest(tokens),
            &self.head_key,
        )
    }

    /// Whom a host believes.
    pub fn trust(&self) -> Trust {
        Trust {
            account: self.account,
            environment: self.environment,
            head_key: self.head_key.public(),
        }
    }

    /// What the account sends to one who has nothing.
    pub fn page(&self) -> FeedPage {
        self.page.clone()
    }

    /// What is served after taking [`World::page`].
    pub fn snapshot(&self) -> Snapshot {
        let empty = Snapshot::default();
        let incoming = Incoming::parse(vec![self.page()], &self.trust()).unwrap();
        empty.apply(&incoming.plan(&empty).unwrap())
    }

    /// What is served after its token `rw` was revoked, a second later.
    pub fn after_revocation(&self) -> Snapshot {
        let before = self.snapshot();
        let mut token = self.token_record("rw");
        token.state = TokenState::Revoked;
        let tokens = before
            .tokens()
            .map(|held| if held.id == token.id { &token } else { held });
        let head = self.head(2, NOW.plus_seconds(1), tokens);
        let mut page = blank_page(2, &head);
        page.tokens.push(token.clone());
        let incoming = Incoming::parse(vec![page], &self.trust()).unwrap();
        before.apply(&incoming.plan(&before).unwrap())
    }

    /// The keys that verify the environment's tokens.
    pub fn signing_keys(&self) -> Vec<SigningKeyRecord> {
        vec![SigningKeyRecord {
            id: self.environment_key.id(),
            public: self.environment_key.public(),
        }]
    }

    /// An id that names nothing here.
    pub fn absent<T: std::str::FromStr<Err = sekisho_core::id::IdError>>(&self) -> T {
        let id = KeyId::generate(&mut labelled("absent"));
        id.as_str().parse().unwrap()
    }

    /// The record of an item by its name.
    pub fn record(&self, name: &str) -> (VaultId, ItemRecord) {
        let (vault, id) = self.items[name];
        let item = self.page.items.iter().find(|item| item.item.id == id);
        (vault, item.unwrap().item.clone())
    }

    /// The record of a token by its name.
    pub fn token_record(&self, name: &str) -> TokenRecord {
        let id = token::RawToken::parse(&self.tokens[name]).unwrap().id();
        let record = self.page.tokens.iter().find(|token| token.id == id);
        record.unwrap().clone()
    }

    /// What a variable of a case stands for; `None` = nothing of the world.
    pub fn variable(&self, name: &str) -> Option<String> {
        let (group, name) = name.split_once('.')?;
        match group {
            "vault" if name == "absent" => Some(self.absent::<VaultId>().to_string()),
            "item" if name == "absent" => Some(self.absent::<ItemId>().to_string()),
            "file" if name == "absent" => Some(self.absent::<FileId>().to_string()),
            "vault" => self.vaults.get(name).map(|vault| vault.id.to_string()),
            "item" => self.items.get(name).map(|(_, item)| item.to_string()),
            "file" => self.files.get(name).map(ToString::to_string),
            "token" => self.tokens.get(name).cloned(),
            "world" if name == "environment" => Some(self.environment.to_string()),
            _ => None,
        }
    }
}

/// A page on which nothing changed.
pub fn blank_page(cursor: u64, head: &SignedHead) -> FeedPage {
    // Through JSON, so that a member the protocol gains later is absent here, as it is with an older account.
    let page = json!({ "cursor": cursor.to_string(), "more": false, "head": head });
    serde_json::from_value(page).unwrap()
}

fn item_of(name: &str, raw: &RawItem, vault: VaultId) -> sekisho_core::item::Item {
    let rng = &mut labelled(&format!("item {name}"));
    let writing = Writing {
        vault,
        now: MADE,
        editor: "WORLDMAKERWORLDMAKERWORLDM",
    };
    match (&raw.create, &raw.stored) {
        (Some(body), None) => {
            build::create(Draft::parse(body.clone()).unwrap(), &writing, rng).unwrap()
        }
        (None, Some(stored)) => {
            let mut whole = json!({ "id": ItemId::generate(rng), "vault": { "id": vault }, "version": 1,
                "createdAt": MADE.to_rfc3339(), "updatedAt": MADE.to_rfc3339(), "lastEditedBy": writing.editor, "tags": [] });
            let members = whole.as_object_mut().unwrap();
            members.extend(stored.as_object().unwrap().clone());
            item_json::parse_details(&serde_json::to_vec(&whole).unwrap()).unwrap()
        }
        _ => panic!("{name}: an item is either created or stored"),
    }
}

fn seal_file(
    name: &str,
    raw: &RawFile,
    vault: VaultId,
    item: ItemId,
) -> (FileEntry, Vec<WorldChunk>) {
    let rng = &mut labelled(&format!("file {name}"));
    let content = raw.text.repeat(raw.times).into_bytes();
    let entry: FileEntry = serde_json::from_value(json!({ "id": FileId::generate(rng), "name": raw.name,
        "size": content.len(), "section": raw.section, "key": FileKey::generate(rng), "chunkSize": CHUNK }))
    .unwrap();
    let place = FilePlace {
        vault,
        item,
        file: entry.id,
    };
    let chunks = (0..entry.chunks().unwrap()).map(|index| {
        let from = index as usize * CHUNK as usize;
        let to = content.len().min(from + CHUNK as usize);
        let position = entry.position(index).unwrap();
        WorldChunk {
            vault,
            item,
            file: entry.id,
            index,
            sealed: seal_chunk(&entry.key, &place, position, &content[from..to]),
        }
    });
    (entry.clone(), chunks.collect())
}

/// The text with another, equally well-formed, signature.
fn flip_last(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", signature.get(1..).unwrap())
}
