//! The plug for an edge with no network at all: the published set is part of the component.
//!
//! `sekisho edge build --runtime bundle` proves the whole set and puts it behind this plug. It is read where it lies, so
//! an instance costs no more than what it reads. There is nowhere to write to and nobody to tell of accesses: both are
//! said plainly, by [`Fault::ReadOnly`] and by an activity that is empty.

mod bindings;
mod set;

use std::cell::RefCell;

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    published::Published,
    records::{
        DeleteRequest, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        SigningKeyRecord, TitleMark, TokenRecord, VaultRecord,
    },
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};
use sekisho_plug_exports::{Plug, plug};

use self::set::{Set, Source};

type View = Published<'static, &'static Set>;

/// The set in this component, if it can be read.
struct Bundle(Option<Ready>);

struct Ready {
    set: &'static Set,
    view: RefCell<View>,
}

plug!(Bundle, Bundle::new);

impl Bundle {
    fn new() -> Self {
        Self(Set::open(Source).map(|set| {
            // It lives as long as the instance, of which there is one.
            let set: &'static Set = Box::leak(Box::new(set));
            let view = RefCell::new(Published::new(set, &set.keys));
            Ready { set, view }
        }))
    }

    fn ask<T>(&self, what: impl FnOnce(&View) -> Result<T, Fault>) -> Result<T, Fault> {
        let ready = self.0.as_ref().ok_or(Fault::Unavailable)?;
        what(&ready.view.borrow())
    }
}

impl Records for Bundle {
    fn head(&self) -> Result<Head, Fault> {
        self.ask(Records::head)
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        self.ask(Records::signing_keys)
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.ask(|view| view.token(id))
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.ask(|view| view.vault(id))
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.ask(|view| view.list(vault, after, limit))
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.ask(|view| view.find(vault, mark))
    }

    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        self.ask(|view| view.version(vault, item))
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        self.ask(|view| view.details(vault, item))
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.ask(|view| view.item(vault, item))
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.ask(|view| view.chunk(vault, item, file, index))
    }

    fn put(&self, _: PutRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }

    fn put_chunk(&self, _: PutChunkRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }

    fn delete(&self, _: DeleteRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}

impl Usage for Bundle {
    fn note(&self, _: UsageEvent) {}

    fn recent(&self, _: ActivityQuery) -> ActivityPage {
        ActivityPage::default()
    }
}

impl Plug for Bundle {
    /// The set never changes, but what a request asked for is not kept for the next.
    fn finished(&self) {
        if let Some(ready) = &self.0 {
            *ready.view.borrow_mut() = Published::new(ready.set, &ready.set.keys);
        }
    }
}
