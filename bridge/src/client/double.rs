//! A 1Password account in memory: for tests of everything above [`OpClient`]. It keeps the real one's rules as far as
//! op-account.md measured them, and counts what the real core would send (§C.5).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sekisho_account::random::SystemRng;
use sekisho_core::{
    id::{ItemId, VaultId},
    secret::SecretText,
    time::Timestamp,
};
use zeroize::Zeroizing;

use super::{
    BATCH, FileAttributes, ItemOverview, ItemState, NewSdkItem, OpClient, OpError, SdkItem,
    VaultKind, VaultOverview,
};
use crate::net::MeterReading;

/// What shall go wrong with the next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoubleFault {
    /// It is not done.
    Before(OpError),
    /// It is done, but the answer is lost.
    After(OpError),
}

#[derive(Debug)]
struct Vault {
    overview: VaultOverview,
    items: BTreeMap<ItemId, (SdkItem, ItemState)>,
}

#[derive(Debug, Default)]
struct State {
    vaults: BTreeMap<VaultId, Vault>,
    files: BTreeMap<String, Vec<u8>>,
    /// Items that no batch can hold.
    broken: BTreeSet<ItemId>,
    /// Vaults whose title does not decrypt.
    closed: BTreeSet<VaultId>,
    faults: VecDeque<DoubleFault>,
    now: u64,
    sent: MeterReading,
    signed_in: bool,
    has_keysets: bool,
    calls: Vec<&'static str>,
}

/// Several handles may share one.
#[derive(Debug, Clone, Default)]
pub struct Double(Arc<Mutex<State>>);

impl Double {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the account's clock, in milliseconds.
    pub fn at(&self, now: u64) {
        self.state().now = now;
    }

    /// The calls made since this was last asked.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    /// Lets the next calls go wrong, one after the other.
    pub fn fail(&self, faults: impl IntoIterator<Item = DoubleFault>) {
        self.state().faults.extend(faults);
    }

    /// Makes an item unreadable, or readable again.
    pub fn break_item(&self, item: ItemId, broken: bool) {
        let mut state = self.state();
        if broken {
            state.broken.insert(item);
        } else {
            state.broken.remove(&item);
        }
    }

    /// Makes a vault's title undecryptable, or readable again.
    pub fn break_vault(&self, vault: VaultId, broken: bool) {
        let mut state = self.state();
        if broken {
            state.closed.insert(vault);
        } else {
            state.closed.remove(&vault);
        }
    }

    /// Takes an item out of lists without any other change, as an eventual read may.
    pub fn hide(&self, vault: VaultId, item: ItemId) -> Option<SdkItem> {
        let mut state = self.state();
        let now = state.stamp();
        let vault = state.vaults.get_mut(&vault)?;
        vault.overview.moves(now);
        vault.items.remove(&item).map(|(item, _)| item)
    }

    /// Puts it back.
    pub fn show(&self, vault: VaultId, item: Option<SdkItem>) {
        let mut state = self.state();
        let now = state.stamp();
        if let Some(vault) = state.vaults.get_mut(&vault) {
            vault.overview.moves(now);
            let items = item.map(|item| (item.id, (item, ItemState::Active)));
            vault.items.extend(items);
        }
    }

    /// Adds a vault.
    pub fn add_vault(&self, title: &str, kind: VaultKind) -> VaultId {
        let id = VaultId::generate(&mut SystemRng);
        self.put_vault(id, title, kind);
        id
    }

    /// Adds a vault under a given id, or gives it another title.
    pub fn put_vault(&self, id: VaultId, title: &str, kind: VaultKind) {
        let mut state = self.state();
        let now = state.stamp();
        if let Some(vault) = state.vaults.get_mut(&id) {
            vault.overview.title = title.to_owned();
            vault.overview.attribute_version += 1;
            vault.overview.updated_at = now;
            return;
        }
        let overview = VaultOverview {
            id,
            title: title.to_owned(),
            description: String::new(),
            vault_type: kind,
            active_item_count: 0,
            content_version: 1,
            attribute_version: 1,
            created_at: now.clone(),
            updated_at: now,
        };
        let items = BTreeMap::new();
        state.vaults.insert(id, Vault { overview, items });
    }

    /// Withdraws a vault.
    pub fn remove_vault(&self, id: VaultId) {
        self.state().vaults.remove(&id);
    }

    /// Adds an item with one secret.
    pub fn add_item(&self, vault: VaultId, title: &str, secret: &str) -> ItemId {
        let new = NewSdkItem {
            category: "Password".into(),
            vault_id: vault,
            title: title.into(),
            fields: vec![super::SdkField {
                id: "password".into(),
                title: "password".into(),
                section_id: None,
                field_type: "Concealed".into(),
                value: SecretText::new(secret),
                details: None,
            }],
            sections: Vec::new(),
            notes: SecretText::default(),
            tags: Vec::new(),
            websites: Vec::new(),
        };
        let mut state = self.state();
        let item = state.insert(&new);
        item.map_or(ItemId::MIN, |item| item.id)
    }

