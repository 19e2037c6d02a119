use proptest::prelude::*;
use sekisho_core::item::{FieldType, Purpose, json as item_json};
use serde_json::{Value, json};

use super::*;
use crate::client::SdkItem;

fn sdk(mut value: Value) -> SdkItem {
    let members = value.as_object_mut().unwrap();
    let id = "iiiiiiiiiiiiiiiiiiiiiiiiii";
    for (name, default) in [
        ("id", json!(id)),
        ("title", json!("t")),
        ("category", json!("Server")),
        ("vaultId", json!("vvvvvvvvvvvvvvvvvvvvvvvvvv")),
        ("fields", json!([])),
        ("sections", json!([])),
        ("notes", json!("")),
        ("tags", json!([])),
        ("websites", json!([])),
        ("version", json!(1)),
        ("files", json!([])),
        ("document", json!(null)),
        ("createdAt", json!("2026-01-02T03:04:05Z")),
        ("updatedAt", json!("2026-01-02T03:04:05.678Z")),
    ] {
        members.entry(name).or_insert(default);
    }
    serde_json::from_value(value).unwrap()
}

fn field(id: &str, kind: &str, section: Option<&str>, value: &str) -> Value {
    json!({"id": id, "title": id, "sectionId": section, "fieldType": kind, "value": value, "details": null})
}

/// There and back, through the JSON that is sealed.
fn round_trip(item: &SdkItem) -> SdkItem {
    let mapped = from_sdk(item).unwrap();
    let sealed = item_json::sealed_details(&mapped.stored.item);
    let back = item_json::parse_details(item_json::static_details(&sealed).unwrap()).unwrap();
    to_sdk(&back, &skeleton(&mapped.stored.extra).unwrap()).unwrap()
}

fn without_derived(mut item: SdkItem) -> SdkItem {
    for field in &mut item.fields {
        field
            .details
            .take_if(|_| matches!(field.field_type.as_str(), "Totp" | "SshKey"));
    }
    item
}

#[test]
fn a_template_section_is_hidden_and_comes_back() {
    let item = sdk(json!({
        "sections": [{"id": "", "title": ""}, {"id": "more", "title": "More"}],
        "fields": [field("url", "Text", Some(""), "h"), field("x", "Concealed", Some("more"), "s")],
    }));
    let mapped = from_sdk(&item).unwrap();
    assert_eq!(mapped.stored.item.sections.len(), 1);
    assert_eq!(mapped.stored.item.fields[1].section, None);
    assert_eq!(round_trip(&item), item);
}

#[test]
fn codes_are_never_kept() {
    let mut totp = field("TOTP_x", "Totp", None, "JBSWY3DPEHPK3PXP");
    totp["details"] = json!({"type": "Otp", "content": {"code": "123456", "errorMessage": null}});
    let item = sdk(json!({"category": "Login", "fields": [totp]}));
    let mapped = from_sdk(&item).unwrap();
    let sealed = item_json::sealed_details(&mapped.stored.item);
    let all = [&sealed[..], mapped.stored.extra.to_string().as_bytes()].concat();
    assert!(!String::from_utf8_lossy(&all).contains("123456"));
    assert_eq!(mapped.stored.item.fields[1].kind, FieldType::Otp);
}

#[test]
fn the_skeleton_holds_no_values() {
    let item = sdk(json!({"category": "Login", "notes": "n0te",
        "fields": [field("password", "Concealed", None, "s3cret"), field("d", "Date", None, "2026-02-03")]}));
    let extra = from_sdk(&item).unwrap().stored.extra.to_string();
    assert!(
        !extra.contains("s3cret") && !extra.contains("n0te"),
        "{extra}"
    );
}

#[test]
fn an_address_keeps_its_parts_until_its_line_changes() {
    let mut address = field("a", "Address", Some("s"), "s, c x 1, us");
    address["details"] = json!({"type": "Address", "content": {"street": "s", "city": "c", "country": "us", "zip": "1", "state": "x"}});
    let item = sdk(json!({"sections": [{"id": "s", "title": "S"}], "fields": [address]}));
    assert_eq!(round_trip(&item), item);
    let mapped = from_sdk(&item).unwrap();
    let mut next = mapped.stored.item.clone();
    next.fields[1].value = Some(sekisho_core::secret::SecretText::new("elsewhere 5"));
    let next = to_sdk(&next, &skeleton(&mapped.stored.extra).unwrap()).unwrap();
    assert_eq!(
        next.fields[0].details.as_ref().unwrap().content["street"],
        "elsewhere 5"
    );
}

