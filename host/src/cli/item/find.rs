//! Which item is meant: a title or an id, in one vault or in all.

use sekisho_account::{Operator, operator::OpenVault};
use sekisho_core::{
    id::ItemId,
    vault::{equal_exact, equal_folded},
};
use serde_json::Value;

use super::super::{choose, failure::Failure};

/// An item as lists have it.
pub(super) struct Listed {
    pub(super) vault: String,
    pub(super) id: ItemId,
    pub(super) archived: bool,
    pub(super) overview: Value,
}

impl Listed {
    pub(super) fn text(&self, name: &str) -> &str {
        self.overview
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// The vaults to look in.
pub(super) fn vaults(operator: &Operator, wanted: Option<&str>) -> Result<Vec<OpenVault>, Failure> {
    match wanted {
        Some(wanted) => Ok(vec![choose::vault(operator, wanted)?]),
        None => Ok(operator.vaults()?),
    }
}

/// The items of a vault, archived ones included.
pub(super) fn items(operator: &Operator, vault: &OpenVault) -> Result<Vec<Listed>, Failure> {
    let opened = operator.items(vault.id)?;
    let listed = opened.into_iter().map(|item| {
        // serde's error would repeat what it read.
        let overview = serde_json::from_slice(&item.overview).map_err(|_| {
            Failure::new(
                format!("the content of item '{}' is damaged", item.id),
                "write it again",
            )
        })?;
        Ok(Listed {
            vault: vault.attributes.name.clone(),
            id: item.id,
            archived: item.archived,
            overview,
        })
    });
    listed.collect()
}

/// By id, then by title to the letter, then whatever the case; active items before archived ones.
pub(super) fn item(
    operator: &Operator,
    vault: Option<&str>,
    wanted: &str,
) -> Result<(OpenVault, ItemId), Failure> {
    let mut all: Vec<(OpenVault, Listed)> = Vec::new();
    for vault in vaults(operator, vault)? {
        for listed in items(operator, &vault)? {
            all.push((vault.clone(), listed));
        }
    }
    let tests: [&dyn Fn(&Listed) -> bool; 6] = [
        &|item| item.id.as_str() == wanted && !item.archived,
        &|item| item.id.as_str() == wanted,
        &|item| equal_exact(item.text("title"), wanted) && !item.archived,
        &|item| equal_folded(item.text("title"), wanted) && !item.archived,
        &|item| equal_exact(item.text("title"), wanted),
        &|item| equal_folded(item.text("title"), wanted),
    ];
    for test in tests {
        let found: Vec<&(OpenVault, Listed)> = all.iter().filter(|(_, item)| test(item)).collect();
        match found.as_slice() {
            [] => {}
            [(vault, item)] => return Ok((vault.clone(), item.id)),
            several => {
                let ids = several
                    .iter()
                    .map(|(vault, item)| format!("{} (in {})", item.id, vault.attributes.name));
                return Err(choose::ambiguous("item", wanted, ids));
            }
        }
    }
    Err(Failure::new(
        format!("there is no item {}", choose::quoted(wanted)),
        "`sekisho item list` shows what there is",
    ))
}
