//! The host's feed as the store of a published set, and what else is asked of that host (docs/protocol.md, "The feed of
//! an edge").

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    time::Instant,
};

use http::Method;
use sekisho_core::{
    id::{FileId, ID_LENGTH, ItemId, TokenId, VaultId},
    published::{Digest, MAX_OBJECT, Objects},
    records::Fault,
    rest::{ActivityPage, ActivityQuery, UsageEvent},
    secret::SecretText,
};
use sekisho_plug_exports::Cache;
use serde::{Deserialize, Serialize};

use crate::{
    http::{Address, Content, Question, ask, ask_if_known},
    settings::Settings,
};

/// A pointer is a few hundred bytes; a page of activity holds 1,000 entries at most.
const POINTER: usize = 4096;
const ACTIVITY: usize = 4 * 1024 * 1024;
/// A host sends no more than this at once.
const NEAR: usize = 2 * 1024 * 1024;
/// Bytes of a word that says why something was refused.
const WORD: usize = 64;

/// Where objects come from.
pub(crate) struct Store {
    settings: &'static Settings,
    authorization: SecretText,
    objects: RefCell<Cache<Digest>>,
    /// What came at once for this request and was not looked at yet, whatever the limit of what is kept.
    arrived: RefCell<HashMap<Digest, Vec<u8>>>,
    /// What stands at a key of a tree.
    values: RefCell<Cache<(Digest, [u8; ID_LENGTH])>>,
    pointer: RefCell<Option<(Instant, Vec<u8>)>>,
    foreseen: RefCell<Option<Foreseen>>,
    /// A host of an earlier release does not know the question.
    knows_near: Cell<bool>,
}

/// What this request is going to ask for.
struct Foreseen {
    token: TokenId,
    vault: Option<VaultId>,
    item: Option<ItemId>,
}

impl fmt::Display for Foreseen {
    /// As the path of the question for it ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.token)?;
        if let Some(vault) = &self.vault {
            write!(f, "/{vault}")?;
        }
        if let Some(item) = &self.item {
            write!(f, "/{item}")?;
        }
        Ok(())
    }
}

