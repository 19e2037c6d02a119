//! The immutable set of sealed records that is served, and the next one from a plan.
//!
//! A [`Snapshot`] never changes; applying a [`Plan`] shares all that stayed the same, so the next one costs in
//! proportion to the change and readers keep the one they began with (invariant 9). It holds only sealed bytes.

use alloc::{sync::Arc, vec::Vec};
use core::ops::Bound;

use self::sorted::Sorted;
use crate::{
    id::{ItemId, TokenId, VaultId},
    records::{Fault, ItemRecord, PartRecord, TitleMark, TokenRecord, VaultRecord},
    sync::{Plan, SignedHead, Step},
};

mod sorted;

/// One consistent set of records.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    head: Option<SignedHead>,
    tokens: Sorted<TokenId, Arc<TokenRecord>>,
    vaults: Sorted<VaultId, Arc<VaultSet>>,
}

#[derive(Debug, Clone)]
struct VaultSet {
    record: Arc<VaultRecord>,
    items: Sorted<ItemId, Arc<ItemRecord>>,
    /// Of active items; each has one or two.
    marks: Sorted<(TitleMark, ItemId), ()>,
}

/// Whether the index of titles follows each step, or is made when all are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    EachStep,
    AtTheEnd,
}

impl VaultSet {
    fn new(record: VaultRecord) -> Self {
        Self {
            record: Arc::new(record),
            items: Sorted::default(),
            marks: Sorted::default(),
        }
    }

    fn remove(&mut self, id: &ItemId) {
        if let Some(old) = self.items.remove(id) {
            self.forget(&old);
        }
    }

    fn insert(&mut self, item: &Arc<ItemRecord>, index: Index) {
        let old = self.items.insert(item.id, Arc::clone(item));
        if index == Index::EachStep {
            if let Some(old) = old {
                self.forget(&old);
            }
            for key in marks(item) {
                self.marks.insert(key, ());
            }
        }
    }

    fn forget(&mut self, old: &ItemRecord) {
        for key in marks(old) {
            self.marks.remove(&key);
        }
    }

    fn index(&mut self) {
        let marks = self.items.values().flat_map(|item| marks(item));
        self.marks = Sorted::of(marks.map(|key| (key, ())).collect());
    }
}

/// Under which an item is found by its title: none if lists leave it out.
fn marks(item: &ItemRecord) -> impl Iterator<Item = (TitleMark, ItemId)> {
    let marks = (!item.archived).then_some(item.marks);
    let id = item.id;
    marks.into_iter().flatten().map(move |mark| (mark, id))
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
        // Sorting the index of titles once is cheaper than putting it in order entry by entry.
        let index = match self.vaults.len() {
            0 => Index::AtTheEnd,
            _ => Index::EachStep,
        };
        for step in plan.steps() {
            self.take(step, index);
        }
        if index == Index::AtTheEnd {
            self.vaults
                .values_mut()
                .for_each(|set| Arc::make_mut(set).index());
        }
        self.head = Some(plan.head().clone());
    }

    fn take(&mut self, step: &Step, index: Index) {
        match step {
            Step::PutVault(record) => match self.set_mut(&record.id) {
                Some(set) => set.record = Arc::new(record.clone()),
                None => {
                    let set = Arc::new(VaultSet::new(record.clone()));
                    self.vaults.insert(record.id, set);
                }
            },
            Step::RemoveVault(id) => {
                self.vaults.remove(id);
            }
            Step::PutItem(vault, item) => {
                if let Some(set) = self.set_mut(vault) {
                    set.insert(item, index);
                }
            }
            Step::RemoveItem(vault, id) => {
                if let Some(set) = self.set_mut(vault) {
                    set.remove(id);
                }
            }
            Step::PutToken(record) => {
                self.tokens.insert(record.id, Arc::new(record.clone()));
            }
            Step::RemoveToken(id) => {
                self.tokens.remove(id);
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
        self.vaults.values().map(|set| set.items.len()).sum()
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
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let items = self.set(vault)?.items.range(start);
        let active = items.map(|(_, item)| item).filter(|item| !item.archived);
        Ok(active
            .take(limit as usize)
            .map(|item| overview(item))
            .collect())
    }

    /// [`crate::records::Records::find`].
    pub fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        let set = self.set(vault)?;
        let first = (*mark, ItemId::MIN);
        Ok(set
            .marks
            .range(Bound::Included(&first))
            .take_while(|((found, _), ())| found == mark)
            .filter_map(|((_, id), ())| set.items.get(id))
            .map(|item| overview(item))
            .collect())
    }

    fn set(&self, vault: &VaultId) -> Result<&VaultSet, Fault> {
        self.vaults
            .get(vault)
            .map(AsRef::as_ref)
            .ok_or(Fault::Missing)
    }

    fn set_mut(&mut self, vault: &VaultId) -> Option<&mut VaultSet> {
        self.vaults.get_mut(vault).map(Arc::make_mut)
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
