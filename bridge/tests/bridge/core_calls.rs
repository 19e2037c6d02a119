//! The unmodified core does everything a mirror needs, at the cost of op-account.md §C.5.

use sekisho_bridge::{
    OpClient, OpError,
    client::{BATCH, NewSdkItem, SdkCore, SdkField, VaultKind},
};
use sekisho_core::secret::SecretText;
use sekisho_op_stand_in::StandIn;
use serde_json::json;

use crate::support::client;

/// What was sent since it was last asked.
fn sent(service: &StandIn) -> usize {
    service.take_seen().len()
}

fn password(text: &str) -> SdkField {
    SdkField {
        id: "password".into(),
        title: "password".into(),
        section_id: None,
        field_type: "Concealed".into(),
        value: SecretText::new(text),
        details: None,
    }
}

fn password_of(client: &mut SdkCore, item: &sekisho_bridge::client::SdkItem) -> String {
    let item = client.get(item.vault_id, item.id).unwrap();
    let field = item.fields.iter().find(|field| field.id == "password");
    field.unwrap().value.expose().to_owned()
}

#[test]
fn reads_cost_what_was_measured() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("Infra", "what runs", "U");
    let other = service.add_vault("Environment", "", "D");
    let items: Vec<_> = (0..BATCH)
        .map(|n| service.add_login(vault, &format!("login {n}"), "hunter2"))
        .collect();

    let vaults = client.vaults(false).unwrap();
    assert_eq!(sent(&service), 4 + 1, "sign-in, list");
    let found = vaults.iter().find(|found| found.id == vault).unwrap();
    assert_eq!(found.title, "[Encrypted]");
    assert_eq!(found.vault_type, VaultKind::UserCreated);
    assert_eq!(found.active_item_count, 50);
    assert_eq!(found.content_version, 51);
    let environment = vaults.iter().find(|found| found.id == other).unwrap();
    assert_eq!(environment.vault_type, VaultKind::Unsupported);

    let vaults = client.vaults(true).unwrap();
    assert_eq!(sent(&service), 2, "list, keysets");
    let found = vaults.iter().find(|found| found.id == vault).unwrap();
    assert_eq!(
        (found.title.as_str(), found.description.as_str()),
        ("Infra", "what runs")
    );
    client.vaults(true).unwrap();
    assert_eq!(sent(&service), 1);
    client.vault(vault).unwrap();
    assert_eq!(sent(&service), 1);

    let listed = client.items(vault).unwrap();
    assert_eq!(sent(&service), 1);
    assert_eq!(listed.len(), 50);
    let got = client.get_all(vault, &items).unwrap();
    assert_eq!(sent(&service), 1);
    assert_eq!(got.len(), 50);
    assert_eq!(got[0].version, 1);
    let one = client.get(vault, items[7]).unwrap();
    assert_eq!(sent(&service), 1);
    assert_eq!(one.title, "login 7");
    assert_eq!(one.fields[1].value.expose(), "hunter2");
}

#[test]
fn a_mirror_costs_what_the_formula_says() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let sizes = [120, 50, 1];
    let vaults = sizes.map(|size| {
        let vault = service.add_vault("v", "", "U");
        for n in 0..size {
            service.add_login(vault, &n.to_string(), "p");
        }
        vault
    });
    client.vaults(true).unwrap();
    for vault in vaults {
        let items = client.items(vault).unwrap();
        let ids: Vec<_> = items.iter().map(|item| item.id).collect();
        for batch in ids.chunks(BATCH) {
            assert_eq!(client.get_all(vault, batch).unwrap().len(), batch.len());
        }
    }
    let wanted: usize = 6 + sizes
        .iter()
        .map(|n: &usize| 1 + n.div_ceil(50))
        .sum::<usize>();
    assert_eq!(sent(&service), wanted);
}

#[test]
fn writes_land_and_cost_what_was_measured() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("Infra", "", "U");
    client.vaults(true).unwrap();
    sent(&service);
    let made = client
        .create(&NewSdkItem {
            category: "Login".into(),
            vault_id: vault,
            title: "made here".into(),
            fields: vec![password("first")],
            sections: Vec::new(),
            notes: SecretText::new("a note"),
            tags: vec!["t".into()],
            websites: Vec::new(),
        })
        .unwrap();
    assert_eq!(sent(&service), 2);
    assert_eq!(made.version, 1);
    let (overview, details, version) = service.item(vault, made.id).unwrap();
    assert_eq!(overview["title"], "made here");
    assert_eq!(details["notesPlain"], "a note");
    assert_eq!(version, 1);

    let mut next = client.get(vault, made.id).unwrap();
    sent(&service);
    next.fields[0].value = SecretText::new("second");
    let put = client.put(&next).unwrap();
    assert_eq!(sent(&service), 3);
    assert_eq!(put.version, 2);
    assert_eq!(password_of(&mut client, &made), "second");
    let (_, details, _) = service.item(vault, made.id).unwrap();
    assert_eq!(
        details["passwordHistory"][0]["value"], "first",
        "kept by the core"
    );

    assert_eq!(client.put(&next), Err(OpError::Conflict), "stale");
    next.version = 2;
    next.category = "Server".into();
    assert!(matches!(client.put(&next), Err(OpError::Refused(_))));
    sent(&service);
    client.archive(vault, made.id).unwrap();
    assert_eq!(sent(&service), 3);
    assert!(client.items(vault).unwrap().is_empty());
    assert_eq!(client.get(vault, made.id), Err(OpError::Inactive));

    let other = service.add_login(vault, "other", "p");
    sent(&service);
    client.delete(vault, other).unwrap();
    assert_eq!(sent(&service), 3);
    assert!(service.item(vault, other).is_none());
    assert_eq!(client.get(vault, other), Err(OpError::Missing));
}

