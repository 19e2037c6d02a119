//! GET of lists: filters, pages, summaries or whole items.

use alloc::{collections::BTreeMap, vec::Vec};

use http::header;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Action, Asked, Ports, Refusal, Reply,
    filter::Filter,
    matching::{Case, matches},
    query::{self, Query},
    read,
};
use crate::{
    id::{ItemId, VaultId},
    records::{Fault, PartRecord, Records},
    seal::Kind,
    token::ReadAccess,
    vault::TitleIndex,
};

/// Most items in one answer when the client does not page (Connect itself never pages).
const LIST_ALL: u32 = u32::MAX;
/// Summaries read at once: of a long list, sealed and opened ones must not fill the memory together.
const SLICE: u32 = 1000;
/// Bytes of one piece of the answer, more or less.
const PIECE: usize = 64 * 1024;

/// Summaries of a vault's items.
pub(super) fn items(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: &VaultId,
) -> Result<Reply, Refusal> {
    let wanted = Wanted::parse(asked.query())?;
    let page = Page::parse(asked.query())?;
    let denied = |error| asked.denied(ports, Action::Read, vault, None, error);
    asked.grant.may_read(vault).map_err(denied)?;
    let record = read::vault_record(ports, vault)?;
    let expand = expands(asked.query())?;
    let etag = read::vault_tag(&record);
    if !expand && asked.has_tag(header::IF_NONE_MATCH, &etag) {
        return Ok(read::not_modified(&etag));
    }
    let access = asked.grant.read(vault).map_err(denied)?;
    let listing = Listing {
        records: ports.records,
        access: &access,
        vault,
    };
    let found = match wanted {
        Some(wanted) => wanted.select(|filter| listing.filtered(filter))?,
        None => {
            let mut found = Vec::new();
            let limit = page.limit.saturating_add(1);
            listing.each(page.after, limit, |summary| found.push(summary))?;
            found
        }
    };
    let (mut shown, next) = page.cut(found);
    if expand {
        expand_all(asked, ports, &access, &mut shown)?;
    }
    let mut reply = Reply::json_in(join(shown));
    if let Some(id) = next {
        reply = reply.with(NEXT_CURSOR, id.as_str());
    }
    // Whole items may hold one-time codes, which no version tells apart.
    Ok(if expand {
        reply
    } else {
        reply.with(header::ETAG, &etag)
    })
}

/// `expand=fields`: our addition, whole items instead of summaries.
fn expands(query: Query<'_>) -> Result<bool, Refusal> {
    match query.value("expand").as_deref() {
        None => Ok(false),
        Some("fields") => Ok(true),
        Some(_) => Err(Refusal::query("expand")),
    }
}

fn expand_all(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    access: &ReadAccess,
    shown: &mut [Summary],
) -> Result<(), Refusal> {
    for (id, json) in shown {
        let record = ports
            .records
            .details(&access.vault(), id)
            .map_err(Refusal::fault)?;
        (*json, _) = read::whole(asked, ports, access, &record)?;
    }
    Ok(())
}

/// A filter as it may have been meant: with `+` as itself (clients that write blanks as `%20`), or as a blank.
pub(super) struct Wanted {
    filters: Vec<Filter>,
}

impl Wanted {
    pub(super) fn parse(query: Query<'_>) -> Result<Option<Self>, Refusal> {
        let mut raw = query.raw("filter");
        let Some(text) = raw.next() else {
            return Ok(None);
        };
        if raw.next().is_some() {
            return Err(Refusal::filter("it stands twice"));
        }
        let plus = text.contains('+').then(|| query::text(text, false));
        let blank = query::text(text, true);
        let filters: Vec<Filter> = plus
            .iter()
            .chain([&blank])
            .flat_map(|text| meanings(text))
            .collect();
        if filters.is_empty() {
            return Err(Refusal::filter(
                Filter::parse(&blank).err().unwrap_or_default(),
            ));
        }
        Ok(Some(Self { filters }))
    }

    /// What the first meaning that finds anything finds.
    pub(super) fn select<T>(
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

/// Read with backslashes as they were pasted, then as escapes.
fn meanings(text: &str) -> impl Iterator<Item = Filter> {
    let pasted = text
        .contains('\\')
        .then(|| Filter::parse_pasted(text).ok())
        .flatten();
    pasted.into_iter().chain(Filter::parse(text).ok())
}

/// An opened summary.
pub(super) type Summary = (ItemId, Zeroizing<Vec<u8>>);

pub(super) struct Listing<'a> {
    pub(super) records: &'a dyn Records,
    pub(super) access: &'a ReadAccess,
    pub(super) vault: &'a VaultId,
}

impl Listing<'_> {
    /// Hands over at most `limit` summaries by ascending id, from the first one after `after`.
    fn each(
        &self,
        mut after: Option<ItemId>,
        limit: u32,
        mut take: impl FnMut(Summary),
    ) -> Result<(), Refusal> {
        let mut left = limit;
        while left > 0 {
            let asked = left.min(SLICE);
            let slice = self.open_all(self.records.list(self.vault, after.as_ref(), asked))?;
            let is_last = slice.len() < asked as usize;
            after = slice.last().map(|(id, _)| *id);
            slice.into_iter().for_each(&mut take);
            if is_last {
                break;
            }
            left -= asked;
        }
        Ok(())
    }

