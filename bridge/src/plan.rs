//! What to fetch: pure comparisons of what is known with what a list says (op-account.md §E.1).

use std::collections::{BTreeMap, BTreeSet};

use sekisho_core::{
    id::{ItemId, VaultId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::client::{ItemOverview, ItemState, VaultKind, VaultOverview};

/// Two changes within this many milliseconds may show one date: a date this young is looked at once more.
const TICK: u64 = 2_000;

/// Whether another change may hide behind a date, at a given time.
pub(crate) fn is_young(date: Timestamp, at: Timestamp) -> bool {
    date.millis() + TICK > at.millis()
}

/// What is known of a mirrored vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownVault {
    /// Its contents are mirrored up to here.
    pub content_version: u64,
    /// Its title and description are.
    pub attribute_version: u64,
    /// When it was last compared, in milliseconds.
    pub checked: u64,
    /// Whether something of it is still to be fetched though the version is the same.
    #[serde(default)]
    pub unfinished: bool,
    /// Polls in a row that did not list it.
    #[serde(default)]
    pub missed: u32,
}

/// What to do about one vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultStep {
    /// It is new: make it.
    Make(VaultId),
    /// Its title or description changed.
    Rename(VaultId),
    /// It was withdrawn.
    Drop(VaultId),
    /// Its contents changed.
    Compare(VaultId),
}

/// Whether a vault is mirrored. The built-in ones can never be granted, Environments are no vaults of items.
pub const fn is_mirrored(kind: VaultKind) -> bool {
    matches!(kind, VaultKind::UserCreated | VaultKind::Transfer)
}

/// What a poll found to do, by vault.
pub fn vaults(known: &BTreeMap<VaultId, KnownVault>, listed: &[VaultOverview]) -> Vec<VaultStep> {
    let mut steps = Vec::new();
    let shown: Vec<&VaultOverview> = listed
        .iter()
        .filter(|vault| is_mirrored(vault.vault_type))
        .collect();
    let there: BTreeSet<VaultId> = shown.iter().map(|vault| vault.id).collect();
    let gone = known.keys().filter(|id| !there.contains(id));
    steps.extend(gone.copied().map(VaultStep::Drop));
    for vault in shown {
        match known.get(&vault.id) {
            None => steps.extend([VaultStep::Make(vault.id), VaultStep::Compare(vault.id)]),
            Some(held) => {
                if held.attribute_version != vault.attribute_version {
                    steps.push(VaultStep::Rename(vault.id));
                }
                if held.content_version != vault.content_version || held.unfinished {
                    steps.push(VaultStep::Compare(vault.id));
                }
            }
        }
    }
    steps
}

/// Whether the titles must be asked for.
pub fn needs_titles(steps: &[VaultStep]) -> bool {
    steps
        .iter()
        .any(|step| matches!(step, VaultStep::Make(_) | VaultStep::Rename(_)))
}

/// What is known of a mirrored item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownItem {
    /// Its version.
    pub version: u64,
    /// The date the last list showed for it when it was fetched.
    pub updated: Timestamp,
    /// When it was fetched.
    pub fetched: Timestamp,
}

/// What to do about a vault's items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemSteps {
    /// New or changed: fetch.
    pub fetch: Vec<ItemId>,
    /// Archived, deleted or moved: drop.
    pub drop: Vec<ItemId>,
    /// Dates of those to be fetched, as listed.
    pub dates: BTreeMap<ItemId, Timestamp>,
}

