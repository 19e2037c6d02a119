//! PATCH: RFC 6902 as Connect modified it (connect-contract.md §1.2): `add`, `remove` and `replace` only, and JSON
//! Pointers (RFC 6901) that address fields and sections by their id, not by their place.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Map, Value};

use super::ItemError;
use crate::id::ID_LENGTH;

/// Most operations in one patch.
pub const MAX_OPERATIONS: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
    Replace,
}

/// One operation, with what an error needs to name it.
struct Operation {
    index: usize,
    verb: Verb,
    pointer: String,
    path: Vec<String>,
    value: Value,
}

/// Applies a patch (an array of operations, or a single one) to an item's JSON. An empty array changes nothing.
pub fn apply(document: &mut Value, patch: Value) -> Result<bool, ItemError> {
    let operations = match patch {
        Value::Array(operations) if operations.len() > MAX_OPERATIONS => {
            return Err(ItemError::TooLarge {
                what: "patch operations",
                limit: MAX_OPERATIONS,
            });
        }
        Value::Array(operations) => operations,
        single => Vec::from([single]),
    };
    let changes = !operations.is_empty();
    for (index, operation) in operations.into_iter().enumerate() {
        Operation::parse(index, operation)?.apply(document)?;
    }
    Ok(changes)
}

impl Operation {
    fn parse(index: usize, operation: Value) -> Result<Self, ItemError> {
        let refuse = |pointer: &str, reason| {
            Err(ItemError::Patch {
                index,
                pointer: printable(pointer),
                reason,
            })
        };
        let Value::Object(mut members) = operation else {
            return refuse("", "an operation is an object with op, path and value");
        };
        let Some(Value::String(pointer)) = members.shift_remove("path") else {
            return refuse("", "path is missing");
        };
        let verb = match members
            .get("op")
            .and_then(Value::as_str)
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("add") => Verb::Add,
            Some("remove") => Verb::Remove,
            Some("replace") => Verb::Replace,
            _ => return refuse(&pointer, "op must be add, remove or replace"),
        };
        let Some(path) = parse_pointer(&pointer) else {
            return refuse(&pointer, "a path begins with /");
        };
        let value = members.shift_remove("value");
        if verb != Verb::Remove && value.is_none() {
            return refuse(&pointer, "value is missing");
        }
        Ok(Self {
            index,
            verb,
            pointer,
            path,
            value: value.unwrap_or_default(),
        })
    }

    fn refuse(&self, reason: &'static str) -> ItemError {
        ItemError::Patch {
            index: self.index,
            pointer: printable(&self.pointer),
            reason,
        }
    }

    fn apply(mut self, document: &mut Value) -> Result<(), ItemError> {
        let path = core::mem::take(&mut self.path);
        let Some((last, parents)) = path.split_last() else {
            return self.replace_whole(document);
        };
        let Some(parent) = parents
            .iter()
            .try_fold(&mut *document, |at, step| child(at, step))
        else {
            return Err(self.refuse("nothing is at this path"));
        };
        match parent {
            Value::Object(members) => self.in_object(members, last),
            Value::Array(values) => self.in_array(values, last),
            _ => Err(self.refuse("nothing is at this path")),
        }
    }

    fn replace_whole(mut self, document: &mut Value) -> Result<(), ItemError> {
        if self.verb == Verb::Remove {
            return Err(self.refuse("an item is removed by DELETE"));
        }
        if !self.value.is_object() {
            return Err(self.refuse("an item is an object"));
        }
        *document = self.value.take();
        Ok(())
    }

    fn in_object(mut self, members: &mut Map<String, Value>, name: &str) -> Result<(), ItemError> {
        match (self.verb, members.get_mut(name)) {
            (Verb::Remove, Some(_)) => {
                members.shift_remove(name);
            }
            (Verb::Remove, None) => return Err(self.refuse("nothing is at this path")),
            // Connect's `add /fields` appends one field.
            (Verb::Add, Some(Value::Array(values))) if !self.value.is_array() => {
                values.push(self.value.take())
            }
            (_, Some(slot)) => *slot = self.value.take(),
            // Empty members are not printed, so `replace` must be able to fill them too.
            (_, None) => {
                let value = self.value.take();
                let is_list =
                    matches!(name, "fields" | "tags" | "urls" | "sections") && !value.is_array();
                members.insert(
                    name.to_string(),
                    if is_list {
                        Value::Array(Vec::from([value]))
                    } else {
                        value
                    },
                );
            }
        }
        Ok(())
    }

    fn in_array(mut self, values: &mut Vec<Value>, step: &str) -> Result<(), ItemError> {
        let at = position(values, step);
        match (self.verb, at) {
            (Verb::Add, _) if step == "-" => values.push(self.value.take()),
            (Verb::Add, Some(at)) if has_id(values) => self.set(values, at, step),
            (Verb::Add, Some(at)) => values.insert(at, self.value.take()),
            (Verb::Add, None) if step.parse() == Ok(values.len()) => values.push(self.value.take()),
            (Verb::Replace, Some(at)) => self.set(values, at, step),
            (Verb::Remove, Some(at)) => {
                values.remove(at);
            }
            _ => return Err(self.refuse("nothing is at this path")),
        }
        Ok(())
    }

    /// Puts the value in the place; a field or section keeps the id by which it was named.
    fn set(&mut self, values: &mut [Value], at: usize, step: &str) {
        let keeps_id = has_id(values);
        if let Some(slot) = values.get_mut(at) {
            *slot = self.value.take();
            if let (true, Value::Object(members)) = (keeps_id, slot) {
                members.insert("id".to_string(), Value::String(step.to_string()));
            }
        }
    }
}

