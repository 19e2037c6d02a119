//! What every answer promises, whatever was asked (connect-contract.md §0.2 no. 5, 6, 11 and §12).

use serde_json::Value;

use super::{RawAnswer, Request};

/// What is wrong with an answer, one line each.
pub fn invariants(request: &Request, answer: &RawAnswer) -> Vec<String> {
    let mut wrong = Vec::new();
    version(answer, &mut wrong);
    if answer.header("x-request-id").is_none_or(str::is_empty) {
        wrong.push("no x-request-id".into());
    }
    if (300..400).contains(&answer.status) && answer.status != 304 {
        wrong.push("a redirect".into());
    }
    length(request, answer, &mut wrong);
    if request.method != "HEAD" {
        content(answer, &mut wrong);
    }
    wrong
}

fn version(answer: &RawAnswer, wrong: &mut Vec<String>) {
    let version = answer
        .header("1password-connect-version")
        .unwrap_or_default();
    let parts: Vec<Option<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [Some(a), Some(b), Some(c)] if (*a, *b, *c) >= (1, 8, 1) => {}
        _ => wrong.push(format!("1Password-Connect-Version is {version:?}")),
    }
}

fn length(request: &Request, answer: &RawAnswer, wrong: &mut Vec<String>) {
    let told = answer.header("content-length");
    let is_empty = matches!(answer.status, 204 | 304) || request.method == "HEAD";
    if is_empty && !answer.body.is_empty() {
        wrong.push("a body where none may be".into());
    }
    let expected = answer.body.len().to_string();
    if !is_empty && told != Some(&expected) {
        wrong.push(format!("content-length {told:?} instead of {expected}"));
    }
    if answer.status == 204 && told.is_some() {
        wrong.push("content-length on 204 (RFC 9110 §8.6)".into());
    }
}

fn content(answer: &RawAnswer, wrong: &mut Vec<String>) {
    let is_json = answer.header("content-type") == Some("application/json");
    let body = answer.json();
    if is_json {
        match &body {
            Some(body) => values("", body, wrong),
            None => wrong.push("application/json that is no JSON".into()),
        }
    }
    if answer.status >= 400 {
        let body = body.unwrap_or_default();
        if !is_json {
            wrong.push("an error that is not application/json".into());
        }
        if body.get("status").and_then(Value::as_u64) != Some(u64::from(answer.status)) {
            wrong.push("the error's status is not the code".into());
        }
        if body
            .get("message")
            .and_then(Value::as_str)
            .is_none_or(str::is_empty)
        {
            wrong.push("the error has no message".into());
        }
    }
}

fn values(at: &str, value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Null => wrong.push(format!("{at} is null")),
        Value::Array(values_in) => {
            for (index, value) in values_in.iter().enumerate() {
                values(&format!("{at}/{index}"), value, wrong);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let at = format!("{at}/{name}");
                if matches!(name.as_str(), "createdAt" | "updatedAt" | "timestamp") {
                    time(&at, value, wrong);
                }
                values(&at, value, wrong);
            }
        }
        _ => {}
    }
}

fn time(at: &str, value: &Value, wrong: &mut Vec<String>) {
    let text = value.as_str().unwrap_or_default();
    let is_time = sekisho_core::time::Timestamp::parse_rfc3339(text).is_some();
    if !is_time || !text.ends_with('Z') {
        wrong.push(format!("{at} is no RFC 3339 time in Z: {value}"));
    }
}
