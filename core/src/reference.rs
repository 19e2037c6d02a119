//! Secret references, `op://<vault>/<item>[/<section>]/<field or file>` (connect-contract.md §7.3): what names a value,
//! and which field or file of an item it means. Used by the batch endpoint and by the client commands.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use crate::vault::{equal_exact, fold};

/// A reference taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// A vault's name or id.
    pub vault: String,
    /// An item's title or id.
    pub item: String,
    /// A section's label or id.
    pub section: Option<String>,
    /// A field's label or id, or a file's name or id.
    pub field: String,
    /// Which attribute of it; the value unless said otherwise.
    pub attribute: Attribute,
    /// Whether a private key is wanted in OpenSSH's format.
    pub openssh: bool,
}

/// What of a field or file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the vendor's words")]
pub enum Attribute {
    Value,
    Type,
    Id,
    Purpose,
    Otp,
    Title,
    Content,
    Size,
    Name,
}

/// Why a reference leads nowhere, named by fault. Texts repeat no input but the ids of candidates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It is not a reference.
    #[error("a secret reference reads op://vault/item[/section]/field")]
    Malformed,
    /// The attribute is unknown.
    #[error(
        "the attribute is unknown: type, value, id, purpose, otp, title; for files type, content, size, id, name"
    )]
    Attribute,
    /// Nothing is called so.
    #[error("the item has no such field or file")]
    NotFound,
    /// Several are called so.
    #[error("several fields or files are called so; use an id: {}", candidates.join(", "))]
    Ambiguous {
        /// Their ids.
        candidates: Vec<String>,
    },
    /// The field has no such attribute.
    #[error("the field has no such attribute")]
    NoAttribute,
}

impl Reference {
    /// Parses a reference; blanks in names are themselves.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let rest = text.trim();
        let scheme = rest
            .get(..5)
            .filter(|scheme| scheme.eq_ignore_ascii_case("op://"));
        let rest = scheme
            .and_then(|_| rest.get(5..))
            .ok_or(ReferenceError::Malformed)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let names: Vec<&str> = path.split('/').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err(ReferenceError::Malformed);
        }
        let (vault, item, section, field) = match names.as_slice() {
            [vault, item, field] => (vault, item, None, field),
            [vault, item, section, field] => (vault, item, Some(section), field),
            _ => return Err(ReferenceError::Malformed),
        };
        let (attribute, openssh) = parse_query(query)?;
        Ok(Self {
            vault: vault.to_string(),
            item: item.to_string(),
            section: section.map(ToString::to_string),
            field: field.to_string(),
            attribute,
            openssh,
        })
    }
}

fn parse_query(query: &str) -> Result<(Attribute, bool), ReferenceError> {
    let mut attribute = Attribute::Value;
    let mut openssh = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("attribute" | "attr", name)) => {
                attribute = Attribute::parse(name).ok_or(ReferenceError::Attribute)?
            }
            Some(("ssh-format", "openssh")) => openssh = true,
            _ => return Err(ReferenceError::Attribute),
        }
    }
    Ok((attribute, openssh))
}

impl Attribute {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "value" => Self::Value,
            "type" => Self::Type,
            "id" => Self::Id,
            "purpose" => Self::Purpose,
            "otp" | "totp" => Self::Otp,
            "title" | "label" => Self::Title,
            "content" => Self::Content,
            "size" => Self::Size,
            "name" => Self::Name,
            _ => return None,
        })
    }
}

/// What a reference means in an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target<'a> {
    /// A field.
    Field(&'a Value),
    /// A file.
    File(&'a Value),
}

/// Finds what a reference means in a FullItem.
pub fn find<'a>(item: &'a Value, reference: &Reference) -> Result<Target<'a>, ReferenceError> {
    let sections = matching_sections(item, reference.section.as_deref());
    let in_section = |value: &&Value| match &sections {
        None => true,
        Some(ids) => ids.iter().any(|id| Some(*id) == section_of(value)),
    };
    let fields: Vec<&Value> = list(item, "fields").filter(in_section).collect();
    match pick(&fields, "label", &reference.field) {
        Err(ReferenceError::NotFound) => {}
        found => return found.map(Target::Field),
    }
    let files: Vec<&Value> = list(item, "files").filter(in_section).collect();
    pick(&files, "name", &reference.field).map(Target::File)
}