#[test]
fn websites_keep_where_they_are_filled_in() {
    let item = sdk(json!({"category": "Login", "websites": [
        {"url": "https://a", "label": "website", "autofillBehavior": "ExactDomain"},
        {"url": "https://b", "label": "", "autofillBehavior": "Never"}]}));
    assert_eq!(round_trip(&item), item);
    let mapped = from_sdk(&item).unwrap();
    let mut next = mapped.stored.item.clone();
    next.urls[0].primary = false;
    next.urls[1].primary = true;
    let next = to_sdk(&next, &skeleton(&mapped.stored.extra).unwrap()).unwrap();
    assert_eq!(next.websites[0].url, "https://b");
    assert_eq!(next.websites[0].autofill_behavior, "Never");
}

#[test]
fn the_purpose_needs_the_category_and_no_section() {
    let fields = [
        field("username", "Text", None, "u"),
        field("password", "Concealed", None, "p"),
    ];
    let purposes = |category: &str| {
        let mapped = from_sdk(&sdk(json!({"category": category, "fields": fields}))).unwrap();
        let fields = mapped.stored.item.fields.iter();
        fields.filter_map(|field| field.purpose).collect::<Vec<_>>()
    };
    let all = [Purpose::Username, Purpose::Password, Purpose::Notes];
    assert_eq!(purposes("Login"), all);
    assert_eq!(purposes("Database"), [Purpose::Notes]);
}

#[test]
fn categories_do_not_change_and_custom_is_not_made() {
    let mapped = from_sdk(&sdk(json!({"category": "Person"}))).unwrap();
    let bones = skeleton(&mapped.stored.extra).unwrap();
    assert_eq!(
        to_sdk(&mapped.stored.item, &bones).unwrap().category,
        "Person"
    );
    assert_eq!(new_to_sdk(&mapped.stored.item), Err(MapError::NotCreatable));
    let mut other = mapped.stored.item.clone();
    other.category = sekisho_core::item::Category::Login;
    assert_eq!(to_sdk(&other, &bones), Err(MapError::Category));
}

#[test]
fn unknown_kinds_are_mapped_and_flagged() {
    let item = sdk(
        json!({"fields": [field("f", "Hologram", None, "v"), field("g", "Unsupported", None, "")]}),
    );
    let mapped = from_sdk(&item).unwrap();
    assert_eq!(mapped.lossy, ["field"]);
    assert_eq!(lossy(&mapped.stored.extra), ["field"]);
    assert_eq!(round_trip(&item), item);
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß日\\n]{0,12}"
}

fn any_field() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        (
            Just("Date"),
            "20[0-4][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])".boxed()
        ),
        (Just("MonthYear"), "(0[1-9]|1[0-2])/20[0-9][0-9]".boxed()),
        (
            prop::sample::select(vec![
                "Text",
                "Concealed",
                "CreditCardType",
                "CreditCardNumber",
                "Phone",
                "Url",
                "Totp",
                "Email",
                "Reference",
                "SshKey",
                "Menu",
            ]),
            text().boxed()
        ),
    ];
    (
        "[a-zA-Z0-9_.-]{1,10}",
        text(),
        prop::option::of(prop::sample::select(vec!["", "s1", "s2"])),
        values,
    )
        .prop_map(|(id, title, section, (kind, value))| {
            json!({"id": id, "title": title, "sectionId": section, "fieldType": kind, "value": value, "details": null})
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Everything that op-account.md §D marks "=" or "~" survives there and back.
    #[test]
    fn nothing_is_lost_on_the_way_back(
        fields in prop::collection::vec(any_field(), 0..8),
        title in text(), notes in text(),
        tags in prop::collection::vec(text(), 0..4),
        urls in prop::collection::vec(text(), 0..3),
        category in prop::sample::select(vec!["Login", "Password", "Server", "Database", "CreditCard", "Identity", "Person"]),
        version in 1u64..1000,
    ) {
        let websites: Vec<Value> = urls.iter().enumerate().map(|(at, url)|
            json!({"url": format!("{at}{url}"), "label": url, "autofillBehavior": if at == 0 { "Never" } else { "AnywhereOnWebsite" }})).collect();
        let item = sdk(json!({
            "title": title, "notes": notes, "tags": tags, "fields": fields, "category": category, "version": version,
            "websites": websites,
            "sections": [{"id": "s1", "title": "One"}, {"id": "", "title": ""}, {"id": "s2", "title": ""}],
            "files": [{"attributes": {"name": "a.txt", "id": "abcdefghijklmnopqrstuvwxya", "size": 5}, "sectionId": "s1", "fieldId": "f"}],
        }));
        prop_assume!(item.fields.iter().all(|field| field.id != "notesPlain"));
        prop_assert_eq!(without_derived(round_trip(&item)), without_derived(item));
    }
}
