//! Reader of real 1Password exports (1PUX): an archive becomes vaults of items in Connect's shape.
//!
//! It stands apart because it meets plaintext from outside: it checks everything before it hands out anything, keeps
//! what Connect has no words for beside the item (`extra`), and prints and writes nothing.
//! Format: <https://support.1password.com/1pux-format/>, and what exports really hold (connect-contract.md, appendix B).

mod archive;
mod details;
mod error;
mod files;
#[doc(hidden)]
pub mod fixture;
mod ids;
mod item;
mod limits;
mod login;
mod overview;
mod raw;
mod report;
mod tail;
#[cfg(test)]
mod tests;
mod value;
mod vaults;

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use archive::Container;
pub use error::{ImportError, Oversized};
pub use limits::Limits;
pub use report::{IdFault, IdKind, RenamedId, Report};

/// All that an export holds, decided.
pub struct Export {
    /// Its vaults, over all accounts, in their order.
    pub vaults: Vec<ImportedVault>,
    /// What was found, in numbers.
    pub report: Report,
}

/// A vault to create.
pub struct ImportedVault {
    /// Its id in 1Password; `^[0-9a-z]{26}$` and unique in the export, or none.
    pub id: Option<String>,
    /// Its name; never empty.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Whose it was.
    pub kind: VaultKind,
    /// Its items, without those in the trash.
    pub items: Vec<ImportedItem>,
}

/// Whose a vault was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultKind {
    /// Made by a user (type U, and any type of later days).
    UserCreated,
    /// A user's own (type P).
    Personal,
    /// Shared with all of an account (type E).
    Everyone,
}

/// An item to create.
pub struct ImportedItem {
    /// Its id in 1Password; `^[0-9a-z]{26}$` and unique in the export, or none.
    pub id: Option<String>,
    /// A Connect FullItem without `vault`, `version`, `lastEditedBy`, `files`.
    pub full: Value,
    /// Everything of the exported item that is neither in `full` nor a file: a JSON object, maybe empty.
    pub extra: Value,
    /// Whether it is archived.
    pub archived: bool,
    /// Its files, the document of a DOCUMENT item first.
    pub files: Vec<ImportedFile>,
}

/// A file of an item; its content comes from [`Archive::open_file`].
#[derive(Clone, PartialEq, Eq)]
pub struct ImportedFile {
    /// Its id in 1Password; `^[0-9a-z]{26}$` and unique in its item, or none.
    pub id: Option<String>,
    /// Its name as exported: untrusted, not a path.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// The section it stands in.
    pub section: Option<String>,
    /// Name of its entry in the archive.
    pub entry: String,
    /// Whether it is the document of a DOCUMENT item, not an attachment.
    pub document: bool,
}

/// A checked export and the archive its files are in.
pub struct Archive {
    container: Container,
    export: Export,
}

/// Reads an export and checks all of it: directory, structure, and size and checksum of every file that an item has.
pub fn read(path: &Path, limits: &Limits) -> Result<Archive, ImportError> {
    let mut container = Container::open(path, limits)?;
    let root = raw::parse(&container.data()?, limits.depth)?;
    let export = vaults::read(root, &container)?;
    for file in export
        .vaults
        .iter()
        .flat_map(|vault| &vault.items)
        .flat_map(|item| &item.files)
    {
        let entry = container
            .named(&file.entry)
            .ok_or(ImportError::ForeignFile)?;
        container.verify(entry)?;
    }
    Ok(Archive { container, export })
}

impl Archive {
    /// What the export holds.
    pub fn export(&self) -> &Export {
        &self.export
    }

    /// The content of one of the export's files. Reading it to the end checks size and checksum once more, because the
    /// archive may have changed on disk.
    pub fn open_file<'a>(
        &'a mut self,
        file: &ImportedFile,
    ) -> Result<impl Read + use<'a>, ImportError> {
        let entry = self
            .container
            .named(&file.entry)
            .filter(|entry| entry.size == file.size);
        self.container
            .content(entry.ok_or(ImportError::ForeignFile)?)
    }
}

// Ids, sizes and counts only: titles, names and values are secret.

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("export", &self.export)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ImportedVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items.len();
        f.debug_struct("ImportedVault")
            .field("id", &self.id)
            .field("items", &items)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ImportedItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files.len();
        f.debug_struct("ImportedItem")
            .field("id", &self.id)
            .field("files", &files)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ImportedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedFile")
            .field("id", &self.id)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
