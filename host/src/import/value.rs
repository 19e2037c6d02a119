//! Kinds of field values: what Connect calls them and how it writes them.
//!
//! A part that the shown text carries whole is taken out of the value; every other part stays for the rest.

use serde_json::Value;

use super::raw::Members;

const KINDS: [(&str, &str); 15] = [
    ("string", "STRING"),
    ("concealed", "CONCEALED"),
    ("email", "EMAIL"),
    ("url", "URL"),
    ("phone", "PHONE"),
    ("date", "DATE"),
    ("monthYear", "MONTH_YEAR"),
    ("totp", "OTP"),
    ("address", "ADDRESS"),
    ("creditCardType", "CREDIT_CARD_TYPE"),
    ("creditCardNumber", "CREDIT_CARD_NUMBER"),
    ("menu", "MENU"),
    ("gender", "GENDER"),
    ("reference", "REFERENCE"),
    ("sshKey", "SSHKEY"),
];

/// A value as Connect shows it.
pub(super) struct Shown {
    pub(super) kind: &'static str,
    pub(super) text: Option<String>,
}

pub(super) fn show(value: &mut Members) -> Shown {
    let found = KINDS.iter().find(|(name, _)| value.peek(name).is_some());
    let empty = KINDS
        .iter()
        .find(|(name, _)| value.names().any(|other| other == *name));
    let known = found.or(empty.filter(|_| value.names().all(|name| value.peek(name).is_none())));
    let Some((name, kind)) = known else {
        return show_unknown(value);
    };
    value.drop_nulls();
    let text = match *name {
        "date" => date(value, name),
        "monthYear" => month_year(value, name),
        "email" => value
            .text(name)
            .or_else(|| Some(value.peek(name)?.get("email_address")?.as_str()?.to_owned())),
        "address" => value.text(name).or_else(|| one_line(value.peek(name)?)),
        "sshKey" => value.text(name).or_else(|| private_key(value, name)),
        _ => value.text(name).or_else(|| scalar(value.peek(name)?)),
    };
    Shown { kind, text }
}

/// A kind of later days: its text is shown if it is one, and its name must survive.
fn show_unknown(value: &mut Members) -> Shown {
    value.drop_nulls();
    let text = value
        .names()
        .next()
        .and_then(|name| value.peek(name)?.as_str())
        .map(str::to_owned);
    Shown {
        kind: if value.is_empty() {
            "STRING"
        } else {
            "UNKNOWN"
        },
        text,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Connect answers dates in Unix seconds.
fn date(value: &mut Members, name: &str) -> Option<String> {
    let text = scalar(value.peek(name)?)?;
    if value.peek(name)?.is_i64() {
        value.take(name);
    }
    Some(text)
}

fn month_year(value: &mut Members, name: &str) -> Option<String> {
    let Some(number) = value.peek(name)?.as_u64() else {
        return scalar(value.peek(name)?);
    };
    if !(1..=12).contains(&(number % 100)) || !(100_000..1_000_000).contains(&number) {
        return None;
    }
    value.take(name);
    Some(number.to_string())
}

fn one_line(address: &Value) -> Option<String> {
    let parts = ["street", "city", "zip", "state", "country"];
    let lines = parts
        .iter()
        .filter_map(|part| address.get(*part)?.as_str())
        .flat_map(str::lines);
    let line = lines
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    if line.is_empty() { None } else { Some(line) }
}

fn private_key(value: &mut Members, name: &str) -> Option<String> {
    let mut key = value.object(name)?;
    let mut metadata = key.object("metadata").unwrap_or_default();
    let text = key
        .text("privateKey")
        .or_else(|| metadata.text("privateKey"));
    // The format repeats the key in its metadata; once is enough.
    if text.is_some() && metadata.peek("privateKey").and_then(Value::as_str) == text.as_deref() {
        metadata.take("privateKey");
    }
    key.put_rest("metadata", metadata);
    value.put_rest(name, key);
    text
}
