//! Whatever changes at the account, and however often its answers are lost, cut off, repeated or late: what a host
//! holds is some whole state of the account, never an older one after a newer one, and in the end the newest.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sekisho_core::{
    cache::Snapshot,
    id::{AccountId, EnvironmentId, ItemId, KeyId, TokenId, VaultId},
    key::SigningKey,
    records::{ItemRecord, TitleMark, TokenRecord, TokenState, VaultRecord, VaultType},
    seal::Sealed,
    secret::SecretBytes,
    sync::{
        FeedItem, FeedPage, GoneItem, Incoming, Plan, SignedHead, Step, SyncError, Trust,
        token_list_digest,
    },
    time::Timestamp,
};

/// Ids by small numbers.
fn id<T>(n: usize, parse: impl Fn(&str) -> Option<T>) -> T {
    const LETTERS: [char; 16] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p',
    ];
    let letter = LETTERS[n % LETTERS.len()].to_string();
    parse(&letter.repeat(26)).unwrap()
}

fn vault_id(n: usize) -> VaultId {
    id(n, |text| VaultId::parse(text).ok())
}

fn item_id(n: usize) -> ItemId {
    id(n, |text| ItemId::parse(text).ok())
}

fn token_id(n: usize) -> TokenId {
    id(n, |text| TokenId::parse(text).ok())
}

/// What operators and clients do.
#[derive(Debug, Clone)]
enum Act {
    Write { vault: usize, item: usize },
    Delete { vault: usize, item: usize },
    Archive { vault: usize, item: usize },
    Grant { vault: usize },
    Take { vault: usize },
    Issue { token: usize },
    Revoke { token: usize },
}

/// What a host does, and what happens to it.
#[derive(Debug, Clone)]
enum Event {
    Act(Act),
    /// A tick that ends at some page by a failure, or never.
    Tick {
        page: usize,
        fails_at: Option<usize>,
    },
    /// A tick that gets the answers of an earlier one.
    Replay,
    /// Between two pages of a tick something changes.
    TickAmid {
        page: usize,
        act: Act,
    },
    /// The process dies, before or after the plan of this tick is on disk.
    Crash {
        applied: bool,
    },
    /// The account is restored, and knows none of its cursors any more.
    Forget,
}

/// The account: each thing's newest state, by the number of the change that brought it.
struct Account {
    head_key: SigningKey,
    seq: u64,
    /// Which life of the account cursors belong to.
    life: u64,
    vaults: BTreeMap<usize, (u64, bool)>,
    items: BTreeMap<(usize, usize), (u64, Option<ItemRecord>)>,
    tokens: BTreeMap<usize, (u64, TokenState)>,
}

