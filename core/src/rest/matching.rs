//! Whether something matches a filter: vaults by name, items by their summary.

use alloc::{string::String, vec::Vec};

use serde_json::Value;

use super::filter::{Filter, Literal, Operator};
use crate::{
    time::Timestamp,
    vault::{equal_exact, fold},
};

/// How `eq` and `ne` compare texts. Everything else compares without case, as SCIM does by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// To the letter (but for Unicode normalisation).
    Exact,
    /// Whatever the case.
    Folded,
}

/// Whether a JSON object matches. Attributes are its members; `name` and `title` are one, `tag` is any of `tags`,
/// `url` any `href` of `urls`, and dots go into objects.
pub(super) fn matches(filter: &Filter, object: &Value, case: Case) -> bool {
    match filter {
        Filter::And(left, right) => matches(left, object, case) && matches(right, object, case),
        Filter::Or(left, right) => matches(left, object, case) || matches(right, object, case),
        Filter::Not(inner) => !matches(inner, object, case),
        Filter::Present(attribute) => values(object, attribute)
            .iter()
            .any(|value| is_present(value)),
        // Negated per value, not per match: `tag ne "x"` means that no tag is x.
        Filter::Compare(attribute, Operator::Ne, literal) => !values(object, attribute)
            .iter()
            .any(|value| compare(value, Operator::Eq, literal, case)),
        Filter::Compare(attribute, Operator::Eq, Literal::Null) => !values(object, attribute)
            .iter()
            .any(|value| is_present(value)),
        Filter::Compare(attribute, operator, literal) => values(object, attribute)
            .iter()
            .any(|value| compare(value, *operator, literal, case)),
    }
}

fn values<'a>(object: &'a Value, attribute: &str) -> Vec<&'a Value> {
    match attribute {
        "name" | "title" => member(object, "title")
            .or_else(|| member(object, "name"))
            .into_iter()
            .collect(),
        "tag" | "tags" => member(object, "tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect(),
        "url" | "urls" | "urls.href" => {
            let urls = member(object, "urls").and_then(Value::as_array);
            urls.into_iter()
                .flatten()
                .filter_map(|url| url.get("href"))
                .collect()
        }
        path => path
            .split('.')
            .try_fold(object, member)
            .into_iter()
            .collect(),
    }
}

/// A member by its name in any case: `createdat` is `createdAt`.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let members = object.as_object()?;
    members
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => true,
    }
}

fn compare(value: &Value, operator: Operator, literal: &Literal, case: Case) -> bool {
    match (value, literal) {
        (Value::String(text), Literal::Text(wanted)) => compare_text(text, operator, wanted, case),
        (Value::Number(number), Literal::Number(wanted)) => number
            .as_f64()
            .is_some_and(|number| compare_order(operator, number.partial_cmp(wanted))),
        (Value::Bool(flag), Literal::Flag(wanted)) => operator == Operator::Eq && flag == wanted,
        _ => false,
    }
}

fn compare_text(text: &str, operator: Operator, wanted: &str, case: Case) -> bool {
    match operator {
        Operator::Eq if case == Case::Exact => equal_exact(text, wanted),
        Operator::Eq => fold(text) == fold(wanted),
        Operator::Ne => fold(text) != fold(wanted),
        Operator::Co => fold(text).contains(&fold(wanted)),
        Operator::Sw => fold(text).starts_with(&fold(wanted)),
        Operator::Ew => fold(text).ends_with(&fold(wanted)),
        Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => {
            let order = match (Timestamp::parse_rfc3339(text), parse_time(wanted)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => fold(text).cmp(&fold(wanted)),
            };
            compare_order(operator, Some(order))
        }
    }
}

/// A point in time, or the beginning of a day.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| {
        let midnight: String = alloc::format!("{text}T00:00:00Z");
        Timestamp::parse_rfc3339(&midnight)
    })
}

fn compare_order(operator: Operator, order: Option<core::cmp::Ordering>) -> bool {
    let Some(order) = order else { return false };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_and_operators() {
        let item = json!({"id":"i","title":"Prod DB","tags":["web","Blue/Green"],"category":"DATABASE","version":3,"favorite":true,
            "urls":[{"href":"https://a.example"}],"createdAt":"2026-01-02T03:04:05Z","vault":{"id":"v"}});
        let yes = [
            "title eq \"prod db\"",
            "title co \"OD\"",
            "title sw \"prod\"",
            "title ew \"DB\"",
            "name eq \"Prod DB\"",
            "tag eq \"web\"",
            "tag eq \"blue/green\"",
            "tag ne \"x\"",
            "tags pr",
            "url co \"a.example\"",
            "version ge 3",
            "favorite eq true",
            "createdAt gt \"2026-01-02\"",
            "createdAt lt \"2026-01-02T03:04:06+00:00\"",
            "vault.id eq \"v\"",
            "state eq null",
            "not (state pr)",
            "category eq \"database\" and (tag eq \"x\" or tag eq \"web\")",
        ];
        let no = [
            "tag ne \"web\"",
            "title eq \"Prod\"",
            "version gt 3",
            "none pr",
            "none eq \"\"",
            "favorite eq \"true\"",
            "version co 3",
        ];
        for text in yes {
            assert!(
                matches(&Filter::parse(text).unwrap(), &item, Case::Folded),
                "{text}"
            );
        }
        for text in no {
            assert!(
                !matches(&Filter::parse(text).unwrap(), &item, Case::Folded),
                "{text}"
            );
        }
        let exact = Filter::parse("title eq \"prod db\"").unwrap();
        assert!(!matches(&exact, &item, Case::Exact));
    }
}
