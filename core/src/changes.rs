//! What a plan changes, told by ids and versions: what `/v1/events` is made of. Pure, and nothing is opened for it.

use alloc::{collections::BTreeSet, vec::Vec};

use crate::{
    cache::Snapshot,
    id::{ItemId, VaultId},
    sync::{Plan, Step},
};

/// What happened to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before.
    Created,
    /// It has another version now.
    Updated,
    /// It is not there any more.
    Deleted,
}

impl ChangeKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    fn of(before: Option<u64>, after: Option<u64>) -> Option<Self> {
        match (before, after) {
            (None, Some(_)) => Some(Self::Created),
            (Some(before), Some(after)) if before != after => Some(Self::Updated),
            (Some(_), None) => Some(Self::Deleted),
            _ => None,
        }
    }
}

/// One thing that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// The vault, or the item's.
    pub vault: VaultId,
    /// The item, if it is about one.
    pub item: Option<ItemId>,
    /// The item's version or the version of the vault's attributes, if it is still there.
    pub version: Option<u64>,
}

/// All that differs between two sets of which the second came by this plan from the first: vaults first. A vault that
/// is no more takes its items with it without a word about each; the very first set is no change.
pub fn changes(held: &Snapshot, next: &Snapshot, plan: &Plan) -> Vec<Change> {
    if held.head().is_none() {
        return Vec::new();
    }
    let mut vaults = BTreeSet::new();
    let mut items = BTreeSet::new();
    for step in plan.steps() {
        match step {
            Step::PutVault(record) => drop(vaults.insert(record.id)),
            Step::RemoveVault(vault) => drop(vaults.insert(*vault)),
            Step::PutItem(vault, item) => drop(items.insert((*vault, item.id))),
            Step::RemoveItem(vault, item) => drop(items.insert((*vault, *item))),
            Step::PutToken(_) | Step::RemoveToken(_) => {}
        }
    }
    if plan.reset() {
        for vault in held.vaults() {
            vaults.insert(vault.id);
            items.extend(held.items(&vault.id).map(|item| (vault.id, item.id)));
        }
    }
    let mut found = Vec::new();
    for vault in vaults {
        let version = |set: &Snapshot| set.vault(&vault).ok().map(|vault| vault.attribute_version);
        let (before, after) = (version(held), version(next));
        found.extend(ChangeKind::of(before, after).map(|kind| Change {
            kind,
            vault,
            item: None,
            version: after,
        }));
    }
    for (vault, item) in items {
        if next.vault(&vault).is_err() {
            continue;
        }
        let version = |set: &Snapshot| set.item(&vault, &item).ok().map(|item| item.version);
        let (before, after) = (version(held), version(next));
        found.extend(ChangeKind::of(before, after).map(|kind| Change {
            kind,
            vault,
            item: Some(item),
            version: after,
        }));
    }
    found
}
