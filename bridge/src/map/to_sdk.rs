//! Connect's item as the SDK writes it.

use sekisho_core::{
    item::{Field, FieldType, Item, Purpose, Url},
    secret::SecretText,
    time::format_date,
};
use serde_json::json;

use super::{MapError, words};
use crate::client::{FieldDetails, NewSdkItem, SdkField, SdkItem, SdkSection, Website};

/// Where a website is filled in when nothing else was ever said.
const ANYWHERE: &str = "AnywhereOnWebsite";

/// The next content of an item whose current state upstream left this skeleton.
pub fn to_sdk(next: &Item, skeleton: &SdkItem) -> Result<SdkItem, MapError> {
    if next.category != words::category(&skeleton.category) {
        return Err(MapError::Category);
    }
    let fields = fields(next, &skeleton.fields);
    Ok(SdkItem {
        id: skeleton.id,
        title: next.title.clone(),
        category: skeleton.category.clone(),
        vault_id: skeleton.vault_id,
        sections: sections(next, &fields, &skeleton.sections),
        fields,
        notes: notes(next),
        tags: next.tags.clone(),
        websites: websites(&next.urls, &skeleton.websites),
        version: skeleton.version,
        files: skeleton.files.clone(),
        document: skeleton.document.clone(),
        created_at: skeleton.created_at.clone(),
        updated_at: skeleton.updated_at.clone(),
    })
}

/// An item that a client makes.
pub fn new_to_sdk(item: &Item) -> Result<NewSdkItem, MapError> {
    let category = words::category_word(item.category).ok_or(MapError::NotCreatable)?;
    if !item.files.is_empty() {
        return Err(MapError::Files);
    }
    let fields = fields(item, &[]);
    Ok(NewSdkItem {
        category: category.to_owned(),
        vault_id: item.vault,
        title: item.title.clone(),
        sections: sections(item, &fields, &[]),
        fields,
        notes: notes(item),
        tags: item.tags.clone(),
        websites: websites(&item.urls, &[]),
    })
}

fn is_notes(field: &Field) -> bool {
    field.purpose == Some(Purpose::Notes)
        || (field.id == Purpose::Notes.field_id() && field.section.is_none())
}

fn notes(item: &Item) -> SecretText {
    let field = item.fields.iter().find(|field| is_notes(field));
    field
        .and_then(|field| field.value.clone())
        .unwrap_or_default()
}

fn fields(item: &Item, before: &[SdkField]) -> Vec<SdkField> {
    let fields = item.fields.iter().filter(|field| !is_notes(field));
    let mut taken = vec![false; before.len()];
    fields
        .map(|field| {
            // Stored items may repeat an id: the nth stays the nth.
            let found = before
                .iter()
                .zip(&mut taken)
                .find(|(old, taken)| !**taken && old.id == field.id);
            let old = found.map(|(old, taken)| {
                *taken = true;
                old
            });
            unmap_field(field, old)
        })
        .collect()
}

fn unmap_field(field: &Field, before: Option<&SdkField>) -> SdkField {
    let same_kind = before.filter(|before| {
        words::field_type(&before.field_type).unwrap_or(FieldType::Unknown) == field.kind
    });
    let field_type = same_kind.map_or_else(
        || words::field_word(&field.kind).to_owned(),
        |before| before.field_type.clone(),
    );
    let value = value(&field.kind, field.value.as_ref());
    let details = same_kind
        .and_then(|before| before.details.clone())
        .filter(|_| {
            // Parts of an address are right only as long as its line is.
            field.kind != FieldType::Address || before.is_some_and(|before| before.value == value)
        })
        .or_else(|| address(&field.kind, &value));
    SdkField {
        id: field.id.clone(),
        title: field.label.clone().unwrap_or_default(),
        section_id: field
            .section
            .clone()
            // A template's own field stands in a section that clients never see.
            .or_else(|| before?.section_id.clone().filter(String::is_empty)),
        field_type,
        value,
        details,
    }
}

/// An address is written only through its parts: a line that a client wrote is all street.
fn address(kind: &FieldType, line: &SecretText) -> Option<FieldDetails> {
    if *kind != FieldType::Address || line.is_empty() {
        return None;
    }
    // EXPOSE: a part of the item that is about to be written.
    let street = line.expose();
    Some(FieldDetails {
        kind: "Address".to_owned(),
        content: json!({"street": street, "city": "", "country": "", "zip": "", "state": ""}),
    })
}

/// The SDK's form of a value.
fn value(kind: &FieldType, value: Option<&SecretText>) -> SecretText {
    let Some(value) = value else {
        return SecretText::default();
    };
    // EXPOSE: its form is changed; it goes on as a secret.
    let text = value.expose();
    let changed = match kind {
        FieldType::Date => text
            .parse::<i64>()
            .ok()
            .map(|seconds| format_date(seconds.div_euclid(86_400))),
        FieldType::MonthYear => text
            .split_at_checked(4)
            .filter(|(_, month)| month.len() == 2)
            .map(|(year, month)| format!("{month}/{year}")),
        _ => None,
    };
    changed.map_or_else(|| value.clone(), SecretText::new)
}

/// Those of the item, and the hidden one if a field stands in it, where it stood.
fn sections(item: &Item, fields: &[SdkField], before: &[SdkSection]) -> Vec<SdkSection> {
    let shown = item.sections.iter().map(|section| SdkSection {
        id: section.id.clone(),
        title: section.label.clone().unwrap_or_default(),
    });
    let mut sections: Vec<SdkSection> = shown.collect();
    let hidden = before
        .iter()
        .position(|section| section.id.is_empty() && section.title.is_empty());
    let is_there = sections.iter().any(|section| section.id.is_empty());
    let is_used = fields
        .iter()
        .any(|field| field.section_id.as_deref() == Some(""));
    if !is_there && (is_used || hidden.is_some()) {
        let at = hidden.unwrap_or(0).min(sections.len());
        let (id, title) = (String::new(), String::new());
        sections.insert(at, SdkSection { id, title });
    }
    sections
}

/// The primary one first; each is filled in where it was before.
fn websites(urls: &[Url], before: &[Website]) -> Vec<Website> {
    let mut ordered: Vec<&Url> = urls.iter().collect();
    ordered.sort_by_key(|url| !url.primary);
    let website = |url: &Url| {
        let old = before.iter().find(|old| old.url == url.href);
        Website {
            url: url.href.clone(),
            label: url
                .label
                .clone()
                .or_else(|| old.map(|old| old.label.clone()))
                .unwrap_or_default(),
            autofill_behavior: old
                .map_or_else(|| ANYWHERE.to_owned(), |old| old.autofill_behavior.clone()),
        }
    };
    ordered.into_iter().map(website).collect()
}