/// Accesses that the host counts together, once: a name of 16 random bytes, and then they, one after the other.
pub(crate) struct Batch(pub(crate) Vec<u8>);

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
            objects: RefCell::new(Cache::new(settings.cache / 2)),
            arrived: RefCell::default(),
            values: RefCell::new(Cache::new(settings.cache / 4)),
            pointer: RefCell::new(None),
            foreseen: RefCell::new(None),
            knows_near: Cell::new(true),
        }
    }

    pub(crate) fn foresee(&self, token: &TokenId, vault: Option<&VaultId>, item: Option<&ItemId>) {
        *self.foreseen.borrow_mut() = Some(Foreseen {
            token: *token,
            vault: vault.copied(),
            item: item.copied(),
        });
    }

    /// What was foreseen belongs to no further request.
    pub(crate) fn forget_foreseen(&self) {
        self.foreseen.take();
        self.arrived.borrow_mut().clear();
    }

    /// An object that is here.
    fn held(&self, name: &Digest) -> Option<Vec<u8>> {
        let mut objects = self.objects.borrow_mut();
        objects.find(name).or_else(|| {
            let bytes = self.arrived.borrow_mut().remove(name)?;
            objects.keep(*name, bytes.clone());
            Some(bytes)
        })
    }

    /// Fetches at once what was foreseen, if anything was and the host knows how; once for each request. Gives the
    /// pointer of that moment.
    fn fetch_near(&self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(foreseen) = self.foreseen.take().filter(|_| self.knows_near.get()) else {
            return Ok(None);
        };
        let path = format!("/edge/v1/near/{foreseen}");
        let question = self.question(Method::GET, &path, None, NEAR);
        let Some(answer) = ask_if_known(&self.settings.feed, &question)? else {
            self.knows_near.set(false);
            return Ok(None);
        };
        let mut parts = Parts(&answer);
        let pointer = parts.next().ok_or(Fault::Unavailable)?;
        // Under the names that their bytes have, whatever was asked for.
        let objects = parts.map(|bytes| (Digest::of(bytes), bytes.to_vec()));
        self.arrived.borrow_mut().extend(objects);
        Ok(Some(pointer.to_vec()))
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
        content: Option<Content<'_>>,
        limit: usize,
    ) -> Result<Vec<u8>, Fault> {
        ask(address, &self.question(method, path, content, limit))
    }

    fn question<'q>(
        &'q self,
        method: Method,
        path: &'q str,
        content: Option<Content<'q>>,
        limit: usize,
    ) -> Question<'q> {
        Question {
            method,
            path,
            // EXPOSE: sent to the host.
            authorization: self.authorization.expose(),
            content,
            limit,
        }
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
        self.say(
            address,
            Method::POST,
            &path,
            Some(Content::json(&body)),
            WORD,
        )
        .map(drop)
    }

    /// Tells the host of accesses.
    pub(crate) fn report(&self, batch: &Batch) -> Result<(), Fault> {
        let feed = &self.settings.feed;
        let content = Content {
            kind: "application/octet-stream",
            bytes: &batch.0,
        };
        self.say(feed, Method::POST, "/edge/v1/usage", Some(content), WORD)
            .map(drop)
    }

    /// Asks the host what it was told.
    pub(crate) fn activity(&self, wanted: &ActivityQuery) -> Result<ActivityPage, Fault> {
        let body = serde_json::json!({ "vaults": wanted.vaults, "offset": wanted.offset, "limit": wanted.limit });
        let body = body.to_string().into_bytes();
        let feed = &self.settings.feed;
        let path = "/edge/v1/activity";
        let page = self.say(
            feed,
            Method::POST,
            path,
            Some(Content::json(&body)),
            ACTIVITY,
        )?;
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
        // Who has objects already lacks few of them, if any.
        let near = if self.objects.borrow().is_empty() {
            self.fetch_near()?
        } else {
            None
        };
        let bytes = match near {
            Some(pointer) => pointer,
            None => self.fetch("/edge/v1/pointer", POINTER)?,
        };
        *self.pointer.borrow_mut() = Some((asked, bytes.clone()));
        Ok(bytes)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        if let Some(bytes) = self.held(name) {
            return Ok(bytes);
        }
        let is_item = matches!(&*self.foreseen.borrow(), Some(foreseen) if foreseen.item.is_some());
        // One question for all that lacks on the way to an item. Its pointer is of no use: this request has one.
        if is_item
            && self.fetch_near()?.is_some()
            && let Some(bytes) = self.held(name)
        {
            return Ok(bytes);
        }
        let bytes = self.fetch(&format!("/edge/v1/objects/{name}"), MAX_OBJECT)?;
        // Here and not at each read of what is held.
        if Digest::of(&bytes) != *name {
            return Err(Fault::Unavailable);
        }
        self.objects.borrow_mut().keep(*name, bytes.clone());
        Ok(bytes)
    }

    fn are_proven(&self) -> bool {
        true
    }

    fn recall(&self, tree: &Digest, key: &[u8]) -> Option<Vec<u8>> {
        let key = key.try_into().ok()?;
        self.values.borrow_mut().find(&(*tree, key))
    }

    fn keep(&self, tree: &Digest, key: &[u8], value: &[u8]) {
        if let Ok(key) = key.try_into() {
            let mut values = self.values.borrow_mut();
            values.keep((*tree, key), value.to_vec());
        }
    }
}

/// Bytes, each run of them after its length. What is cut off is none.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;

    #[test]
    fn what_comes_at_once_is_taken_apart_and_a_piece_that_is_cut_is_none() {
        let whole = [0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 1, b'c'];
        let parts = |bytes| Parts(bytes).collect::<Vec<_>>();
        assert_eq!(parts(&whole), [&b"ab"[..], b"", b"c"]);
        for cut in 0..whole.len() {
            assert!(parts(&whole[..cut]).len() < 3, "cut at {cut}");
        }
        assert!(parts(&[255; 9]).is_empty());
    }
}
