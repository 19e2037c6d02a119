//! Clients' writes, done in 1Password before they are answered.
//!
//! A write is *taken* in the account before anything is sent, so a bridge that dies leaves a mark; whoever goes on reads
//! 1Password first and so does it once or finds it done. What 1Password answered is sealed and committed together with
//! the end of the write.
//!
//! A new item's id is made by 1Password. Under the id that the client's server had thought of, the account gets a
//! *pointer*: a record that no list shows and that holds the item as it truly is.

use sekisho_account::{
    OperatorError, Request, Response,
    protocol::{MAX_PARKED_WAIT, Parked, ParkedOutcome, ParkedWrite, Reason, SettledItem},
    random::SystemRng,
};
use sekisho_core::{
    id::{ItemId, VaultId},
    item::{Item, json, stored::StoredItem},
    records::{DeleteRequest, Expect, ItemRecord, PutRequest},
    seal::Kind,
    token::WriteAccess,
    vault::TitleIndex,
};

use super::{Mirror, MirrorError, items::Comparison, telling::Contents};
use crate::{
    client::{BATCH, NewSdkItem, OpClient, OpError, SdkItem},
    map::{new_to_sdk, skeleton, to_sdk},
    state::Refusal,
};

/// Requests that a write costs at most, with the read that makes sure of it.
const COST: u64 = 4;
/// How long a pointer stays, in milliseconds: as long as a client may try again under its idempotency key.
pub(super) const POINTER_AGE: u64 = 24 * 60 * 60 * 1000;

/// Refusals that are remembered.
const MAX_REFUSALS: usize = 20;
/// What stands for a reason that repeats what the item holds.
const UNTOLD: &str = "its words repeat what the item holds, and are not kept";

/// What is to be said of a write: its end, or nothing yet.
type Ended = Result<Option<ParkedOutcome>, MirrorError>;

impl<C: OpClient> Mirror<C> {
    /// Does what clients asked for; waits up to so many milliseconds if nobody did. Answers how many writes ended.
    pub fn write_through(&mut self, wait: u32) -> Result<usize, MirrorError> {
        if !self.writes {
            return Ok(0);
        }
        let wait = wait.min(MAX_PARKED_WAIT);
        let Response::Parked(writes) = self.operator.call(&Request::ParkedWrites { wait })? else {
            return Err(OperatorError::Unexpected.into());
        };
        let mut ended = 0;
        for write in writes {
            self.go_on()?;
            if let Some(outcome) = self.write(&write)? {
                let id = write.id;
                self.operator.call(&Request::FinishParked { id, outcome })?;
                ended += 1;
            }
            self.keep()?;
        }
        Ok(ended)
    }

    fn write(&mut self, write: &ParkedWrite) -> Ended {
        if self.budget.may_write((self.now)(), COST).is_err() {
            // One that was taken may have been done: only reading tells, and that has to wait.
            return Ok((!write.taken).then_some(ParkedOutcome::Unavailable));
        }
        if !write.taken {
            let id = write.id.clone();
            self.operator.call(&Request::TakeParked { id })?;
        }
        match &write.write {
            Parked::Put(request) => {
                let access = self.operator.write_access(request.vault)?;
                let Ok(stored) = StoredItem::open(access.current(), &request.item) else {
                    return Ok(Some(ParkedOutcome::Refused(None)));
                };
                self.load_known(request.vault)?;
                let mut polled = super::Polled::default();
                let work = Comparison::of(request.vault, access, &mut polled);
                match request.expect {
                    Expect::Absent => self.create(work, request, &stored.item, write.taken),
                    Expect::Version(version) => self.change(work, &stored, version, write.taken),
                }
            }
            Parked::Delete(request) => self.delete(request, write.taken),
        }
    }

    fn change(
        &mut self,
        mut work: Comparison<'_>,
        stored: &StoredItem,
        version: u64,
        taken: bool,
    ) -> Ended {
        let item = stored.item.id;
        let wanted = skeleton(&stored.extra)
            .filter(|bones| bones.version == version && bones.id == item)
            .map(|bones| to_sdk(&stored.item, &bones));
        let wanted = match wanted {
            Some(Ok(wanted)) => wanted,
            Some(Err(error)) => {
                return Ok(Some(self.refuse(work.vault, item, Some(error.to_string()))));
            }
            None => {
                self.refresh(&mut work, item)?;
                return Ok(Some(ParkedOutcome::Conflict));
            }
        };
        let vault = work.vault;
        if taken {
            // Somebody took it and died: what is there now tells how far it came.
            match self.ask(|client| client.get(vault, item)) {
                Ok(now) if now.version == version => {}
                Ok(now) if now.version == version + 1 && is_same(&now, &wanted) => {
                    return self.settle(&work, &now, Some(version)).map(Some);
                }
                Ok(_) | Err(OpError::Missing | OpError::Inactive) => {
                    self.refresh(&mut work, item)?;
                    return Ok(Some(ParkedOutcome::Conflict));
                }
                Err(error) => return unknown(&error),
            }
        }
        match self.ask(|client| client.put(&wanted)) {
            Ok(done) => self.settle(&work, &done, Some(version)).map(Some),
            Err(OpError::Conflict | OpError::Missing | OpError::Inactive) => {
                self.refresh(&mut work, item)?;
                Ok(Some(ParkedOutcome::Conflict))
            }
            Err(error) => match self.not_done(vault, item, &error, &Contents::of(&wanted)) {
                Some(outcome) => Ok(Some(outcome)),
                // It may have been done: look once; if that fails too, the next round looks again.
                None if !taken => self.change(work, stored, version, true),
                None => unknown(&error),
            },
        }
    }

