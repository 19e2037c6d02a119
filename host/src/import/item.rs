//! One item: its frame, and where its overview and details go.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::details::Details;
use super::error::ImportError;
use super::raw::Members;
use super::report::IdKind;
use super::vaults::{Context, object};
use super::{ImportedItem, overview};

/// Template numbers of 1Password and Connect's names; whatever is not here (115 crypto wallet, 910 person) is CUSTOM.
const CATEGORIES: [(&str, &str); 21] = [
    ("001", "LOGIN"),
    ("002", "CREDIT_CARD"),
    ("003", "SECURE_NOTE"),
    ("004", "IDENTITY"),
    ("005", "PASSWORD"),
    ("006", "DOCUMENT"),
    ("100", "SOFTWARE_LICENSE"),
    ("101", "BANK_ACCOUNT"),
    ("102", "DATABASE"),
    ("103", "DRIVER_LICENSE"),
    ("104", "OUTDOOR_LICENSE"),
    ("105", "MEMBERSHIP"),
    ("106", "PASSPORT"),
    ("107", "REWARD_PROGRAM"),
    ("108", "SOCIAL_SECURITY_NUMBER"),
    ("109", "WIRELESS_ROUTER"),
    ("110", "SERVER"),
    ("111", "EMAIL_ACCOUNT"),
    ("112", "API_CREDENTIAL"),
    ("113", "MEDICAL_RECORD"),
    ("114", "SSH_KEY"),
];

/// Reads an item; none if it lies in the trash or is no more than a gap in the list.
pub(super) fn read(
    context: &mut Context<'_>,
    raw: Value,
    at: &str,
) -> Result<Option<ImportedItem>, ImportError> {
    if raw.is_null() {
        return Ok(None);
    }
    let mut outer = object(raw, at)?;
    // Old exports wrap the item, with the document's file beside it.
    let (mut item, wrapper) = match outer.take("item") {
        Some(inner) => (object(inner, &format!("{at}.item"))?, outer),
        None => (outer, Members::default()),
    };
    if is_trashed(&item) || is_trashed(&wrapper) {
        context.report.skipped += 1;
        return Ok(None);
    }
    let uuid = item.text("uuid");
    let id = context.claim(IdKind::Item, uuid.as_deref(), at);
    if let Some(uuid) = uuid.as_ref().filter(|uuid| id.as_ref() != Some(uuid)) {
        item.put("uuid", uuid.clone());
    }
    read_rest(
        context,
        Frame {
            id,
            at,
            item,
            wrapper,
        },
    )
    .map(Some)
}

struct Frame<'a> {
    id: Option<String>,
    at: &'a str,
    item: Members,
    wrapper: Members,
}

fn read_rest(context: &mut Context<'_>, frame: Frame<'_>) -> Result<ImportedItem, ImportError> {
    let Frame {
        id,
        at,
        mut item,
        mut wrapper,
    } = frame;
    let archived = take_state(&mut item);
    let category = take_category(&mut item);
    let mut extra = Map::new();
    let overview = part(&mut item, "overview", at)?;
    let raw_details = part(&mut item, "details", at)?;
    let mut head = head(id.as_deref(), category, &mut item);
    let known = overview::read(overview, &mut head, &mut extra);
    context
        .report
        .note("members this program cannot place", known);
    dates(&mut item, &mut head);

    let mut details = Details::new(context, category, at, id.as_deref().unwrap_or(at));
    details.read(raw_details)?;
    for owner in [&mut item, &mut wrapper] {
        details.wrapped_file(owner)?;
    }
    let (sections, fields, files) = details.finish(&mut extra);
    head.insert("sections".to_owned(), sections.into());
    head.insert("fields".to_owned(), fields.into());

    let unknown = item
        .names()
        .filter(|name| !matches!(*name, "uuid" | "categoryUuid" | "favIndex"))
        .count();
    context
        .report
        .note("members this program cannot place", unknown);
    keep(&mut extra, "item", item);
    keep(&mut extra, "wrapper", wrapper);
    count(context, category, archived, &files);
    Ok(ImportedItem {
        id,
        full: head.into(),
        extra: extra.into(),
        archived,
        files,
    })
}

fn count(
    context: &mut Context<'_>,
    category: &'static str,
    archived: bool,
    files: &[super::ImportedFile],
) {
    let report = &mut context.report;
    report.items += 1;
    report.archived += u64::from(archived);
    report.files += files.len() as u64;
    report.file_bytes += files.iter().map(|file| file.size).sum::<u64>();
    *report.categories.entry(category).or_default() += 1;
}

/// Keeps a rest beside the item, if there is one.
pub(super) fn keep(extra: &mut Map<String, Value>, name: &str, rest: Members) {
    if !rest.is_empty() {
        extra.insert(name.to_owned(), rest.into_value());
    }
}

fn part(item: &mut Members, name: &str, at: &str) -> Result<Members, ImportError> {
    match item.take(name) {
        Some(value) => object(value, &format!("{at}.{name}")),
        None => Ok(Members::default()),
    }
}

fn head(id: Option<&str>, category: &str, item: &mut Members) -> Map<String, Value> {
    let mut head = Map::new();
    if let Some(id) = id {
        head.insert("id".to_owned(), id.into());
    }
    head.insert("title".to_owned(), "".into());
    head.insert("category".to_owned(), category.into());
    if take_favorite(item) {
        head.insert("favorite".to_owned(), true.into());
    }
    head
}

fn is_trashed(item: &Members) -> bool {
    let state = item.peek("state").and_then(Value::as_str);
    item.peek("trashed") == Some(&Value::Bool(true)) || matches!(state, Some("deleted" | "trashed"))
}

fn take_state(item: &mut Members) -> bool {
    let archived = item.peek("state").is_some_and(|state| state == "archived");
    if archived || item.peek("state").is_some_and(|state| state == "active") {
        item.take("state");
    }
    if item.peek("trashed") == Some(&Value::Bool(false)) {
        item.take("trashed");
    }
    archived
}

/// The number of a CUSTOM item stays with the rest: it alone tells what the item was.
fn take_category(item: &mut Members) -> &'static str {
    let number = item.peek("categoryUuid").and_then(Value::as_str);
    let found = CATEGORIES.iter().find(|(known, _)| Some(*known) == number);
    let Some((_, category)) = found else {
        return "CUSTOM";
    };
    item.take("categoryUuid");
    category
}

/// Any index but 0 makes a favourite; one that says more than that stays with the rest.
fn take_favorite(item: &mut Members) -> bool {
    let Some(index) = item.peek("favIndex").and_then(Value::as_i64) else {
        return false;
    };
    if matches!(index, 0 | 1) {
        item.take("favIndex");
    }
    index != 0
}

fn dates(item: &mut Members, head: &mut Map<String, Value>) {
    let created = take_date(item, "createdAt").or_else(|| take_date(item, "timestamp"));
    let updated = take_date(item, "updatedAt");
    for (name, date) in [("createdAt", created), ("updatedAt", updated)] {
        if let Some(date) = date {
            head.insert(name.to_owned(), date.into());
        }
    }
}

/// Unix seconds as RFC 3339; 0 is how some exports write "unknown".
fn take_date(item: &mut Members, name: &str) -> Option<String> {
    let seconds = item.peek(name)?.as_i64().filter(|seconds| *seconds > 0)?;
    let date = Timestamp::from_second(seconds).ok()?.to_string();
    item.take(name);
    Some(date)
}
