//! Accesses that the host was not told of yet. It is told when a request is over, so that none waits for it.

use std::{cell::RefCell, mem};

use sekisho_core::rest::UsageEvent;

use crate::{
    bindings::wasi::random::random,
    store::{Batch, Store},
};

/// Kept while the host does not answer; beyond that the oldest are lost.
const MOST: usize = 1024;

/// In the order they were noted.
#[derive(Default)]
pub(crate) struct Notes {
    waiting: RefCell<Vec<UsageEvent>>,
    /// What was sent and not acknowledged. It is sent again as it is: the host counts a batch once.
    unsure: RefCell<Option<Batch>>,
}

impl Notes {
    pub(crate) fn add(&self, event: UsageEvent) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MOST {
            waiting.remove(0);
        }
        waiting.push(event);
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
        let events = mem::take(&mut *self.waiting.borrow_mut());
        if !events.is_empty() {
            let id = format!(
                "{:016x}{:016x}",
                random::get_random_u64(),
                random::get_random_u64()
            );
            self.is_taken(store, Batch { id, events });
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
