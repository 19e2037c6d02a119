//! Items: compared, fetched in fifties, mapped, sealed, pushed.

use std::collections::BTreeMap;

use sekisho_account::{
    AccountError, OperatorError,
    protocol::{MAX_BATCH, SettledItem},
    random::SystemRng,
};
use sekisho_core::{
    file::{CHUNK, FileEntry, FileKey},
    id::{ItemId, VaultId},
    item::stored::StoredItem,
    records::{Expect, ItemRecord},
    time::Timestamp,
    token::WriteAccess,
};

use super::{Mirror, MirrorError, Polled, QUARANTINE};
use crate::{
    client::{BATCH, OpClient, OpError, SdkItem, VaultOverview, file_id},
    map::{Mapped, from_sdk},
    plan::{self, KnownItem},
    state::{PendingFile, Quarantined},
};

/// A push that met something newer is tried this often.
const ATTEMPTS: usize = 3;

/// What is being compared.
pub(super) struct Comparison<'a> {
    pub(super) vault: VaultId,
    dates: BTreeMap<ItemId, Timestamp>,
    pub(super) access: WriteAccess,
    polled: &'a mut Polled,
    /// Whether all of the vault is being compared.
    is_whole: bool,
}

impl<'a> Comparison<'a> {
    /// Of single items.
    pub(super) const fn of(vault: VaultId, access: WriteAccess, polled: &'a mut Polled) -> Self {
        Self {
            vault,
            dates: BTreeMap::new(),
            access,
            polled,
            is_whole: false,
        }
    }
}