    /// Changes an item, as someone in the app does.
    pub fn edit(&self, vault: VaultId, item: ItemId, edit: impl FnOnce(&mut SdkItem)) {
        let mut state = self.state();
        let now = state.stamp();
        if let Some(found) = state.vaults.get_mut(&vault)
            && let Some((item, _)) = found.items.get_mut(&item)
        {
            edit(item);
            item.version += 1;
            item.updated_at.clone_from(&now);
            found.overview.moves(now);
        }
    }

    /// Gives an item a file.
    pub fn add_file(&self, vault: VaultId, item: ItemId, name: &str, content: &[u8]) {
        let id = ItemId::generate(&mut SystemRng).to_string();
        self.state().files.insert(id.clone(), content.to_vec());
        let attributes = FileAttributes {
            name: name.into(),
            id,
            size: content.len() as u64,
        };
        self.edit(vault, item, |item| {
            item.files.push(super::SdkFile {
                attributes,
                section_id: String::new(),
                field_id: name.into(),
            });
        });
    }

    /// Archives an item or takes it back, as someone in the app does.
    pub fn set_archived(&self, vault: VaultId, item: ItemId, archived: bool) {
        self.edit(vault, item, |_| {});
        let mut state = self.state();
        if let Some(vault) = state.vaults.get_mut(&vault)
            && let Some((_, state)) = vault.items.get_mut(&item)
        {
            *state = if archived {
                ItemState::Archived
            } else {
                ItemState::Active
            };
        }
    }

    /// Deletes an item, as someone in the app does.
    pub fn remove_item(&self, vault: VaultId, item: ItemId) {
        let mut state = self.state();
        let now = state.stamp();
        if let Some(vault) = state.vaults.get_mut(&vault) {
            vault.items.remove(&item);
            vault.overview.moves(now);
        }
    }

    /// An item as it is.
    pub fn item(&self, vault: VaultId, item: ItemId) -> Option<SdkItem> {
        let state = self.state();
        let found = state.vaults.get(&vault)?.items.get(&item)?;
        Some(found.0.clone())
    }

