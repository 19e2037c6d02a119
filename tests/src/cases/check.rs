//! Whether an answer is the one a case asks for.

use serde_json::Value;

use super::{CaseAnswer, RawAnswer};

/// What is wrong with an answer, one line each.
pub(super) fn check(wanted: &CaseAnswer, answer: &RawAnswer) -> Vec<String> {
    let mut wrong = Vec::new();
    if answer.status != wanted.status {
        wrong.push(format!(
            "status {} instead of {}",
            answer.status, wanted.status
        ));
    }
    for (name, value) in &wanted.headers {
        let found = answer.header(name);
        if found != value.as_deref() {
            wrong.push(format!("header {name}: {found:?} instead of {value:?}"));
        }
    }
    if let Some(text) = &wanted.text
        && answer.body != text.repeat(wanted.times.unwrap_or(1)).as_bytes()
    {
        wrong.push(format!("body instead of {text:?}"));
    }
    let body = answer.json();
    if let Some(exact) = &wanted.body {
        differences("", exact, body.as_ref(), true, &mut wrong);
    }
    if let Some(like) = &wanted.like {
        differences("", like, body.as_ref(), false, &mut wrong);
    }
    for pointer in &wanted.missing {
        if let Some(found) = body.as_ref().and_then(|body| body.pointer(pointer)) {
            wrong.push(format!("{pointer} must be missing, but is {found}"));
        }
    }
    for (pointer, kind) in &wanted.kinds {
        match body.as_ref().and_then(|body| body.pointer(pointer)) {
            Some(found) if fits(found, kind) => {}
            Some(found) => wrong.push(format!("{pointer} is {found}, which is no {kind}")),
            None => wrong.push(format!("{pointer} is missing, wanted: {kind}")),
        }
    }
    wrong
}

fn differences(
    at: &str,
    wanted: &Value,
    found: Option<&Value>,
    exact: bool,
    wrong: &mut Vec<String>,
) {
    match (wanted, found) {
        (_, None) => wrong.push(format!("{at}: missing, wanted {wanted}")),
        (Value::Object(wanted), Some(Value::Object(found))) => {
            for (name, value) in wanted {
                let at = format!("{at}/{name}");
                differences(&at, value, found.get(name), exact, wrong);
            }
            if exact {
                let extra = found.iter().filter(|(name, _)| !wanted.contains_key(*name));
                wrong.extend(extra.map(|(name, value)| format!("{at}/{name}: unasked {value}")));
            }
        }
        (Value::Array(wanted), Some(Value::Array(found))) => {
            if wanted.len() != found.len() {
                wrong.push(format!(
                    "{at}: {} elements instead of {}",
                    found.len(),
                    wanted.len()
                ));
            }
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                differences(&format!("{at}/{index}"), wanted, Some(found), exact, wrong);
            }
        }
        (wanted, Some(found)) if wanted == found => {}
        (wanted, Some(found)) => wrong.push(format!("{at}: {found} instead of {wanted}")),
    }
}

/// Whether a value is of a kind: `id`, `ID`, `time`, `uuid`, `number`, `digits N`, or `N of SETS`, a password of N
/// characters from LETTERS, DIGITS, SYMBOLS in which each of these occurs.
pub fn fits(value: &Value, kind: &str) -> bool {
    let text = value.as_str().unwrap_or_default();
    let all = |allowed: fn(u8) -> bool| !text.is_empty() && text.bytes().all(allowed);
    match kind {
        "id" => text.len() == 26 && all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()),
        "ID" => text.len() == 26 && all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
        "time" => sekisho_core::time::Timestamp::parse_rfc3339(text).is_some(),
        "uuid" => text.len() == 36 && all(|b| b.is_ascii_hexdigit() || b == b'-'),
        "number" => value.is_number(),
        "text" => value.is_string(),
        _ => match kind.split_once(' ') {
            Some(("digits", count)) => {
                count.parse() == Ok(text.len()) && all(|b| b.is_ascii_digit())
            }
            Some((count, sets)) => {
                let sets = sets.strip_prefix("of ").unwrap_or(sets);
                count.parse() == Ok(text.len()) && is_made_of(text, sets)
            }
            None => false,
        },
    }
}

fn is_made_of(text: &str, sets: &str) -> bool {
    let of = |c: char| match c {
        c if c.is_ascii_alphabetic() => "LETTERS",
        c if c.is_ascii_digit() => "DIGITS",
        _ => "SYMBOLS",
    };
    text.chars().all(|c| sets.contains(of(c)))
        && sets
            .split('+')
            .all(|set| text.chars().any(|c| of(c) == set))
}
