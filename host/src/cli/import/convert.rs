//! An exported item to an item of ours, without its files: they are sealed when they are written.

use sekisho_account::store::MAX_ITEM;
use sekisho_core::{
    id::{ItemId, VaultId},
    item::{Item, json as item_json, stored::StoredItem},
    time::Timestamp,
};
use sekisho_host::import::ImportedItem;
use serde_json::{Value, json};

use super::super::failure::Failure;

/// Room for the sealing of parts, and for the entries of files.
const RESERVE: usize = 1024 * 1024;

/// Who imports, when and where to.
pub(super) struct Target<'a> {
    pub(super) vault: VaultId,
    pub(super) editor: &'a str,
    pub(super) now: Timestamp,
}

/// The item under this id; `at` is its place in the export, for errors.
pub(super) fn convert(
    imported: &ImportedItem,
    id: ItemId,
    target: &Target<'_>,
    at: &str,
) -> Result<StoredItem, Failure> {
    let mut full = imported.full.clone();
    complete(&mut full, imported, id, target);
    let json = item_json::to_bytes(&full);
    item_json::wipe(&mut full);
    let item = item_json::parse_details(&json).ok_or_else(|| {
        Failure::new(
            format!("the item at {at} of the export cannot be taken over: it has more or longer members than an item may have"),
            "shorten it in 1Password, then export again; nothing was imported",
        )
    })?;
    let stored = StoredItem {
        item,
        extra: extra(&imported.extra),
        files: None,
    };
    check_size(&stored, at)?;
    Ok(stored)
}

fn complete(full: &mut Value, imported: &ImportedItem, id: ItemId, target: &Target<'_>) {
    let Some(members) = full.as_object_mut() else {
        return;
    };
    members.insert("id".into(), json!(id));
    members.insert("vault".into(), json!({ "id": target.vault }));
    members.insert("version".into(), json!(1));
    members.insert("lastEditedBy".into(), json!(target.editor));
    let now = json!(target.now.truncated().to_rfc3339());
    let date = |name: &str| members.get(name).cloned();
    let (created, updated) = (date("createdAt"), date("updatedAt"));
    let created = created.or_else(|| updated.clone()).unwrap_or(now);
    members.insert(
        "updatedAt".into(),
        updated.unwrap_or_else(|| created.clone()),
    );
    members.insert("createdAt".into(), created);
    if imported.archived {
        members.insert("state".into(), json!("ARCHIVED"));
    }
    let history = history(&imported.extra);
    let fields = members.get_mut("fields").and_then(Value::as_array_mut);
    let password = fields.into_iter().flatten().find(|field| {
        field
            .get("purpose")
            .is_some_and(|purpose| purpose == "PASSWORD")
    });
    if let Some(field) = password.and_then(Value::as_object_mut)
        && !history.is_empty()
    {
        field.insert("passwordDetails".into(), json!({ "history": history }));
    }
}

/// Earlier passwords, newest first.
fn history(extra: &Value) -> Vec<&str> {
    let entries = extra
        .get("passwordHistory")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let mut entries: Vec<(i64, &str)> = entries
        .filter_map(|entry| {
            let time = entry
                .get("time")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            Some((time, entry.get("value")?.as_str()?))
        })
        .collect();
    entries.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    entries.into_iter().map(|(_, value)| value).collect()
}

fn extra(extra: &Value) -> Value {
    match extra.as_object() {
        Some(members) if members.is_empty() => Value::Null,
        _ => extra.clone(),
    }
}

/// The account would refuse it later, in the middle of the import.
fn check_size(stored: &StoredItem, at: &str) -> Result<(), Failure> {
    let sizes = [
        item_json::sealed_details(&stored.item).len(),
        item_json::sealed_overview(&stored.item).len(),
        item_json::to_bytes(&stored.extra).len(),
    ];
    if sizes.iter().sum::<usize>() <= MAX_ITEM - RESERVE {
        return Ok(());
    }
    Err(Failure::new(
        format!("the item at {at} of the export is larger than an item may be"),
        "split it in 1Password, then export again; nothing was imported",
    ))
}

/// Whether what is there is what would be written. Ids of files and the editor may differ, and dates that were ours.
pub(super) fn is_same(there: &StoredItem, new: &StoredItem, imported: &ImportedItem) -> bool {
    let mut expected: Item = new.item.clone();
    expected
        .last_edited_by
        .clone_from(&there.item.last_edited_by);
    expected.files.clone_from(&there.item.files);
    if imported.full.get("createdAt").is_none() && imported.full.get("updatedAt").is_none() {
        (expected.created_at, expected.updated_at) = (there.item.created_at, there.item.updated_at);
    }
    let files = there
        .item
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.size, file.section.as_deref()));
    let wanted = imported
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.size, file.section.as_deref()));
    expected == there.item && new.extra == there.extra && files.eq(wanted)
}

#[cfg(test)]
mod tests {
    use sekisho_core::item::Purpose;

    use super::*;

    fn imported(full: Value, extra: Value) -> ImportedItem {
        ImportedItem {
            id: None,
            full,
            extra,
            archived: true,
            files: Vec::new(),
        }
    }

    fn converted(imported: &ImportedItem) -> StoredItem {
        let target = Target {
            vault: VaultId::from_entropy([1; 16]),
            editor: "EEEEEEEEEEEEEEEEEEEEEEEEEE",
            now: Timestamp::from_seconds(1_700_000_000),
        };
        convert(
            imported,
            ItemId::from_entropy([2; 16]),
            &target,
            "accounts[0]",
        )
        .unwrap()
    }

    #[test]
    fn history_state_and_dates_are_kept() {
        let imported = imported(
            json!({"title":"t","category":"LOGIN","createdAt":"2020-01-02T03:04:05Z","updatedAt":"2021-01-02T03:04:05Z",
                "fields":[{"id":"password","purpose":"PASSWORD","type":"CONCEALED","value":"p"}]}),
            json!({"passwordHistory":[{"value":"old","time":1},{"value":"newer","time":2}]}),
        );
        let stored = converted(&imported);
        let password = stored.item.built_in(Purpose::Password).unwrap();
        // EXPOSE: a test's own values.
        let history: Vec<&str> = password.history.iter().map(|old| old.expose()).collect();
        assert_eq!(history, ["newer", "old"]);
        assert!(stored.item.archived);
        assert_eq!(
            (
                stored.item.version,
                stored.item.created_at.to_rfc3339().as_str()
            ),
            (1, "2020-01-02T03:04:05Z")
        );
        assert!(is_same(&converted(&imported), &stored, &imported));
    }

    #[test]
    fn without_dates_only_the_rest_is_compared() {
        let imported = imported(
            json!({"title":"t","category":"SECURE_NOTE","fields":[]}),
            json!({}),
        );
        let mut later = converted(&imported);
        later.item.created_at = Timestamp::from_seconds(5);
        assert!(is_same(&later, &converted(&imported), &imported));
        later.item.title = "other".into();
        assert!(!is_same(&later, &converted(&imported), &imported));
        assert_eq!(later.extra, Value::Null);
    }
}
