//! GET of vaults and items.

use alloc::{format, string::String, vec::Vec};

use http::{StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Action, Asked, Ports, Refusal, Reply,
    filter::Filter,
    matching::{Case, matches},
    query::{self, Query},
};
use crate::{
    id::{ItemId, VaultId},
    item::json,
    records::{Fault, PartRecord, Records, VaultRecord},
    seal::Kind,
    token::ReadAccess,
    vault::{TitleIndex, VaultAttributes},
};

/// Most items in one answer when the client does not page (Connect itself never pages).
const LIST_ALL: u32 = u32::MAX;

/// A vault as Connect shows it (connect-contract.md §2.2), members in the vendor's order.
#[derive(Serialize)]
struct VaultBody<'a> {
    #[serde(rename = "attributeVersion")]
    attribute_version: u64,
    #[serde(rename = "contentVersion")]
    content_version: u64,
    #[serde(rename = "createdAt")]
    created_at: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    id: VaultId,
    items: u64,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(rename = "updatedAt")]
    updated_at: String,
}

impl<'a> VaultBody<'a> {
    fn new(record: &VaultRecord, attributes: &'a VaultAttributes) -> Self {
        Self {
            attribute_version: record.attribute_version,
            content_version: record.content_version,
            created_at: record.created_at.to_rfc3339(),
            description: &attributes.description,
            id: record.id,
            items: record.items,
            name: &attributes.name,
            kind: record.kind.as_str(),
            updated_at: record.updated_at.to_rfc3339(),
        }
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Every vault in the token's scope, whatever its rights there: names are needed to address a vault at all.
pub(super) fn vaults(asked: &Asked<'_>, ports: &Ports<'_>) -> Result<Reply, Refusal> {
    let filter = Wanted::parse(asked.query())?;
    let mut ids: Vec<VaultId> = asked
        .grant
        .grants()
        .iter()
        .map(|grant| grant.vault)
        .collect();
    ids.sort_unstable();
    let mut bodies = Vec::with_capacity(ids.len());
    for id in ids {
        match ports.records.vault(&id) {
            Ok(record) => bodies.push(open_vault(asked, &record)?),
            // In the token's scope, but not (or no longer) here.
            Err(Fault::Missing) => {}
            Err(fault) => return Err(Refusal::fault(fault)),
        }
    }
    let shown = match filter {
        None => bodies,
        Some(wanted) => wanted.select(|filter| {
            Ok(bodies
                .iter()
                .filter(|body| matches(filter, body, Case::Folded))
                .cloned()
                .collect())
        })?,
    };
    Ok(Reply::json(json::to_bytes(&Value::Array(shown))))
}

/// One vault.
pub(super) fn vault(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: &VaultId,
) -> Result<Reply, Refusal> {
    if !asked
        .grant
        .grants()
        .iter()
        .any(|grant| grant.vault == *vault)
    {
        return Err(asked.denied(
            ports,
            Action::Read,
            vault,
            None,
            crate::token::AccessError::OutOfScope,
        ));
    }
    let record = vault_record(ports, vault)?;
    let etag = format!(
        "\"{}-{}\"",
        record.attribute_version, record.content_version
    );
    if asked.has_tag(header::IF_NONE_MATCH, &etag) {
        return Ok(not_modified(&etag));
    }
    Ok(Reply::json(json::to_bytes(&open_vault(asked, &record)?)).with(header::ETAG, &etag))
}

fn vault_record(ports: &Ports<'_>, vault: &VaultId) -> Result<VaultRecord, Refusal> {
    ports.records.vault(vault).map_err(|fault| match fault {
        Fault::Missing => Refusal::vault_missing(vault),
        fault => Refusal::fault(fault),
    })
}

fn open_vault(asked: &Asked<'_>, record: &VaultRecord) -> Result<Value, Refusal> {
    let attributes = asked
        .grant
        .open_attributes(record)
        .map_err(|error| Refusal::access(error, "read", &record.id))?;
    Ok(VaultBody::new(record, &attributes).to_value())
}

/// Summaries of a vault's items.
pub(super) fn items(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: &VaultId,
) -> Result<Reply, Refusal> {
    let wanted = Wanted::parse(asked.query())?;
    let page = Page::parse(asked.query())?;
    let access = asked
        .grant
        .read(vault)
        .map_err(|error| asked.denied(ports, Action::Read, vault, None, error))?;
    let record = vault_record(ports, vault)?;
    let etag = format!(
        "\"{}-{}\"",
        record.attribute_version, record.content_version
    );
    if asked.has_tag(header::IF_NONE_MATCH, &etag) {
        return Ok(not_modified(&etag));
    }
    let listing = Listing {
        records: ports.records,
        access: &access,
        vault,
    };
    let reply = match wanted {
        Some(wanted) => {
            let found = wanted.select(|filter| listing.filtered(filter))?;
            page.reply(found)
        }
        None => page.reply(listing.slice(page.after.as_ref(), page.limit.saturating_add(1))?),
    };
    Ok(reply.with(header::ETAG, &etag))
}

/// One item, whole.
pub(super) fn item(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: &VaultId,
    item: &ItemId,
) -> Result<Reply, Refusal> {
    let access = asked
        .grant
        .read(vault)
        .map_err(|error| asked.denied(ports, Action::Read, vault, Some(*item), error))?;
    let record = ports
        .records
        .details(vault, item)
        .map_err(|fault| match fault {
            Fault::Missing => Refusal::item_missing(item),
            fault => Refusal::fault(fault),
        })?;
    let tag = ItemTag {
        version: record.version,
        now: ports.now.seconds(),
    };
    if asked
        .header(header::IF_NONE_MATCH)
        .is_some_and(|tags| tag.is_in(tags))
    {
        return Ok(not_modified(
            asked.header(header::IF_NONE_MATCH).unwrap_or_default(),
        ));
    }
    let (body, has_codes) =
        json::serve_details(access.open_part(Kind::Details, &record)?, ports.now)
            .ok_or_else(Refusal::damaged)?;
    asked.note(ports, Action::Read, *vault, Some((*item, record.version)));
    Ok(Reply::json(body).with(header::ETAG, &tag.text(has_codes)))
}

/// An item's entity tag: `"7"`, or `W/"7-58000000"` where one-time codes make the answer depend on the time. The
/// client's own tag tells which it is, so that a 304 needs nothing opened.
struct ItemTag {
    version: u64,
    now: u64,
}

impl ItemTag {
    fn text(&self, has_codes: bool) -> String {
        if has_codes {
            format!("W/\"{}-{}\"", self.version, self.now)
        } else {
            format!("\"{}\"", self.version)
        }
    }

    fn is_in(&self, tags: &str) -> bool {
        // A tag with a time never matches: shorter than any code's period is only the same second.
        tags.split(',')
            .any(|tag| tag.trim() == self.text(false) || tag.trim() == self.text(true))
    }
}

fn not_modified(etag: &str) -> Reply {
    Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, etag)
}

/// A filter as it may have been meant: with `+` as itself (clients that write blanks as `%20`), or as a blank.
struct Wanted {
    filters: Vec<Filter>,
}

impl Wanted {
    fn parse(query: Query<'_>) -> Result<Option<Self>, Refusal> {
        let mut raw = query.raw("filter");
        let Some(text) = raw.next() else {
            return Ok(None);
        };
        if raw.next().is_some() {
            return Err(Refusal::filter("it stands twice"));
        }
        let blank = Filter::parse(&query::text(text, true));
        let plus = text
            .contains('+')
            .then(|| Filter::parse(&query::text(text, false)).ok())
            .flatten();
        match (plus, blank) {
            (Some(plus), Ok(blank)) => Ok(Some(Self {
                filters: Vec::from([plus, blank]),
            })),
            (Some(only), Err(_)) | (None, Ok(only)) => Ok(Some(Self {
                filters: Vec::from([only]),
            })),
            (None, Err(reason)) => Err(Refusal::filter(reason)),
        }
    }

