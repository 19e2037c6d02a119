//! The plug for runtimes that give outgoing HTTP, `wasmtime serve` above all: sealed records from the feed of a Sekisho
//! host (`sekisho serve --feed`), read as a published set.
//!
//! What the host sends is believed as far as the edge's keys prove it: the pointer by its MAC, each object by its name.
//! An instance that answers many requests keeps objects, which never change, within a limit; the pointer it asks for
//! again after [`Settings::fresh`]. Nothing of a request is kept but notes of accesses that the host has not taken yet.

mod bindings;
mod http;
mod notes;
mod settings;
mod store;

use std::cell::RefCell;

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    published::{Backed, Published},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest, Records},
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};
use sekisho_plug_exports::{KeptAnswers, Plug, plug};

use self::{notes::Notes, settings::Settings, store::Store};

type View = Published<'static, &'static Store>;

/// A host's feed, if the settings say where one is.
struct Feed(Option<Ready>);

struct Ready {
    settings: &'static Settings,
    store: &'static Store,
    /// What this request sees.
    view: RefCell<View>,
    notes: Notes,
    kept: RefCell<KeptAnswers>,
}

plug!(Feed, Feed::new);

impl Feed {
    fn new() -> Self {
        match Settings::read(&|name| std::env::var(name).ok()) {
            Ok(settings) => Self(Some(Ready::new(settings))),
            Err(cause) => {
                // Names of variables, and never what is in them.
                eprintln!("sekisho: {cause}");
                Self(None)
            }
        }
    }

    fn ready(&self) -> Result<&Ready, Fault> {
        self.0.as_ref().ok_or(Fault::Unavailable)
    }
}

impl Ready {
    fn new(settings: Settings) -> Self {
        // They live as long as the instance, of which there is one.
        let settings: &'static Settings = Box::leak(Box::new(settings));
        let store: &'static Store = Box::leak(Box::new(Store::new(settings)));
        Self {
            settings,
            store,
            view: RefCell::new(Published::new(store, &settings.keys)),
            notes: Notes::default(),
            // The store takes the rest.
            kept: RefCell::new(KeptAnswers::new(settings.cache / 4)),
        }
    }

    /// The next answer comes from the set that is current then.
    fn look_again(&self) {
        self.view.borrow_mut().renew();
    }

    fn write(&self, what: &str, request: &impl serde::Serialize) -> Result<(), Fault> {
        self.store.write(what, request)?;
        // What was written is read.
        self.store.forget_pointer();
        self.look_again();
        Ok(())
    }
}

impl Backed for Feed {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        what(&*self.ready()?.view.borrow())
    }

    fn foresee(&self, token: &TokenId, vault: Option<&VaultId>, item: Option<&ItemId>) {
        if let Some(ready) = &self.0 {
            ready.store.foresee(token, vault, item);
        }
    }

    /// Contents of files are no part of what a host lays out: it fetches them from the account when they are asked for.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.ready()?.store.chunk(vault, item, file, index)
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.ready()?.write("put", &request)
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        // It is seen by nobody before the item's own write.
        self.ready()?.store.write("put-chunk", &request)
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        self.ready()?.write("delete", &request)
    }
}

impl Usage for Feed {
    fn note(&self, event: UsageEvent) {
        let mut written = Vec::new();
        event.write(&mut written);
        self.note_written(written);
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        let Some(ready) = &self.0 else {
            return ActivityPage::default();
        };
        ready.notes.send(ready.store);
        ready.store.activity(&wanted).unwrap_or_default()
    }
}

impl Plug for Feed {
    fn finished(&self) {
        if let Some(ready) = &self.0 {
            ready.look_again();
            ready.store.forget_foreseen();
            if ready.notes.count() >= ready.settings.batch {
                ready.notes.send(ready.store);
            }
        }
    }

    fn note_written(&self, access: Vec<u8>) {
        if let Some(ready) = &self.0 {
            ready.notes.add(access);
        }
    }

    fn trusts_peers(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|ready| ready.settings.trusts_peers)
    }

    fn kept(&self) -> Option<&RefCell<KeptAnswers>> {
        self.0.as_ref().map(|ready| &ready.kept)
    }
}
