//! The overview of an item: title, tags, addresses.

use serde_json::{Map, Value};

use super::item::keep;
use super::raw::Members;

/// Known, and of no use outside the 1Password apps.
const APP_ONLY: [&str; 9] = [
    "subtitle",
    "ainfo",
    "ps",
    "pbe",
    "pgrng",
    "icons",
    "watchtowerExclusions",
    "tags",
    "urls",
];

/// Fills title, tags and urls into the head; returns how many members are unknown.
pub(super) fn read(
    mut overview: Members,
    head: &mut Map<String, Value>,
    extra: &mut Map<String, Value>,
) -> usize {
    head.insert(
        "title".to_owned(),
        overview.text("title").unwrap_or_default().into(),
    );
    head.insert("tags".to_owned(), take_tags(&mut overview).into());
    let urls = take_urls(&mut overview, extra);
    if !urls.is_empty() {
        head.insert("urls".to_owned(), urls.into());
    }
    let unknown = overview
        .names()
        .filter(|name| !APP_ONLY.contains(name))
        .count();
    keep(extra, "overview", overview);
    unknown
}

fn take_tags(overview: &mut Members) -> Vec<Value> {
    let Some(raw) = overview.list("tags") else {
        return Vec::new();
    };
    let tags: Vec<Value> = raw.iter().filter(|tag| tag.is_string()).cloned().collect();
    if tags.len() < raw.len() {
        overview.put("tags", raw);
    }
    tags
}

/// The single `url` is the primary one; old exports have no other.
fn take_urls(overview: &mut Members, extra: &mut Map<String, Value>) -> Vec<Value> {
    let mut urls = Vec::new();
    if let Some(raw) = overview.list("urls") {
        urls.extend(raw.iter().filter_map(one_url));
        if !raw.iter().all(is_plain) {
            extra.insert("urls".to_owned(), raw.into());
        }
    }
    let single = overview.text("url").filter(|url| !url.is_empty());
    mark_primary(&mut urls, single);
    urls.into_iter().map(Value::Object).collect()
}

fn mark_primary(urls: &mut Vec<Map<String, Value>>, single: Option<String>) {
    let known = single.as_ref().map(|url| {
        urls.iter()
            .position(|known| known.get("href") == Some(&Value::from(url.as_str())))
    });
    if let (Some(None), Some(url)) = (known, single) {
        urls.insert(0, Map::from_iter([("href".to_owned(), url.into())]));
    }
    let primary = known.flatten().unwrap_or_default();
    if let Some(url) = urls.get_mut(primary) {
        url.shift_insert(0, "primary".to_owned(), true.into());
    }
}

fn one_url(raw: &Value) -> Option<Map<String, Value>> {
    let mut url = Map::new();
    if let Some(label) = raw
        .get("label")
        .and_then(Value::as_str)
        .filter(|label| !label.is_empty())
    {
        url.insert("label".to_owned(), label.into());
    }
    url.insert("href".to_owned(), raw.get("url")?.as_str()?.into());
    Some(url)
}

/// Whether label and address are all there is; more would be how the browser fills it in.
fn is_plain(raw: &Value) -> bool {
    let plain = |(name, value): (&String, &Value)| match name.as_str() {
        "url" => value.is_string(),
        "label" => value.is_string() || value.is_null(),
        _ => false,
    };
    raw.as_object()
        .is_some_and(|members| members.contains_key("url") && members.iter().all(plain))
}
