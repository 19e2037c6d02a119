//! Golden pairs: what the service stores, what the core makes of it, what Connect shows, and back.

use std::path::Path;

use sekisho_bridge::{
    OpClient, OpError,
    client::SdkItem,
    map::{from_sdk, skeleton, to_sdk},
};
use sekisho_core::item::json as item_json;
use sekisho_op_stand_in::StandIn;
use serde_json::Value;

use crate::support::client;

struct Pair {
    name: String,
    value: Value,
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs")
}

fn pairs() -> Vec<Pair> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let pair = |path: std::path::PathBuf| Pair {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        value: serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap(),
    };
    names.into_iter().map(pair).collect()
}

fn sdk(pair: &Pair) -> SdkItem {
    serde_json::from_value(pair.value["sdk"].clone()).unwrap()
}

/// What depends on the time is taken out of both sides.
fn comparable(mut item: SdkItem) -> Value {
    for field in &mut item.fields {
        field
            .details
            .take_if(|_| matches!(field.field_type.as_str(), "Totp" | "SshKey"));
    }
    serde_json::to_value(item).unwrap()
}

#[test]
fn there_are_forty_and_more() {
    assert!(pairs().len() >= 40);
}

#[test]
fn connect_shows_what_the_pair_says() {
    for pair in pairs() {
        let mapped = from_sdk(&sdk(&pair)).unwrap();
        let sealed = item_json::sealed_details(&mapped.stored.item);
        let shown: Value =
            serde_json::from_slice(item_json::static_details(&sealed).unwrap()).unwrap();
        if std::env::var_os("SEKISHO_WRITE_PAIRS").is_some() && pair.value["connect"].is_null() {
            let mut value = pair.value.clone();
            value["connect"] = shown.clone();
            let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
            std::fs::write(folder().join(format!("{}.json", pair.name)), text).unwrap();
            continue;
        }
        assert_eq!(shown, pair.value["connect"], "{}", pair.name);
    }
}

#[test]
fn the_way_back_gives_the_same() {
    for pair in pairs() {
        let item = sdk(&pair);
        let mapped = from_sdk(&item).unwrap();
        let sealed = item_json::sealed_details(&mapped.stored.item);
        let shown = item_json::parse_details(item_json::static_details(&sealed).unwrap()).unwrap();
        let back = to_sdk(&shown, &skeleton(&mapped.stored.extra).unwrap()).unwrap();
        assert_eq!(comparable(back), comparable(item), "{}", pair.name);
    }
}

/// The other direction to its end: what was mapped there and back is written by the core, and nothing of it is lost. What
/// the core does not write at all, not even as it gave it, it refuses whole.
#[test]
fn what_was_mapped_there_and_back_can_be_written() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("pairs", "", "U");
    let mut refused = Vec::new();
    for pair in pairs() {
        let template = pair.value["template"].as_str().unwrap();
        let (overview, details) = (&pair.value["overview"], &pair.value["details"]);
        let item = service.add_item(vault, template, overview, details);
        let before = client.get(vault, item).unwrap();
        let mapped = from_sdk(&before).unwrap();
        let sealed = item_json::sealed_details(&mapped.stored.item);
        let shown = item_json::parse_details(item_json::static_details(&sealed).unwrap()).unwrap();
        let wanted = to_sdk(&shown, &skeleton(&mapped.stored.extra).unwrap()).unwrap();
        match client.put(&wanted) {
            Ok(_) => {
                let mut after = client.get(vault, item).unwrap();
                assert_eq!(after.version, before.version + 1, "{}", pair.name);
                after.version = before.version;
                after.updated_at.clone_from(&before.updated_at);
                assert_eq!(comparable(after), comparable(before), "{}", pair.name);
            }
            Err(OpError::Refused(_)) => {
                let as_it_was = client.put(&before);
                assert!(
                    matches!(as_it_was, Err(OpError::Refused(_))),
                    "{}",
                    pair.name
                );
                refused.push(pair.name);
            }
            Err(error) => panic!("{}: {error}", pair.name),
        }
    }
    assert_eq!(refused, ["ccnum", "kind-nosuch", "template-116", "webform"]);
}

/// The pairs are what the core of this version really makes of what the service stores.
#[test]
fn the_core_makes_of_it_what_the_pair_says() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("pairs", "", "U");
    for pair in pairs() {
        let template = pair.value["template"].as_str().unwrap();
        let item = service.add_item(
            vault,
            template,
            &pair.value["overview"],
            &pair.value["details"],
        );
        let mut made = client
            .get(vault, item)
            .unwrap_or_else(|error| panic!("{}: {error}", pair.name));
        let wanted = sdk(&pair);
        (made.id, made.vault_id) = (wanted.id, wanted.vault_id);
        (made.created_at, made.updated_at) = (wanted.created_at.clone(), wanted.updated_at.clone());
        assert_eq!(comparable(made), comparable(wanted), "{}", pair.name);
    }
}
