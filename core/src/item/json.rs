//! The JSON that is stored and served: sealed once when an item is written, opened and sent as it is when it is read.
//!
//! Only the code of a one-time password depends on the time; [`serve_details`] puts it in.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Category, Field, File, Item, ItemError, Purpose, Section, Unknown, Url, generate, otp::OtpSeed,
};
use crate::{
    id::{FileId, ItemId, VaultId},
    secret::SecretText,
    time::Timestamp,
};

/// Most values in one body. Four megabytes of commas are a hundred megabytes of values: more than a guest has.
const MAX_VALUES: usize = 100_000;

/// Parses a client's bytes. Refuses members that stand twice: two readers could disagree on which one counts.
pub fn parse(bytes: &[u8]) -> Result<Value, ItemError> {
    let room = Cell::new(MAX_VALUES);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict { room: &room }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(value) => Ok(value),
        Err(_) if room.get() == 0 => Err(ItemError::TooLarge {
            what: "values",
            limit: MAX_VALUES,
        }),
        // A serde error repeats the input: only where it is may be told (invariant 7).
        Err(error) if error.is_data() => Err(ItemError::DuplicateMember),
        Err(error) => Err(ItemError::NotJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// Reads any JSON, within what room there is.
#[derive(Clone, Copy)]
struct Strict<'a> {
    room: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let room = self.room.get().saturating_sub(1);
        self.room.set(room);
        if room == 0 {
            return Err(de::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if map.insert(name, value).is_some() {
                return Err(de::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// Overwrites every text in a value.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

/// The item as its GET shows it, without one-time codes.
pub fn details(item: &Item) -> Value {
    let mut members = summary_members(item);
    if !item.sections.is_empty() {
        members.insert(
            "sections".into(),
            item.sections.iter().map(print_section).collect(),
        );
    }
    members.insert(
        "fields".into(),
        item.fields.iter().map(print_field).collect(),
    );
    extend(&mut members, &item.unknown);
    Value::Object(members)
}

/// The item as lists show it: no sections, no fields.
pub fn overview(item: &Item) -> Value {
    Value::Object(summary_members(item))
}

fn summary_members(item: &Item) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_string(), value);
    put("id", json!(item.id));
    put("title", json!(item.title));
    if !item.urls.is_empty() {
        put("urls", item.urls.iter().map(print_url).collect());
    }
    if item.favorite {
        put("favorite", json!(true));
    }
    put("tags", json!(item.tags));
    put("version", json!(item.version));
    if item.archived {
        put("state", json!("ARCHIVED"));
    }
    put("vault", json!({ "id": item.vault }));
    put("category", json!(item.category.as_str()));
    put("lastEditedBy", json!(item.last_edited_by));
    put("createdAt", json!(item.created_at.to_rfc3339()));
    put("updatedAt", json!(item.updated_at.to_rfc3339()));
    if !item.files.is_empty() {
        put(
            "files",
            item.files
                .iter()
                .map(|file| print_file(&item.vault, &item.id, file))
                .collect(),
        );
    }
    members
}

fn print_url(url: &Url) -> Value {
    let mut members = Map::new();
    if let Some(label) = &url.label {
        members.insert("label".into(), json!(label));
    }
    if url.primary {
        members.insert("primary".into(), json!(true));
    }
    members.insert("href".into(), json!(url.href));
    extend(&mut members, &url.unknown);
    Value::Object(members)
}

fn print_section(section: &Section) -> Value {
    let mut members = Map::new();
    members.insert("id".into(), json!(section.id));
    if let Some(label) = &section.label {
        members.insert("label".into(), json!(label));
    }
    extend(&mut members, &section.unknown);
    Value::Object(members)
}

fn print_field(field: &Field) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_string(), value);
    put("id", json!(field.id));
    if let Some(section) = &field.section {
        put("section", json!({ "id": section }));
    }
    put("type", json!(field.kind.as_str()));
    if let Some(purpose) = field.purpose {
        put("purpose", json!(purpose.as_str()));
    }
    if let Some(label) = &field.label {
        put("label", json!(label));
    }
    // EXPOSE: the JSON that is about to be sealed.
    if let Some(value) = &field.value {
        put("value", json!(value.expose()));
        if field.purpose == Some(Purpose::Password) && !value.is_empty() {
            let entropy = generate::entropy(value.expose());
            put("entropy", json!(entropy));
            put("passwordDetails", password_details(field, entropy));
        }
    }
    extend(&mut members, &field.unknown);
    Value::Object(members)
}

fn password_details(field: &Field, entropy: f64) -> Value {
    // EXPOSE: earlier passwords, about to be sealed.
    let history: Vec<&str> = field.history.iter().map(SecretText::expose).collect();
    json!({ "entropy": entropy as u64, "generated": field.generated, "strength": generate::strength(entropy), "history": history })
}

/// A file as lists and items show it.
pub fn print_file(vault: &VaultId, item: &ItemId, file: &File) -> Value {
    let mut members = Map::new();
    members.insert("id".into(), json!(file.id));
    members.insert("name".into(), json!(file.name));
    members.insert("size".into(), json!(file.size));
    if let Some(section) = &file.section {
        members.insert("section".into(), json!({ "id": section }));
    }
    // With a leading slash, so that clients may join host and path (connect-contract.md §0.2 no. 7).
    members.insert(
        "content_path".into(),
        json!(format!(
            "/v1/vaults/{vault}/items/{item}/files/{}/content",
            file.id
        )),
    );
    Value::Object(members)
}

fn extend(members: &mut Map<String, Value>, unknown: &Unknown) {
    for (name, value) in unknown {
        members.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Reads back what [`details`] printed.
pub fn parse_details(bytes: &[u8]) -> Option<Item> {
    let Value::Object(mut members) = serde_json::from_slice(bytes).ok()? else {
        return None;
    };
    let files = parse_files(members.shift_remove("files"))?;
    let archived = members.shift_remove("state").is_some();
    let histories = take_histories(&mut members);
    let mut text = |name: &str| match members.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (id, category) = (
        ItemId::parse(&text("id")?).ok()?,
        Category::parse(&text("category")?)?,
    );
    let created_at = Timestamp::parse_rfc3339(&text("createdAt")?)?;
    let updated_at = Timestamp::parse_rfc3339(&text("updatedAt")?)?;
    let (title, last_edited_by) = (text("title")?, text("lastEditedBy")?);
    let version = members.shift_remove("version")?.as_u64()?;
    let vault = VaultId::parse(members.get("vault")?.get("id")?.as_str()?).ok()?;
    let draft = super::draft::Draft::parse(Value::Object(members)).ok()?;
    let fields = draft
        .fields
        .into_iter()
        .zip(histories)
        .map(|(field, (generated, history))| Field {
            id: field.id.unwrap_or_default(),
            section: field.section.map(|section| section.id),
            kind: field.kind,
            purpose: field.purpose,
            label: field.label,
            value: field.value,
            generated,
            history,
            unknown: field.unknown,
        });
    Some(Item {
        id,
        vault,
        title,
        category,
        urls: draft.urls,
        tags: draft.tags,
        favorite: draft.favorite,
        version,
        archived,
        created_at,
        updated_at,
        last_edited_by,
        sections: draft.sections,
        fields: fields.collect(),
        files,
        unknown: draft.unknown,
    })
}

fn parse_files(files: Option<Value>) -> Option<Vec<File>> {
    let Some(Value::Array(files)) = files else {
        return Some(Vec::new());
    };
    files.iter().map(parse_file).collect()
}

fn parse_file(file: &Value) -> Option<File> {
    Some(File {
        id: FileId::parse(file.get("id")?.as_str()?).ok()?,
        name: file.get("name")?.as_str()?.to_string(),
        size: file.get("size")?.as_u64()?,
        section: file
            .pointer("/section/id")
            .and_then(Value::as_str)
            .map(ToString::to_string),
    })
}

/// `passwordDetails` of each field: whether it was generated, and its history.
fn take_histories(members: &mut Map<String, Value>) -> Vec<(bool, Vec<SecretText>)> {
    let fields = members.get_mut("fields").and_then(Value::as_array_mut);
    let details = |field: &mut Value| {
        let details = field
            .as_object_mut()
            .and_then(|field| field.shift_remove("passwordDetails"));
        let generated = details
            .as_ref()
            .and_then(|details| details.get("generated")?.as_bool())
            .unwrap_or_default();
        let history =
            match details.and_then(|mut details| details.get_mut("history").map(Value::take)) {
                Some(Value::Array(values)) => values.into_iter().filter_map(into_secret).collect(),
                _ => Vec::new(),
            };
        (generated, history)
    };
    fields
        .map(|fields| fields.iter_mut().map(details).collect())
        .unwrap_or_default()
}

fn into_secret(value: Value) -> Option<SecretText> {
    match value {
        Value::String(text) => Some(SecretText::new(text)),
        _ => None,
    }
}

/// First byte of sealed details: the JSON that follows is served as it is.
const STATIC: u8 = 0;
/// First byte of sealed details: one-time codes are put in when it is served.
const WITH_OTP: u8 = 1;

/// What is sealed as [`crate::seal::Kind::Details`]: one byte of flags, then the JSON.
pub fn sealed_details(item: &Item) -> Zeroizing<Vec<u8>> {
    let json = into_bytes(details(item));
    // Of its full size at once: growing would leave a copy behind that nobody wipes.
    let mut out = Zeroizing::new(Vec::with_capacity(1 + json.len()));
    out.push(if item.has_otp() { WITH_OTP } else { STATIC });
    out.extend_from_slice(&json);
    out
}

/// What is sealed as [`crate::seal::Kind::Overview`]: the JSON.
pub fn sealed_overview(item: &Item) -> Zeroizing<Vec<u8>> {
    to_bytes(&overview(item))
}

/// The JSON inside opened details, as its GET shows it at `now`, and whether it holds one-time codes.
pub fn serve_details(
    mut opened: Zeroizing<Vec<u8>>,
    now: Timestamp,
) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let flags = *opened.first()?;
    opened.drain(..1);
    match flags {
        STATIC => Some((opened, false)),
        WITH_OTP => Some((with_codes(&opened, now), true)),
        _ => None,
    }
}

/// The JSON of opened details, to be parsed.
pub fn static_details(opened: &[u8]) -> Option<&[u8]> {
    opened
        .split_first()
        .filter(|(flags, _)| matches!(**flags, STATIC | WITH_OTP))
        .map(|(_, json)| json)
}

fn with_codes(json: &[u8], now: Timestamp) -> Zeroizing<Vec<u8>> {
    let mut item: Value = serde_json::from_slice(json).unwrap_or_default();
    for field in item
        .get_mut("fields")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        add_code(field, now);
    }
    into_bytes(item)
}

fn add_code(field: &mut Value, now: Timestamp) {
    if field.get("type").and_then(Value::as_str) != Some("OTP") {
        return;
    }
    let code = field
        .get("value")
        .and_then(Value::as_str)
        .and_then(OtpSeed::parse)
        .map(|seed| seed.code(now));
    if let (Some(code), Some(members)) = (code, field.as_object_mut()) {
        members.insert("totp".into(), Value::String(code));
    }
}

/// A value's bytes in a buffer that wipes itself; the value's own texts are wiped at once.
pub fn into_bytes(mut value: Value) -> Zeroizing<Vec<u8>> {
    let bytes = to_bytes(&value);
    wipe(&mut value);
    bytes
}

/// A value's bytes in a buffer that wipes itself.
pub fn to_bytes(value: &Value) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}