    fn create(
        &mut self,
        work: Comparison<'_>,
        request: &PutRequest,
        item: &Item,
        taken: bool,
    ) -> Ended {
        let vault = work.vault;
        let wanted = match new_to_sdk(item) {
            Ok(wanted) => wanted,
            Err(error) => {
                return Ok(Some(self.refuse(vault, item.id, Some(error.to_string()))));
            }
        };
        if taken {
            match self.find_made(&work, &wanted) {
                Ok(Some(made)) => return self.settle_new(&work, &made, request.item.id),
                Ok(None) => {}
                Err(MirrorError::Op(error)) => return unknown(&error),
                Err(error) => return Err(error),
            }
        }
        match self.ask(|client| client.create(&wanted)) {
            Ok(made) => self.settle_new(&work, &made, request.item.id),
            Err(error @ OpError::Missing) => {
                Ok(Some(self.refuse(vault, item.id, Some(error.to_string()))))
            }
            Err(error) => match self.not_done(vault, item.id, &error, &Contents::of_new(&wanted)) {
                Some(outcome) => Ok(Some(outcome)),
                None if !taken => self.create(work, request, item, true),
                None => unknown(&error),
            },
        }
    }

    /// An item that is upstream, not known here, and just what was to be made.
    fn find_made(
        &mut self,
        work: &Comparison<'_>,
        wanted: &NewSdkItem,
    ) -> Result<Option<SdkItem>, MirrorError> {
        let vault = work.vault;
        let listed = self.ask(|client| client.items(vault))?;
        let fresh = listed.iter().map(|item| item.id);
        let fresh: Vec<ItemId> = fresh.filter(|id| self.held(vault, *id).is_none()).collect();
        for batch in fresh.chunks(BATCH) {
            let items = self.ask(|client| client.get_all(vault, batch))?;
            if let Some(made) = items.into_iter().find(|item| is_made(item, wanted)) {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    fn delete(&mut self, request: &DeleteRequest, taken: bool) -> Ended {
        let (vault, item) = (request.vault, request.item);
        let now = match self.ask(|client| client.get(vault, item)) {
            Ok(now) if now.version == request.version => now,
            Ok(_) => {
                let access = self.operator.write_access(vault)?;
                self.load_known(vault)?;
                let mut polled = super::Polled::default();
                self.refresh(&mut Comparison::of(vault, access, &mut polled), item)?;
                return Ok(Some(ParkedOutcome::Conflict));
            }
            Err(OpError::Missing | OpError::Inactive) => {
                return Ok(Some(self.deleted(vault, item)));
            }
            Err(error) if taken => return unknown(&error),
            Err(_) => return Ok(Some(ParkedOutcome::Unavailable)),
        };
        match self.ask(|client| client.delete(vault, item)) {
            Ok(()) | Err(OpError::Missing) => Ok(Some(self.deleted(vault, item))),
            Err(OpError::Conflict) => Ok(Some(ParkedOutcome::Conflict)),
            Err(error) => match self.not_done(vault, item, &error, &Contents::of(&now)) {
                Some(outcome) => Ok(Some(outcome)),
                None if !taken => self.delete(request, true),
                None => unknown(&error),
            },
        }
    }

    /// How a write ends that failed so; `None` = it may have been done all the same.
    fn not_done(
        &mut self,
        vault: VaultId,
        item: ItemId,
        error: &OpError,
        contents: &Contents<'_>,
    ) -> Option<ParkedOutcome> {
        match error {
            OpError::Refused(sentence) => {
                Some(self.refuse(vault, item, contents.tellable(sentence.as_str())))
            }
            OpError::Denied => Some(self.refuse(vault, item, Some(error.to_string()))),
            OpError::RateLimited | OpError::Auth => {
                tracing::warn!(%vault, %error, "a write is not done");
                Some(ParkedOutcome::Unavailable)
            }
            _ => None,
        }
    }

    fn deleted(&mut self, vault: VaultId, item: ItemId) -> ParkedOutcome {
        if let Some(known) = self.known.get_mut(&vault) {
            known.remove(&item);
        }
        ParkedOutcome::Deleted
    }

    /// Seals what 1Password made of a write.
    fn settle(
        &mut self,
        work: &Comparison<'_>,
        done: &SdkItem,
        before: Option<u64>,
    ) -> Result<ParkedOutcome, MirrorError> {
        let held = self.held(work.vault, done.id).filter(|_| before.is_some());
        let record = self.seal_item(work, done, held)?;
        let expect = before.map_or(Expect::Absent, Expect::Version);
        let date = sekisho_core::time::Timestamp::parse_rfc3339(&done.updated_at);
        self.note(work.vault, done.id, done.version, date);
        let item = record.ok_or(OpError::Garbled)?;
        Ok(ParkedOutcome::Written(vec![SettledItem { expect, item }]))
    }

    fn settle_new(&mut self, work: &Comparison<'_>, made: &SdkItem, pointer: ItemId) -> Ended {
        // A poll may have brought it already.
        let held = self.held(work.vault, made.id).map(|held| held.version);
        let mut settled = match (held, self.settle(work, made, held)?) {
            (Some(held), _) if held >= made.version => Vec::new(),
            (_, ParkedOutcome::Written(settled)) => settled,
            _ => Vec::new(),
        };
        if pointer != made.id {
            let mapped = crate::map::from_sdk(made).map_err(|_| OpError::Garbled)?;
            let item = seal_pointer(&work.access, pointer, &mapped.stored.item)?;
            let expect = Expect::Absent;
            settled.push(SettledItem { expect, item });
            let until = (self.now)().millis() + POINTER_AGE;
            self.state.pointers.insert(pointer, until);
            self.note(work.vault, pointer, 1, None);
        }
        Ok(Some(ParkedOutcome::Written(settled)))
    }

    /// Brings one item to what it is upstream now.
    fn refresh(&mut self, work: &mut Comparison<'_>, item: ItemId) -> Result<(), MirrorError> {
        let vault = work.vault;
        match self.ask(|client| client.get(vault, item)) {
            Ok(now) => self.push(work, &now),
            Err(OpError::Missing | OpError::Inactive) => self.drop_item(vault, item),
            // The next poll does it.
            Err(_) => Ok(()),
        }
    }

    /// Notes a refusal; the reason is one that may be told.
    fn refuse(&mut self, vault: VaultId, item: ItemId, reason: Option<String>) -> ParkedOutcome {
        tracing::info!(%vault, %item, "1Password refuses a write");
        let reason = reason.map(Reason::from);
        let told = reason.as_ref().map_or(UNTOLD, Reason::as_str);
        self.state.refusals.push(Refusal {
            item,
            reason: told.to_owned(),
            at: (self.now)().millis(),
        });
        let more = self.state.refusals.len().saturating_sub(MAX_REFUSALS);
        self.state.refusals.drain(..more);
        ParkedOutcome::Refused(reason)
    }
}

/// Nobody knows whether it was done: it stays taken, and is looked at again.
fn unknown(error: &OpError) -> Ended {
    tracing::warn!(%error, "a write's end is not known yet");
    Ok(None)
}

/// Whether a write is what is there: by what a client can say, dates and codes aside.
fn is_same(now: &SdkItem, wanted: &SdkItem) -> bool {
    now.title == wanted.title
        && now.notes == wanted.notes
        && now.tags == wanted.tags
        && now.websites == wanted.websites
        && are_fields(&now.fields, &wanted.fields)
}

fn is_made(now: &SdkItem, wanted: &NewSdkItem) -> bool {
    now.title == wanted.title
        && now.category == wanted.category
        && now.notes == wanted.notes
        && now.tags == wanted.tags
        && are_fields(&now.fields, &wanted.fields)
}

/// In any order: the service puts sections together. Its own core may give an id a prefix.
fn are_fields(now: &[crate::client::SdkField], wanted: &[crate::client::SdkField]) -> bool {
    now.len() == wanted.len()
        && wanted.iter().all(|wanted| {
            now.iter()
                .any(|now| now.id.ends_with(&wanted.id) && now.value == wanted.value)
        })
}

/// The item under another id; no list shows it.
fn seal_pointer(
    access: &WriteAccess,
    pointer: ItemId,
    item: &Item,
) -> Result<ItemRecord, MirrorError> {
    let failed = |_| OperatorError::Unexpected;
    let key = access
        .current()
        .newest_key()
        .ok_or(OperatorError::Unexpected)?;
    let part = |kind, bytes: &[u8]| {
        access
            .seal_item(kind, pointer, 1, bytes, &mut SystemRng)
            .map_err(failed)
    };
    Ok(ItemRecord {
        id: pointer,
        version: 1,
        archived: true,
        marks: TitleIndex::derive(key).marks(&item.title),
        overview: part(Kind::Overview, &json::sealed_overview(item))?,
        details: part(Kind::Details, &json::sealed_details(item))?,
        extra: None,
        files: None,
    })
}
