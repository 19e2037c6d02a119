//! Nothing is lost: every scalar of an item is shown, kept beside it, or a file.

use super::*;

/// Every scalar of a value, with the names on the way to it.
fn scalars(value: &Value, name: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, value)| scalars(value, name, found)),
        Value::Array(list) => list.iter().for_each(|value| scalars(value, name, found)),
        other => found.push((name.to_owned(), other.clone())),
    }
}

fn texts(item: &ImportedItem) -> HashSet<String> {
    let mut found = Vec::new();
    scalars(&item.full, "", &mut found);
    scalars(&item.extra, "", &mut found);
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let kept = found.iter().map(|(_, value)| text(value));
    let files = item
        .files
        .iter()
        .flat_map(|file| [file.name.clone(), file.size.to_string()]);
    kept.chain(files).collect()
}

/// What the mapping turned into something else, undone by hand.
fn is_turned(name: &str, value: &Value, item: &ImportedItem) -> bool {
    let date = |member: &str| {
        let date: Option<jiff::Timestamp> =
            item.full[member].as_str().map(|text| text.parse().unwrap());
        date.map(jiff::Timestamp::as_second) == value.as_i64()
    };
    match name {
        "createdAt" | "timestamp" => date("createdAt"),
        "updatedAt" => date("updatedAt"),
        "favIndex" => item.full.get("favorite").is_some() == (value == 1),
        "state" => item.archived == (value == "archived"),
        "categoryUuid" => item.full["category"] != "CUSTOM",
        "trashed" => value == false,
        _ => value.is_null() || value == "",
    }
}

fn assert_nothing_lost(sample: &Sample) {
    let archive = read_sample(sample).unwrap();
    let mut items = archive
        .export()
        .vaults
        .iter()
        .flat_map(|vault| &vault.items);
    for raw in raw_items(&sample.data)
        .iter()
        .filter(|raw| raw.get("trashed") != Some(&json!(true)))
    {
        let (item, mut wanted) = (items.next().unwrap(), Vec::new());
        let kept = texts(item);
        scalars(raw, "", &mut wanted);
        for (name, value) in wanted {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            assert!(
                kept.contains(&text) || is_turned(&name, &value, item),
                "lost {name}: {value}"
            );
        }
    }
    assert!(items.next().is_none());
}

fn raw_items(data: &Value) -> Vec<Value> {
    let accounts = data["accounts"].as_array().unwrap();
    let vaults = accounts
        .iter()
        .flat_map(|account| account["vaults"].as_array().unwrap());
    vaults
        .flat_map(|vault| vault["items"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn nothing_is_lost() {
    assert_nothing_lost(&fixture::sample(&canary));
}

/// A member of later days, in every object of every item.
fn strew(value: &mut Value, serial: &mut u64) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(|value| strew(value, serial));
            *serial += 1;
            members.insert("novelty".to_owned(), json!(format!("novelty-{serial}")));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| strew(value, serial)),
        _ => {}
    }
}

#[test]
fn nothing_unknown_is_lost_anywhere() {
    let mut sample = fixture::sample(&canary);
    let mut serial = 0;
    for account in sample.data["accounts"].as_array_mut().unwrap() {
        for vault in account["vaults"].as_array_mut().unwrap() {
            strew(&mut vault["items"], &mut serial);
        }
    }
    assert!(serial > 200, "{serial}");
    assert_nothing_lost(&sample);
}