/// The one of some named things that a name or id means: by id, then to the letter, then whatever the case.
pub fn pick<'a>(
    things: &[&'a Value],
    name_member: &str,
    wanted: &str,
) -> Result<&'a Value, ReferenceError> {
    let text = |thing: &Value, member: &str| {
        thing
            .get(member)
            .and_then(Value::as_str)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let tests: [&dyn Fn(&Value) -> bool; 3] = [
        &|thing| text(thing, "id") == wanted,
        &|thing| equal_exact(&text(thing, name_member), wanted),
        &|thing| fold(&text(thing, name_member)) == fold(wanted),
    ];
    for test in tests {
        let found: Vec<&Value> = things.iter().copied().filter(|thing| test(thing)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(one),
            many => {
                return Err(ReferenceError::Ambiguous {
                    candidates: many.iter().map(|thing| text(thing, "id")).collect(),
                });
            }
        }
    }
    Err(ReferenceError::NotFound)
}

fn list<'a>(item: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    item.get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn section_of(value: &Value) -> Option<&str> {
    value.pointer("/section/id").and_then(Value::as_str)
}

fn matching_sections<'a>(item: &'a Value, wanted: Option<&str>) -> Option<Vec<&'a str>> {
    let wanted = wanted?;
    let is_called = |section: &&Value| {
        let is = |member: &str| {
            section
                .get(member)
                .and_then(Value::as_str)
                .is_some_and(|text| fold(text) == fold(wanted))
        };
        is("id") || is("label")
    };
    Some(
        list(item, "sections")
            .filter(is_called)
            .filter_map(|section| section.get("id").and_then(Value::as_str))
            .collect(),
    )
}

/// An attribute of a field, as text.
pub fn field_attribute(field: &Value, attribute: Attribute) -> Result<String, ReferenceError> {
    let text = |member: &str| field.get(member).and_then(Value::as_str);
    match attribute {
        Attribute::Value => Ok(text("value").unwrap_or_default().to_string()),
        Attribute::Type => text("type")
            .map(str::to_ascii_lowercase)
            .ok_or(ReferenceError::NoAttribute),
        Attribute::Id => text("id")
            .map(ToString::to_string)
            .ok_or(ReferenceError::NoAttribute),
        Attribute::Purpose => Ok(text("purpose").unwrap_or_default().to_ascii_lowercase()),
        Attribute::Otp => text("totp")
            .map(ToString::to_string)
            .ok_or(ReferenceError::NoAttribute),
        Attribute::Title => Ok(text("label").unwrap_or_default().to_string()),
        Attribute::Content | Attribute::Size | Attribute::Name => Err(ReferenceError::NoAttribute),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Value {
        json!({"id":"i","sections":[{"id":"s1","label":"Admin"},{"id":"s2","label":"Other"}],
            "fields":[{"id":"password","label":"password","type":"CONCEALED","value":"p","purpose":"PASSWORD"},
                {"id":"a","label":"Port","section":{"id":"s1"},"value":"1"},{"id":"b","label":"port","section":{"id":"s2"},"value":"2"},
                {"id":"otp","type":"OTP","label":"code","value":"x","totp":"123456"}],
            "files":[{"id":"f","name":"key.pem","size":3,"section":{"id":"s1"}}]})
    }

    fn read(text: &str) -> Result<String, ReferenceError> {
        let reference = Reference::parse(text)?;
        match find(&item(), &reference)? {
            Target::Field(field) => field_attribute(field, reference.attribute),
            Target::File(file) => Ok(file["id"].as_str().unwrap().into()),
        }
    }

    #[test]
    fn names_ids_sections_and_attributes() {
        let rows = [
            ("op://v/i/password", "p"),
            ("OP://My Vault/i/PASSWORD", "p"),
            ("op://v/i/admin/port", "1"),
            ("op://v/i/s2/port", "2"),
            ("op://v/i/Port", "1"),
            ("op://v/i/code?attribute=otp", "123456"),
            ("op://v/i/password?attr=type", "concealed"),
            ("op://v/i/key.pem", "f"),
            ("op://v/i/Admin/key.pem", "f"),
        ];
        for (text, wanted) in rows {
            assert_eq!(read(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_or_missing_is_refused() {
        assert_eq!(
            read("op://v/i/PORT"),
            Err(ReferenceError::Ambiguous {
                candidates: Vec::from(["a".into(), "b".into()])
            })
        );
        assert_eq!(read("op://v/i/none"), Err(ReferenceError::NotFound));
        assert_eq!(
            read("op://v/i/other/password"),
            Err(ReferenceError::NotFound)
        );
        for bad in [
            "",
            "op://",
            "op://v/i",
            "op://v//f",
            "op://v/i/s/f/x",
            "http://v/i/f",
        ] {
            assert_eq!(read(bad), Err(ReferenceError::Malformed), "{bad}");
        }
        assert_eq!(
            read("op://v/i/password?attribute=color"),
            Err(ReferenceError::Attribute)
        );
        assert_eq!(
            read("op://v/i/password?attribute=otp"),
            Err(ReferenceError::NoAttribute)
        );
    }
}
