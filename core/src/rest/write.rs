//! POST, PUT, PATCH and DELETE of items.
//!
//! Each opens what is there, builds the next version, seals it and asks the account to take it if nothing changed
//! meanwhile; if something did, it starts over. So parallel writes succeed in some order (pains.md no. 2).

use alloc::{format, vec::Vec};

use http::{HeaderName, StatusCode, header};
use rand_core::CryptoRng;

use super::{Action, Asked, Ports, Refusal, Reply, accepts_content};
use crate::{
    id::{FileId, ItemId, VaultId},
    item::{
        Item,
        build::{self, Writing},
        draft::Draft,
        json, patch as patching,
        stored::StoredItem,
    },
    records::{DeleteRequest, Expect, Fault, PutRequest},
    token::WriteAccess,
};

/// How often a write starts over because another one came first.
const MAX_ATTEMPTS: usize = 64;

/// Header of our addition: a retried POST with the same key makes one item.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// `POST …/items`
pub(super) fn create(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    vault: VaultId,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let access = write_access(asked, ports, Action::Create, &vault, None)?;
    let draft = parse(asked, body)?;
    let mut item = build::create(draft, &writing(asked, ports, vault), ports.rng)?;
    let key = asked
        .header(IDEMPOTENCY_KEY)
        .map(|key| access.derive_item_id(&asked.grant.token(), key));
    item.id = key.unwrap_or(item.id);
    let stored = StoredItem::new(item);
    match put(
        asked,
        ports,
        &access,
        &stored,
        Expect::Absent,
        FileChange::default(),
    ) {
        Ok(()) => {
            let made = as_made(ports, &access, stored)?;
            asked.note(
                ports,
                Action::Create,
                vault,
                Some((made.item.id, made.item.version)),
            );
            show(&made.item, ports)
        }
        // The same key before: what it made then is the answer. What others made of it since is for readers only.
        Err(Fault::Conflict) if key.is_some() => {
            let made = open_current(ports, &access, &stored.item.id)?;
            if made.item.version > 1 && asked.grant.read(&vault).is_err() {
                return Err(Refusal::fault(Fault::Conflict));
            }
            show(&made.item, ports)
        }
        Err(fault) => Err(Refusal::fault(fault)),
    }
}

/// A mirrored vault's items are made upstream, under an id of upstream's. What then lies under ours, where no list shows
/// it, holds the item as it truly is.
fn as_made(
    ports: &Ports<'_>,
    access: &WriteAccess,
    stored: StoredItem,
) -> Result<StoredItem, Refusal> {
    match ports.records.item(&access.vault(), &stored.item.id) {
        Ok(record) if record.archived => Ok(StoredItem::open(access.current(), &record)?),
        _ => Ok(stored),
    }
}

/// `PUT …/items/{i}`. The answer shows the new content under the **old** version, as Terraform expects
/// (connect-contract.md §0.2 no. 8); the new version stands in `ETag`.
pub(super) fn replace(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    vault: VaultId,
    item: ItemId,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let access = write_access(asked, ports, Action::Update, &vault, Some(item))?;
    let draft = parse(asked, body)?;
    let writing = writing(asked, ports, vault);
    let next = change(asked, ports, &access, &item, |stored, rng| {
        stored.item = build::replace(&stored.item, draft.clone(), &writing, rng)?;
        Ok(Some(FileChange::default()))
    })?;
    let may_read = asked.grant.read(&vault).is_ok();
    let shown = if may_read {
        next.item.clone()
    } else {
        without_the_past(&next.item, &draft)
    };
    let answer = Item {
        version: next.item.version - 1,
        ..shown
    };
    Ok(show(&answer, ports)?.with(header::ETAG, &format!("\"{}\"", next.item.version)))
}

/// `PATCH …/items/{i}`. It shows the item, so it needs the right to read as well.
pub(super) fn patch(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    vault: VaultId,
    item: ItemId,
    body: &[u8],
) -> Result<Reply, Refusal> {
    let access = write_access(asked, ports, Action::Update, &vault, Some(item))?;
    asked
        .grant
        .read(&vault)
        .map_err(|error| asked.denied(ports, Action::Read, &vault, Some(item), error))?;
    accepts_content(&asked.parts)?;
    let operations = json::parse(body)?;
    let writing = writing(asked, ports, vault);
    let next = change(asked, ports, &access, &item, |stored, rng| {
        let mut document = json::details(&stored.item);
        if !patching::apply(&mut document, operations.clone())? {
            return Ok(None);
        }
        stored.item = build::replace(&stored.item, Draft::parse(document)?, &writing, rng)?;
        Ok(Some(FileChange::default()))
    })?;
    Ok(show(&next.item, ports)?.with(header::ETAG, &format!("\"{}\"", next.item.version)))
}

