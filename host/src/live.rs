//! The set of records that is served now, behind one swap, and how old the account's word for it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use sekisho_core::{cache::Snapshot, records::SigningKeyRecord, time::Timestamp};
use tokio::sync::watch;

/// Where the sync core puts the newest [`Snapshot`] and every request takes it from.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    /// What tokens are verified with, newest first.
    signing_keys: ArcSwap<Vec<SigningKeyRecord>>,
    /// Whether there was a first sync; requests that came before wait on it.
    synchronised: watch::Sender<bool>,
    began: Instant,
    /// Milliseconds from `began` until a newer word than before came from the account; 0 = never.
    renewed: AtomicU64,
}

impl Live {
    /// Serves what the replica held, and verifies tokens with the keys of the credentials file.
    pub fn new(snapshot: Snapshot, signing_keys: Vec<SigningKeyRecord>) -> Self {
        let (synchronised, _) = watch::channel(snapshot.head().is_some());
        Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            signing_keys: ArcSwap::from_pointee(signing_keys),
            synchronised,
            began: Instant::now(),
            renewed: AtomicU64::new(0),
        }
    }

    /// From now on this is served. Who reads the old one goes on reading it.
    pub fn swap(&self, next: Arc<Snapshot>) {
        let has_head = next.head().is_some();
        let issued = |snapshot: &Snapshot| snapshot.head().map(|head| head.issued_at);
        let (before, after) = (issued(&self.snapshot.load()), issued(&next));
        self.snapshot.store(next);
        if before.is_some() && after > before {
            let millis = self.began.elapsed().as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
            self.renewed.store(millis, Ordering::Release);
        }
        self.synchronised
            .send_if_modified(|before| !std::mem::replace(before, has_head) && has_head);
    }

    /// When the account last vouched for what is served, by this machine's clock; `None` = never.
    ///
    /// Once a head came that was newer than another, its age is counted by a clock that nobody sets: then neither this
    /// machine's clock nor the account's may jump and make a server in contact refuse, or one cut off go on. Until
    /// then, at a start from the replica, the head's own date is all there is.
    pub fn vouched_at(&self, now: Timestamp) -> Option<Timestamp> {
        let head_at = self.snapshot.load().head()?.issued_at;
        let age = self.age_of_word();
        Some(age.map_or(head_at, |age| {
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(now.millis().saturating_sub(age))
        }))
    }

    fn age_of_word(&self) -> Option<Duration> {
        let renewed = self.renewed.load(Ordering::Acquire);
        let renewed = (renewed > 0).then(|| Duration::from_millis(renewed))?;
        Some(self.began.elapsed().saturating_sub(renewed))
    }

    /// How long ago that was, in whole seconds.
    pub fn age(&self, now: Timestamp) -> Option<u64> {
        let at = self.vouched_at(now)?;
        Some(now.millis().saturating_sub(at.millis()) / 1000)
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