impl Account {
    fn new() -> Self {
        Self {
            head_key: SigningKey::derive(&SecretBytes::new([7; 32]), b"sekisho-tests/head"),
            seq: 1,
            life: 1,
            vaults: BTreeMap::new(),
            items: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    fn trust(&self) -> Trust {
        Trust {
            account: id(0, |text| AccountId::parse(&text.to_uppercase()).ok()),
            environment: id(1, |text| EnvironmentId::parse(&text.to_uppercase()).ok()),
            head_key: self.head_key.public(),
        }
    }

    fn act(&mut self, act: &Act) {
        let seq = self.seq + 1;
        let has_vault = |vault: &usize| self.vaults.get(vault).is_some_and(|(_, granted)| *granted);
        match act {
            Act::Write { vault, item } if has_vault(vault) => {
                let held = self.items.get(&(*vault, *item));
                // A deleted item's id is never used again.
                let version = match held {
                    None => 1,
                    Some((_, Some(record))) => record.version + 1,
                    Some((_, None)) => return,
                };
                let record = record(*vault, *item, version, false);
                self.items.insert((*vault, *item), (seq, Some(record)));
            }
            Act::Delete { vault, item } => match self.items.get_mut(&(*vault, *item)) {
                Some(held) if held.1.is_some() => *held = (seq, None),
                _ => return,
            },
            Act::Archive { vault, item } => match self.items.get_mut(&(*vault, *item)) {
                Some((at, Some(record))) => {
                    *at = seq;
                    record.archived = !record.archived;
                }
                _ => return,
            },
            Act::Grant { vault } if !has_vault(vault) => {
                self.vaults.insert(*vault, (seq, true));
            }
            Act::Take { vault } if has_vault(vault) => {
                self.vaults.insert(*vault, (seq, false));
            }
            Act::Issue { token } if !self.tokens.contains_key(token) => {
                self.tokens.insert(*token, (seq, TokenState::Active));
            }
            Act::Revoke { token } => match self.tokens.get_mut(token) {
                Some(held) if held.1 == TokenState::Active => *held = (seq, TokenState::Revoked),
                _ => return,
            },
            _ => return,
        }
        self.seq = seq;
    }

    fn token(&self, n: usize) -> TokenRecord {
        TokenRecord {
            id: token_id(n),
            key: id(2, |text| KeyId::parse(text).ok()),
            digest: [n as u8; 32],
            state: self.tokens[&n].1,
            expires_at: None,
            grants: Vec::new(),
        }
    }

    /// A thing's effective number: a vault that is granted late is told whole.
    fn number(&self, vault: usize, seq: u64) -> u64 {
        seq.max(self.vaults.get(&vault).map_or(0, |(granted, _)| *granted))
    }

    /// A page of so many things after a cursor, in the order of their numbers.
    fn page(&self, cursor: &str, size: usize) -> FeedPage {
        let known = cursor
            .split_once('.')
            .filter(|(life, _)| *life == self.life.to_string())
            .map(|(_, at)| serde_json::from_str::<Position>(at).unwrap());
        let reset = known.is_none() && !cursor.is_empty();
        let from = known.unwrap_or_default();
        let mut page = self.blank();
        page.reset = reset;
        let mut things: Vec<(u64, Thing)> = Vec::new();
        for (vault, (seq, granted)) in &self.vaults {
            let thing = if *granted {
                Thing::Vault(*vault)
            } else {
                Thing::Gone(*vault)
            };
            things.push((*seq, thing));
        }
        for ((vault, item), (seq, _)) in &self.items {
            if self.vaults[vault].1 {
                things.push((self.number(*vault, *seq), Thing::Item(*vault, *item)));
            }
        }
        for (token, (seq, _)) in &self.tokens {
            things.push((*seq, Thing::Token(*token)));
        }
        things.sort();
        let left = things
            .into_iter()
            .map(|(seq, thing)| (position(seq, thing), thing));
        let mut at = from;
        for (taken, (position, thing)) in left.filter(|(position, _)| *position > from).enumerate()
        {
            if taken == size {
                page.more = true;
                break;
            }
            at = position;
            self.tell(thing, &mut page);
        }
        if !page.more {
            at = (self.seq, 9, 0, 0);
        }
        page.cursor = format!("{}.{}", self.life, serde_json::to_string(&at).unwrap());
        page.after = Some(cursor.to_owned());
        page
    }

    fn tell(&self, thing: Thing, page: &mut FeedPage) {
        match thing {
            Thing::Gone(vault) => page.gone_vaults.push(vault_id(vault)),
            Thing::Vault(vault) => page.vaults.push(vault_record(vault)),
            Thing::Item(vault, item) => {
                if page.vaults.iter().all(|told| told.id != vault_id(vault)) {
                    page.vaults.push(vault_record(vault));
                }
                match &self.items[&(vault, item)].1 {
                    Some(record) => page.items.push(FeedItem {
                        vault: vault_id(vault),
                        item: record.clone(),
                    }),
                    None => page.gone_items.push(GoneItem {
                        vault: vault_id(vault),
                        item: item_id(item),
                    }),
                }
            }
            Thing::Token(token) => page.tokens.push(self.token(token)),
        }
    }

    fn blank(&self) -> FeedPage {
        let tokens: Vec<_> = self.tokens.keys().map(|n| self.token(*n)).collect();
        let trust = self.trust();
        FeedPage {
            after: None,
            cursor: String::new(),
            more: false,
            reset: false,
            head: SignedHead::sign(
                trust.account,
                trust.environment,
                self.seq,
                Timestamp::from_seconds(self.seq),
                token_list_digest(tokens.iter()),
                &self.head_key,
            ),
            vaults: Vec::new(),
            gone_vaults: Vec::new(),
            items: Vec::new(),
            gone_items: Vec::new(),
            tokens: Vec::new(),
            gone_tokens: Vec::new(),
            signing_keys: Vec::new(),
        }
    }

    fn state(&self) -> State {
        let granted = |vault: &usize| self.vaults[vault].1;
        let items = self.items.iter().filter(|((vault, _), _)| granted(vault));
        State {
            vaults: self
                .vaults
                .keys()
                .filter(|vault| granted(vault))
                .map(|n| vault_id(*n))
                .collect(),
            items: items
                .filter_map(|((vault, item), (_, record))| {
                    let record = record.as_ref()?;
                    Some((
                        (vault_id(*vault), item_id(*item)),
                        (record.version, record.archived),
                    ))
                })
                .collect(),
            tokens: self
                .tokens
                .iter()
                .map(|(n, (_, state))| (token_id(*n), *state == TokenState::Active))
                .collect(),
        }
    }
}

/// Where a thing stands in the feed: by number, then kind, then place.
type Position = (u64, u8, usize, usize);

fn position(seq: u64, thing: Thing) -> Position {
    match thing {
        Thing::Gone(vault) => (seq, 1, vault, 0),
        Thing::Vault(vault) => (seq, 2, vault, 0),
        Thing::Item(vault, item) => (seq, 3, vault, item),
        Thing::Token(token) => (seq, 4, token, 0),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Gone(usize),
    Vault(usize),
    Item(usize, usize),
    Token(usize),
}

fn vault_record(n: usize) -> VaultRecord {
    VaultRecord {
        id: vault_id(n),
        kind: VaultType::UserCreated,
        attribute_version: 1,
        content_version: 1,
        items: 0,
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
        attributes: Sealed::from_bytes(vec![n as u8]),
    }
}

fn record(vault: usize, item: usize, version: u64, archived: bool) -> ItemRecord {
    let sealed = Sealed::from_bytes(vec![vault as u8, item as u8, version as u8]);
    ItemRecord {
        id: item_id(item),
        version,
        archived,
        marks: [TitleMark([item as u8; 16]), TitleMark([version as u8; 16])],
        overview: sealed.clone(),
        details: sealed,
        extra: None,
        files: None,
    }
}

/// What matters of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    vaults: BTreeSet<VaultId>,
    items: BTreeMap<(VaultId, ItemId), (u64, bool)>,
    tokens: BTreeMap<TokenId, bool>,
}

fn state_of(snapshot: &Snapshot) -> State {
    State {
        vaults: snapshot.vaults().map(|vault| vault.id).collect(),
        items: snapshot
            .vaults()
            .flat_map(|vault| {
                snapshot
                    .items(&vault.id)
                    .map(|item| ((vault.id, item.id), (item.version, item.archived)))
            })
            .collect(),
        tokens: snapshot
            .tokens()
            .map(|token| (token.id, token.state == TokenState::Active))
            .collect(),
    }
}

/// A host: what it serves, and what is on its disk.
#[derive(Default)]
struct Host {
    served: Snapshot,
    cursor: String,
    disk: Option<Plan>,
    last: Vec<FeedPage>,
}

impl Host {
    fn take(&mut self, pages: Vec<FeedPage>, trust: &Trust) -> Result<(), SyncError> {
        self.last.clone_from(&pages);
        let plan = Incoming::parse(pages, trust)?.plan(&self.served)?;
        let next = self.served.apply(&plan);
        // Applied twice is applied once.
        assert_eq!(state_of(&next.apply(&plan)), state_of(&next));
        self.served = next;
        plan.cursor().clone_into(&mut self.cursor);
        Ok(())
    }

    fn keep(&mut self) {
        let Some(head) = self.served.head().cloned() else {
            return;
        };
        let mut steps = Vec::new();
        for vault in self.served.vaults() {
            steps.push(Step::PutVault(vault.clone()));
            steps.extend(
                self.served
                    .items(&vault.id)
                    .map(|item| Step::PutItem(vault.id, item.clone().into())),
            );
        }
        steps.extend(self.served.tokens().cloned().map(Step::PutToken));
        self.disk = Some(Plan::restore(steps, head, self.cursor.clone()));
    }

    fn restart(&mut self) {
        *self = Self {
            disk: self.disk.take(),
            ..Self::default()
        };
        if let Some(plan) = &self.disk {
            self.served = Snapshot::default().apply(plan);
            plan.cursor().clone_into(&mut self.cursor);
        }
    }
}

/// All pages from a cursor, or fewer; between the first two something may happen.
fn fetch(
    account: &mut Account,
    cursor: &str,
    size: usize,
    fails_at: Option<usize>,
    amid: Option<&Act>,
) -> Option<Vec<FeedPage>> {
    let mut pages: Vec<FeedPage> = Vec::new();
    let mut cursor = cursor.to_owned();
    loop {
        if fails_at == Some(pages.len()) {
            return None;
        }
        let page = account.page(&cursor, size);
        page.cursor.clone_into(&mut cursor);
        let more = page.more;
        pages.push(page);
        if let (1, Some(act)) = (pages.len(), amid) {
            account.act(act);
        }
        if !more {
            return Some(pages);
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    let (vault, item, token) = (0usize..3, 0usize..6, 0usize..3);
    let place = (vault.clone(), item);
    prop_oneof![
        6 => place.clone().prop_map(|(vault, item)| Act::Write { vault, item }),
        2 => place.clone().prop_map(|(vault, item)| Act::Delete { vault, item }),
        1 => place.prop_map(|(vault, item)| Act::Archive { vault, item }),
        3 => vault.clone().prop_map(|vault| Act::Grant { vault }),
        1 => vault.prop_map(|vault| Act::Take { vault }),
        2 => token.clone().prop_map(|token| Act::Issue { token }),
        1 => token.prop_map(|token| Act::Revoke { token }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let page = 1usize..5;
    prop_oneof![
        8 => act().prop_map(Event::Act),
        4 => (page.clone(), proptest::option::of(0usize..4)).prop_map(|(page, fails_at)| Event::Tick { page, fails_at }),
        1 => Just(Event::Replay),
        2 => (page, act()).prop_map(|(page, act)| Event::TickAmid { page, act }),
        1 => any::<bool>().prop_map(|applied| Event::Crash { applied }),
        1 => Just(Event::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_host_ends_with_what_the_account_has(events in proptest::collection::vec(event(), 1..80)) {
        let mut account = Account::new();
        let mut host = Host::default();
        let trust = account.trust();
        let mut was_seen = vec![(account.seq, account.state())];
        for event in events {
            let before = host.served.head().map_or(0, |head| head.version);
            let mut is_restart = false;
            match event {
                Event::Act(act) => account.act(&act),
                Event::Tick { page, fails_at } => {
                    let cursor = host.cursor.clone();
                    if let Some(pages) = fetch(&mut account, &cursor, page, fails_at, None) {
                        host.take(pages, &trust).unwrap();
                        host.keep();
                        prop_assert_eq!(state_of(&host.served), account.state());
                    }
                }
                Event::TickAmid { page, act } => {
                    let cursor = host.cursor.clone();
                    let pages = fetch(&mut account, &cursor, page, None, Some(&act)).unwrap();
                    // What is told between two states may not fit together; then nothing is taken, and all is told again.
                    if host.take(pages, &trust).is_ok() {
                        host.keep();
                    }
                }
                Event::Replay => {
                    let pages = host.last.clone();
                    let held = state_of(&host.served);
                    if host.take(pages, &trust).is_ok() {
                        prop_assert_eq!(state_of(&host.served), held);
                    }
                }
                Event::Crash { applied } => {
                    if applied {
                        host.keep();
                    }
                    host.restart();
                    is_restart = true;
                }
                Event::Forget => account.life += 1,
            }
            was_seen.push((account.seq, account.state()));
            let now = host.served.head().map_or(0, |head| head.version);
            prop_assert!(is_restart || now >= before, "an older state after a newer one");
            // A token that was revoked, as far as this host knows, is not one in force again.
            if let Some((_, state)) = was_seen.iter().find(|(seq, _)| *seq == now) {
                prop_assert_eq!(&state_of(&host.served).tokens, &state.tokens);
            }
        }
        let cursor = host.cursor.clone();
        let pages = fetch(&mut account, &cursor, 2, None, None).unwrap();
        host.take(pages, &trust).unwrap();
        prop_assert_eq!(state_of(&host.served), account.state());
    }
}