    /// What the first meaning that finds anything finds.
    fn select<T>(
        &self,
        find: impl Fn(&Filter) -> Result<Vec<T>, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        for filter in &self.filters {
            let found = find(filter)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }
}

/// An opened summary.
type Summary = (ItemId, Zeroizing<Vec<u8>>);

struct Listing<'a> {
    records: &'a dyn Records,
    access: &'a ReadAccess,
    vault: &'a VaultId,
}

impl Listing<'_> {
    fn slice(&self, after: Option<&ItemId>, limit: u32) -> Result<Vec<Summary>, Refusal> {
        self.open_all(self.records.list(self.vault, after, limit))
    }

    fn open_all(&self, records: Result<Vec<PartRecord>, Fault>) -> Result<Vec<Summary>, Refusal> {
        let records = records.map_err(|fault| match fault {
            Fault::Missing => Refusal::vault_missing(self.vault),
            fault => Refusal::fault(fault),
        })?;
        records
            .iter()
            .map(|record| Ok((record.id, self.access.open_part(Kind::Overview, record)?)))
            .collect()
    }

    /// To the letter first; only when nothing matches so, whatever the case (connect-contract.md §1.1).
    fn filtered(&self, filter: &Filter) -> Result<Vec<Summary>, Refusal> {
        for case in [Case::Exact, Case::Folded] {
            let found = self.matching(filter, case)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn matching(&self, filter: &Filter, case: Case) -> Result<Vec<Summary>, Refusal> {
        let candidates = match filter.required_title() {
            Some(title) => self.titled(title, case)?,
            None => self.slice(None, LIST_ALL)?,
        };
        let is_match = |summary: &Summary| {
            serde_json::from_slice::<Value>(&summary.1)
                .is_ok_and(|value| matches(filter, &value, case))
        };
        Ok(candidates.into_iter().filter(is_match).collect())
    }

    /// One probe of the blind index for each key generation in use: it opens only what it returns.
    fn titled(&self, title: &str, case: Case) -> Result<Vec<Summary>, Refusal> {
        let mut found: Vec<Summary> = Vec::new();
        for key in self.access.keys() {
            let index = TitleIndex::derive(key);
            let mark = match case {
                Case::Exact => index.exact(title),
                Case::Folded => index.folded(title),
            };
            found.extend(self.open_all(self.records.find(self.vault, &mark))?);
        }
        found.sort_by_key(|(id, _)| *id);
        found.dedup_by_key(|(id, _)| *id);
        Ok(found)
    }
}

/// `limit` and `cursor`: our addition. Without them the whole list is one answer.
struct Page {
    limit: u32,
    after: Option<ItemId>,
}

/// Header that names where the next page begins.
const NEXT_CURSOR: http::HeaderName = http::HeaderName::from_static("x-next-cursor");

impl Page {
    fn parse(query: Query<'_>) -> Result<Self, Refusal> {
        let limit = match query.value("limit") {
            None => LIST_ALL,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=1000).contains(limit))
                .ok_or_else(|| Refusal::query("limit"))?,
        };
        let cursor = query.value("cursor").filter(|cursor| !cursor.is_empty());
        let after = cursor
            .map(|cursor| ItemId::parse(&cursor))
            .transpose()
            .map_err(|_| Refusal::query("cursor"))?;
        Ok(Self { limit, after })
    }

    fn reply(&self, summaries: Vec<Summary>) -> Reply {
        let mut rest = summaries
            .into_iter()
            .filter(|(id, _)| self.after.is_none_or(|after| *id > after))
            .peekable();
        let mut shown: Vec<Summary> = Vec::new();
        while shown.len() < self.limit as usize
            && let Some(summary) = rest.next()
        {
            shown.push(summary);
        }
        let next = rest.peek().and(shown.last()).map(|(id, _)| *id);
        let reply = Reply::json(join(&shown));
        match next {
            Some(id) => reply.with(NEXT_CURSOR, id.as_str()),
            None => reply,
        }
    }
}

/// A JSON array of texts that are JSON already.
fn join(summaries: &[Summary]) -> Zeroizing<Vec<u8>> {
    let size = 2 + summaries
        .iter()
        .map(|(_, json)| json.len() + 1)
        .sum::<usize>();
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    out.push(b'[');
    for (at, (_, json)) in summaries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(json);
    }
    out.push(b']');
    out
}
