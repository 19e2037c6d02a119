//! What an import will write, decided before anything is written.

use std::collections::BTreeSet;

use sekisho_account::{Operator, clock, operator::OpenVault};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    item::stored::StoredItem,
    records::VaultType,
    time::Timestamp,
};
use sekisho_host::import::{Export, ImportedFile, ImportedItem, ImportedVault, VaultKind};

use super::{
    super::{choose, failure::Failure},
    convert::{self, Target},
    derive::Seed,
};

/// Everything.
pub(super) struct Plan {
    pub(super) vaults: Vec<PlannedVault>,
    pub(super) now: Timestamp,
}

/// A vault to make, or one that is there.
pub(super) struct PlannedVault {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: VaultType,
    pub(super) items: Vec<PlannedItem>,
    /// What it was called before; an id that clashes with a vault we may not see shows only on writing.
    pub(super) wanted: Option<VaultId>,
    pub(super) seed: Seed,
    /// There already, by the same id or by the name that was typed.
    pub(super) there: Option<VaultId>,
}

/// An item to write.
pub(super) struct PlannedItem {
    pub(super) imported: ImportedItem,
    /// Where it stands in the export.
    pub(super) at: String,
    pub(super) wanted: Option<ItemId>,
    pub(super) seed: Seed,
}

impl PlannedItem {
    /// The ids to try, one after the other: its own, then derived ones.
    pub(super) fn id(&self, attempt: u32) -> ItemId {
        match (self.wanted, attempt) {
            (Some(id), 0) => id,
            (_, attempt) => self.seed.item(attempt),
        }
    }

    pub(super) fn stored(&self, id: ItemId, target: &Target<'_>) -> Result<StoredItem, Failure> {
        convert::convert(&self.imported, id, target, &self.at)
    }
}

impl PlannedVault {
    pub(super) fn id(&self, attempt: u32) -> VaultId {
        match (self.wanted, attempt) {
            (Some(id), 0) => id,
            (_, attempt) => self.seed.vault(attempt),
        }
    }
}

/// Decides everything, and builds every item once to see that it can be built.
pub(super) fn plan(
    operator: &Operator,
    export: &Export,
    into: Option<&str>,
) -> Result<Plan, Failure> {
    let there = operator.vaults()?;
    let vaults = match into {
        Some(name) => vec![one_vault(operator, export, name, there)?],
        None => export
            .vaults
            .iter()
            .enumerate()
            .map(|(number, vault)| planned_vault(operator, vault, number, &there))
            .collect(),
    };
    let plan = Plan {
        vaults,
        now: clock::now(),
    };
    check(operator, &plan)?;
    Ok(plan)
}

fn check(operator: &Operator, plan: &Plan) -> Result<(), Failure> {
    let editor = operator.user();
    for vault in &plan.vaults {
        let target = Target {
            vault: vault.id(0),
            editor: editor.as_str(),
            now: plan.now,
        };
        for item in &vault.items {
            item.stored(item.id(0), &target)?;
        }
    }
    Ok(())
}

fn planned_vault(
    operator: &Operator,
    vault: &ImportedVault,
    number: usize,
    there: &[OpenVault],
) -> PlannedVault {
    let wanted = vault.id.as_deref().and_then(|id| VaultId::parse(id).ok());
    // The name of a vault without id tells exports apart, its number vaults of one name.
    let place = wanted.map_or_else(|| format!("{number} {}", vault.name), |id| id.to_string());
    let seed = Seed::new(operator.account(), place);
    let is_there = |id: &VaultId| there.iter().any(|vault| vault.id == *id);
    PlannedVault {
        name: vault.name.clone(),
        description: vault.description.clone(),
        kind: match vault.kind {
            VaultKind::UserCreated => VaultType::UserCreated,
            VaultKind::Personal => VaultType::Personal,
            VaultKind::Everyone => VaultType::Everyone,
        },
        items: planned_items(operator, vault, number),
        there: wanted.or_else(|| Some(seed.vault(0))).filter(is_there),
        wanted,
        seed,
    }
}

/// `--vault NAME`: everything goes into one.
fn one_vault(
    operator: &Operator,
    export: &Export,
    name: &str,
    there: Vec<OpenVault>,
) -> Result<PlannedVault, Failure> {
    let is_meant = |vault: &OpenVault| {
        vault.id.as_str() == name || sekisho_core::vault::equal_folded(&vault.attributes.name, name)
    };
    let there = if there.iter().any(is_meant) {
        Some(choose::one(there, name)?)
    } else {
        None
    };
    let items = export.vaults.iter().enumerate();
    Ok(PlannedVault {
        name: there
            .as_ref()
            .map_or(name, |vault| &vault.attributes.name)
            .to_owned(),
        description: String::new(),
        kind: there
            .as_ref()
            .map_or(VaultType::UserCreated, |vault| vault.kind),
        items: items
            .flat_map(|(number, vault)| planned_items(operator, vault, number))
            .collect(),
        wanted: None,
        // A name may be made, deleted and made again: never an id of before.
        seed: Seed::new(
            operator.account(),
            format!("{name} {}", clock::now().millis()),
        ),
        there: there.map(|vault| vault.id),
    })
}

fn planned_items(operator: &Operator, vault: &ImportedVault, number: usize) -> Vec<PlannedItem> {
    let items = vault.items.iter().enumerate().map(|(position, item)| {
        let at = format!("vaults[{number}].items[{position}]");
        let place = match (&item.id, &vault.id) {
            (Some(id), _) => id.clone(),
            (None, Some(vault)) => format!("{vault} {position}"),
            (None, None) => format!("{} {at}", vault.name),
        };
        PlannedItem {
            imported: copy(item),
            at,
            wanted: item.id.as_deref().and_then(|id| ItemId::parse(id).ok()),
            seed: Seed::new(operator.account(), place),
        }
    });
    items.collect()
}

fn copy(item: &ImportedItem) -> ImportedItem {
    ImportedItem {
        id: item.id.clone(),
        full: item.full.clone(),
        extra: item.extra.clone(),
        archived: item.archived,
        files: item.files.clone(),
    }
}

/// The ids of an item's files: their own where they have one, each once.
pub(super) fn file_ids(files: &[ImportedFile]) -> Vec<Option<FileId>> {
    let mut taken = BTreeSet::new();
    let ids = files.iter().map(|file| {
        let id = file.id.as_deref().and_then(|id| FileId::parse(id).ok());
        id.filter(|id| taken.insert(*id))
    });
    ids.collect()
}
