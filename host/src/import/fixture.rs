//! A rich export for tests, here and in other crates: every category, every kind of value, files, all vault types.
//!
//! Every text a user could have typed comes from the caller, by a name such as `login.password`, so that a test can
//! plant canaries and search for them. Ids, sizes and dates are fixed. All of it is invented.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::ids;

/// What was written.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `export.data`.
    pub data: Value,
    /// Entries besides, by name.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Writes a rich export. Each name is asked for once; `login.totp` should be a base32 seed.
pub fn write_sample(path: &Path, secrets: &dyn Fn(&str) -> String) -> io::Result<Sample> {
    let sample = sample(secrets);
    write(path, &sample)?;
    Ok(sample)
}

/// Writes an export of one's own.
pub fn write(path: &Path, sample: &Sample) -> io::Result<()> {
    let attributes = json!({"version": 3, "description": "1Password Unencrypted Export", "createdAt": 1_700_000_000});
    let mut zip = ZipWriter::new(File::create(path)?);
    let texts = [
        ("export.attributes", &attributes),
        ("export.data", &sample.data),
    ];
    for (name, value) in texts {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(value.to_string().as_bytes())?;
    }
    zip.add_directory("files/", SimpleFileOptions::default())?;
    for (name, content) in &sample.files {
        zip.start_file(name, SimpleFileOptions::default())?;
        zip.write_all(content)?;
    }
    zip.finish()?;
    Ok(())
}

/// The fixed id that the sample gives to something.
pub fn id(name: &str) -> String {
    ids::derive(name, &mut HashSet::new())
}

/// The sample, not yet written.
pub fn sample(secrets: &dyn Fn(&str) -> String) -> Sample {
    let mut maker = Maker {
        secrets,
        files: Vec::new(),
    };
    let personal = vault(
        "personal",
        "P",
        &[
            maker.login(),
            maker.password(),
            maker.trashed(),
            maker.archived(),
        ],
        secrets,
    );
    let everyone = vault(
        "everyone",
        "E",
        &[maker.document(), maker.all_kinds(), maker.ssh_key()],
        secrets,
    );
    let plain = maker.plain_items();
    let user = vault("user", "U", &plain, secrets);
    let wrapped = vault("wrapped", "U", &[maker.wrapped()], secrets);
    let data = json!({ "accounts": [
        { "attrs": account("first"), "vaults": [personal, everyone, user] },
        { "attrs": account("second"), "vaults": [wrapped] },
    ]});
    Sample {
        data,
        files: maker.files,
    }
}

/// Categories with no more than a template section, and their numbers.
pub const PLAIN: [&str; 19] = [
    "002", "003", "004", "100", "101", "102", "103", "104", "105", "106", "107", "108", "109",
    "110", "111", "112", "113", "115", "910",
];

struct Maker<'a> {
    secrets: &'a dyn Fn(&str) -> String,
    files: Vec<(String, Vec<u8>)>,
}