#[test]
fn files_are_read() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("Infra", "", "U");
    let item = service.add_login(vault, "with file", "p");
    let content: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
    client.vaults(true).unwrap();
    let held = client.get(vault, item).unwrap();
    sent(&service);
    let attached = client
        .attach(&held, "certs.pem", "s", "f", &content)
        .unwrap();
    assert_eq!(sent(&service), 4);
    let file = &attached.files[0].attributes;
    assert_eq!((file.name.as_str(), file.size), ("certs.pem", 200_000));
    let read = client.read_file(vault, item, file).unwrap();
    assert_eq!(sent(&service), 2);
    assert_eq!(read.as_slice(), content);
    let mut large = file.clone();
    large.size = 21 * 1024 * 1024;
    assert_eq!(
        client.read_file(vault, item, &large),
        Err(OpError::TooLarge(20 * 1024 * 1024))
    );
    assert_eq!(sent(&service), 0);
}

#[test]
fn an_archived_item_fails_its_batch_and_a_missing_one_is_left_out() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("v", "", "U");
    let ids: Vec<_> = (0..3)
        .map(|n| service.add_login(vault, &n.to_string(), "p"))
        .collect();
    service.set_state(vault, ids[1], "D");
    assert_eq!(client.get_all(vault, &ids).unwrap().len(), 2);
    service.set_state(vault, ids[1], "Y");
    assert_eq!(client.get_all(vault, &ids), Err(OpError::Inactive));
    assert!(client.get_all(vault, &[ids[0], ids[2]]).is_ok());
}

#[test]
fn a_whole_item_of_every_kind_survives_a_put() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("v", "", "U");
    let overview = json!({"title": "all kinds", "tags": ["b", "a"], "URLs": [{"u": "https://a", "l": "website"}, {"u": "https://b", "l": "", "m": "never"}], "url": "https://a"});
    let details = json!({"notesPlain": "n", "fields": [
        {"type": "T", "name": "username", "value": "u", "designation": "username", "id": "username"},
        {"type": "P", "name": "password", "value": "p", "designation": "password", "id": "password"}],
        "sections": [{"name": "add more", "title": "", "fields": [
            {"k": "concealed", "n": "TOTP_x", "t": "code", "v": "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"},
            {"k": "date", "n": "d", "t": "day", "v": 1_770_120_060}, {"k": "monthYear", "n": "m", "t": "until", "v": 202_703},
            {"k": "address", "n": "a", "t": "home", "v": {"street": "s", "city": "c", "country": "us", "zip": "1", "state": "x"}},
            {"k": "menu", "n": "e", "t": "pick", "v": "one"}]}]});
    let item = service.add_item(vault, "001", &overview, &details);
    let before = client.get(vault, item).unwrap();
    let mapped = sekisho_bridge::map::from_sdk(&before).unwrap();
    let bones = sekisho_bridge::map::skeleton(&mapped.stored.extra).unwrap();
    let mut next = mapped.stored.item.clone();
    next.title = "renamed".into();
    let put = client
        .put(&sekisho_bridge::map::to_sdk(&next, &bones).unwrap())
        .unwrap();
    assert_eq!(put.version, 2);
    let (now, kept, _) = service.item(vault, item).unwrap();
    assert_eq!(now["title"], "renamed");
    assert_eq!(kept["sections"][0]["fields"][1]["v"], 1_770_120_060);
    assert_eq!(kept["sections"][0]["fields"][3]["v"]["zip"], "1");
    let after = client.get(vault, item).unwrap();
    let without = |mut item: sekisho_bridge::client::SdkItem| {
        item.title.clear();
        item.version = 0;
        item.updated_at.clear();
        for field in &mut item.fields {
            field.details.take_if(|_| field.field_type == "Totp");
        }
        item
    };
    assert_eq!(without(after), without(before));
}