impl<C: OpClient> Mirror<C> {
    /// Makes one vault's items equal to what 1Password shows.
    pub(super) fn compare(
        &mut self,
        overview: &VaultOverview,
        polled: &mut Polled,
    ) -> Result<(), MirrorError> {
        let vault = overview.id;
        if !self.state.vaults.contains_key(&vault) {
            // Its title could not be read.
            return Ok(());
        }
        self.budget.may_read((self.now)(), 2)?;
        let began = (self.now)();
        let listed = match self.ask(|client| client.items(vault)) {
            Ok(listed) => listed,
            // One overview that cannot be read fails the list of all.
            Err(error) if error.is_of_content() || error == OpError::Denied => {
                self.close(overview, &error);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.load_known(vault)?;
        let skip = self.skipped(vault);
        let known = self.known.get(&vault);
        let steps = plan::items(known.unwrap_or(&BTreeMap::new()), &listed, &skip);
        let mut work = Comparison {
            vault,
            dates: steps.dates,
            access: self.operator.write_access(vault)?,
            polled,
            is_whole: true,
        };
        let now = began.millis();
        self.state.pointers.retain(|_, until| *until > now);
        let mut gone = steps.drop;
        gone.retain(|item| !self.state.pointers.contains_key(item));
        for batch in gone.chunks(MAX_BATCH) {
            self.operator
                .put_items(&work.access, Vec::new(), batch.to_vec())?;
            for item in batch {
                self.forget(vault, *item);
            }
            work.polled.dropped += batch.len() as u64;
        }
        for batch in steps.fetch.chunks(BATCH) {
            self.go_on()?;
            self.fetch(&mut work, batch)?;
        }
        // What is young is looked at once more at the next poll: its date may hide a second change.
        let newest = listed
            .iter()
            .filter_map(|item| Timestamp::parse_rfc3339(&item.updated_at))
            .max();
        let is_young = newest.is_some_and(|newest| plan::is_young(newest, began));
        self.align(overview)?;
        if let Some(known) = self.state.vaults.get_mut(&vault) {
            known.content_version = overview.content_version;
            known.checked = began.millis();
            known.unfinished = is_young;
        }
        self.keep()
    }

    /// What the account holds of a vault, by its sealed overviews.
    pub(super) fn load_known(&mut self, vault: VaultId) -> Result<(), MirrorError> {
        if self.known.contains_key(&vault) {
            return Ok(());
        }
        let items = self.operator.items(vault)?.into_iter().map(|item| {
            let overview: serde_json::Value =
                serde_json::from_slice(&item.overview).unwrap_or_default();
            let date = overview
                .get("updatedAt")
                .and_then(serde_json::Value::as_str);
            let updated = date.and_then(Timestamp::parse_rfc3339);
            let known = KnownItem {
                version: item.version,
                updated: updated.unwrap_or(Timestamp::from_millis(0)),
                fetched: item.updated_at,
            };
            (item.id, known)
        });
        let items = items.collect();
        self.known.insert(vault, items);
        Ok(())
    }

    /// Items that are left alone, with the date they had.
    fn skipped(&self, vault: VaultId) -> BTreeMap<ItemId, Timestamp> {
        let now = (self.now)().millis();
        let held = self
            .state
            .quarantine
            .iter()
            .filter(|(_, held)| held.vault == vault && held.retry > now);
        held.map(|(item, held)| (*item, Timestamp::from_millis(held.updated)))
            .collect()
    }

    /// Fetches and pushes a batch; one that fails is halved until what cannot be read is alone.
    fn fetch(&mut self, work: &mut Comparison<'_>, batch: &[ItemId]) -> Result<(), MirrorError> {
        self.budget.may_read((self.now)(), 1)?;
        let vault = work.vault;
        match self.ask(|client| client.get_all(vault, batch)) {
            Ok(items) => {
                let wanted = items.iter().filter(|item| batch.contains(&item.id));
                self.push_all(work, &wanted.collect::<Vec<_>>())
            }
            Err(error) if error.is_of_content() => match batch {
                [] => Ok(()),
                // Archived or deleted since the list: the next one says so.
                [_] if matches!(error, OpError::Inactive | OpError::Missing) => Ok(()),
                [item] => {
                    let date = work.dates.get(item).copied();
                    self.quarantine(vault, *item, date, &error.to_string());
                    Ok(())
                }
                _ => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    self.fetch(work, first)?;
                    self.fetch(work, second)
                }
            },
            Err(error) => Err(error.into()),
        }
    }

    fn quarantine(&mut self, vault: VaultId, item: ItemId, date: Option<Timestamp>, reason: &str) {
        tracing::warn!(%vault, %item, reason, "an item is not mirrored");
        let held = Quarantined {
            vault,
            reason: reason.to_owned(),
            updated: date.map_or(0, Timestamp::millis),
            retry: (self.now)().millis() + QUARANTINE,
        };
        self.state.quarantine.insert(item, held);
    }

    /// Maps, seals and pushes items in one request. If the account holds something else than was thought, each is
    /// pushed alone.
    fn push_all(
        &mut self,
        work: &mut Comparison<'_>,
        items: &[&SdkItem],
    ) -> Result<(), MirrorError> {
        let (mut sent, mut sealed) = (Vec::new(), Vec::new());
        for sdk in items {
            if !self.is_to_push(work, sdk) {
                continue;
            }
            let held = self.held(work.vault, sdk.id);
            if let Some(item) = self.seal_item(work, sdk, held)? {
                sent.push(*sdk);
                let expect = expected(held);
                sealed.push(SettledItem { expect, item });
            }
        }
        if sealed.is_empty() {
            return Ok(());
        }
        match self.operator.put_items(&work.access, sealed, Vec::new()) {
            Ok(()) => {
                for sdk in sent {
                    self.pushed(work, sdk);
                }
                Ok(())
            }
            Err(OperatorError::Account(
                AccountError::Conflict { .. }
                | AccountError::Missing { .. }
                | AccountError::TooLarge { .. },
            )) => sent.into_iter().try_for_each(|sdk| self.push(work, sdk)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an item can be mirrored here, and the account does not have it already or something newer.
    fn is_to_push(&mut self, work: &Comparison<'_>, sdk: &SdkItem) -> bool {
        let date = work.dates.get(&sdk.id).copied();
        if sdk.vault_id != work.vault {
            let why = "it says that it is in another vault";
            self.quarantine(work.vault, sdk.id, date, why);
            return false;
        }
        self.state.quarantine.remove(&sdk.id);
        match self.held(work.vault, sdk.id) {
            Some(held) if held.version >= sdk.version => {
                self.note(work.vault, sdk.id, held.version, date);
                false
            }
            _ => true,
        }
    }

    /// Notes that the account has an item.
    fn pushed(&mut self, work: &mut Comparison<'_>, sdk: &SdkItem) {
        let date = work.dates.get(&sdk.id).copied();
        let written = Timestamp::parse_rfc3339(&sdk.updated_at);
        self.note(work.vault, sdk.id, sdk.version, date.or(written));
        work.polled.written += 1;
    }

    /// The same for one item.
    pub(super) fn push(
        &mut self,
        work: &mut Comparison<'_>,
        sdk: &SdkItem,
    ) -> Result<(), MirrorError> {
        let date = work.dates.get(&sdk.id).copied();
        for _ in 0..ATTEMPTS {
            if !self.is_to_push(work, sdk) {
                return Ok(());
            }
            let held = self.held(work.vault, sdk.id);
            let Some(record) = self.seal_item(work, sdk, held)? else {
                return Ok(());
            };
            match self.put(work, record, expected(held)) {
                Ok(()) => {
                    self.pushed(work, sdk);
                    return Ok(());
                }
                Err(OperatorError::Account(error)) => match error {
                    // Another key, or another version, since we looked.
                    AccountError::Conflict { .. } | AccountError::Missing { .. } => {
                        work.access = self.operator.write_access(work.vault)?;
                        self.known.remove(&work.vault);
                        self.load_known(work.vault)?;
                    }
                    AccountError::TooLarge { .. } => {
                        self.quarantine(
                            work.vault,
                            sdk.id,
                            date,
                            "it is larger than the account takes",
                        );
                        return Ok(());
                    }
                    error => return Err(OperatorError::Account(error).into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
        self.quarantine(
            work.vault,
            sdk.id,
            date,
            "the account holds something else under its id",
        );
        Ok(())
    }

    /// Within a comparison the vault's version is told at its end; a single item counts by itself.
    fn put(
        &self,
        work: &Comparison<'_>,
        item: ItemRecord,
        expect: Expect,
    ) -> Result<(), OperatorError> {
        if work.is_whole {
            let settled = vec![SettledItem { expect, item }];
            self.operator.put_items(&work.access, settled, Vec::new())
        } else {
            self.operator.put_item(&work.access, item, expect)
        }
    }

    /// Maps and seals; `None` = it cannot be mapped.
    pub(super) fn seal_item(
        &mut self,
        work: &Comparison<'_>,
        sdk: &SdkItem,
        held: Option<KnownItem>,
    ) -> Result<Option<ItemRecord>, MirrorError> {
        let Ok(mapped) = from_sdk(sdk) else {
            let date = work.dates.get(&sdk.id).copied();
            self.quarantine(work.vault, sdk.id, date, "it has a date that is none");
            return Ok(None);
        };
        let stored = self.with_files(work, mapped, held)?;
        let record = stored
            .seal(&work.access, &mut SystemRng)
            .map_err(|_| OperatorError::Unexpected)?;
        Ok(Some(record))
    }

    /// Gives an item its files: those it had keep their keys, so that their content stays good; new ones are to be
    /// fetched.
    fn with_files(
        &mut self,
        work: &Comparison<'_>,
        mapped: Mapped,
        held: Option<KnownItem>,
    ) -> Result<StoredItem, MirrorError> {
        let Mapped {
            mut stored,
            files,
            lossy,
        } = mapped;
        let item = stored.item.id;
        let mut lossy: Vec<String> = lossy.into_iter().map(str::to_owned).collect();
        let before = if files.is_empty() || held.is_none() {
            Vec::new()
        } else {
            self.entries(work, item)?
        };
        let mut entries: Vec<FileEntry> = Vec::new();
        for (file, section) in files {
            let Some(id) = file_id(&file.id).filter(|id| !entries.iter().any(|e| e.id == *id))
            else {
                lossy.push("file".into());
                continue;
            };
            let old = before
                .iter()
                .find(|old| old.id == id && old.size == file.size);
            let key = old.map_or_else(|| FileKey::generate(&mut SystemRng), |old| old.key.clone());
            if old.is_none() {
                self.state.files.push(PendingFile {
                    vault: work.vault,
                    item,
                    file: file.id.clone(),
                    size: file.size,
                });
            }
            entries.push(FileEntry {
                id,
                name: file.name,
                size: file.size,
                section,
                content: None,
                key,
                chunk_size: CHUNK,
            });
        }
        stored.set_file_entries(&entries);
        if lossy.is_empty() {
            self.state.lossy.remove(&item);
        } else {
            self.state.lossy.insert(item, lossy);
        }
        Ok(stored)
    }

    fn entries(&self, work: &Comparison<'_>, item: ItemId) -> Result<Vec<FileEntry>, MirrorError> {
        let record = self.operator.sealed_item(work.vault, item)?;
        // What does not open is made anew.
        let entries = StoredItem::open(work.access.current(), &record)
            .and_then(|stored| stored.file_entries());
        Ok(entries.unwrap_or_default())
    }

    pub(super) fn held(&self, vault: VaultId, item: ItemId) -> Option<KnownItem> {
        self.known.get(&vault)?.get(&item).copied()
    }

    /// Notes that the account has an item as of now.
    pub(super) fn note(
        &mut self,
        vault: VaultId,
        item: ItemId,
        version: u64,
        date: Option<Timestamp>,
    ) {
        let known = KnownItem {
            version,
            updated: date.unwrap_or(Timestamp::from_millis(0)),
            fetched: (self.now)(),
        };
        self.known.entry(vault).or_default().insert(item, known);
    }

    /// Takes an item out that was archived, deleted or moved.
    pub(super) fn drop_item(&mut self, vault: VaultId, item: ItemId) -> Result<(), MirrorError> {
        match self.operator.delete_item(vault, item, None) {
            Ok(()) | Err(OperatorError::Account(AccountError::Missing { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        self.forget(vault, item);
        Ok(())
    }

    fn forget(&mut self, vault: VaultId, item: ItemId) {
        if let Some(known) = self.known.get_mut(&vault) {
            known.remove(&item);
        }
        self.state.quarantine.remove(&item);
        self.state.lossy.remove(&item);
        self.state.files.retain(|file| file.item != item);
    }
}

fn expected(held: Option<KnownItem>) -> Expect {
    held.map_or(Expect::Absent, |held| Expect::Version(held.version))
}
