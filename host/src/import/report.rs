//! What an import will do, in numbers: read before anything is written.
//!
//! Ids are well-formed or made here, places are positions; no title, no value, no malformed id is repeated.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Counts over one export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Accounts in the export.
    pub accounts: u64,
    /// Vaults taken over.
    pub vaults: u64,
    /// Items taken over.
    pub items: u64,
    /// Files taken over.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// Items among them that are archived.
    pub archived: u64,
    /// Items left out because they lie in the trash.
    pub skipped: u64,
    /// Items by Connect's category.
    pub categories: BTreeMap<&'static str, u64>,
    /// Ids that could not be kept.
    pub renamed_ids: Vec<RenamedId>,
    /// What Connect's API cannot show, kept beside the item; by kind.
    pub unmapped: BTreeMap<&'static str, u64>,
}

/// An id that could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RenamedId {
    /// Whose id.
    pub kind: IdKind,
    /// Why it could not be kept.
    pub reason: IdFault,
    /// Path of member names and positions in `export.data`.
    pub at: String,
    /// The id that replaces it; none where the importing side makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_id: Option<String>,
}

/// Whose id it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdKind {
    /// A vault's.
    Vault,
    /// An item's.
    Item,
    /// A section's.
    Section,
    /// A field's.
    Field,
    /// A file's.
    File,
}

/// Why an id could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IdFault {
    /// There was none.
    Missing,
    /// It is taken already.
    Duplicate,
    /// It is not of the form of an id.
    Malformed,
}

impl Report {
    pub(super) fn note(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.unmapped.entry(what).or_default() += count as u64;
        }
    }

    pub(super) fn renamed(
        &mut self,
        kind: IdKind,
        reason: IdFault,
        at: String,
        new_id: Option<&str>,
    ) {
        let new_id = new_id.map(str::to_owned);
        self.renamed_ids.push(RenamedId {
            kind,
            reason,
            at,
            new_id,
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} vaults, {} items ({} archived)",
            self.vaults, self.items, self.archived
        )?;
        writeln!(f, "{} files, {} bytes", self.files, self.file_bytes)?;
        if self.skipped > 0 {
            writeln!(f, "{} items left out: they are in the trash", self.skipped)?;
        }
        for (category, count) in &self.categories {
            writeln!(f, "  {category}: {count}")?;
        }
        if !self.renamed_ids.is_empty() {
            writeln!(
                f,
                "{} ids replaced: missing, malformed or used twice",
                self.renamed_ids.len()
            )?;
        }
        for (what, count) in &self.unmapped {
            writeln!(f, "no counterpart in Connect's API: {count} {what}")?;
        }
        Ok(())
    }
}
