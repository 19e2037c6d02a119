//! The items of the vault "Demo": one of each kind that clients meet. Nothing in them is anybody's secret; keys and
//! passwords are made afresh, so that no copy of this program is a key to anything.

use std::collections::BTreeSet;

use sekisho_account::{Operator, clock, operator::NewFile, random::SystemRng};
use sekisho_core::{
    id::{FileId, VaultId},
    item::{Category, build, draft::Draft, stored::StoredItem},
};
use serde_json::{Value, json};

use super::ssh_key::SshKey;
use crate::cli::{Failure, attach, put_new};

/// How many there are.
#[cfg(test)]
pub(super) const COUNT: usize = 7;

const DOCUMENT: &str = "\
This is a sample document. Its content was sealed in chunks before it was stored.

    curl -H \"Authorization: Bearer $OP_CONNECT_TOKEN\" $OP_CONNECT_HOST/v1/vaults/VAULT/items/ITEM/files/FILE/content
";

struct Sample {
    body: Value,
    file: Option<(&'static str, &'static str)>,
    is_document: bool,
}

impl Sample {
    const fn plain(body: Value) -> Self {
        Self {
            body,
            file: None,
            is_document: false,
        }
    }
}

/// Makes those that are not there yet.
pub(super) fn make(operator: &Operator, vault: VaultId) -> Result<(), Failure> {
    let mut there = BTreeSet::new();
    for item in operator.items(vault)? {
        let overview: Value = serde_json::from_slice(&item.overview).unwrap_or_default();
        there.extend(
            overview
                .get("title")
                .and_then(Value::as_str)
                .map(str::to_owned),
        );
    }
    let is_new = |sample: &Sample| {
        sample
            .body
            .get("title")
            .and_then(Value::as_str)
            .is_none_or(|title| !there.contains(title))
    };
    for sample in samples().into_iter().filter(is_new) {
        put(operator, vault, sample)?;
    }
    Ok(())
}

fn put(operator: &Operator, vault: VaultId, sample: Sample) -> Result<(), Failure> {
    let editor = operator.user();
    let writing = build::Writing {
        vault,
        now: clock::now(),
        editor: editor.as_str(),
    };
    let broken = |_| {
        Failure::new(
            "a sample item cannot be made",
            "report this as a bug; --no-demo goes without",
        )
    };
    let draft = Draft::parse(sample.body).map_err(broken)?;
    let mut stored =
        StoredItem::new(build::create(draft, &writing, &mut SystemRng).map_err(broken)?);
    if sample.is_document {
        // The API makes no documents: they begin as notes.
        stored.item.category = Category::Document;
    }
    if let Some((name, content)) = sample.file {
        let file = NewFile {
            id: FileId::generate(&mut SystemRng),
            name: name.to_owned(),
            section: None,
            size: content.len() as u64,
        };
        attach(operator, &mut stored, file, &mut content.as_bytes())?;
    }
    put_new(operator, &stored)
}

fn samples() -> Vec<Sample> {
    vec![
        Sample::plain(login()),
        Sample::plain(api_credential()),
        Sample::plain(database()),
        Sample::plain(ssh_key()),
        Sample::plain(one_time_password()),
        Sample {
            file: Some((
                "checklist.txt",
                "[ ] read an item\n[ ] write an item\n[ ] revoke the token\n",
            )),
            ..Sample::plain(note())
        },
        Sample {
            body: json!({ "title": "Sample document", "category": "SECURE_NOTE", "tags": ["sample"] }),
            file: Some(("sample.txt", DOCUMENT)),
            is_document: true,
        },
    ]
}

fn generated(length: u64) -> Value {
    json!({ "length": length, "characterSets": ["LETTERS", "DIGITS"] })
}

fn login() -> Value {
    json!({ "title": "Sample login", "category": "LOGIN", "favorite": true, "tags": ["sample", "sample/web"],
        "urls": [{ "primary": true, "label": "website", "href": "https://example.com/login" }, { "label": "admin", "href": "https://admin.example.com" }],
        "sections": [{ "id": "recovery", "label": "Recovery" }],
        "fields": [
            { "id": "username", "purpose": "USERNAME", "type": "STRING", "label": "username", "value": "wendy" },
            { "id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "label": "password", "generate": true, "recipe": generated(24) },
            { "section": { "id": "recovery" }, "type": "EMAIL", "label": "recovery email", "value": "wendy@example.com" },
        ] })
}

fn api_credential() -> Value {
    json!({ "title": "Sample API credential", "category": "API_CREDENTIAL", "tags": ["sample"], "fields": [
        { "id": "notesPlain", "purpose": "NOTES", "type": "STRING", "label": "notesPlain", "value": "op://Demo/Sample API credential/credential" },
        { "id": "username", "type": "STRING", "label": "username", "value": "deploy" },
        { "id": "credential", "type": "CONCEALED", "label": "credential", "generate": true, "recipe": generated(40) },
        { "id": "hostname", "type": "STRING", "label": "hostname", "value": "api.example.com" },
    ] })
}

fn database() -> Value {
    json!({ "title": "Sample database", "category": "DATABASE", "tags": ["sample"],
        "sections": [{ "id": "replica", "label": "Replica" }],
        "fields": [
            { "id": "database_type", "type": "MENU", "label": "type", "value": "postgresql" },
            { "id": "hostname", "type": "STRING", "label": "server", "value": "db.example.com" },
            { "id": "port", "type": "STRING", "label": "port", "value": "5432" },
            { "id": "database", "type": "STRING", "label": "database", "value": "orders" },
            { "id": "username", "type": "STRING", "label": "username", "value": "orders" },
            { "id": "password", "type": "CONCEALED", "label": "password", "generate": true, "recipe": generated(32) },
            { "section": { "id": "replica" }, "type": "STRING", "label": "server", "value": "replica.example.com" },
        ] })
}

fn ssh_key() -> Value {
    let key = SshKey::generate(&mut SystemRng);
    // EXPOSE: the item that is about to be sealed.
    json!({ "title": "Sample SSH key", "category": "SSH_KEY", "tags": ["sample"], "fields": [
        { "id": "private_key", "type": "SSHKEY", "label": "private key", "value": key.private.expose() },
        { "id": "public_key", "type": "STRING", "label": "public key", "value": key.public },
        { "id": "fingerprint", "type": "STRING", "label": "fingerprint", "value": key.fingerprint },
        { "id": "key_type", "type": "STRING", "label": "key type", "value": "ed25519" },
    ] })
}

/// The seed is the one of RFC 6238's test vectors, in base32.
fn one_time_password() -> Value {
    json!({ "title": "Sample one-time password", "category": "LOGIN", "tags": ["sample"],
        "urls": [{ "primary": true, "href": "https://otp.example.com" }],
        "sections": [{ "id": "otp", "label": "Two-factor" }],
        "fields": [
            { "id": "username", "purpose": "USERNAME", "type": "STRING", "label": "username", "value": "wendy@example.com" },
            { "id": "password", "purpose": "PASSWORD", "type": "CONCEALED", "label": "password", "generate": true, "recipe": generated(20) },
            { "id": "TOTP_sample", "section": { "id": "otp" }, "type": "OTP", "label": "one-time password",
                "value": "otpauth://totp/Example:wendy?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example" },
        ] })
}

fn note() -> Value {
    json!({ "title": "Sample note", "category": "SECURE_NOTE", "tags": ["sample"], "fields": [
        { "id": "notesPlain", "purpose": "NOTES", "type": "STRING", "label": "notesPlain",
            "value": "Everything in this vault was made by `sekisho up`.\nDelete it whenever you like; it does not come back." },
    ] })
}