/// Compares a vault's items with its list. `skip` are those that cannot be read, with the date they had then.
pub fn items(
    known: &BTreeMap<ItemId, KnownItem>,
    listed: &[ItemOverview],
    skip: &BTreeMap<ItemId, Timestamp>,
) -> ItemSteps {
    let mut steps = ItemSteps::default();
    let active = listed.iter().filter(|item| item.state == ItemState::Active);
    let mut there = BTreeSet::new();
    for item in active {
        there.insert(item.id);
        // A date that is none is fetched each time the vault changes: late is better than never.
        let date = Timestamp::parse_rfc3339(&item.updated_at).unwrap_or(Timestamp::from_millis(0));
        if skip.get(&item.id) == Some(&date) {
            continue;
        }
        let is_known = known
            .get(&item.id)
            .is_some_and(|held| held.updated == date && !is_young(date, held.fetched));
        if !is_known {
            steps.fetch.push(item.id);
            steps.dates.insert(item.id, date);
        }
    }
    let gone = known.keys().filter(|id| !there.contains(id));
    steps.drop.extend(gone);
    steps
}

#[cfg(test)]
mod tests {
    use sekisho_account::random::SystemRng;

    use super::*;

    fn vault(id: VaultId, kind: VaultKind, content: u64, attributes: u64) -> VaultOverview {
        VaultOverview {
            id,
            title: String::new(),
            description: String::new(),
            vault_type: kind,
            active_item_count: 0,
            content_version: content,
            attribute_version: attributes,
            created_at: String::new(),
            updated_at: String::new(),
        }
    }

    #[test]
    fn only_what_changed() {
        let ids: Vec<VaultId> = (0..6).map(|_| VaultId::generate(&mut SystemRng)).collect();
        let held = |content, attributes, unfinished| KnownVault {
            content_version: content,
            attribute_version: attributes,
            unfinished,
            ..KnownVault::default()
        };
        let known = BTreeMap::from([
            (ids[0], held(5, 1, false)),
            (ids[1], held(5, 1, false)),
            (ids[2], held(5, 1, false)),
            (ids[3], held(5, 1, true)),
        ]);
        let listed = [
            vault(ids[0], VaultKind::UserCreated, 5, 1),
            vault(ids[1], VaultKind::UserCreated, 6, 2),
            vault(ids[3], VaultKind::UserCreated, 5, 1),
            vault(ids[4], VaultKind::Transfer, 1, 1),
            vault(ids[5], VaultKind::Everyone, 1, 1),
        ];
        assert_eq!(
            vaults(&known, &listed),
            [
                VaultStep::Drop(ids[2]),
                VaultStep::Rename(ids[1]),
                VaultStep::Compare(ids[1]),
                VaultStep::Compare(ids[3]),
                VaultStep::Make(ids[4]),
                VaultStep::Compare(ids[4]),
            ]
        );
        assert!(vaults(&known, &[]).len() == 4, "all withdrawn");
    }

    #[test]
    fn items_by_date_and_young_ones_twice() {
        let ids: Vec<ItemId> = (0..5).map(|_| ItemId::generate(&mut SystemRng)).collect();
        let item = |id, millis: u64, state| ItemOverview {
            id,
            updated_at: Timestamp::from_millis(millis).to_rfc3339(),
            state,
        };
        let held = |updated, fetched| KnownItem {
            version: 1,
            updated: Timestamp::from_millis(updated),
            fetched: Timestamp::from_millis(fetched),
        };
        let known = BTreeMap::from([
            (ids[0], held(10_000, 60_000)),
            (ids[1], held(10_000, 11_000)),
            (ids[2], held(10_000, 60_000)),
            (ids[3], held(10_000, 60_000)),
        ]);
        let listed = [
            item(ids[0], 10_000, ItemState::Active),
            item(ids[1], 10_000, ItemState::Active),
            item(ids[2], 20_000, ItemState::Active),
            item(ids[3], 20_000, ItemState::Archived),
            item(ids[4], 5_000, ItemState::Active),
        ];
        let skip = BTreeMap::from([(ids[4], Timestamp::from_millis(5_000))]);
        let steps = items(&known, &listed, &skip);
        assert_eq!(
            steps.fetch,
            [ids[1], ids[2]],
            "the first may hide a second change"
        );
        assert_eq!(steps.drop, [ids[3]]);
        let changed = [item(ids[4], 6_000, ItemState::Active)];
        assert_eq!(items(&known, &changed, &skip).fetch, [ids[4]]);
    }
}
