//! Accesses that the host was not told of yet. It is told when a request is over, so that none waits for it.

use std::{cell::RefCell, mem};

use crate::{
    bindings::wasi::random::random,
    store::{Batch, Store},
};

/// Kept while the host does not answer; beyond that the oldest are lost.
const MOST: usize = 1024;
/// Bytes that name a batch.
const BATCH_ID: u64 = 16;

/// In the order they were noted.
#[derive(Default)]
pub(crate) struct Notes {
    waiting: RefCell<Vec<Vec<u8>>>,
    /// What was sent and not acknowledged. It is sent again as it is: the host counts a batch once.
    unsure: RefCell<Option<Batch>>,
}

impl Notes {
    /// One, as it was written.
    pub(crate) fn add(&self, access: Vec<u8>) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MOST {
            waiting.remove(0);
        }
        waiting.push(access);
    }

    pub(crate) fn count(&self) -> usize {
        self.waiting.borrow().len()
    }

    pub(crate) fn send(&self, store: &Store) {
        let unsure = self.unsure.borrow_mut().take();
        if let Some(batch) = unsure
            && !self.is_taken(store, batch)
        {
            return;
        }
        let accesses = mem::take(&mut *self.waiting.borrow_mut());
        if !accesses.is_empty() {
            let id = random::get_random_bytes(BATCH_ID);
            self.is_taken(store, Batch([id, accesses.concat()].concat()));
        }
    }

    fn is_taken(&self, store: &Store, batch: Batch) -> bool {
        let taken = store.report(&batch).is_ok();
        if !taken {
            *self.unsure.borrow_mut() = Some(batch);
        }
        taken
    }
}
