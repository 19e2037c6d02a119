//! The SDK's item as Connect shows it.

use sekisho_core::{
    item::{Category, Field, FieldType, Item, Purpose, Section, Unknown, Url, stored::StoredItem},
    secret::SecretText,
    time::{Timestamp, parse_date},
};

use super::{EDITOR, MapError, extra, words};
use crate::client::{FileAttributes, SdkField, SdkItem};

/// Seconds into a day at which the vendor stores a date: the same day in every time zone.
const NOON: i64 = 43_260;

/// An item, mapped.
#[derive(Debug)]
pub struct Mapped {
    /// It, without entries for files: their keys are made when their content is sealed.
    pub stored: StoredItem,
    /// Files to be attached, each with its section.
    pub files: Vec<(FileAttributes, Option<String>)>,
    /// What Connect's shape cannot show, in fixed words.
    pub lossy: Vec<&'static str>,
}

/// Maps an item. One with kinds that nobody knows is mapped as far as possible.
pub fn from_sdk(sdk: &SdkItem) -> Result<Mapped, MapError> {
    let date = |text: &str| Timestamp::parse_rfc3339(text).ok_or(MapError::Date(sdk.id));
    let category = words::category(&sdk.category);
    let mut lossy = Vec::new();
    if sdk.category == "Unsupported" {
        lossy.push("category");
    }
    let mut fields: Vec<Field> = Vec::with_capacity(sdk.fields.len() + 1);
    for field in &sdk.fields {
        let word = field.field_type.as_str();
        if (word == "Unsupported" || words::field_type(word).is_none()) && !lossy.contains(&"field")
        {
            lossy.push("field");
        }
        fields.push(map_field(field, category));
    }
    let after = fields.iter().rposition(|field| field.purpose.is_some());
    fields.insert(after.map_or(0, |at| at + 1), notes(&sdk.notes));
    let item = Item {
        id: sdk.id,
        vault: sdk.vault_id,
        title: sdk.title.clone(),
        category,
        urls: urls(sdk),
        tags: sdk.tags.clone(),
        favorite: false,
        version: sdk.version,
        archived: false,
        created_at: date(&sdk.created_at)?,
        updated_at: date(&sdk.updated_at)?,
        last_edited_by: EDITOR.to_owned(),
        sections: sections(sdk),
        fields,
        files: Vec::new(),
        unknown: Unknown::new(),
    };
    let mut stored = StoredItem::new(item);
    stored.extra = extra(&skeleton(sdk), &lossy);
    Ok(Mapped {
        stored,
        files: files(sdk),
        lossy,
    })
}

/// Everything but the values that Connect's shape holds. An address keeps its line, to be compared with.
fn skeleton(sdk: &SdkItem) -> SdkItem {
    let mut skeleton = sdk.clone();
    skeleton.notes = SecretText::default();
    for field in &mut skeleton.fields {
        if field.field_type != "Address" {
            field.value = SecretText::default();
        }
        // A code is good for half a minute: never sealed, never compared.
        field
            .details
            .take_if(|_| matches!(field.field_type.as_str(), "Totp" | "SshKey"));
    }
    skeleton
}

fn urls(sdk: &SdkItem) -> Vec<Url> {
    let url = |(position, website): (usize, &crate::client::Website)| Url {
        href: website.url.clone(),
        label: Some(website.label.clone()),
        primary: position == 0,
        unknown: Unknown::new(),
    };
    sdk.websites.iter().enumerate().map(url).collect()
}

/// Without the one that only marks a template's own fields.
fn sections(sdk: &SdkItem) -> Vec<Section> {
    let shown = sdk
        .sections
        .iter()
        .filter(|section| !(section.id.is_empty() && section.title.is_empty()));
    let section = |section: &crate::client::SdkSection| Section {
        id: section.id.clone(),
        label: Some(section.title.clone()),
        unknown: Unknown::new(),
    };
    shown.map(section).collect()
}

fn map_field(field: &SdkField, category: Category) -> Field {
    let kind = words::field_type(&field.field_type).unwrap_or(FieldType::Unknown);
    let purpose = [Purpose::Username, Purpose::Password]
        .into_iter()
        .find(|purpose| purpose.field_id() == field.id)
        .filter(|_| category.has_password() && field.section_id.is_none());
    Field {
        id: field.id.clone(),
        section: field.section_id.clone().filter(|id| !id.is_empty()),
        value: value(&kind, &field.value),
        kind,
        purpose,
        label: Some(field.title.clone()),
        generated: false,
        history: Vec::new(),
        unknown: Unknown::new(),
    }
}

fn notes(notes: &SecretText) -> Field {
    Field {
        id: Purpose::Notes.field_id().to_owned(),
        section: None,
        kind: FieldType::String,
        purpose: Some(Purpose::Notes),
        label: Some(Purpose::Notes.field_id().to_owned()),
        value: Some(notes.clone()).filter(|notes| !notes.is_empty()),
        generated: false,
        history: Vec::new(),
        unknown: Unknown::new(),
    }
}

/// Connect's form of a value.
fn value(kind: &FieldType, value: &SecretText) -> Option<SecretText> {
    if value.is_empty() {
        return None;
    }
    // EXPOSE: its form is changed; it goes on as a secret.
    let text = value.expose();
    let changed = match kind {
        FieldType::Date => parse_date(text).map(|days| (days * 86_400 + NOON).to_string()),
        FieldType::MonthYear => text
            .split_once('/')
            .map(|(month, year)| format!("{year}{month}")),
        _ => None,
    };
    Some(changed.map_or_else(|| value.clone(), SecretText::new))
}

fn files(sdk: &SdkItem) -> Vec<(FileAttributes, Option<String>)> {
    let attached = sdk.files.iter().map(|file| {
        let section = Some(file.section_id.clone()).filter(|id| !id.is_empty());
        (file.attributes.clone(), section)
    });
    let document = sdk.document.iter().map(|file| (file.clone(), None));
    document.chain(attached).collect()
}
