//! A draft to an item: [`create`] (POST) and [`replace`] (PUT), with the rules of connect-contract.md §1.2 and §2.4.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use rand_core::CryptoRng;

use super::{
    Category, Field, FieldType, Item, ItemError, Purpose, Section, Unknown,
    draft::{Draft, DraftField, MAX_MEMBERS},
    generate, value,
};
use crate::{
    id::{self, ItemId, VaultId},
    secret::SecretText,
    time::Timestamp,
};

/// Most earlier values kept of a password.
const MAX_HISTORY: usize = 50;

/// Who writes, when and where.
#[derive(Debug)]
pub struct Writing<'a> {
    /// The vault of the path.
    pub vault: VaultId,
    /// The time of the request.
    pub now: Timestamp,
    /// What `lastEditedBy` shall say.
    pub editor: &'a str,
}

/// A new item.
pub fn create(
    draft: Draft,
    writing: &Writing<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Item, ItemError> {
    let category = draft.category.ok_or(ItemError::Category)?;
    if category == Category::Custom {
        return Err(ItemError::NotCreatable(category.as_str()));
    }
    let blank = blank(ItemId::generate(rng), category, writing);
    let item = fill(&blank, draft, writing, rng)?;
    require_password(&item)?;
    Ok(Item { version: 1, ..item })
}

/// The next version of an item.
pub fn replace(
    current: &Item,
    draft: Draft,
    writing: &Writing<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Item, ItemError> {
    if draft
        .id
        .as_deref()
        .is_some_and(|id| id != current.id.as_str() && ItemId::parse(id).is_ok())
    {
        return Err(ItemError::Mismatch("id"));
    }
    fill(current, draft, writing, rng)
}

/// An item that holds nothing yet, at version 0.
fn blank(id: ItemId, category: Category, writing: &Writing<'_>) -> Item {
    Item {
        id,
        vault: writing.vault,
        title: String::new(),
        category,
        urls: Vec::new(),
        tags: Vec::new(),
        favorite: false,
        version: 0,
        archived: false,
        created_at: writing.now.truncated(),
        updated_at: writing.now.truncated(),
        last_edited_by: writing.editor.to_string(),
        sections: Vec::new(),
        fields: Vec::new(),
        files: Vec::new(),
        unknown: Unknown::new(),
    }
}

fn fill(
    current: &Item,
    draft: Draft,
    writing: &Writing<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Item, ItemError> {
    // A vault member that is no id is a client's mistake to be passed over; a well-formed other id is not (§1.2).
    if draft
        .vault
        .as_deref()
        .is_some_and(|id| id != writing.vault.as_str() && VaultId::parse(id).is_ok())
    {
        return Err(ItemError::Mismatch("vault.id"));
    }
    let category = draft.category.unwrap_or(current.category);
    let (sections, fields) = Members {
        current,
        category,
        sections: draft.sections,
        fields: Vec::new(),
    }
    .fill(draft.fields, rng)?;
    Ok(Item {
        id: current.id,
        vault: writing.vault,
        title: draft.title.unwrap_or_else(|| current.title.clone()),
        category,
        urls: draft.urls,
        tags: draft.tags,
        favorite: draft.favorite,
        version: current.version + 1,
        archived: current.archived,
        created_at: current.created_at,
        // A clock that runs backwards must not make the next version look older than the last.
        updated_at: writing.now.truncated().max(current.updated_at),
        last_edited_by: writing.editor.to_string(),
        sections,
        fields,
        files: current.files.clone(),
        unknown: overlay(&current.unknown, draft.unknown),
    })
}

/// Members of another origin: what a client leaves out stays.
fn overlay(current: &Unknown, new: Unknown) -> Unknown {
    let mut merged = current.clone();
    merged.extend(new);
    merged
}

/// LOGIN and PASSWORD items need their password when they are made.
fn require_password(item: &Item) -> Result<(), ItemError> {
    if !item.category.has_password() {
        return Ok(());
    }
    let password = item.built_in(Purpose::Password);
    let is_filled = password
        .and_then(|field| field.value.as_ref())
        .is_some_and(|value| !value.is_empty());
    match password {
        Some(_) if is_filled || item.category == Category::Login => Ok(()),
        _ => Err(ItemError::PasswordRequired),
    }
}

/// The fields and sections of an item in the making.
struct Members<'a> {
    current: &'a Item,
    category: Category,
    sections: Vec<Section>,
    fields: Vec<Field>,
}

impl Members<'_> {
    fn fill(
        mut self,
        drafts: Vec<DraftField>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<Section>, Vec<Field>), ItemError> {
        for section in &mut self.sections {
            if section.id.is_empty() {
                section.id = id::generate_member_id(rng);
            }
        }
        let drafts = self.with_purposes(drafts)?;
        let kept = self.kept_ids(&drafts);
        for (index, (draft, kept)) in drafts.into_iter().zip(kept).enumerate() {
            let field = self.field(index, draft, kept, rng)?;
            if self.fields.iter().any(|other| other.id == field.id) {
                return Err(ItemError::DuplicateField { index });
            }
            self.fields.push(field);
        }
        self.add_notes();
        if self.sections.len() > MAX_MEMBERS {
            return Err(ItemError::TooLarge {
                what: "sections",
                limit: MAX_MEMBERS,
            });
        }
        Ok((self.sections, self.fields))
    }

    /// At most one field for each purpose. A password field that lost its purpose on the way (Python clients) keeps it.
    fn with_purposes(&self, mut drafts: Vec<DraftField>) -> Result<Vec<DraftField>, ItemError> {
        for purpose in Purpose::ALL {
            match drafts
                .iter()
                .filter(|draft| draft.purpose == Some(purpose))
                .count()
            {
                0 if self.category.has_password() => {
                    let by_id = |draft: &&mut DraftField| {
                        draft.purpose.is_none()
                            && draft.section.is_none()
                            && draft.id.as_deref() == Some(purpose.field_id())
                    };
                    if let Some(draft) = drafts.iter_mut().find(by_id) {
                        draft.purpose = Some(purpose);
                    }
                }
                0 | 1 => {}
                _ => return Err(ItemError::TooMany(purpose.field_id())),
            }
        }
        Ok(drafts)
    }

    /// For each field without id (Ansible never sends one): the id of the one current field that it must be.
    fn kept_ids(&self, drafts: &[DraftField]) -> Vec<Option<String>> {
        let claimed: Vec<&str> = drafts
            .iter()
            .filter_map(|draft| draft.id.as_deref())
            .collect();
        let is_free =
            |field: &&Field| field.purpose.is_none() && !claimed.contains(&field.id.as_str());
        let mut taken: Vec<&str> = Vec::new();
        let mut out = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let same = |field: &&Field| {
                draft.label.is_some() && field.label == draft.label && field.kind == draft.kind
            };
            let mut matches = self
                .current
                .fields
                .iter()
                .filter(is_free)
                .filter(same)
                .filter(|field| !taken.contains(&field.id.as_str()));
            let only = match (
                draft.id.is_none() && draft.purpose.is_none(),
                matches.next(),
                matches.next(),
            ) {
                (true, Some(field), None) => Some(field.id.as_str()),
                _ => None,
            };
            taken.extend(only);
            out.push(only.map(ToString::to_string));
        }
        out
    }

    fn field(
        &mut self,
        index: usize,
        draft: DraftField,
        kept: Option<String>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Field, ItemError> {
        let id = match (draft.purpose, draft.id, kept) {
            (Some(purpose), _, _) => purpose.field_id().to_string(),
            (None, Some(id), _) | (None, None, Some(id)) => id,
            (None, None, None) => id::generate_member_id(rng),
        };
        let before = self.current.fields.iter().find(|field| field.id == id);
        let kind = decide_kind(index, draft.kind, draft.purpose, before)?;
        let generated = draft.generate && draft.value.as_ref().is_none_or(SecretText::is_empty);
        let value = match draft.value {
            _ if generated => Some(generate::password(&draft.recipe, rng)?),
            Some(value) => Some(decide_value(index, &kind, value, before)?),
            None => None,
        };
        let unchanged = before.is_some_and(|before| before.value == value);
        Ok(Field {
            section: draft.section.map(|section| self.section(section, rng)),
            label: draft
                .label
                .filter(|label| !label.is_empty() || draft.purpose.is_none())
                .or_else(|| draft.purpose.map(|purpose| purpose.field_id().to_string())),
            history: history(draft.purpose, before, unchanged),
            generated: generated || (unchanged && before.is_some_and(|before| before.generated)),
            unknown: overlay(
                before.map_or(&Unknown::new(), |before| &before.unknown),
                draft.unknown,
            ),
            id,
            kind,
            purpose: draft.purpose,
            value,
        })
    }

    /// The id of a field's section, which is added to the item's sections if it is not among them.
    fn section(&mut self, mut wanted: Section, rng: &mut dyn CryptoRng) -> String {
        let found = self.sections.iter().find(|section| {
            if wanted.id.is_empty() {
                section.label == wanted.label
            } else {
                section.id == wanted.id
            }
        });
        if let Some(section) = found {
            return section.id.clone();
        }
        if wanted.id.is_empty() {
            wanted.id = id::generate_member_id(rng);
        }
        let id = wanted.id.clone();
        self.sections.push(wanted);
        id
    }

    /// LOGIN and PASSWORD items always show their notes, after their built-in fields.
    fn add_notes(&mut self) {
        if !self.category.has_password()
            || self
                .fields
                .iter()
                .any(|field| field.purpose == Some(Purpose::Notes))
        {
            return;
        }
        let after = self
            .fields
            .iter()
            .rposition(|field| field.purpose.is_some())
            .map_or(0, |at| at + 1);
        self.fields.insert(after, notes());
    }
}

fn notes() -> Field {
    Field {
        id: Purpose::Notes.field_id().to_string(),
        section: None,
        kind: FieldType::String,
        purpose: Some(Purpose::Notes),
        label: Some(Purpose::Notes.field_id().to_string()),
        value: None,
        generated: false,
        history: Vec::new(),
        unknown: Unknown::new(),
    }
}

/// The purpose decides over what was sent; a type we do not make must be the one the field has already.
fn decide_kind(
    index: usize,
    kind: FieldType,
    purpose: Option<Purpose>,
    before: Option<&Field>,
) -> Result<FieldType, ItemError> {
    match purpose {
        Some(Purpose::Password) => Ok(FieldType::Concealed),
        Some(Purpose::Username | Purpose::Notes) => Ok(FieldType::String),
        None if kind.is_creatable() || before.is_some_and(|before| before.kind == kind) => Ok(kind),
        None => Err(ItemError::FieldType {
            index,
            kind: plain_word(kind.as_str()),
        }),
    }
}

/// A value that stays as it was is not judged: what is stored may come from elsewhere.
fn decide_value(
    index: usize,
    kind: &FieldType,
    new: SecretText,
    before: Option<&Field>,
) -> Result<SecretText, ItemError> {
    if before.is_some_and(|before| before.kind == *kind && before.value.as_ref() == Some(&new)) {
        return Ok(new);
    }
    value::normalise(kind, new).map_err(|bad| ItemError::FieldValue {
        index,
        kind: bad.kind,
        form: bad.form,
    })
}

/// A password's earlier values: the one replaced now comes first.
fn history(purpose: Option<Purpose>, before: Option<&Field>, unchanged: bool) -> Vec<SecretText> {
    let Some(before) = before else {
        return Vec::new();
    };
    let replaced = before
        .value
        .iter()
        .filter(|value| purpose == Some(Purpose::Password) && !unchanged && !value.is_empty());
    replaced
        .chain(&before.history)
        .take(MAX_HISTORY)
        .cloned()
        .collect()
}

/// Enough of a client's word to recognise it, never more than a plain word.
fn plain_word(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(32)
        .collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use serde_json::{Value, json};

    use super::*;
    use crate::cipher::test_rng;

    fn writing() -> Writing<'static> {
        Writing {
            vault: VaultId::parse("aaaaaaaaaaaaaaaaaaaaaaaaa2").unwrap(),
            now: Timestamp::from_seconds(1_700_000_000),
            editor: "EEEEEEEEEEEEEEEEEEEEEEEEEE",
        }
    }

    fn made(body: Value) -> Result<Item, ItemError> {
        create(Draft::parse(body)?, &writing(), &mut test_rng(11))
    }

    fn put(current: &Item, body: Value) -> Result<Item, ItemError> {
        replace(current, Draft::parse(body)?, &writing(), &mut test_rng(12))
    }

    fn ids(item: &Item) -> Vec<&str> {
        item.fields.iter().map(|field| field.id.as_str()).collect()
    }

    #[test]
    fn the_documented_create_request_becomes_an_item() {
        let item = made(json!({"vault":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaa2"},"title":"Demo","category":"LOGIN","tags":["connect"],
            "sections":[{"id":"95cdbc3b-7742-47ec-9056-44d6af82d562","label":"Security Questions"}],
            "fields":[{"purpose":"USERNAME","value":"wendy"},
                {"purpose":"PASSWORD","generate":true,"recipe":{"length":55,"characterSets":["LETTERS","DIGITS"]}},
                {"section":{"id":"95cdbc3b-7742-47ec-9056-44d6af82d562"},"type":"CONCEALED","generate":true,"label":"Recovery Key"},
                {"type":"URL","label":"Example","value":"https://example.com"}]}))
        .unwrap();
        assert_eq!(ids(&item)[..3], ["username", "password", "notesPlain"]);
        assert_eq!(
            (item.version, item.fields.len(), item.sections.len()),
            (1, 5, 1)
        );
        let password = item.built_in(Purpose::Password).unwrap();
        assert_eq!(
            (
                password.value.as_ref().unwrap().expose().len(),
                password.generated
            ),
            (55, true)
        );
        assert_eq!(item.fields[3].value.as_ref().unwrap().expose().len(), 32);
    }

    #[test]
    fn a_password_must_be_there_once() {
        assert_eq!(
            made(json!({"category":"PASSWORD"})),
            Err(ItemError::PasswordRequired)
        );
        assert_eq!(
            made(json!({"category":"LOGIN","fields":[]})),
            Err(ItemError::PasswordRequired)
        );
        let twice = json!({"category":"LOGIN","fields":[{"purpose":"PASSWORD","value":"a"},{"purpose":"PASSWORD","value":"b"}]});
        assert_eq!(made(twice), Err(ItemError::TooMany("password")));
        assert!(
            made(json!({"category":"SERVER"}))
                .unwrap()
                .fields
                .is_empty(),
            "nothing is added to a server"
        );
    }

    #[test]
    fn what_clients_send_is_tolerated() {
        let item = made(json!({"id":"","title":"x","category":"server","vault":{"id":"My Vault"},"urls":[{"primary":true,"href":""}],
            "createdAt":"0001-01-01T00:00:00Z","favorite":false,"trashed":false,"version":0,"lastEditedBy":null,"sections":null,
            "fields":[{"id":"","type":"string","purpose":"","label":"password","value":"v","generate":false,"recipe":null,"section":null,"entropy":0},
                {"type":"","section":{},"label":"empty"},{"value":"alone"}]}))
        .unwrap();
        assert_eq!(item.urls[0].href, "");
        assert_eq!(
            (
                item.fields[0].kind.as_str(),
                item.fields[0].value.as_ref().unwrap().expose()
            ),
            ("STRING", "v")
        );
        assert!(
            item.fields
                .iter()
                .all(|field| field.section.is_none() && field.id.len() == 26)
        );
        assert!(item.unknown.is_empty(), "{:?}", item.unknown);
    }

    #[test]
    fn a_change_of_password_is_remembered() {
        let item = made(json!({"category":"PASSWORD","title":"p","fields":[{"purpose":"PASSWORD","value":"one","type":"STRING"}]})).unwrap();
        let two = put(
            &item,
            json!({"fields":[{"id":"password","purpose":"PASSWORD","value":"two"}]}),
        )
        .unwrap();
        let same = put(&two, json!({"fields":[{"id":"password","value":"two"}]})).unwrap();
        let password = same.built_in(Purpose::Password).unwrap();
        assert_eq!(password.history, vec![SecretText::new("one")]);
        assert_eq!(
            (same.version, same.title.as_str(), password.kind.as_str()),
            (3, "p", "CONCEALED")
        );
    }

    #[test]
    fn unknown_members_and_types_survive_but_cannot_be_made() {
        let strange = json!({"category":"SSH_KEY","fields":[{"id":"private_key","type":"PASSKEY","value":"k"}]});
        assert!(matches!(
            made(strange),
            Err(ItemError::FieldType { index: 0, .. })
        ));
        let mut item = made(json!({"category":"SSH_KEY","custom":{"a":1},"fields":[{"id":"private_key","type":"SSHKEY","value":"k","extra":[1]}]})).unwrap();
        item.fields[0].kind = FieldType::Other("PASSKEY".into());
        let next = put(
            &item,
            json!({"fields":[{"id":"private_key","type":"PASSKEY","value":"k"}]}),
        )
        .unwrap();
        assert_eq!(next.fields, item.fields);
        assert_eq!(next.unknown, item.unknown);
    }

    #[test]
    fn fields_without_ids_keep_the_ones_they_had() {
        let item = made(json!({"category":"SERVER","fields":[{"label":"a","value":"1"},{"label":"b","value":"2"}]})).unwrap();
        let next = put(
            &item,
            json!({"fields":[{"label":"b","value":"3"},{"label":"a","value":"1"},{"label":"c"}]}),
        )
        .unwrap();
        assert_eq!(ids(&next)[..2], [ids(&item)[1], ids(&item)[0]]);
    }

    #[test]
    fn other_ids_in_the_body_are_refused() {
        let item = made(json!({"category":"SERVER"})).unwrap();
        assert_eq!(
            put(&item, json!({"id":"bbbbbbbbbbbbbbbbbbbbbbbbb2"})),
            Err(ItemError::Mismatch("id"))
        );
        assert_eq!(
            put(&item, json!({"vault":{"id":"bbbbbbbbbbbbbbbbbbbbbbbbb2"}})),
            Err(ItemError::Mismatch("vault.id"))
        );
        assert_eq!(
            made(json!({"category":"SERVER","fields":[{"id":"a"},{"id":"a"}]})),
            Err(ItemError::DuplicateField { index: 1 })
        );
        assert_eq!(
            made(json!({"category":"CUSTOM"})),
            Err(ItemError::NotCreatable("CUSTOM"))
        );
    }
}
