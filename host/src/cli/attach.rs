//! A file becomes part of an item that is not stored yet.

use std::io::Read;

use sekisho_account::{Operator, OperatorError, operator::NewFile};
use sekisho_core::{
    file::FileEntry,
    item::{File, stored::StoredItem},
};
use zeroize::Zeroizing;

use super::Failure;

/// Seals and stores the content, and names it in the item. The item is put afterwards.
pub(crate) fn attach(
    operator: &Operator,
    stored: &mut StoredItem,
    file: NewFile,
    content: &mut dyn Read,
) -> Result<(), OperatorError> {
    let entry = operator.put_file(stored.item.vault, stored.item.id, file, content)?;
    stored.item.files.push(File {
        id: entry.id,
        name: entry.name.clone(),
        size: entry.size,
        section: entry.section.clone(),
    });
    let mut entries: Vec<FileEntry> = match &stored.files {
        Some(json) => serde_json::from_slice(json).unwrap_or_default(),
        None => Vec::new(),
    };
    entries.push(entry);
    stored.files = serde_json::to_vec(&entries).ok().map(Zeroizing::new);
    Ok(())
}

/// Seals an item's parts and stores it as new.
pub(crate) fn put_new(operator: &Operator, stored: &StoredItem) -> Result<(), Failure> {
    let access = operator.write_access(stored.item.vault)?;
    Ok(put_sealed(operator, &access, stored)?)
}

/// The same with the vault's access at hand.
pub(crate) fn put_sealed(
    operator: &Operator,
    access: &sekisho_core::token::WriteAccess,
    stored: &StoredItem,
) -> Result<(), OperatorError> {
    let record = stored
        .seal(access, &mut sekisho_account::random::SystemRng)
        .map_err(|_| OperatorError::DoesNotOpen {
            what: "vault",
            id: stored.item.vault.to_string(),
        })?;
    operator.put_item(access, record, sekisho_core::records::Expect::Absent)
}
