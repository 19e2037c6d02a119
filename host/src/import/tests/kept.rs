//! What Connect shows of an export.

use super::*;

#[test]
fn counts_what_it_found() {
    let archive = rich();
    let report = &archive.export().report;
    assert_eq!(
        (report.accounts, report.vaults, report.items),
        (2, 4, 7 + PLAIN.len() as u64)
    );
    assert_eq!((report.archived, report.skipped, report.files), (1, 1, 3));
    assert_eq!(report.categories["CUSTOM"], 2);
    assert_eq!(report.categories.len(), 22);
    assert_eq!(report.unmapped["login form fields"], 2);
    assert_eq!(report.unmapped["old passwords"], 2);
    assert_eq!(report.unmapped["passkeys"], 1);
    assert_eq!(report.unmapped["fields of an unknown kind"], 3);
    assert_eq!(report.unmapped.len(), 4);
}

#[test]
fn knows_the_vaults() {
    let archive = rich();
    let kinds: Vec<_> = archive
        .export()
        .vaults
        .iter()
        .map(|vault| vault.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            VaultKind::Personal,
            VaultKind::Everyone,
            VaultKind::UserCreated,
            VaultKind::UserCreated
        ]
    );
    let vault = &archive.export().vaults[0];
    assert_eq!(vault.id, Some(fixture::id("personal")));
    assert_eq!(
        (vault.name.as_str(), vault.description.as_str()),
        ("canary-vault.personal", "canary-vault.personal.description")
    );
}

#[test]
fn a_login_has_connects_shape() {
    let archive = rich();
    let login = item(&archive, "login");
    let full = &login.full;
    assert_eq!(full["id"], fixture::id("login"));
    assert_eq!(
        (&full["category"], &full["favorite"]),
        (&json!("LOGIN"), &json!(true))
    );
    assert_eq!(full["tags"], json!(["canary-login.tag", "nested/tag"]));
    assert_eq!(
        full["urls"],
        json!([
        {"label": "website", "href": "canary-login.url"},
        {"primary": true, "label": "canary-login.url_label", "href": "https://example.test/primary"}])
    );
    assert_eq!(
        full["sections"],
        json!([{"id": "Section_login", "label": "canary-login.section"},
        {"id": "linked items", "label": "Related Items"}, {"id": "add more"}])
    );
    assert_eq!(
        full["fields"][0],
        json!({"id": "username", "type": "STRING", "purpose": "USERNAME", "label": "username",
        "value": "canary-login.username"})
    );
    assert_eq!(
        full["fields"][1],
        json!({"id": "password", "type": "CONCEALED", "purpose": "PASSWORD",
        "label": "password", "value": "canary-login.password"})
    );
    assert_eq!(
        full["fields"][2],
        json!({"id": "notesPlain", "type": "STRING", "purpose": "NOTES",
        "label": "notesPlain", "value": "canary-login.notes"})
    );
    assert_eq!(
        full["fields"][3],
        json!({"id": "TOTP_login", "section": {"id": "Section_login"}, "type": "OTP",
        "label": "one-time password", "value": "canary-login.totp"})
    );
    assert_eq!(login.extra["urls"][1]["mode"], "never");
    assert_eq!(login.extra["passwordHistory"][0]["time"], 1_590_000_001);
}