impl Maker<'_> {
    fn text(&self, name: &str) -> String {
        (self.secrets)(name)
    }

    /// Adds an entry and returns the value that refers to it.
    fn file(&mut self, name: &str) -> Value {
        let (document, content) = (
            id(&format!("file {name}")),
            self.text(&format!("{name}.content")).into_bytes(),
        );
        let file_name = format!("{}.txt", self.text(&format!("{name}.name")));
        let size = content.len();
        self.files
            .push((format!("files/{document}__{file_name}"), content));
        json!({ "fileName": file_name, "documentId": document, "decryptedSize": size })
    }

    fn item(&self, name: &str, category: &str, details: Value) -> Value {
        let number = self.serial(name);
        json!({
            "uuid": id(name),
            "favIndex": 0,
            "createdAt": 1_600_000_000 + number,
            "updatedAt": 1_650_000_000 + number,
            "state": "active",
            "categoryUuid": category,
            "details": details,
            "overview": {
                "title": self.text(&format!("{name}.title")),
                "subtitle": self.text(&format!("{name}.subtitle")),
                "url": "",
                "tags": [self.text(&format!("{name}.tag")), "nested/tag"],
                "ps": number % 100,
            },
        })
    }

    fn serial(&self, name: &str) -> u64 {
        name.bytes().fold(7, |number, byte| {
            (number * 31 + u64::from(byte)) % 1_000_003
        })
    }

    fn login(&mut self) -> Value {
        let form = |name: &str, kind: &str, designation: Option<&str>| {
            let mut field = json!({"value": self.text(&format!("login.{name}")), "id": format!("form-{name}"),
                "name": self.text(&format!("login.{name}.form")), "fieldType": kind});
            if let Some(designation) = designation {
                put(&mut field, "designation", json!(designation));
            }
            field
        };
        let mut item = self.item("login", "001", json!({
            "loginFields": [
                form("password", "P", Some("password")),
                form("username", "E", Some("username")),
                form("pin", "N", None),
                {"value": {"email_address": self.text("login.alias"), "provider": "masked"}, "id": "", "name": "alias",
                    "fieldType": "E", "designation": ""},
            ],
            "notesPlain": self.text("login.notes"),
            "sections": [
                {"title": self.text("login.section"), "name": "Section_login", "hideAddAnotherField": true, "fields": [
                    field("TOTP_login", "one-time password", json!({"totp": self.text("login.totp")})),
                    field("twice", "first", json!({"string": self.text("login.first")})),
                    field("twice", "second", json!({"string": self.text("login.second")})),
                    field("", "no id", json!({"concealed": self.text("login.no_id")})),
                    field("password", "a second password", json!({"concealed": self.text("login.other_password")})),
                    field("sso", "sign in with", json!({"ssoLogin": {"provider": self.text("login.sso")}})),
                ]},
                {"title": "Related Items", "name": "linked items", "fields": [
                    field("related", "related", json!({"reference": id("password")})),
                ]},
                {"title": "", "name": "add more", "fields": []},
            ],
            "passwordHistory": [{"value": self.text("login.old_password"), "time": 1_590_000_001}],
            "passkey": {"privateKey": self.text("login.passkey"), "rpId": "example.test"},
        }));
        put(&mut item, "favIndex", json!(1));
        let second = self.text("login.url");
        if let Some(overview) = item.get_mut("overview") {
            put(overview, "url", json!("https://example.test/primary"));
            put(
                overview,
                "urls",
                json!([
                    {"label": "website", "url": second},
                    {"label": self.text("login.url_label"), "url": "https://example.test/primary", "mode": "never"},
                ]),
            );
            put(overview, "watchtowerExclusions", json!({"weak": true}));
        }
        item
    }

    fn password(&self) -> Value {
        let details = json!({
            "password": self.text("password.password"),
            "loginFields": [],
            "sections": [],
            "passwordHistory": [{"value": self.text("password.old_password"), "time": 1_590_000_002}],
        });
        self.item("password", "005", details)
    }

    fn trashed(&self) -> Value {
        let mut item = self.item(
            "trashed",
            "003",
            json!({"notesPlain": self.text("trashed.notes")}),
        );
        put(&mut item, "trashed", json!(true));
        item
    }

    fn archived(&self) -> Value {
        let mut item = self.item(
            "archived",
            "003",
            json!({"notesPlain": self.text("archived.notes")}),
        );
        put(&mut item, "state", json!("archived"));
        item
    }

    fn document(&mut self) -> Value {
        let document = self.file("document.file");
        self.item(
            "document",
            "006",
            json!({"documentAttributes": document, "notesPlain": self.text("document.notes")}),
        )
    }

    fn ssh_key(&self) -> Value {
        let key = self.text("ssh.private_key");
        let value = json!({"sshKey": {"privateKey": key, "metadata": {"privateKey": key,
            "publicKey": self.text("ssh.public_key"), "fingerprint": self.text("ssh.fingerprint"), "keyType": "ed25519"}}});
        let section = json!({"title": "", "name": "", "fields": [field("private_key", "private key", value)]});
        self.item("ssh", "114", json!({"sections": [section]}))
    }

    fn all_kinds(&mut self) -> Value {
        let attached = self.file("kinds.file");
        let text = |name: &str| self.text(&format!("kinds.{name}"));
        let value = [
            ("string", json!(text("string"))),
            ("concealed", json!(text("concealed"))),
            (
                "email",
                json!({"email_address": text("email"), "provider": text("email_provider")}),
            ),
            ("url", json!(text("url"))),
            ("phone", json!(text("phone"))),
            ("date", json!(1_614_600_060)),
            ("monthYear", json!(202_703)),
            (
                "totp",
                json!("otpauth://totp/Example:me?secret=JBSWY3DPEHPK3PXP&issuer=Example"),
            ),
            (
                "address",
                json!({"street": text("street"), "city": text("city"), "state": text("state"),
                "zip": text("zip"), "country": text("country")}),
            ),
            ("creditCardType", json!("mc")),
            ("creditCardNumber", json!(text("card_number"))),
            ("menu", json!(text("menu"))),
            ("gender", json!("female")),
            ("reference", json!(id("login"))),
            ("file", attached),
            ("holograph", json!(text("holograph"))),
            ("passkey", json!({"privateKey": text("passkey")})),
        ];
        let fields: Vec<Value> = value
            .into_iter()
            .map(|(kind, value)| field(&format!("kind_{kind}"), kind, json!({ kind: value })))
            .collect();
        let sections = json!([
            {"title": text("section"), "name": "kinds", "fields": fields},
            {"title": "plain", "name": "shapes", "fields": [
                field("plain_email", "plain email", json!({"email": text("plain_email")})),
                field("plain_address", "plain address", json!({"address": text("plain_address")})),
                field("empty", "empty", json!({"string": ""})),
                field("null", "null", json!({"date": null})),
            ]},
        ]);
        self.item("kinds", "110", json!({"sections": sections}))
    }

    fn plain_items(&self) -> Vec<Value> {
        PLAIN.iter().map(|category| {
            let name = format!("plain{category}");
            let value = json!({"string": self.text(&format!("{name}.field"))});
            let section = json!({"title": "", "fields": [field("template", "a template's field", value)]});
            let mut details = json!({"sections": [section]});
            if *category == "003" {
                put(&mut details, "notesPlain", json!(self.text("plain003.notes")));
            }
            self.item(&name, category, details)
        }).collect()
    }

    /// As old exports have it: an item without id and dates, its file beside it.
    fn wrapped(&mut self) -> Value {
        let name = self.text("wrapped.file.name");
        let path = format!("files/{name}");
        self.files
            .push((path.clone(), self.text("wrapped.file.content").into_bytes()));
        json!({
            "item": {"timestamp": 1_500_000_003, "trashed": false, "categoryUuid": "006", "details": {},
                "overview": {"title": self.text("wrapped.title")}},
            "file": {"attrs": {"uuid": id("wrapped file"), "name": name, "type": "document"}, "path": path},
        })
    }
}

fn account(name: &str) -> Value {
    json!({"accountName": name, "name": name, "avatar": "", "email": "me@example.test", "uuid": "ACCOUNT", "domain": ""})
}

fn vault(name: &str, kind: &str, items: &[Value], secrets: &dyn Fn(&str) -> String) -> Value {
    let (title, text) = (
        secrets(&format!("vault.{name}")),
        secrets(&format!("vault.{name}.description")),
    );
    json!({"attrs": {"uuid": id(name), "name": title, "desc": text, "avatar": "", "type": kind}, "items": items})
}

fn field(id: &str, title: &str, value: Value) -> Value {
    json!({"id": id, "title": title, "value": value, "guarded": false, "multiline": false, "dontGenerate": true,
        "placeholder": "as in the template",
        "inputTraits": {"keyboard": "default", "correction": "no", "capitalization": "none"}})
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