/// RFC 6901 §3; `/` alone means the whole item.
fn parse_pointer(pointer: &str) -> Option<Vec<String>> {
    if matches!(pointer, "" | "/") {
        return Some(Vec::new());
    }
    let steps = pointer.strip_prefix('/')?.split('/');
    Some(
        steps
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

fn child<'a>(value: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(values) => {
            let at = position(values, step)?;
            values.get_mut(at)
        }
        _ => None,
    }
}

/// Members with ids are found by id, others by index.
fn position(values: &[Value], step: &str) -> Option<usize> {
    if has_id(values) {
        return values
            .iter()
            .position(|value| value.get("id").and_then(Value::as_str) == Some(step));
    }
    step.parse().ok().filter(|at| *at < values.len())
}

fn has_id(values: &[Value]) -> bool {
    values.iter().any(|value| value.get("id").is_some())
}

/// A client's pointer with every step hidden that is neither a member's name nor an id: what was pasted there by mistake
/// must not come back in an error (invariant 7).
fn printable(pointer: &str) -> String {
    let shown: Vec<&str> = pointer
        .split('/')
        .take(8)
        .map(|step| if is_harmless(step) { step } else { "…" })
        .collect();
    let shown = shown.join("/");
    if shown.is_empty() {
        String::from("\"\"")
    } else {
        shown
    }
}

fn is_harmless(step: &str) -> bool {
    const MEMBERS: [&str; 22] = [
        "",
        "-",
        "title",
        "category",
        "tags",
        "urls",
        "favorite",
        "sections",
        "fields",
        "files",
        "id",
        "label",
        "value",
        "type",
        "purpose",
        "section",
        "href",
        "primary",
        "recipe",
        "username",
        "password",
        "notesPlain",
    ];
    let is_id = || {
        step.len() == ID_LENGTH
            && step
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    MEMBERS.contains(&step)
        || (step.len() < 5 && step.bytes().all(|b| b.is_ascii_digit()))
        || is_id()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Value {
        json!({"id":"x","title":"t","tags":["a","b"],"fields":[{"id":"password","value":"p"},{"id":"0","value":"zero"}]})
    }

    fn patched(patch: Value) -> Result<Value, ItemError> {
        let mut document = item();
        apply(&mut document, patch).map(|_| document)
    }

    #[test]
    fn the_documented_operations() {
        let all = patched(json!([
            {"op":"replace","path":"/fields/password/value","value":"new"},
            {"op":"remove","path":"/tags/1"},
            {"op":"add","path":"/fields","value":{"label":"l","type":"string","value":"v"}},
            {"op":"replace","path":"/favorite","value":true},
            {"op":"add","path":"/fields/0/label","value":"named"},
            {"op":"remove","path":"/fields/0/value"},
        ]));
        assert_eq!(
            all.unwrap(),
            json!({"id":"x","title":"t","tags":["a"],"favorite":true,
                "fields":[{"id":"password","value":"new"},{"id":"0","label":"named"},{"label":"l","type":"string","value":"v"}]})
        );
        let whole = patched(json!({"op":"replace","path":"/","value":{"title":"n"}}));
        assert_eq!(
            whole.unwrap(),
            json!({"title":"n"}),
            "a single operation is taken too"
        );
        let field =
            patched(json!([{"op":"replace","path":"/fields/password","value":{"value":"n"}}]))
                .unwrap();
        assert_eq!(field["fields"][0], json!({"value":"n","id":"password"}));
    }

    #[test]
    fn an_empty_patch_changes_nothing() {
        let mut document = item();
        assert_eq!(apply(&mut document, json!([])), Ok(false));
        assert_eq!(document, item());
    }

    #[test]
    fn refusals_name_the_operation_and_its_pointer() {
        let bad = [
            (
                json!([{"op":"test","path":"/title","value":1}]),
                "op must be",
            ),
            (
                json!([{"op":"replace","path":"title","value":1}]),
                "begins with /",
            ),
            (
                json!([{"op":"replace","path":"/title"}]),
                "value is missing",
            ),
            (json!([{"op":"remove","path":"/fields/none"}]), "nothing is"),
            (json!([{"op":"remove","path":"/tags/2"}]), "nothing is"),
            (
                json!([{"op":"replace","path":"/fields/none/value","value":1}]),
                "nothing is",
            ),
            (json!([{"op":"remove","path":"/"}]), "DELETE"),
            (json!(["x"]), "an operation is"),
            (json!([{"op":"add","value":1}]), "path is missing"),
        ];
        for (patch, reason) in bad {
            let error = patched(patch).unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.starts_with("Invalid patch operation 0"),
                "{error}"
            );
        }
    }
}
