//! A client's JSON, read as leniently as the clients of connect-contract.md §2.9 and §9 need: nulls and empty strings
//! for absence, enums in any case, members of the server's making ignored, members of another origin kept.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Map, Value};

use super::{
    Category, FieldType, Item, ItemError, Purpose, Section, Unknown, Url,
    generate::{CharacterSet, Recipe},
};
use crate::secret::SecretText;

/// Most fields, sections, tags or URLs an item may have.
pub const MAX_MEMBERS: usize = 2000;
/// Longest title, label, tag or id, in bytes.
pub const MAX_NAME: usize = 4096;

/// What a client wants an item to be. `None` is absence: what it means is for [`super::build`] to say.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub(super) id: Option<String>,
    pub(super) vault: Option<String>,
    pub(super) title: Option<String>,
    pub(super) category: Option<Category>,
    pub(super) urls: Vec<Url>,
    pub(super) tags: Vec<String>,
    pub(super) favorite: bool,
    pub(super) sections: Vec<Section>,
    pub(super) fields: Vec<DraftField>,
    pub(super) unknown: Unknown,
}

/// A field as a client sent it.
#[derive(Debug, Clone)]
pub(super) struct DraftField {
    pub(super) id: Option<String>,
    pub(super) section: Option<Section>,
    pub(super) kind: FieldType,
    pub(super) purpose: Option<Purpose>,
    pub(super) label: Option<String>,
    pub(super) value: Option<SecretText>,
    pub(super) generate: bool,
    pub(super) recipe: Recipe,
    pub(super) unknown: Unknown,
}

/// Members that only the server writes: ignored when they come back (connect-contract.md §2.9).
const READ_ONLY: [&str; 8] = [
    "version",
    "state",
    "createdAt",
    "updatedAt",
    "lastEditedBy",
    "files",
    "trashed",
    "itemVersion",
];
const READ_ONLY_IN_FIELD: [&str; 4] = ["entropy", "totp", "passwordDetails", "password_details"];

impl Draft {
    /// Reads a body.
    pub fn parse(body: Value) -> Result<Self, ItemError> {
        let mut body = Members::of(body, "item")?;
        let draft = Self {
            id: body.text("id")?.filter(|id| !id.is_empty()),
            vault: body
                .object("vault")?
                .map(|mut vault| vault.text("id"))
                .transpose()?
                .flatten(),
            title: body.name("title")?,
            category: body.category()?,
            urls: body.list("urls", parse_url)?,
            tags: body.list("tags", |tag, _| name_of(tag, "tags"))?,
            favorite: body.flag("favorite")?,
            sections: body
                .list("sections", parse_section)?
                .into_iter()
                .flatten()
                .collect(),
            fields: body.list("fields", parse_field)?,
            unknown: Unknown::new(),
        };
        Ok(Self {
            unknown: body.rest(&READ_ONLY),
            ..draft
        })
    }

    /// Takes from an item what it kept because the draft did not say it: for the eyes of a client that may not read.
    pub fn name_only_what_it_says(&self, item: &mut Item) {
        item.title = self.title.clone().unwrap_or_default();
        item.category = self.category.unwrap_or(Category::Custom);
    }
}

fn parse_url(value: Value, _index: usize) -> Result<Url, ItemError> {
    let mut url = Members::of(value, "urls")?;
    Ok(Url {
        href: url.text("href")?.unwrap_or_default(),
        label: url.name("label")?,
        primary: url.flag("primary")?,
        unknown: url.rest(&[]),
    })
}

/// A section, or none for `{}` and an empty id without label.
fn parse_section(value: Value, _index: usize) -> Result<Option<Section>, ItemError> {
    let mut section = Members::of(value, "section")?;
    let (id, label) = (
        section.name("id")?.unwrap_or_default(),
        section.name("label")?,
    );
    if id.is_empty() && label.as_deref().unwrap_or_default().is_empty() {
        return Ok(None);
    }
    Ok(Some(Section {
        id,
        label,
        unknown: section.rest(&[]),
    }))
}