#[test]
fn ids_are_new_only_where_they_must_be() {
    let (archive, again) = (rich(), rich());
    let fields = item(&archive, "login").full["fields"].as_array().unwrap();
    let ids: HashSet<_> = fields
        .iter()
        .map(|field| field["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), fields.len());
    assert!(ids.contains("twice") && ids.contains("sso"));
    let renamed = |kind| {
        archive
            .export()
            .report
            .renamed_ids
            .iter()
            .filter(move |renamed| renamed.kind == kind)
    };
    let reasons: Vec<_> = renamed(IdKind::Field)
        .map(|renamed| renamed.reason)
        .collect();
    assert_eq!(
        reasons,
        [IdFault::Duplicate, IdFault::Missing, IdFault::Duplicate]
    );
    let new = renamed(IdKind::Field)
        .next()
        .unwrap()
        .new_id
        .as_deref()
        .unwrap();
    assert_eq!(item(&archive, "login").extra["fields"][new]["id"], "twice");
    assert_eq!(renamed(IdKind::Item).count(), 1);
    assert_eq!(archive.export().report, again.export().report);
}

#[test]
fn every_kind_of_value_has_its_type() {
    let archive = rich();
    let kinds = item(&archive, "kinds");
    let find = |id: &str| {
        let field = kinds.full["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|field| field["id"] == id)
            .unwrap();
        (
            field["type"].as_str().unwrap(),
            field.get("value").and_then(Value::as_str),
        )
    };
    let wanted = [
        ("kind_string", "STRING", Some("canary-kinds.string")),
        (
            "kind_concealed",
            "CONCEALED",
            Some("canary-kinds.concealed"),
        ),
        ("kind_email", "EMAIL", Some("canary-kinds.email")),
        ("kind_url", "URL", Some("canary-kinds.url")),
        ("kind_phone", "PHONE", Some("canary-kinds.phone")),
        ("kind_date", "DATE", Some("1614600060")),
        ("kind_monthYear", "MONTH_YEAR", Some("202703")),
        (
            "kind_totp",
            "OTP",
            Some("otpauth://totp/Example:me?secret=JBSWY3DPEHPK3PXP&issuer=Example"),
        ),
        (
            "kind_address",
            "ADDRESS",
            Some(
                "canary-kinds.street, canary-kinds.city, canary-kinds.zip, canary-kinds.state, canary-kinds.country",
            ),
        ),
        ("kind_creditCardType", "CREDIT_CARD_TYPE", Some("mc")),
        (
            "kind_creditCardNumber",
            "CREDIT_CARD_NUMBER",
            Some("canary-kinds.card_number"),
        ),
        ("kind_menu", "MENU", Some("canary-kinds.menu")),
        ("kind_gender", "GENDER", Some("female")),
        ("kind_reference", "REFERENCE", Some(&fixture::id("login"))),
        ("kind_holograph", "UNKNOWN", Some("canary-kinds.holograph")),
        ("kind_passkey", "UNKNOWN", None),
        ("plain_email", "EMAIL", Some("canary-kinds.plain_email")),
        (
            "plain_address",
            "ADDRESS",
            Some("canary-kinds.plain_address"),
        ),
        ("empty", "STRING", None),
        ("null", "DATE", None),
    ];
    for (id, kind, value) in wanted {
        assert_eq!(find(id), (kind, value), "{id}");
    }
    assert_eq!(kinds.full["fields"].as_array().unwrap().len(), wanted.len());
    assert_eq!(
        kinds.extra["fields"]["kind_address"]["value"]["address"]["zip"],
        "canary-kinds.zip"
    );
}

#[test]
fn an_ssh_key_is_its_pem_text() {
    let archive = rich();
    let ssh = item(&archive, "ssh");
    assert_eq!(
        ssh.full["fields"],
        json!([{"id": "private_key", "type": "SSHKEY", "label": "private key",
        "value": "canary-ssh.private_key"}])
    );
    let metadata = &ssh.extra["fields"]["private_key"]["value"]["sshKey"]["metadata"];
    assert_eq!(metadata["publicKey"], "canary-ssh.public_key");
    assert!(!ssh.extra.to_string().contains("canary-ssh.private_key"));
}

#[test]
fn a_templates_section_is_left_out() {
    let archive = rich();
    let server = item(&archive, "plain110");
    assert_eq!(server.full["sections"], json!([]));
    assert!(server.full["fields"][0].get("section").is_none());
}

#[test]
fn notes_and_passwords_stand_where_connect_has_them() {
    let archive = rich();
    let ids = |name: &str| -> Vec<String> {
        let fields = item(&archive, name).full["fields"]
            .as_array()
            .unwrap()
            .clone();
        fields
            .iter()
            .map(|field| field["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("password"), ["password", "notesPlain"]);
    assert_eq!(ids("archived"), ["notesPlain"]);
    assert_eq!(ids("plain110"), ["template"]);
    assert_eq!(ids("document"), ["notesPlain"]);
    let note = one(json!({"categoryUuid": "003", "details": {}}));
    assert_eq!(
        note.full["fields"],
        json!([{"id": "notesPlain", "type": "STRING", "purpose": "NOTES", "label": "notesPlain"}])
    );
}

#[test]
fn the_password_of_a_password_item_wins_over_its_form() {
    let form = json!([{"value": "typed", "name": "p", "designation": "password"}]);
    let details = json!({"password": "kept", "loginFields": form});
    let item = one(json!({"categoryUuid": "005", "details": details}));
    assert_eq!(item.full["fields"][0]["value"], "kept");
    assert_eq!(item.extra["loginFields"][0]["value"], "typed");
    let item = one(json!({"categoryUuid": "001", "details": details}));
    assert_eq!(item.full["fields"][0]["value"], "typed");
    assert_eq!(item.extra["details"]["password"], "kept");
    let item = one(json!({"categoryUuid": "005", "details": {"password": "", "loginFields": []}}));
    assert_eq!(item.full["fields"][0]["value"], "");
}

#[test]
fn dates_and_states() {
    let item = one(
        json!({"createdAt": 1_619_465_969, "updatedAt": 9_000_000_000_000_i64, "state": "archived", "favIndex": 3}),
    );
    assert_eq!(item.full["createdAt"], "2021-04-26T19:39:29Z");
    assert!(item.full.get("updatedAt").is_none() && item.archived);
    assert_eq!(
        item.extra["item"],
        json!({"favIndex": 3, "updatedAt": 9_000_000_000_000_i64})
    );
    let item = one(json!({"timestamp": 1_619_465_969}));
    assert_eq!(item.full["createdAt"], "2021-04-26T19:39:29Z");
}

#[test]
fn a_single_url_becomes_the_primary_one() {
    let item = one(
        json!({"overview": {"url": "https://a.test", "urls": [{"label": "", "url": "https://b.test"}]}}),
    );
    assert_eq!(
        item.full["urls"],
        json!([{"primary": true, "href": "https://a.test"}, {"href": "https://b.test"}])
    );
    assert!(item.extra.get("urls").is_none());
}

#[test]
fn odd_values_are_shown_as_far_as_they_go() {
    let item = with_fields(
        "110",
        json!([
        {"id": "a", "value": "bare"}, {"id": "b", "value": 7}, {"id": "c"}, {"id": "d", "value": {"monthYear": 0}},
        {"id": "e", "value": {"string": 5}}, {"id": "f", "value": {"string": "x", "concealed": "y"}}, null,
        {"id": "g", "title": 3, "value": {"date": "2020-01-01"}}]),
    );
    let shown: Vec<_> = item.full["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| {
            (
                field["type"].as_str().unwrap(),
                field.get("value").and_then(Value::as_str),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("STRING", Some("bare")),
            ("STRING", None),
            ("STRING", None),
            ("MONTH_YEAR", None),
            ("STRING", Some("5")),
            ("STRING", Some("x")),
            ("DATE", Some("2020-01-01"))
        ]
    );
    assert_eq!(
        item.extra["fields"],
        json!({"b": {"value": 7}, "d": {"value": {"monthYear": 0}},
        "e": {"value": {"string": 5}}, "f": {"value": {"concealed": "y"}}, "g": {"title": 3, "value": {"date": "2020-01-01"}}})
    );
}

#[test]
fn ids_that_cannot_be_kept_are_reported() {
    let twice = fixture::id("twice");
    let items = json!([{"uuid": twice}, {"uuid": twice}, {"uuid": "NOT-AN-ID"}, {}, null]);
    let archive = read_sample(&export_of(items)).unwrap();
    let items = &archive.export().vaults[0].items;
    let ids: Vec<_> = items.iter().map(|item| item.id.clone()).collect();
    assert_eq!(ids, [Some(twice), None, None, None]);
    let reasons: Vec<_> = archive
        .export()
        .report
        .renamed_ids
        .iter()
        .map(|renamed| renamed.reason)
        .collect();
    assert_eq!(
        reasons,
        [IdFault::Duplicate, IdFault::Malformed, IdFault::Missing]
    );
    assert_eq!(items[2].extra["item"]["uuid"], "NOT-AN-ID");
}

#[test]
fn files_open_with_their_content() {
    let mut archive = rich();
    let files: Vec<ImportedFile> = archive
        .export()
        .vaults
        .iter()
        .flat_map(|vault| &vault.items)
        .flat_map(|item| item.files.clone())
        .collect();
    let mut contents = Vec::new();
    for file in &files {
        let mut text = String::new();
        archive
            .open_file(file)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text.len() as u64, file.size);
        contents.push((file.document, file.section.as_deref(), text));
    }
    assert_eq!(
        contents,
        [
            (true, None, "canary-document.file.content".to_owned()),
            (false, Some("kinds"), "canary-kinds.file.content".to_owned()),
            (true, None, "canary-wrapped.file.content".to_owned()),
        ]
    );
    assert_eq!(files[0].name, "canary-document.file.name.txt");
    let foreign = ImportedFile {
        entry: "export.data".into(),
        size: 1,
        ..files[0].clone()
    };
    assert!(matches!(
        archive.open_file(&foreign).err(),
        Some(ImportError::ForeignFile)
    ));
}

#[test]
fn a_file_is_found_by_its_id_when_its_name_was_recoded() {
    let mut sample = fixture::sample(&canary);
    for (name, _) in &mut sample.files {
        *name = name.replace("name.txt", "n\u{e4}me.txt");
    }
    assert_eq!(read_sample(&sample).unwrap().export().report.files, 3);
}