/// `DELETE …/items/{i}`: for good, as since Connect 1.1.0.
pub(super) fn delete(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: VaultId,
    item: ItemId,
) -> Result<Reply, Refusal> {
    write_access(asked, ports, Action::Delete, &vault, Some(item))?;
    for _ in 0..MAX_ATTEMPTS {
        let version = ports
            .records
            .details(&vault, &item)
            .map_err(|fault| Refusal::of_item(fault, &item))?
            .version;
        check_precondition(asked, version)?;
        let request = DeleteRequest {
            token: asked.grant.token(),
            vault,
            item,
            version,
        };
        match ports.records.delete(request) {
            Ok(()) => {
                asked.note(ports, Action::Delete, vault, Some((item, version)));
                return Ok(Reply::empty(StatusCode::NO_CONTENT));
            }
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(Refusal::of_item(fault, &item)),
        }
    }
    Err(Refusal::fault(Fault::Conflict))
}

pub(super) fn write_access(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    action: Action,
    vault: &VaultId,
    item: Option<ItemId>,
) -> Result<WriteAccess, Refusal> {
    asked
        .grant
        .write(vault)
        .map_err(|error| asked.denied(ports, action, vault, item, error))
}

pub(super) fn writing<'a>(asked: &'a Asked<'_>, ports: &Ports<'_>, vault: VaultId) -> Writing<'a> {
    Writing {
        vault,
        now: ports.now,
        editor: asked.head.environment.as_str(),
    }
}

fn parse(asked: &Asked<'_>, body: &[u8]) -> Result<Draft, Refusal> {
    accepts_content(&asked.parts)?;
    Ok(Draft::parse(json::parse(body)?)?)
}

pub(super) fn open_current(
    ports: &Ports<'_>,
    access: &WriteAccess,
    item: &ItemId,
) -> Result<StoredItem, Refusal> {
    let record = ports
        .records
        .item(&access.vault(), item)
        .map_err(|fault| Refusal::of_item(fault, item))?;
    Ok(StoredItem::open(access.current(), &record)?)
}

/// Files that come and go with a write.
#[derive(Default)]
pub(super) struct FileChange {
    pub(super) added: Vec<FileId>,
    pub(super) dropped: Vec<FileId>,
}

/// Makes the next version of an item, again and again until no other write comes in between. `None` from `build`
/// means that nothing is to be written.
pub(super) fn change(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    access: &WriteAccess,
    item: &ItemId,
    build: impl Fn(&mut StoredItem, &mut dyn CryptoRng) -> Result<Option<FileChange>, Refusal>,
) -> Result<StoredItem, Refusal> {
    for _ in 0..MAX_ATTEMPTS {
        let mut stored = open_current(ports, access, item)?;
        let version = stored.item.version;
        check_precondition(asked, version)?;
        let Some(files) = build(&mut stored, ports.rng)? else {
            return Ok(stored);
        };
        match put(
            asked,
            ports,
            access,
            &stored,
            Expect::Version(version),
            files,
        ) {
            Ok(()) => {
                asked.note(
                    ports,
                    Action::Update,
                    access.vault(),
                    Some((*item, stored.item.version)),
                );
                return Ok(stored);
            }
            Err(Fault::Conflict) => {}
            Err(fault) => return Err(Refusal::of_item(fault, item)),
        }
    }
    Err(Refusal::fault(Fault::Conflict))
}

fn put(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    access: &WriteAccess,
    stored: &StoredItem,
    expect: Expect,
    files: FileChange,
) -> Result<(), Fault> {
    let item = stored
        .seal(access, ports.rng)
        .map_err(|_| Fault::Unavailable)?;
    ports.records.put(PutRequest {
        token: asked.grant.token(),
        vault: access.vault(),
        expect,
        item,
        added: files.added,
        dropped: files.dropped,
    })
}

/// `If-Match` (RFC 9110 §13.1.1): our addition.
fn check_precondition(asked: &Asked<'_>, version: u64) -> Result<(), Refusal> {
    let Some(tags) = asked.header(header::IF_MATCH) else {
        return Ok(());
    };
    let wanted = format!("\"{version}\"");
    let is_match = |tag: &str| {
        tag.trim() == "*"
            || tag.trim() == wanted
            || tag.trim().starts_with(&format!("W/\"{version}-"))
    };
    if tags.split(',').any(is_match) {
        Ok(())
    } else {
        Err(Refusal::precondition())
    }
}

/// What a client that may not read may see of what it wrote: nothing that was there before.
fn without_the_past(item: &Item, draft: &Draft) -> Item {
    let mut item = item.clone();
    draft.name_only_what_it_says(&mut item);
    item.unknown.clear();
    item.files.clear();
    for field in &mut item.fields {
        field.history.clear();
        field.unknown.clear();
    }
    item
}

fn show(item: &Item, ports: &Ports<'_>) -> Result<Reply, Refusal> {
    let (body, _) =
        json::serve_details(json::sealed_details(item), ports.now).ok_or_else(Refusal::damaged)?;
    Ok(Reply::json(body))
}
