//! `sekisho item get`: an item in full, or some fields of it.

use clap::Args;
use sekisho_account::{Operator, clock, operator::OpenVault};
use sekisho_core::{id::ItemId, item::json as item_json, vault::equal_folded};
use serde_json::{Value, json};

use super::{
    super::{
        Session,
        failure::{Done, Failure},
        output,
    },
    find,
};
use crate::client::{Connect, Resolver};

const CONCEALED: &str = "••••••••";

#[derive(Args)]
#[command(
    after_help = "Without an account here, the Connect server of OP_CONNECT_HOST is asked with OP_CONNECT_TOKEN; --vault is needed then.

Examples:
  sekisho item get Mail --vault Demo
  sekisho item get Mail --vault Demo --fields password --reveal
  sekisho item get Mail --vault Demo --fields label=username,type=concealed --format json"
)]
pub(in super::super) struct LowGet {
    /// Its title or id.
    item: String,
    /// The vault it is in, by name or id.
    #[arg(long)]
    vault: Option<String>,
    /// Only these fields: labels, label=…, id=…, type=… or purpose=….
    #[arg(long, value_delimiter = ',', value_name = "FIELD")]
    fields: Vec<String>,
    /// Show concealed values too (JSON always does).
    #[arg(long)]
    reveal: bool,
}

impl LowGet {
    pub(super) fn run(self, session: &Session) -> Done {
        if Connect::is_named() && !session.has_account() {
            return self.run_with_connect(session);
        }
        let operator = session.operator()?;
        let (vault, id) = find::item(&operator, self.vault.as_deref(), &self.item)?;
        let mut item = open(&operator, &vault, id)?;
        let done = if self.fields.is_empty() {
            session.print(|| item.clone(), || show(&item, &place(&vault), self.reveal))
        } else {
            self.show_fields(session, &item)
        };
        item_json::wipe(&mut item);
        done
    }

    /// The same from a Connect server, as `op item get` does with one.
    fn run_with_connect(&self, session: &Session) -> Done {
        let vault = self.vault.as_deref().ok_or_else(|| {
            Failure::usage(
                "with a Connect server a vault has to be named",
                "say which one: --vault NAME",
            )
        })?;
        let item = Resolver::new(Connect::from_env()?).item(vault, &self.item)?;
        let item = &item.0;
        if !self.fields.is_empty() {
            return self.show_fields(session, item);
        }
        let place = item.pointer("/vault/id").and_then(Value::as_str);
        session.print(
            || item.clone(),
            || show(item, place.unwrap_or_default(), self.reveal),
        )
    }

    fn show_fields(&self, session: &Session, item: &Value) -> Done {
        let mut found: Vec<&Value> = Vec::new();
        for wanted in &self.fields {
            let before = found.len();
            found.extend(fields(item).filter(|field| is_wanted(field, wanted)));
            if found.len() == before {
                return Err(Failure::new(
                    "the item has no such field",
                    "`sekisho item get ITEM` shows its fields; labels, label=…, id=…, type=… and purpose=… are understood",
                ));
            }
        }
        let json = || match found.as_slice() {
            [one] => (*one).clone(),
            several => several.iter().copied().cloned().collect(),
        };
        let values = || {
            let values: Vec<String> = found
                .iter()
                .map(|field| csv(&value_of(field, self.reveal)))
                .collect();
            match found.as_slice() {
                // One value alone is as it is: it may be a key of many lines.
                [one] => output::line(&value_of(one, self.reveal)),
                _ => output::line(&values.join(",")),
            }
        };
        session.print(json, values)
    }
}

/// The item as its GET shows it, one-time codes included.
pub(super) fn open(operator: &Operator, vault: &OpenVault, id: ItemId) -> Result<Value, Failure> {
    let damaged = || {
        Failure::new(
            format!("the content of item '{id}' is damaged"),
            "write it again",
        )
    };
    let opened = operator.open_item(vault.id, id)?;
    let (json, _) = item_json::serve_details(opened.details, clock::now()).ok_or_else(damaged)?;
    let mut item: Value = serde_json::from_slice(&json).map_err(|_| damaged())?;
    if let Some(place) = item.get_mut("vault").and_then(Value::as_object_mut) {
        place.insert("name".into(), json!(vault.attributes.name));
    }
    Ok(item)
}

