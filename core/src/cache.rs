//! The immutable set of sealed records that is served, and the next one from a plan.
//!
//! A [`Snapshot`] never changes; applying a [`Plan`] shares all that stayed the same, so the next one costs in
//! proportion to the change and readers keep the one they began with (invariant 9). It holds only sealed bytes.

use alloc::{sync::Arc, vec::Vec};

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::{
    id::{ItemId, TokenId, VaultId},
    records::{Fault, ItemRecord, PartRecord, TitleMark, TokenRecord, VaultRecord},
    sync::{Plan, SignedHead, Step},
};

/// One consistent set of records.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    head: Option<SignedHead>,
    tokens: RedBlackTreeMapSync<TokenId, Arc<TokenRecord>>,
    vaults: RedBlackTreeMapSync<VaultId, VaultSet>,
}

#[derive(Debug, Clone)]
struct VaultSet {
    record: Arc<VaultRecord>,
    items: RedBlackTreeMapSync<ItemId, Arc<ItemRecord>>,
    marks: RedBlackTreeSetSync<(TitleMark, ItemId)>,
}

impl VaultSet {
    fn new(record: VaultRecord) -> Self {
        Self {
            record: Arc::new(record),
            items: RedBlackTreeMapSync::new_sync(),
            marks: RedBlackTreeSetSync::new_sync(),
        }
    }

    fn remove(&mut self, id: &ItemId) {
        if let Some(old) = self.items.get(id).cloned() {
            for mark in old.marks {
                self.marks.remove_mut(&(mark, *id));
            }
            self.items.remove_mut(id);
        }
    }

    fn insert(&mut self, item: Arc<ItemRecord>) {
        self.remove(&item.id);
        if !item.archived {
            for mark in item.marks {
                self.marks.insert_mut((mark, item.id));
            }
        }
        self.items.insert_mut(item.id, item);
    }
}

impl Snapshot {
    /// What the account vouched for; `None` before the first sync.
    pub const fn head(&self) -> Option<&SignedHead> {
        self.head.as_ref()
    }

    /// The next set: this one with a plan's steps applied in order. Applying a plan twice equals applying it once.
    #[must_use]
    pub fn apply(&self, plan: &Plan) -> Self {
        let mut next = if plan.reset() {
            Self::default()
        } else {
            self.clone()
        };
        next.apply_in_place(plan);
        next
    }

    /// Applies a plan's steps to this very set, for one that nobody reads yet.
    pub fn apply_in_place(&mut self, plan: &Plan) {
        for step in plan.steps() {
            self.take(step);
        }
        self.head = Some(plan.head().clone());
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::PutVault(record) => match self.vaults.get_mut(&record.id) {
                Some(set) => set.record = Arc::new(record.clone()),
                None => self
                    .vaults
                    .insert_mut(record.id, VaultSet::new(record.clone())),
            },
            Step::RemoveVault(id) => {
                self.vaults.remove_mut(id);
            }
            Step::PutItem(vault, item) => {
                if let Some(set) = self.vaults.get_mut(vault) {
                    set.insert(Arc::clone(item));
                }
            }
            Step::RemoveItem(vault, id) => {
                if let Some(set) = self.vaults.get_mut(vault) {
                    set.remove(id);
                }
            }
            Step::PutToken(record) => self.tokens.insert_mut(record.id, Arc::new(record.clone())),
            Step::RemoveToken(id) => {
                self.tokens.remove_mut(id);
            }
        }
    }

    /// A token's record.
    pub fn token(&self, id: &TokenId) -> Result<&Arc<TokenRecord>, Fault> {
        self.tokens.get(id).ok_or(Fault::Missing)
    }

    /// All tokens by ascending id.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenRecord> {
        self.tokens.values().map(AsRef::as_ref)
    }

    /// A vault's record.
    pub fn vault(&self, id: &VaultId) -> Result<&Arc<VaultRecord>, Fault> {
        Ok(&self.set(id)?.record)
    }

    /// All vaults by ascending id.
    pub fn vaults(&self) -> impl Iterator<Item = &VaultRecord> {
        self.vaults.values().map(|set| set.record.as_ref())
    }

    /// Number of items held, archived ones included.
    pub fn item_count(&self) -> usize {
        self.vaults.values().map(|set| set.items.size()).sum()
    }

    /// One item.
    pub fn item(&self, vault: &VaultId, item: &ItemId) -> Result<&Arc<ItemRecord>, Fault> {
        self.set(vault)?.items.get(item).ok_or(Fault::Missing)
    }

    /// All items of a vault by ascending id, archived ones included.
    pub fn items(&self, vault: &VaultId) -> impl Iterator<Item = &ItemRecord> {
        self.vaults
            .get(vault)
            .into_iter()
            .flat_map(|set| set.items.values().map(AsRef::as_ref))
    }

    /// [`crate::records::Records::list`].
    pub fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        use core::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        let items = self
            .set(vault)?
            .items
            .range::<ItemId, _>((start, Unbounded));
        let active = items.map(|(_, item)| item).filter(|item| !item.archived);
        Ok(active
            .take(limit as usize)
            .map(|item| overview(item))
            .collect())
    }

    /// [`crate::records::Records::find`].
    pub fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        let set = self.set(vault)?;
        let range = (*mark, ItemId::MIN)..=(*mark, ItemId::MAX);
        Ok(set
            .marks
            .range(range)
            .filter_map(|(_, id)| set.items.get(id))
            .map(|item| overview(item))
            .collect())
    }

    fn set(&self, vault: &VaultId) -> Result<&VaultSet, Fault> {
        self.vaults.get(vault).ok_or(Fault::Missing)
    }
}

fn overview(item: &ItemRecord) -> PartRecord {
    PartRecord {
        id: item.id,
        version: item.version,
        archived: item.archived,
        sealed: item.overview.clone(),
    }
}
