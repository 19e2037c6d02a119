//! `GET /v1/activity`: what was done to the token's vaults, newest first (connect-contract.md §2.7).
//!
//! Deny by default: an entry is shown only if its vault is one that the asking token may **read**, whoever caused the
//! entry. A token that may only write learns nothing of items from it, and a vault out of scope is never named.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Action, Asked, Ports, Refusal, Reply, UsageEvent, query::Query};
use crate::id::{AccountId, EnvironmentId, ItemId, TokenId, VaultId};

/// Name of the header by which a carrier says who is at the other end of the connection: an IP address. It is the
/// carrier's alone: whatever a client sends under this name must be overwritten or dropped.
pub const PEER_HEADER: HeaderName = HeaderName::from_static("x-sekisho-peer");

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 1000;
/// Characters of a client's own name that are kept.
const MAX_AGENT: usize = 256;

/// Who asked, as far as the request tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// The request's id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// What the client calls itself; printable characters only, not many.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// The other end of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
}

impl Caller {
    /// The headers that tell it.
    pub const HEADERS: [HeaderName; 2] = [header::USER_AGENT, PEER_HEADER];

    /// From a request's headers and its id.
    #[inline]
    pub fn of(headers: &HeaderMap, request_id: &str) -> Self {
        let agent = headers.get(header::USER_AGENT).map(|agent| {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            let printable = agent
                .chars()
                .filter(|c| !c.is_control() && *c != '\u{fffd}');
            printable.take(MAX_AGENT).collect()
        });
        let peer = headers.get(PEER_HEADER).and_then(|peer| peer.to_str().ok());
        Self {
            request_id: request_id.to_string(),
            user_agent: agent.unwrap_or_default(),
            peer: peer.and_then(|peer| peer.parse().ok()),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of the accesses noted are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Only those in these vaults; none, if there are none.
    pub vaults: Vec<VaultId>,
    /// So many of the newest are passed over.
    pub offset: u64,
    /// Most that are wanted.
    pub limit: u32,
}

/// Some of the accesses noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityPage {
    /// How many there are in the vaults asked for.
    pub total: u64,
    /// Newest first.
    pub events: Vec<UsageEvent>,
}

impl ActivityPage {
    /// The page of these accesses, given oldest first, that is wanted.
    pub fn of<'a>(
        noted: impl DoubleEndedIterator<Item = &'a UsageEvent>,
        wanted: &ActivityQuery,
    ) -> Self {
        let mut page = Self::default();
        let end = wanted.offset.saturating_add(u64::from(wanted.limit));
        for event in noted
            .rev()
            .filter(|event| wanted.vaults.contains(&event.vault))
        {
            if (wanted.offset..end).contains(&page.total) {
                page.events.push(event.clone());
            }
            page.total += 1;
        }
        page
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiRequest<'a> {
    request_id: &'a str,
    timestamp: String,
    action: Action,
    result: &'a str,
    actor: Actor<'a>,
    resource: Resource,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Actor<'a> {
    id: EnvironmentId,
    account: AccountId,
    jti: TokenId,
    user_agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_ip: Option<IpAddr>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(rename = "type")]
    kind: &'static str,
    vault: Named<VaultId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<Named<ItemId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_version: Option<u64>,
}

#[derive(Serialize)]
struct Named<Id> {
    id: Id,
}

pub(super) fn list(asked: &Asked<'_>, ports: &Ports<'_>) -> Result<Reply, Refusal> {
    let query = asked.query();
    let limit = number(query, "limit")?.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Refusal::query("limit"));
    }
    let offset = u64::from(number(query, "offset")?.unwrap_or(0));
    let grants = asked.grant.grants().iter();
    let page = ports.usage.recent(ActivityQuery {
        vaults: grants
            .filter(|grant| grant.rights.can_read())
            .map(|grant| grant.vault)
            .collect(),
        offset,
        limit,
    });
    let shown: Vec<ApiRequest<'_>> = page.events.iter().map(|event| show(asked, event)).collect();
    let body = serde_json::to_vec(&shown).unwrap_or_default();
    let range = match shown.len() as u64 {
        0 => format!("*/{}", page.total),
        count => format!("{}-{}/{}", offset + 1, offset + count, page.total),
    };
    Ok(Reply::json(Zeroizing::new(body)).with(header::CONTENT_RANGE, &range))
}

fn number(query: Query<'_>, name: &'static str) -> Result<Option<u32>, Refusal> {
    let given = query.value(name).map(|text| text.parse());
    given.transpose().map_err(|_| Refusal::query(name))
}

fn show<'a>(asked: &Asked<'_>, event: &'a UsageEvent) -> ApiRequest<'a> {
    ApiRequest {
        request_id: &event.caller.request_id,
        timestamp: event.at.to_rfc3339(),
        action: event.action,
        result: if event.allowed { "SUCCESS" } else { "DENY" },
        actor: Actor {
            id: asked.head.environment,
            account: asked.head.account,
            jti: event.token,
            user_agent: &event.caller.user_agent,
            request_ip: event.caller.peer,
        },
        resource: Resource {
            kind: if event.item.is_some() {
                "ITEM"
            } else {
                "VAULT"
            },
            vault: Named { id: event.vault },
            item: event.item.map(|id| Named { id }),
            item_version: event.item_version,
        },
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_caller_is_kept_short_and_printable() {
        let mut headers = HeaderMap::new();
        let long = format!("agent\t{}", "x".repeat(1000));
        headers.insert(header::USER_AGENT, HeaderValue::from_str(&long).unwrap());
        headers.insert(PEER_HEADER, HeaderValue::from_static("::1"));
        let caller = Caller::of(&headers, "id");
        assert_eq!(caller.user_agent.len(), MAX_AGENT);
        assert!(caller.user_agent.starts_with("agentx"));
        assert_eq!(caller.peer, "::1".parse().ok());
        headers.insert(PEER_HEADER, HeaderValue::from_static("nobody"));
        assert_eq!(Caller::of(&headers, "").peer, None);
    }

    #[test]
    fn a_page_counts_only_its_vaults() {
        let event = |n: u64| UsageEvent {
            token: TokenId::from_entropy([1; 16]),
            action: Action::Read,
            allowed: true,
            vault: VaultId::from_entropy([(n % 2) as u8; 16]),
            item: None,
            item_version: None,
            at: Timestamp::from_millis(n),
            caller: Caller::default(),
        };
        let noted: Vec<_> = (0..10).map(event).collect();
        let page = |vaults: &[u8], offset, limit| {
            let vaults = vaults.iter().map(|n| VaultId::from_entropy([*n; 16]));
            let wanted = ActivityQuery {
                vaults: vaults.collect(),
                offset,
                limit,
            };
            let page = ActivityPage::of(noted.iter(), &wanted);
            let times: Vec<_> = page.events.iter().map(|event| event.at.millis()).collect();
            (page.total, times)
        };
        assert_eq!(page(&[1], 0, 2), (5, Vec::from([9, 7])));
        assert_eq!(page(&[1], 4, 2), (5, Vec::from([1])));
        assert_eq!(page(&[1], 5, 2), (5, Vec::new()));
        assert_eq!(page(&[0, 1], 1, 2), (10, Vec::from([8, 7])));
        assert_eq!(page(&[], 0, 10), (0, Vec::new()));
    }
}