fn fields(item: &Value) -> impl Iterator<Item = &Value> {
    item.get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_wanted(field: &Value, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((member @ ("label" | "id" | "type" | "purpose"), wanted)) => {
            equal_folded(text(field, member), wanted)
        }
        _ => text(field, "id") == wanted || equal_folded(text(field, "label"), wanted),
    }
}

/// A one-time password shows its code, never its seed; what is concealed shows on demand.
fn value_of(field: &Value, reveal: bool) -> String {
    let is_hidden = matches!(
        text(field, "type"),
        "CONCEALED" | "SSHKEY" | "CREDIT_CARD_NUMBER"
    ) && !reveal;
    let value = match text(field, "type") {
        "OTP" => text(field, "totp"),
        _ => text(field, "value"),
    };
    if is_hidden && !value.is_empty() {
        CONCEALED.to_owned()
    } else {
        value.to_owned()
    }
}

/// RFC 4180.
fn csv(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn place(vault: &OpenVault) -> String {
    format!("{} ({})", vault.attributes.name, vault.id)
}

fn show(item: &Value, vault: &str, reveal: bool) -> Done {
    let list = |name: &str, member: Option<&str>| {
        let values = item
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let texts: Vec<&str> = values
            .filter_map(|value| {
                member
                    .map_or(Some(value), |member| value.get(member))?
                    .as_str()
            })
            .collect();
        texts.join(", ")
    };
    output::facts(&[
        ("ID:", text(item, "id").to_owned()),
        ("Title:", text(item, "title").to_owned()),
        ("Vault:", vault.to_owned()),
        ("Category:", text(item, "category").to_owned()),
        ("State:", text(item, "state").to_owned()),
        (
            "Version:",
            item.get("version")
                .map(Value::to_string)
                .unwrap_or_default(),
        ),
        ("Created:", text(item, "createdAt").to_owned()),
        ("Updated:", text(item, "updatedAt").to_owned()),
        ("Tags:", list("tags", None)),
        ("URLs:", list("urls", Some("href"))),
        ("Files:", list("files", Some("name"))),
    ])?;
    let rows: Vec<[String; 4]> = fields(item)
        .map(|field| {
            [
                section_label(item, field),
                text(field, "label").to_owned(),
                text(field, "type").to_owned(),
                value_of(field, reveal),
            ]
        })
        .collect();
    output::line("")?;
    output::table(["SECTION", "FIELD", "TYPE", "VALUE"], rows)
}

fn section_label(item: &Value, field: &Value) -> String {
    let id = field
        .pointer("/section/id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let sections = item
        .get("sections")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let label = sections
        .filter(|section| text(section, "id") == id)
        .map(|section| text(section, "label"))
        .next();
    label
        .filter(|label| !label.is_empty())
        .unwrap_or(id)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_value() {
        let field = json!({"type":"CONCEALED","value":"p"});
        assert_eq!(
            (
                value_of(&field, false).as_str(),
                value_of(&field, true).as_str()
            ),
            (CONCEALED, "p")
        );
        assert_eq!(
            value_of(&json!({"type":"OTP","value":"seed","totp":"123456"}), true),
            "123456"
        );
        assert_eq!(value_of(&json!({"type":"CONCEALED"}), false), "");
        assert_eq!(csv("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    #[test]
    fn which_fields_are_wanted() {
        let field = json!({"id":"a","label":"User","type":"STRING","purpose":"USERNAME"});
        for wanted in [
            "a",
            "user",
            "label=USER",
            "type=string",
            "purpose=username",
            "id=a",
        ] {
            assert!(is_wanted(&field, wanted), "{wanted}");
        }
        assert!(!is_wanted(&field, "label=a"));
    }
}