    /// Ids of a vault's items.
    pub fn item_ids(&self, vault: VaultId) -> Vec<ItemId> {
        let state = self.state();
        let vault = state.vaults.get(&vault);
        vault
            .map(|vault| vault.items.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Does a call, with whatever shall go wrong.
    fn call<T>(
        &self,
        name: &'static str,
        cost: (u64, u64),
        work: impl FnOnce(&mut State) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let mut state = self.state();
        state.calls.push(name);
        if !state.signed_in {
            state.sent.sign_ins += 4;
        }
        let fault = state.faults.pop_front();
        if let Some(DoubleFault::Before(error)) = fault {
            if state.signed_in {
                state.sent.reads += 1;
            }
            if error == OpError::Poisoned {
                state.signed_in = false;
            }
            return Err(error);
        }
        state.signed_in = true;
        state.sent.reads += cost.0;
        state.sent.writes += cost.1;
        let done = work(&mut state)?;
        match fault {
            Some(DoubleFault::After(error)) => Err(error),
            _ => Ok(done),
        }
    }
}

impl State {
    fn stamp(&self) -> String {
        Timestamp::from_millis(self.now).to_rfc3339()
    }

    fn vault(&mut self, vault: VaultId) -> Result<&mut Vault, OpError> {
        self.vaults.get_mut(&vault).ok_or(OpError::Missing)
    }

    fn insert(&mut self, new: &NewSdkItem) -> Result<SdkItem, OpError> {
        let now = self.stamp();
        let item = SdkItem {
            id: ItemId::generate(&mut SystemRng),
            title: new.title.clone(),
            category: new.category.clone(),
            vault_id: new.vault_id,
            fields: new.fields.clone(),
            sections: new.sections.clone(),
            notes: new.notes.clone(),
            tags: new.tags.clone(),
            websites: new.websites.clone(),
            version: 1,
            files: Vec::new(),
            document: None,
            created_at: now.clone(),
            updated_at: now.clone(),
        };
        let vault = self.vault(new.vault_id)?;
        vault.overview.moves(now);
        vault
            .items
            .insert(item.id, (item.clone(), ItemState::Active));
        Ok(item)
    }

    fn active(&mut self, vault: VaultId, item: ItemId) -> Result<&mut SdkItem, OpError> {
        if self.broken.contains(&item) {
            return Err(OpError::Poisoned);
        }
        match self.vault(vault)?.items.get_mut(&item) {
            None => Err(OpError::Missing),
            Some((_, ItemState::Archived)) => Err(OpError::Inactive),
            Some((item, ItemState::Active)) => Ok(item),
        }
    }
}

impl VaultOverview {
    /// Notes that contents changed.
    fn moves(&mut self, now: String) {
        self.content_version += 1;
        self.updated_at = now;
    }
}

impl Vault {
    fn overview(&self) -> VaultOverview {
        let active = self
            .items
            .values()
            .filter(|(_, state)| *state == ItemState::Active);
        VaultOverview {
            active_item_count: active.count() as u64,
            ..self.overview.clone()
        }
    }
}

impl OpClient for Double {
    fn vaults(&mut self, details: bool) -> Result<Vec<VaultOverview>, OpError> {
        let needs_keysets = details && !self.state().has_keysets;
        self.call("vaults", (1 + u64::from(needs_keysets), 0), |state| {
            state.has_keysets |= details;
            if details
                && state
                    .vaults
                    .keys()
                    .any(|vault| state.closed.contains(vault))
            {
                return Err(OpError::Poisoned);
            }
            let overview = |vault: &Vault| {
                let mut overview = vault.overview();
                if !details {
                    overview.title = "[Encrypted]".into();
                }
                overview
            };
            Ok(state.vaults.values().map(overview).collect())
        })
    }

    fn vault(&mut self, vault: VaultId) -> Result<VaultOverview, OpError> {
        self.call("vault", (1, 0), |state| {
            if state.closed.contains(&vault) {
                return Err(OpError::Poisoned);
            }
            state.vault(vault).map(|vault| vault.overview())
        })
    }

    fn items(&mut self, vault: VaultId) -> Result<Vec<ItemOverview>, OpError> {
        self.call("items", (1, 0), |state| {
            let items = state.vault(vault)?.items.values();
            let overview = |(item, state): &(SdkItem, ItemState)| ItemOverview {
                id: item.id,
                updated_at: item.updated_at.clone(),
                state: *state,
            };
            let active = items.filter(|(_, state)| *state == ItemState::Active);
            Ok(active.map(overview).collect())
        })
    }

    fn get_all(&mut self, vault: VaultId, items: &[ItemId]) -> Result<Vec<SdkItem>, OpError> {
        self.call("get_all", (1, 0), |state| {
            if items.len() > BATCH {
                return Err(OpError::Garbled);
            }
            let mut found = Vec::new();
            for item in items {
                match state.active(vault, *item) {
                    Ok(item) => found.push(item.clone()),
                    Err(OpError::Missing) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(found)
        })
    }

    fn get(&mut self, vault: VaultId, item: ItemId) -> Result<SdkItem, OpError> {
        self.call("get", (1, 0), |state| state.active(vault, item).cloned())
    }

    fn create(&mut self, item: &NewSdkItem) -> Result<SdkItem, OpError> {
        self.call("create", (1, 1), |state| state.insert(item))
    }

    fn put(&mut self, item: &SdkItem) -> Result<SdkItem, OpError> {
        self.call("put", (2, 1), |state| {
            let now = state.stamp();
            let held = state.active(item.vault_id, item.id)?;
            if held.version != item.version {
                return Err(OpError::Conflict);
            }
            if held.category != item.category || held.files != item.files {
                return Err(OpError::Refused("can't update the item's category".into()));
            }
            *held = SdkItem {
                version: item.version + 1,
                updated_at: now,
                created_at: held.created_at.clone(),
                ..item.clone()
            };
            let done = held.clone();
            let now = state.stamp();
            state.vault(item.vault_id)?.overview.moves(now);
            Ok(done)
        })
    }

    fn archive(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError> {
        self.call("archive", (2, 1), |state| {
            let now = state.stamp();
            state.active(vault, item)?.version += 1;
            let vault = state.vault(vault)?;
            vault.overview.moves(now);
            if let Some((_, state)) = vault.items.get_mut(&item) {
                *state = ItemState::Archived;
            }
            Ok(())
        })
    }

    fn delete(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError> {
        self.call("delete", (2, 1), |state| {
            let now = state.stamp();
            state.active(vault, item)?;
            let vault = state.vault(vault)?;
            vault.items.remove(&item);
            vault.overview.moves(now);
            Ok(())
        })
    }

    fn read_file(
        &mut self,
        vault: VaultId,
        item: ItemId,
        file: &FileAttributes,
    ) -> Result<Zeroizing<Vec<u8>>, OpError> {
        self.call("read_file", (2, 0), |state| {
            state.active(vault, item)?;
            let content = state.files.get(&file.id).ok_or(OpError::Missing)?;
            Ok(Zeroizing::new(content.clone()))
        })
    }

    fn sent(&self) -> MeterReading {
        self.state().sent
    }
}
