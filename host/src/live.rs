//! The set of records that is served now, behind one swap.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use sekisho_core::{cache::Snapshot, records::SigningKeyRecord};
use tokio::sync::watch;

/// Where the sync core puts the newest [`Snapshot`] and every request takes it from.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// What tokens are verified with, newest first.
    signing_keys: ArcSwap<Vec<SigningKeyRecord>>,
    /// Whether there was a first sync; requests that came before wait on it.
    synchronised: watch::Sender<bool>,
}

impl Live {
    /// Serves what the replica held, and verifies tokens with the keys of the credentials file.
    pub fn new(snapshot: Snapshot, signing_keys: Vec<SigningKeyRecord>) -> Self {
        let (synchronised, _) = watch::channel(snapshot.head().is_some());
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            signing_keys: ArcSwap::from_pointee(signing_keys),
            synchronised,
        }
    }

    /// From now on this is served. Who reads the old one goes on reading it.
    pub fn swap(&self, next: Arc<Snapshot>) {
        let has_head = next.head().is_some();
        self.snapshot.store(next);
        self.synchronised
            .send_if_modified(|before| !std::mem::replace(before, has_head) && has_head);
    }

    /// From now on tokens are verified with these.
    pub fn believe(&self, signing_keys: Vec<SigningKeyRecord>) {
        if **self.signing_keys.load() != signing_keys {
            self.signing_keys.store(Arc::new(signing_keys));
        }
    }

    /// What tokens are verified with, newest first.
    pub fn signing_keys(&self) -> Arc<Vec<SigningKeyRecord>> {
        self.signing_keys.load_full()
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Whether there is anything to serve.
    pub fn is_synchronised(&self) -> bool {
        self.snapshot.load().head().is_some()
    }

    /// Waits until there is something to serve, but not longer than `limit`.
    pub async fn first_sync(&self, limit: Duration) {
        if self.is_synchronised() || limit.is_zero() {
            return;
        }
        let mut changes = self.synchronised.subscribe();
        // Neither outcome matters: the request finds out for itself what there is.
        let _ = tokio::time::timeout(limit, changes.wait_for(|synchronised| *synchronised)).await;
    }
}
