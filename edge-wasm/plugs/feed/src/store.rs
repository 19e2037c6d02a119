//! The host's feed as the store of a published set, and what else is asked of that host (docs/protocol.md, "The feed of
//! an edge").

use std::{cell::RefCell, time::Instant};

use http::Method;
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    published::{Digest, MAX_OBJECT, Objects},
    records::Fault,
    rest::{ActivityPage, ActivityQuery, UsageEvent},
    secret::SecretText,
};
use serde::{Deserialize, Serialize};

use crate::{
    cache::Cache,
    http::{Address, Question, ask},
    settings::Settings,
};

/// A pointer is a few hundred bytes; a page of activity holds 1,000 entries at most.
const POINTER: usize = 4096;
const ACTIVITY: usize = 4 * 1024 * 1024;
/// Bytes of a word that says why something was refused.
const WORD: usize = 64;

/// Where objects come from.
pub(crate) struct Store {
    settings: &'static Settings,
    authorization: SecretText,
    cache: RefCell<Cache>,
    pointer: RefCell<Option<(Instant, Vec<u8>)>>,
}

/// Accesses that the host counts together, once.
#[derive(Serialize)]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) events: Vec<UsageEvent>,
}

#[derive(Deserialize)]
struct Page {
    total: u64,
    events: Vec<UsageEvent>,
}

impl Store {
    pub(crate) fn new(settings: &'static Settings) -> Self {
        // EXPOSE: goes into the header that proves this edge to its host.
        let bearer = format!("Bearer {}", settings.keys.read_bearer().expose());
        Self {
            settings,
            authorization: SecretText::new(bearer),
            cache: RefCell::new(Cache::new(settings.cache)),
            pointer: RefCell::new(None),
        }
    }

    pub(crate) fn forget_pointer(&self) {
        *self.pointer.borrow_mut() = None;
    }

    fn fetch(&self, path: &str, limit: usize) -> Result<Vec<u8>, Fault> {
        self.say(&self.settings.feed, Method::GET, path, None, limit)
    }

    fn say(
        &self,
        address: &Address,
        method: Method,
        path: &str,
        body: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<u8>, Fault> {
        let question = Question {
            method,
            path,
            // EXPOSE: sent to the host.
            authorization: self.authorization.expose(),
            body,
            limit,
        };
        ask(address, &question)
    }

    /// A piece of a file. Its key opens it at its place only, so it needs no name.
    pub(crate) fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.fetch(
            &format!("/edge/v1/chunks/{vault}/{item}/{file}/{index}"),
            MAX_OBJECT,
        )
    }

    /// Asks the host to write.
    pub(crate) fn write(&self, what: &str, request: &impl Serialize) -> Result<(), Fault> {
        let address = self.settings.write.as_ref().ok_or(Fault::ReadOnly)?;
        let body = serde_json::to_vec(request).map_err(|_| Fault::Unavailable)?;
        let path = format!("/edge/v1/{what}");
        self.say(address, Method::POST, &path, Some(&body), WORD)
            .map(drop)
    }

    /// Tells the host of accesses.
    pub(crate) fn report(&self, batch: &Batch) -> Result<(), Fault> {
        let body = serde_json::to_vec(batch).map_err(|_| Fault::Unavailable)?;
        let feed = &self.settings.feed;
        self.say(feed, Method::POST, "/edge/v1/usage", Some(&body), WORD)
            .map(drop)
    }

    /// Asks the host what it was told.
    pub(crate) fn activity(&self, wanted: &ActivityQuery) -> Result<ActivityPage, Fault> {
        let body = serde_json::json!({ "vaults": wanted.vaults, "offset": wanted.offset, "limit": wanted.limit });
        let body = body.to_string().into_bytes();
        let feed = &self.settings.feed;
        let path = "/edge/v1/activity";
        let page = self.say(feed, Method::POST, path, Some(&body), ACTIVITY)?;
        let page: Page = serde_json::from_slice(&page).map_err(|_| Fault::Unavailable)?;
        Ok(ActivityPage {
            total: page.total,
            events: page.events,
        })
    }
}

impl Objects for Store {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        if let Some((at, bytes)) = &*self.pointer.borrow()
            && at.elapsed() < self.settings.fresh()
        {
            return Ok(bytes.clone());
        }
        // Its age counts from before the question.
        let asked = Instant::now();
        let bytes = self.fetch("/edge/v1/pointer", POINTER)?;
        *self.pointer.borrow_mut() = Some((asked, bytes.clone()));
        Ok(bytes)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let held = self.cache.borrow_mut().find(name);
        if let Some(bytes) = held {
            return Ok(bytes);
        }
        let bytes = self.fetch(&format!("/edge/v1/objects/{name}"), MAX_OBJECT)?;
        // Here and not at each read of what is held.
        if Digest::of(&bytes) != *name {
            return Err(Fault::Unavailable);
        }
        self.cache.borrow_mut().keep(*name, bytes.clone());
        Ok(bytes)
    }

    fn are_proven(&self) -> bool {
        true
    }
}
