//! The files of an item: a document, attachments in sections, and the way old exports name them.
//!
//! A file's entry is `files/{id}__{name}`; the value that refers to it is kept whole.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::archive::Entry;
use super::error::ImportError;
use super::raw::Members;
use super::report::IdKind;
use super::vaults::{Context, object};
use super::{ImportedFile, ids};

/// Collects one item's files.
pub(super) struct Files<'a> {
    at: &'a str,
    /// Whether the item is a DOCUMENT.
    is_document: bool,
    pub(super) list: Vec<ImportedFile>,
    pub(super) rests: Vec<Value>,
    ids: HashSet<String>,
}

impl<'a> Files<'a> {
    pub(super) fn new(at: &'a str, is_document: bool) -> Self {
        Self {
            at,
            is_document,
            list: Vec::new(),
            rests: Vec::new(),
            ids: HashSet::new(),
        }
    }

    pub(super) fn document(
        &mut self,
        context: &mut Context<'_>,
        attributes: Value,
    ) -> Result<(), ImportError> {
        self.add(context, &attributes, None, self.is_document)?;
        self.rests.push(json!({ "documentAttributes": attributes }));
        Ok(())
    }

    /// Takes a field whose value is a file; gives any other back.
    pub(super) fn attached(
        &mut self,
        context: &mut Context<'_>,
        field: Members,
        section: Option<&str>,
    ) -> Result<Option<Members>, ImportError> {
        let file = field.peek("value").and_then(|value| value.get("file"));
        let Some(file) = file.filter(|file| !file.is_null()) else {
            return Ok(Some(field));
        };
        self.add(context, file, section, false)?;
        self.rests.push(field.into_value());
        Ok(None)
    }

    /// The `file` member of an old export's item, or beside it: attributes, and the path in the archive.
    pub(super) fn wrapped(
        &mut self,
        context: &mut Context<'_>,
        owner: &mut Members,
    ) -> Result<(), ImportError> {
        let Some(raw) = owner.take("file") else {
            return Ok(());
        };
        let file = object(raw, &format!("{}.file", self.at))?;
        let attributes = file.peek("attrs").unwrap_or(&Value::Null);
        let id = first_text(attributes, &["documentId", "uuid", "id"]);
        let name = first_text(attributes, &["fileName", "name"]);
        let mut names = vec![format!("files/{id}__{name}")];
        if let Some(path) = file
            .peek("path")
            .and_then(Value::as_str)
            .filter(|path| !path.is_empty())
        {
            names.extend([path.to_owned(), format!("files/{path}")]);
        }
        let entry = self.find(context, &names, id)?;
        let entry_name = context.container.name(entry);
        if !self.list.iter().any(|known| known.entry == entry_name) {
            let last = entry_name.rsplit('/').next().unwrap_or_default();
            let name = if name.is_empty() { last } else { name };
            self.push(context, entry, (id, name), None, self.is_document);
        }
        owner.put("file", file.into_value());
        Ok(())
    }

    fn add(
        &mut self,
        context: &mut Context<'_>,
        file: &Value,
        section: Option<&str>,
        document: bool,
    ) -> Result<(), ImportError> {
        let (id, name) = (
            first_text(file, &["documentId"]),
            first_text(file, &["fileName"]),
        );
        let entry = self.find(context, &[format!("files/{id}__{name}")], id)?;
        // The checksum vouches for the entry; the size in the data is only somebody's word.
        let stated = file.get("decryptedSize").and_then(Value::as_u64);
        let wrong = stated.is_some_and(|size| size != entry.size);
        context
            .report
            .note("files of another size than stated", usize::from(wrong));
        self.push(context, entry, (id, name), section, document);
        Ok(())
    }

    fn find(
        &self,
        context: &Context<'_>,
        names: &[String],
        id: &str,
    ) -> Result<Entry, ImportError> {
        let prefix = if id.is_empty() {
            String::new()
        } else {
            format!("files/{id}__")
        };
        let found = context.container.find(names, &prefix)?;
        found.ok_or_else(|| ImportError::MissingFile {
            at: self.at.to_owned(),
        })
    }

    fn push(
        &mut self,
        context: &mut Context<'_>,
        entry: Entry,
        (id, name): (&str, &str),
        section: Option<&str>,
        document: bool,
    ) {
        let claimed = ids::claim(Some(id), &mut self.ids);
        let id = claimed.map_err(|fault| {
            context
                .report
                .renamed(IdKind::File, fault, self.at.to_owned(), None)
        });
        self.list.push(ImportedFile {
            id: id.ok(),
            name: name.to_owned(),
            size: entry.size,
            section: section.map(str::to_owned),
            entry: context.container.name(entry),
            document,
        });
    }
}

fn first_text<'v>(value: &'v Value, names: &[&str]) -> &'v str {
    names
        .iter()
        .find_map(|name| value.get(*name)?.as_str())
        .unwrap_or_default()
}
