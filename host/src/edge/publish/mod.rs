//! Publishing: what is served here becomes a set of objects in a store that is elsewhere
//! ([`sekisho_core::published`]).
//!
//! One order holds whatever happens: the objects that are new, then the pointer, and only after a while what nothing
//! names any more, so that who began to read the set before still finds it. What a killed run left behind shows in
//! the store's own list of names, and so the next run takes it up or clears it away; nothing is kept beside the store.

mod contents;
mod directory;
mod publisher;
mod remote;
mod running;

pub use self::{
    contents::Contents,
    directory::Directory,
    publisher::{Outcome, Publisher, Terms},
    remote::RemoteStore,
    running::{Publishing, Source, Sync},
};

use std::collections::BTreeSet;

use sekisho_account::{AccountError, UsageReport};
use sekisho_core::{published::Digest, sync::SyncError};

/// Where sets are published. Each call is whole or not at all for who reads the store meanwhile, call by call.
pub trait Store: Send {
    /// Every object that is there.
    fn names(&mut self) -> Result<BTreeSet<Digest>, PublishError>;
    /// The pointer; `None` = nothing was ever published.
    fn pointer(&mut self) -> Result<Option<Vec<u8>>, PublishError>;
    /// An object; `None` = it is not there.
    fn object(&mut self, name: &Digest) -> Result<Option<Vec<u8>>, PublishError>;
    /// Adds objects, under the digests of their bytes.
    fn put(&mut self, objects: &[Vec<u8>]) -> Result<(), PublishError>;
    /// Replaces the pointer, after everything put before it is there to stay.
    fn point(&mut self, pointer: &[u8]) -> Result<(), PublishError>;
    /// Accesses that edges noted there, those of one request together; none where an edge tells a host itself.
    fn accesses(&mut self) -> Result<Vec<Vec<UsageReport>>, PublishError> {
        Ok(Vec::new())
    }
    /// Drops accesses that were taken, by the names that their ids begin with.
    fn forget_accesses(&mut self, _names: &[&str]) -> Result<(), PublishError> {
        Ok(())
    }
    /// Drops objects; one that is not there is as good as dropped.
    fn remove(&mut self, names: &[Digest]) -> Result<(), PublishError>;
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn names(&mut self) -> Result<BTreeSet<Digest>, PublishError> {
        (**self).names()
    }

    fn pointer(&mut self) -> Result<Option<Vec<u8>>, PublishError> {
        (**self).pointer()
    }

    fn object(&mut self, name: &Digest) -> Result<Option<Vec<u8>>, PublishError> {
        (**self).object(name)
    }

    fn put(&mut self, objects: &[Vec<u8>]) -> Result<(), PublishError> {
        (**self).put(objects)
    }

    fn point(&mut self, pointer: &[u8]) -> Result<(), PublishError> {
        (**self).point(pointer)
    }

    fn accesses(&mut self) -> Result<Vec<Vec<UsageReport>>, PublishError> {
        (**self).accesses()
    }

    fn forget_accesses(&mut self, names: &[&str]) -> Result<(), PublishError> {
        (**self).forget_accesses(names)
    }

    fn remove(&mut self, names: &[Digest]) -> Result<(), PublishError> {
        (**self).remove(names)
    }
}

/// Why nothing, or not everything, was published. What was published before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is nothing to publish.
    #[error("nothing has been synchronised from the account yet: is it reachable?")]
    NotSynchronised,
    /// The account does not give what belongs to the set, or does not take accesses.
    #[error("the account refuses: {0}")]
    Account(#[from] AccountError),
    /// The store has a set that bears another MAC.
    #[error(
        "the store holds a set published with other credentials: publish elsewhere, or replace it with --replace"
    )]
    Foreign,
    /// The store has a newer set.
    #[error("{0}")]
    Older(SyncError),
    /// Another publisher has it.
    #[error("{0} is being published to by another process: one publisher to a store")]
    Taken(String),
    /// The store's folder cannot be used.
    #[error("{path}: {error}: check the path and its permissions")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The store cannot be reached, or does not do as asked.
    #[error("{0}")]
    Store(String),
}
