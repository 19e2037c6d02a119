//! `POST /v1/batch`, our addition (pains.md no. 10): many references or ids in one round trip, each with its own status.
//!
//! ```text
//! request   {"requests": ["op://Vault/Item/field", {"vault": "<id>", "item": "<id>"}, …]}    at most 1,000
//! answer    {"responses": [{"status": 200, "value": "…"}, {"status": 200, "item": {…}}, {"status": 404, "message": …}, …]}
//! ```
//!
//! An answer holds at most [`MAX_ANSWER`] bytes of items and values; an entry beyond them is answered 413, and the
//! entries after it are still looked at, for they may be smaller.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use core::cell::Cell;

use serde_json::{Map, Value, json};

use super::{
    Action, Asked, Ports, Refusal, Reply, accepts_content,
    filter::{Filter, Literal, Operator},
    list::Listing,
    read,
};
use crate::{
    id::{ItemId, VaultId},
    item::json,
    records::PartRecord,
    reference::{self, Reference, ReferenceError, Target},
    token::ReadAccess,
};

const MAX_REQUESTS: usize = 1000;
/// Bytes of items and values in one answer: it is put together in memory, of which a sandbox has 64 MiB.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

pub(super) fn answer(asked: &Asked<'_>, ports: &Ports<'_>, body: &[u8]) -> Result<Reply, Refusal> {
    accepts_content(&asked.parts)?;
    let body = json::parse(body)?;
    let Some(requests) = body.get("requests").and_then(Value::as_array) else {
        return Err(Refusal::body(
            "requests must be an array of references or of {vault, item}",
        ));
    };
    if requests.len() > MAX_REQUESTS {
        return Err(Refusal::body("requests may hold at most 1000 entries"));
    }
    let batch = Batch {
        asked,
        ports,
        left: Cell::new(MAX_ANSWER),
    };
    let responses: Vec<Value> = requests
        .iter()
        .map(|request| batch.respond(request))
        .collect();
    let body = json!({ "responses": responses });
    Ok(Reply::json(json::into_bytes(body)))
}

struct Batch<'a, 'r, 'p> {
    asked: &'a Asked<'r>,
    ports: &'a Ports<'p>,
    /// What the answer may still hold.
    left: Cell<usize>,
}

impl Batch<'_, '_, '_> {
    /// Makes room for something of this size, or refuses it.
    fn take(&self, size: usize) -> Result<(), Refusal> {
        let left = self.left.get().checked_sub(size);
        self.left.set(left.ok_or_else(Refusal::batch_full)?);
        Ok(())
    }

    fn respond(&self, request: &Value) -> Value {
        let found = match request {
            Value::String(text) => self.resolve(text).map(|value| ("value", value)),
            Value::Object(members) => self.item(members).map(|item| ("item", item)),
            _ => Err(Refusal::body("an entry is a reference or {vault, item}")),
        };
        match found {
            Ok((member, value)) => json!({ "status": 200, member: value }),
            Err(refusal) => refusal.to_value(&self.asked.request_id),
        }
    }

    fn item(&self, members: &Map<String, Value>) -> Result<Value, Refusal> {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let vault = VaultId::parse(text("vault")).map_err(|_| Refusal::bad_id("Vault"))?;
        let item = ItemId::parse(text("item")).map_err(|_| Refusal::bad_id("Item"))?;
        let access = self.access(&vault)?;
        let record = self.details(&access, &item)?;
        self.take(record.sealed.as_bytes().len())?;
        self.open(&access, &record)
    }

    fn resolve(&self, text: &str) -> Result<Value, Refusal> {
        let reference = Reference::parse(text)?;
        let access = self.access(&self.vault(&reference.vault)?)?;
        let id = self.item_id(&access, &reference.item)?;
        let mut item = self.open(&access, &self.details(&access, &id)?)?;
        let found = match reference::find(&item, &reference)? {
            Target::Field(field) => {
                reference::field_attribute(field, reference.attribute).map(Value::String)
            }
            // Contents of files have their own route, which streams.
            Target::File(file) => file_attribute(file, &reference),
        };
        json::wipe(&mut item);
        let found = found?;
        self.take(found.as_str().map_or(0, str::len))?;
        Ok(found)
    }

    fn access(&self, vault: &VaultId) -> Result<ReadAccess, Refusal> {
        let denied = |error| {
            self.asked
                .denied(self.ports, Action::Read, vault, None, error)
        };
        self.asked.grant.read(vault).map_err(denied)
    }

    fn details(&self, access: &ReadAccess, item: &ItemId) -> Result<PartRecord, Refusal> {
        read::details(self.ports, &access.vault(), item)
    }

    fn open(&self, access: &ReadAccess, record: &PartRecord) -> Result<Value, Refusal> {
        let (bytes, _) = read::whole(self.asked, self.ports, access, record)?;
        serde_json::from_slice(&bytes).map_err(|_| Refusal::damaged())
    }

    /// A vault of the token's by id or name.
    fn vault(&self, wanted: &str) -> Result<VaultId, Refusal> {
        let mut named = Vec::new();
        for grant in self.asked.grant.grants() {
            if let Ok(record) = self.ports.records.vault(&grant.vault) {
                let attributes = self.asked.grant.open_attributes(&record);
                let attributes =
                    attributes.map_err(|error| Refusal::access(error, "read", &grant.vault))?;
                named.push(json!({ "id": grant.vault, "name": attributes.name }));
            }
        }
        let named: Vec<&Value> = named.iter().collect();
        match reference::pick(&named, "name", wanted) {
            Err(ReferenceError::NotFound) => Err(Refusal::vault_unknown()),
            found => id_of(found?)
                .and_then(|id| VaultId::parse(id).ok())
                .ok_or_else(Refusal::damaged),
        }
    }

    /// An item of a vault by id or title.
    fn item_id(&self, access: &ReadAccess, wanted: &str) -> Result<ItemId, Refusal> {
        if let Ok(id) = ItemId::parse(wanted)
            && self.ports.records.details(&access.vault(), &id).is_ok()
        {
            return Ok(id);
        }
        let listing = Listing {
            records: self.ports.records,
            access,
            vault: &access.vault(),
        };
        let filter = Filter::Compare(
            "title".to_string(),
            Operator::Eq,
            Literal::Text(wanted.to_string()),
        );
        let found = listing.filtered(&filter)?;
        match found.as_slice() {
            [] => Err(Refusal::item_unknown()),
            [(id, _)] => Ok(*id),
            many => Err(ReferenceError::Ambiguous {
                candidates: many.iter().map(|(id, _)| id.to_string()).collect(),
            }
            .into()),
        }
    }
}

fn id_of(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

fn file_attribute(file: &Value, reference: &Reference) -> Result<Value, ReferenceError> {
    let member = match reference.attribute {
        reference::Attribute::Id => "id",
        reference::Attribute::Name => "name",
        reference::Attribute::Size => "size",
        _ => "content_path",
    };
    file.get(member).cloned().ok_or(ReferenceError::NoAttribute)
}
