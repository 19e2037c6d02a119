//! The details of an item: sections and their fields, and what stands beside them.
//!
//! A field's id stays what the export says unless it is missing or taken; what its shown form does not carry goes to
//! `extra.fields` under that id.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::error::ImportError;
use super::files::Files;
use super::item::keep;
use super::raw::Members;
use super::report::IdKind;
use super::value::{Shown, show};
use super::vaults::{Context, list, object};
use super::{ImportedFile, ids, login};

/// Collects one item's fields, sections and files.
pub(super) struct Details<'a, 'b> {
    context: &'a mut Context<'b>,
    category: &'static str,
    at: &'a str,
    /// What derived ids begin from: the item's id, or its place.
    seed: &'a str,
    sections: Vec<Value>,
    section_ids: HashSet<String>,
    fields: Vec<Value>,
    field_ids: HashSet<String>,
    field_rests: Members,
    files: Files<'a>,
    login_rests: Vec<Value>,
    history: Vec<Value>,
    section_rests: Vec<Value>,
    rest: Members,
}

impl<'a, 'b> Details<'a, 'b> {
    pub(super) fn new(
        context: &'a mut Context<'b>,
        category: &'static str,
        at: &'a str,
        seed: &'a str,
    ) -> Self {
        Self {
            context,
            category,
            at,
            seed,
            sections: Vec::new(),
            section_ids: HashSet::new(),
            fields: Vec::new(),
            field_ids: HashSet::new(),
            field_rests: Members::default(),
            files: Files::new(at, category == "DOCUMENT"),
            login_rests: Vec::new(),
            history: Vec::new(),
            section_rests: Vec::new(),
            rest: Members::default(),
        }
    }

    pub(super) fn read(&mut self, mut details: Members) -> Result<(), ImportError> {
        let built_in = login::read(self.category, &mut details, &mut self.context.report);
        for field in &built_in.fields {
            self.field_ids
                .extend(field.get("id").and_then(Value::as_str).map(str::to_owned));
        }
        (self.fields, self.login_rests) = (built_in.fields, built_in.form);
        self.history = details.list("passwordHistory").unwrap_or_default();
        self.context
            .report
            .note("old passwords", self.history.len());
        if let Some(attributes) = details.take("documentAttributes") {
            self.files.document(self.context, attributes)?;
        }
        let at = format!("{}.details.sections", self.at);
        for (number, section) in list(&mut details, "sections", &at)?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            self.read_section(section, &format!("{at}[{number}]"), number)?;
        }
        self.count_rest(&details);
        self.rest = details;
        Ok(())
    }

    fn count_rest(&mut self, details: &Members) {
        let has = |name| usize::from(details.peek(name).is_some());
        let report = &mut self.context.report;
        report.note("passkeys", has("passkey"));
        report.note("passwords outside a field", has("password"));
        let unknown = details
            .names()
            .filter(|name| !matches!(*name, "passkey" | "password" | "htmlForm"))
            .count();
        report.note("members this program cannot place", unknown);
    }

    fn read_section(&mut self, raw: Value, at: &str, number: usize) -> Result<(), ImportError> {
        if raw.is_null() {
            return Ok(());
        }
        let mut section = object(raw, at)?;
        let title = section.text("title").filter(|title| !title.is_empty());
        let id = self.section_id(&mut section, title.as_deref(), at);
        if let Some(id) = &id {
            let label = title.map(|title| ("label".to_owned(), Value::from(title)));
            self.sections.push(
                Map::from_iter(
                    [("id".to_owned(), id.as_str().into())]
                        .into_iter()
                        .chain(label),
                )
                .into(),
            );
        }
        let fields = list(&mut section, "fields", &format!("{at}.fields"))?.unwrap_or_default();
        for (number, field) in fields.into_iter().enumerate() {
            self.read_field(field, &format!("{at}.fields[{number}]"), id.as_deref())?;
        }
        if !section.is_empty() {
            self.section_rests
                .push(json!({ "position": number, "members": section.into_value() }));
        }
        Ok(())
    }

    /// None for the section of the template's own fields, which has neither id nor title and which Connect leaves out.
    fn section_id(
        &mut self,
        section: &mut Members,
        title: Option<&str>,
        at: &str,
    ) -> Option<String> {
        let name = section.text("name").filter(|name| !name.is_empty());
        if name.is_none() && title.is_none() {
            return None;
        }
        let claimed = ids::claim_any(name.as_deref(), &mut self.section_ids);
        Some(claimed.unwrap_or_else(|fault| {
            let id = ids::derive(&self.place(at), &mut self.section_ids);
            self.context
                .report
                .renamed(IdKind::Section, fault, at.to_owned(), Some(&id));
            if let Some(name) = name {
                section.put("name", name);
            }
            id
        }))
    }

    /// Where something stands in its item: the same in every export of that item.
    fn place(&self, at: &str) -> String {
        format!("{}{}", self.seed, at.strip_prefix(self.at).unwrap_or(at))
    }

    fn read_field(
        &mut self,
        raw: Value,
        at: &str,
        section: Option<&str>,
    ) -> Result<(), ImportError> {
        if raw.is_null() {
            return Ok(());
        }
        let field = object(raw, at)?;
        let Some(mut field) = self.files.attached(self.context, field, section)? else {
            return Ok(());
        };
        let shown = take_value(&mut field);
        self.context.report.note(
            "fields of an unknown kind",
            usize::from(shown.kind == "UNKNOWN"),
        );
        let id = self.field_id(&mut field, at);
        let text = shown.text.filter(|text| !text.is_empty());
        let members = [
            ("id", Some(Value::from(id.as_str()))),
            ("section", section.map(|id| json!({ "id": id }))),
            ("type", Some(shown.kind.into())),
            ("label", field.text("title").map(Value::from)),
            ("value", text.map(Value::from)),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        self.fields.push(Map::from_iter(members).into());
        self.field_rests.put_rest(&id, field);
        Ok(())
    }

    fn field_id(&mut self, field: &mut Members, at: &str) -> String {
        let found = field.text("id");
        ids::claim_any(found.as_deref(), &mut self.field_ids).unwrap_or_else(|fault| {
            let id = ids::derive(&self.place(at), &mut self.field_ids);
            self.context
                .report
                .renamed(IdKind::Field, fault, at.to_owned(), Some(&id));
            if let Some(found) = found {
                field.put("id", found);
            }
            id
        })
    }

    pub(super) fn wrapped_file(&mut self, owner: &mut Members) -> Result<(), ImportError> {
        self.files.wrapped(self.context, owner)
    }

    /// Sections, fields and files; everything else goes to `extra`.
    pub(super) fn finish(
        self,
        extra: &mut Map<String, Value>,
    ) -> (Vec<Value>, Vec<Value>, Vec<ImportedFile>) {
        let lists = [
            ("loginFields", self.login_rests),
            ("passwordHistory", self.history),
            ("sections", self.section_rests),
            ("files", self.files.rests),
        ];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            extra.insert(name.to_owned(), list.into());
        }
        keep(extra, "fields", self.field_rests);
        keep(extra, "details", self.rest);
        (self.sections, self.fields, self.files.list)
    }
}

fn take_value(field: &mut Members) -> Shown {
    if let Some(text) = field.text("value") {
        return Shown {
            kind: "STRING",
            text: Some(text),
        };
    }
    let mut value = field.object("value").unwrap_or_default();
    let shown = show(&mut value);
    field.put_rest("value", value);
    shown
}