    fn open_all(&self, records: Result<Vec<PartRecord>, Fault>) -> Result<Vec<Summary>, Refusal> {
        let records = records.map_err(|fault| Refusal::of_vault(fault, self.vault))?;
        records
            .iter()
            .map(|record| Ok((record.id, self.access.open_part(Kind::Overview, record)?)))
            .collect()
    }

    /// To the letter first; only when nothing matches so, whatever the case (connect-contract.md §1.1).
    pub(super) fn filtered(&self, filter: &Filter) -> Result<Vec<Summary>, Refusal> {
        for case in [Case::Exact, Case::Folded] {
            let found = self.matching(filter, case)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn matching(&self, filter: &Filter, case: Case) -> Result<Vec<Summary>, Refusal> {
        let mut found = Vec::new();
        let take = |summary: Summary| {
            let value = serde_json::from_slice::<Value>(&summary.1);
            if value.is_ok_and(|value| matches(filter, &value, case)) {
                found.push(summary);
            }
        };
        match filter.required_title() {
            Some(title) => self.titled(title, case)?.into_iter().for_each(take),
            None => self.each(None, LIST_ALL, take)?,
        }
        Ok(found)
    }

    /// One probe of the blind index for each key generation in use: it opens only what it returns.
    fn titled(&self, title: &str, case: Case) -> Result<Vec<Summary>, Refusal> {
        // A map and no sort: what the standard library has for sorting makes a fifteenth of the component.
        let mut found = BTreeMap::new();
        for key in self.access.keys() {
            let index = TitleIndex::derive(key);
            let mark = match case {
                Case::Exact => index.exact(title),
                Case::Folded => index.folded(title),
            };
            found.extend(self.open_all(self.records.find(self.vault, &mark))?);
        }
        Ok(found.into_iter().collect())
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

    /// The summaries of this page, and the cursor of the next one if there is one.
    fn cut(&self, summaries: Vec<Summary>) -> (Vec<Summary>, Option<ItemId>) {
        let is_here = |(id, _): &Summary| self.after.is_none_or(|after| *id > after);
        let mut shown: Vec<Summary> = summaries.into_iter().filter(is_here).collect();
        let is_more = shown.len() > self.limit as usize;
        shown.truncate(self.limit as usize);
        let next = shown.last().filter(|_| is_more).map(|(id, _)| *id);
        (shown, next)
    }
}

/// A JSON array of texts that are JSON already, in pieces; each text goes when it is in one.
fn join(summaries: Vec<Summary>) -> Vec<Zeroizing<Vec<u8>>> {
    let mut pieces = Vec::new();
    let mut texts = summaries.into_iter().map(|(_, json)| json).peekable();
    let mut is_first = true;
    loop {
        let mut group = Vec::new();
        let mut size = 2;
        while size < PIECE
            && let Some(text) = texts.next()
        {
            size += text.len() + 1;
            group.push(text);
        }
        // Large enough at once: a secret must not stay behind in a buffer that was too small.
        let mut piece = Zeroizing::new(Vec::with_capacity(size));
        for text in group {
            piece.push(if is_first { b'[' } else { b',' });
            piece.extend_from_slice(&text);
            is_first = false;
        }
        if is_first {
            piece.push(b'[');
        }
        let is_last = texts.peek().is_none();
        if is_last {
            piece.push(b']');
        }
        pieces.push(piece);
        if is_last {
            return pieces;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn pieces_make_one_array() {
        for (many, pieces) in [(0, 1), (1, 1), (3, 1), (3000, 2), (10_000, 4)] {
            let id = ItemId::MIN;
            let text =
                |n: usize| Zeroizing::new(format!("{{\"number\":\"{n:012}\"}}").into_bytes());
            let joined = join((0..many).map(|n| (id, text(n))).collect());
            assert_eq!(joined.len(), pieces, "{many}");
            let whole = joined.iter().flat_map(|piece| piece.iter().copied());
            let whole: Vec<u8> = whole.collect();
            let array: Vec<Value> = serde_json::from_slice(&whole).unwrap();
            assert_eq!(array.len(), many);
            assert!((0..many).all(|n| array[n]["number"] == format!("{n:012}")));
        }
    }
}
