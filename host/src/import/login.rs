//! The built-in fields: user name, password, notes.
//!
//! The web form of a login is kept as it is but for the values that became built-in fields.

use serde_json::{Value, json};

use super::raw::Members;
use super::report::Report;

/// The built-in fields of an item, in Connect's order, and what is left of its form.
pub(super) struct BuiltIns {
    pub(super) fields: Vec<Value>,
    pub(super) form: Vec<Value>,
}

#[derive(Default)]
struct Form {
    username: Option<String>,
    password: Option<String>,
    rests: Vec<Value>,
}

pub(super) fn read(category: &str, details: &mut Members, report: &mut Report) -> BuiltIns {
    let form = match category {
        "LOGIN" | "PASSWORD" => read_login(category, details, report),
        _ => read_plain(details, report),
    };
    let mut fields = Vec::new();
    if let Some(username) = form.username {
        fields.push(
            json!({ "id": "username", "type": "STRING", "purpose": "USERNAME",
            "label": "username", "value": username }),
        );
    }
    if let Some(password) = form.password {
        fields.push(
            json!({ "id": "password", "type": "CONCEALED", "purpose": "PASSWORD",
            "label": "password", "value": password }),
        );
    }
    fields.extend(notes(category, details));
    BuiltIns {
        fields,
        form: form.rests,
    }
}

fn notes(category: &str, details: &mut Members) -> Option<Value> {
    let always = matches!(category, "LOGIN" | "PASSWORD" | "SECURE_NOTE");
    let field =
        json!({ "id": "notesPlain", "type": "STRING", "purpose": "NOTES", "label": "notesPlain" });
    match details.text("notesPlain").filter(|notes| !notes.is_empty()) {
        Some(notes) => {
            let mut members = Members::of(field).unwrap_or_default();
            members.put("value", notes);
            Some(members.into_value())
        }
        None => always.then_some(field),
    }
}

/// A PASSWORD item keeps its value outside the form; a LOGIN may have both, and there the form counts.
fn read_login(category: &str, details: &mut Members, report: &mut Report) -> Form {
    let mut form = Form::default();
    let mut outside = details.text("password");
    if category == "PASSWORD" {
        form.password = outside.take_if(|password| !password.is_empty());
    }
    for raw in details.list("loginFields").unwrap_or_default() {
        form.read_field(raw, report);
    }
    match outside {
        Some(password) if form.password.is_none() => form.password = Some(password),
        Some(password) if form.password.as_ref() != Some(&password) => {
            details.put("password", password)
        }
        _ => {}
    }
    form
}

/// Other categories have no built-in user name: a form there is a leftover of a conversion.
fn read_plain(details: &mut Members, report: &mut Report) -> Form {
    let rests = details.list("loginFields").unwrap_or_default();
    report.note("login form fields", rests.len());
    Form {
        rests,
        ..Form::default()
    }
}

impl Form {
    fn read_field(&mut self, raw: Value, report: &mut Report) {
        if raw.is_null() {
            return;
        }
        let rest = Members::of(raw).map(|mut field| {
            let slot = self.slot(&field).filter(|slot| slot.is_none());
            match slot {
                Some(slot) => *slot = text(&mut field),
                None => report.note("login form fields", 1),
            }
            field.into_value()
        });
        self.rests.push(rest.unwrap_or_else(|other| other));
    }

    fn slot(&mut self, field: &Members) -> Option<&mut Option<String>> {
        match field.peek("designation")?.as_str()? {
            name if name.eq_ignore_ascii_case("username") => Some(&mut self.username),
            name if name.eq_ignore_ascii_case("password") => Some(&mut self.password),
            _ => None,
        }
    }
}

/// Connected mail addresses come as objects; these stay with the rest.
fn text(field: &mut Members) -> Option<String> {
    let text = field.text("value");
    text.or_else(|| {
        Some(
            field
                .peek("value")?
                .get("email_address")?
                .as_str()?
                .to_owned(),
        )
    })
}
