//! GET of vaults and items.

use alloc::{collections::BTreeSet, format, string::String, vec::Vec};

use http::{StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Action, Asked, Ports, Refusal, Reply,
    kept::Facts,
    list::Wanted,
    matching::{Case, matches},
};
use crate::{
    id::{ItemId, VaultId},
    item::json,
    records::{Fault, PartRecord, VaultRecord},
    seal::Kind,
    time::Timestamp,
    token::ReadAccess,
    vault::VaultAttributes,
};

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
    // Put in one by one: collecting sorts, which is code that nothing else in the component needs.
    let mut ids = BTreeSet::new();
    ids.extend(asked.grant.grants().iter().map(|grant| grant.vault));
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
    let etag = vault_tag(&record);
    if asked.has_tag(header::IF_NONE_MATCH, &etag) {
        return Ok(not_modified(&etag));
    }
    Ok(Reply::json(json::to_bytes(&open_vault(asked, &record)?)).with(header::ETAG, &etag))
}

/// Moves with a vault's metadata and with its contents, so it tags lists of its items too.
pub(super) fn vault_tag(record: &VaultRecord) -> String {
    format!(
        "\"{}-{}\"",
        record.attribute_version, record.content_version
    )
}

pub(super) fn vault_record(ports: &Ports<'_>, vault: &VaultId) -> Result<VaultRecord, Refusal> {
    ports
        .records
        .vault(vault)
        .map_err(|fault| Refusal::of_vault(fault, vault))
}

fn open_vault(asked: &Asked<'_>, record: &VaultRecord) -> Result<Value, Refusal> {
    let attributes = asked
        .grant
        .open_attributes(record)
        .map_err(|error| Refusal::access(error, "read", &record.id))?;
    Ok(VaultBody::new(record, &attributes).to_value())
}

/// One item, whole.
pub(super) fn item(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: &VaultId,
    item: &ItemId,
) -> Result<Reply, Refusal> {
    let denied = |error| asked.denied(ports, Action::Read, vault, Some(*item), error);
    asked.grant.may_read(vault).map_err(denied)?;
    let facts = |item_version| Facts {
        expires_at: asked.grant.expires_at(),
        item_version,
        token: asked.grant.token(),
        vault: *vault,
        item: *item,
    };
    if let Some(tags) = asked.header(header::IF_NONE_MATCH) {
        let version = ports.records.version(vault, item);
        let version = version.map_err(|fault| Refusal::of_item(fault, item))?;
        if let Some(reply) = unchanged(version, ports.now, tags) {
            let facts = Some(facts(version));
            return Ok(Reply { facts, ..reply });
        }
    }
    let record = details(ports, vault, item)?;
    let access = asked.grant.read(vault).map_err(denied)?;
    let (body, has_codes) = whole(asked, ports, &access, &record)?;
    let version = record.version;
    let now = ports.now.seconds();
    let tag = ItemTag { version, now }.text(has_codes);
    let facts = (!has_codes).then(|| facts(version));
    Ok(Reply {
        facts,
        ..shown(body, &tag)
    })
}

/// 304, if the client's tags hold that of this version.
pub(super) fn unchanged(version: u64, now: Timestamp, tags: &str) -> Option<Reply> {
    let now = now.seconds();
    (ItemTag { version, now })
        .is_in(tags)
        .then(|| not_modified(tags))
}

/// An item, as its GET shows it.
#[inline]
pub(super) fn shown(body: Zeroizing<Vec<u8>>, tag: &str) -> Reply {
    Reply::json(body).with(header::ETAG, tag)
}

/// The entity tag of an item without one-time codes.
#[inline]
pub(super) fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

pub(super) fn details(
    ports: &Ports<'_>,
    vault: &VaultId,
    item: &ItemId,
) -> Result<PartRecord, Refusal> {
    let record = ports.records.details(vault, item);
    record.map_err(|fault| Refusal::of_item(fault, item))
}

/// The JSON of an item's GET, noted as read, and whether it holds one-time codes.
pub(super) fn whole(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    access: &ReadAccess,
    record: &PartRecord,
) -> Result<(Zeroizing<Vec<u8>>, bool), Refusal> {
    let opened = access.open_part(Kind::Details, record)?;
    let served = json::serve_details(opened, ports.now).ok_or_else(Refusal::damaged)?;
    asked.note(
        ports,
        Action::Read,
        access.vault(),
        Some((record.id, record.version)),
    );
    Ok(served)
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
            tag(self.version)
        }
    }

    fn is_in(&self, tags: &str) -> bool {
        // A tag with a time never matches: shorter than any code's period is only the same second.
        tags.split(',')
            .any(|tag| tag.trim() == self.text(false) || tag.trim() == self.text(true))
    }
}

pub(super) fn not_modified(etag: &str) -> Reply {
    Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, etag)
}
