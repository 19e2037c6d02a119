//! The newest accesses, kept in memory for `/v1/activity`; the account keeps them for good.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sekisho_core::rest::{ActivityPage, ActivityQuery, UsageEvent};

/// Accesses kept; beyond that the oldest go.
const MOST: usize = 10_000;

/// A ring of accesses.
#[derive(Debug, Default)]
pub struct Activity(Mutex<VecDeque<UsageEvent>>);

impl Activity {
    pub(crate) fn note(&self, events: Vec<UsageEvent>) {
        let mut ring = self.lock();
        for event in events {
            if ring.len() == MOST {
                ring.pop_front();
            }
            ring.push_back(event);
        }
    }

    pub(crate) fn recent(&self, wanted: &ActivityQuery) -> ActivityPage {
        ActivityPage::of(self.lock().iter(), wanted)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<UsageEvent>> {
        // The ring is whole after every statement above.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