fn parse_field(value: Value, index: usize) -> Result<DraftField, ItemError> {
    let mut field = Members::of(value, "fields")?;
    let kind = field.text("type")?.filter(|word| !word.trim().is_empty());
    let purpose = match field
        .text("purpose")?
        .filter(|word| !word.trim().is_empty())
    {
        Some(word) => Some(
            Purpose::parse(&word).ok_or_else(|| wrong_type(&format!("fields[{index}].purpose")))?,
        ),
        None => None,
    };
    let section = field
        .take("section")
        .map(|section| parse_section(section, index))
        .transpose()?
        .flatten();
    let recipe = field
        .object("recipe")?
        .map(parse_recipe)
        .transpose()?
        .unwrap_or_default();
    Ok(DraftField {
        id: field.name("id")?.filter(|id| !id.is_empty()),
        section,
        kind: kind.map_or(FieldType::String, |word| FieldType::parse(&word)),
        purpose,
        label: field.name("label")?,
        value: field.value()?,
        generate: field.flag("generate")?,
        recipe,
        unknown: field.rest(&READ_ONLY_IN_FIELD),
    })
}

fn parse_recipe(mut recipe: Members) -> Result<Recipe, ItemError> {
    let length = match recipe.take("length") {
        None => Recipe::default().length,
        Some(length) => match length.as_u64() {
            // Zero is how Go spells absence.
            Some(0) => Recipe::default().length,
            Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
            None => return Err(wrong_type("recipe.length")),
        },
    };
    let sets = recipe.list("characterSets", |set, _| {
        match set.as_str().and_then(CharacterSet::parse) {
            Some(set) => Ok(set),
            None => Err(ItemError::Recipe(
                "characterSets may hold LETTERS, DIGITS and SYMBOLS",
            )),
        }
    })?;
    Ok(Recipe {
        length,
        sets,
        exclude: recipe.text("excludeCharacters")?.unwrap_or_default(),
    })
}

fn wrong_type(member: &str) -> ItemError {
    ItemError::WrongType {
        member: member.to_string(),
    }
}

fn name_of(value: Value, member: &'static str) -> Result<String, ItemError> {
    match value {
        Value::String(text) if text.len() <= MAX_NAME => Ok(text),
        Value::String(_) => Err(ItemError::TooLarge {
            what: "bytes in a name",
            limit: MAX_NAME,
        }),
        _ => Err(wrong_type(member)),
    }
}

/// A JSON object whose members are taken out one by one; what remains is of another origin.
pub(super) struct Members {
    map: Map<String, Value>,
    what: &'static str,
}

impl Members {
    pub(super) fn of(value: Value, what: &'static str) -> Result<Self, ItemError> {
        match value {
            Value::Object(map) => Ok(Self { map, what }),
            _ => Err(wrong_type(what)),
        }
    }

    /// The member, null counting as absent.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str) -> ItemError {
        ItemError::WrongType {
            member: format!("{}.{name}", self.what),
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, ItemError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name)),
        }
    }

    fn name(&mut self, name: &str) -> Result<Option<String>, ItemError> {
        match self.text(name)? {
            Some(text) if text.len() > MAX_NAME => Err(ItemError::TooLarge {
                what: "bytes in a name",
                limit: MAX_NAME,
            }),
            text => Ok(text),
        }
    }

    fn flag(&mut self, name: &str) -> Result<bool, ItemError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(self.wrong(name)),
        }
    }

    fn object(&mut self, name: &'static str) -> Result<Option<Self>, ItemError> {
        self.take(name)
            .map(|value| Self::of(value, name))
            .transpose()
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(Value, usize) -> Result<T, ItemError>,
    ) -> Result<Vec<T>, ItemError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) if values.len() > MAX_MEMBERS => Err(ItemError::TooLarge {
                what: name,
                limit: MAX_MEMBERS,
            }),
            Some(Value::Array(values)) => values
                .into_iter()
                .enumerate()
                .map(|(index, value)| parse(value, index))
                .collect(),
            Some(_) => Err(self.wrong(name)),
        }
    }

    fn category(&mut self) -> Result<Option<Category>, ItemError> {
        match self.text("category")? {
            None => Ok(None),
            Some(word) if word.is_empty() => Ok(None),
            Some(word) => Category::parse(&word).map(Some).ok_or(ItemError::Category),
        }
    }

    /// A field's value; numbers and truth values are taken as their text.
    fn value(&mut self) -> Result<Option<SecretText>, ItemError> {
        match self.take("value") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(SecretText::new(text))),
            Some(Value::Number(number)) => Ok(Some(SecretText::new(number.to_string()))),
            Some(Value::Bool(flag)) => {
                Ok(Some(SecretText::new(if flag { "true" } else { "false" })))
            }
            Some(_) => Err(self.wrong("value")),
        }
    }

    fn rest(self, ignored: &[&str]) -> Unknown {
        self.map
            .into_iter()
            .filter(|(name, value)| !ignored.contains(&name.as_str()) && !value.is_null())
            .collect()
    }
}
