//! Accounts and vaults of `export.data`; their items are read in `item`.

use std::collections::HashSet;

use serde_json::Value;

use super::archive::Container;
use super::error::ImportError;
use super::raw::Members;
use super::report::{IdKind, Report};
use super::{Export, ImportedVault, VaultKind, ids, item};

/// What holds across the whole export.
pub(super) struct Context<'a> {
    pub(super) container: &'a Container,
    pub(super) report: Report,
    vault_ids: HashSet<String>,
    item_ids: HashSet<String>,
}

pub(super) fn read(root: Value, container: &Container) -> Result<Export, ImportError> {
    let (vault_ids, item_ids) = (HashSet::new(), HashSet::new());
    let mut context = Context {
        container,
        report: Report::default(),
        vault_ids,
        item_ids,
    };
    let mut root = object(root, "the top")?;
    let accounts = list(&mut root, "accounts", "accounts")?.ok_or_else(|| shape("accounts"))?;
    let mut vaults = Vec::new();
    for (number, account) in accounts.into_iter().enumerate() {
        let at = format!("accounts[{number}]");
        let mut account = object(account, &at)?;
        context.report.accounts += 1;
        let found = list(&mut account, "vaults", &format!("{at}.vaults"))?.unwrap_or_default();
        for (number, vault) in found.into_iter().enumerate() {
            vaults.push(context.vault(vault, &format!("{at}.vaults[{number}]"))?);
        }
    }
    Ok(Export {
        vaults,
        report: context.report,
    })
}

impl Context<'_> {
    fn vault(&mut self, vault: Value, at: &str) -> Result<ImportedVault, ImportError> {
        let mut vault = object(vault, at)?;
        let mut attrs = match vault.take("attrs") {
            Some(attrs) => object(attrs, &format!("{at}.attrs"))?,
            None => Members::default(),
        };
        self.report.vaults += 1;
        let id = self.claim(IdKind::Vault, attrs.text("uuid").as_deref(), at);
        let found = list(&mut vault, "items", &format!("{at}.items"))?.unwrap_or_default();
        let mut items = Vec::with_capacity(found.len());
        for (number, raw) in found.into_iter().enumerate() {
            items.extend(item::read(self, raw, &format!("{at}.items[{number}]"))?);
        }
        let icon = attrs.text("avatar").filter(|avatar| !avatar.is_empty());
        self.report
            .note("vault icons (left out)", usize::from(icon.is_some()));
        let kind = self.kind(attrs.text("type").as_deref());
        let description = attrs.text("desc").unwrap_or_default();
        Ok(ImportedVault {
            id,
            name: self.vault_name(&mut attrs),
            description,
            kind,
            items,
        })
    }

    fn vault_name(&mut self, attrs: &mut Members) -> String {
        attrs
            .text("name")
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| {
                self.report
                    .note("vaults without a name (now \"Imported\")", 1);
                "Imported".to_owned()
            })
    }

    fn kind(&mut self, found: Option<&str>) -> VaultKind {
        match found {
            Some("P") => VaultKind::Personal,
            Some("E") => VaultKind::Everyone,
            Some("U") => VaultKind::UserCreated,
            _ => {
                self.report
                    .note("vaults of an unknown type (taken as made by a user)", 1);
                VaultKind::UserCreated
            }
        }
    }

    /// Claims the id of a vault or an item; what cannot be claimed is reported.
    pub(super) fn claim(&mut self, kind: IdKind, found: Option<&str>, at: &str) -> Option<String> {
        let taken = match kind {
            IdKind::Vault => &mut self.vault_ids,
            _ => &mut self.item_ids,
        };
        let claimed = ids::claim(found, taken);
        claimed
            .map_err(|fault| self.report.renamed(kind, fault, at.to_owned(), None))
            .ok()
    }
}

pub(super) fn object(value: Value, at: &str) -> Result<Members, ImportError> {
    Members::of(value).map_err(|_| shape(at))
}

/// A list, or none if it is absent or null.
pub(super) fn list(
    members: &mut Members,
    name: &str,
    at: &str,
) -> Result<Option<Vec<Value>>, ImportError> {
    match members.take(name) {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(shape(at)),
    }
}

pub(super) fn shape(at: &str) -> ImportError {
    ImportError::Shape { at: at.to_owned() }
}
