//! One tick.

use std::sync::Arc;

use sekisho_core::{
    cache::Snapshot,
    changes::changes,
    records::SigningKeyRecord,
    sync::{FeedPage, Incoming, SyncError, Trust},
    time::Timestamp,
};

use super::{Upstream, UpstreamError, replica::Keeper};
use crate::{
    clock::Clock,
    events::Events,
    health::Health,
    live::Live,
    store::{Replica, StoreError},
};

/// Seconds between two writes of a head that changed in nothing but its date.
const IDLE_WRITE: u64 = 60;

/// Why a tick changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TickError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// What the thread of the sync core owns.
pub(crate) struct SyncCore {
    upstream: Arc<dyn Upstream>,
    trust: Trust,
    live: Arc<Live>,
    /// Where changes are told.
    events: Arc<Events>,
    keeper: Keeper,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    /// From the credentials file; those that follow are vouched for by them.
    signing_keys: Vec<SigningKeyRecord>,
    cursor: String,
    written_at: Timestamp,
}

impl SyncCore {
    /// Begins with what the replica holds.
    pub(crate) fn load(
        upstream: Arc<dyn Upstream>,
        trust: Trust,
        replica: Option<Replica>,
        health: Arc<Health>,
        clock: Arc<dyn Clock>,
        signing_keys: Vec<SigningKeyRecord>,
        streams: usize,
    ) -> Result<Self, StoreError> {
        let mut keeper = Keeper::new(replica);
        let (mut snapshot, mut cursor) = (Snapshot::default(), String::new());
        if let Some(plan) = keeper.load(&trust)? {
            snapshot.apply_in_place(&plan);
            plan.cursor().clone_into(&mut cursor);
        }
        let version = snapshot.head().map_or(0, |head| head.version);
        Ok(Self {
            events: Arc::new(Events::new(streams, version, clock.now())),
            upstream,
            trust,
            live: Arc::new(Live::new(snapshot, signing_keys.clone())),
            signing_keys,
            keeper,
            health,
            clock,
            cursor,
            written_at: Timestamp::from_millis(0),
        })
    }

    pub(crate) fn events(&self) -> &Arc<Events> {
        &self.events
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Makes what is served equal to what the account says now.
    pub(crate) fn tick(&mut self) -> Result<Arc<Snapshot>, TickError> {
        let result = self.try_tick();
        match &result {
            Ok(_) => self.health.reached(self.clock.now()),
            Err(error) => self.health.failed(error),
        }
        result
    }

    fn try_tick(&mut self) -> Result<Arc<Snapshot>, TickError> {
        let pages = self.fetch()?;
        let held = self.live.snapshot();
        let incoming = Incoming::parse(pages, &self.trust)?;
        let signing_keys = incoming.signing_keys(&self.signing_keys);
        let plan = incoming.plan(&held)?;
        let next = Arc::new(held.apply(&plan));
        let now = self.clock.now();
        if !plan.is_idle(&held) || now >= self.written_at.plus_seconds(IDLE_WRITE) {
            self.keeper.apply(&plan, &next, &self.health);
            self.written_at = now;
        }
        self.live.believe(signing_keys);
        self.live.swap(Arc::clone(&next));
        let changes = changes(&held, &next, &plan);
        self.events.add(plan.head().version, changes);
        plan.cursor().clone_into(&mut self.cursor);
        Ok(next)
    }

    fn fetch(&self) -> Result<Vec<FeedPage>, UpstreamError> {
        let mut pages = Vec::new();
        let mut cursor = self.cursor.clone();
        loop {
            let page = self.upstream.changes(&cursor)?;
            if page.more && page.cursor == cursor {
                return Err(UpstreamError::Garbled("the feed does not move".to_owned()));
            }
            page.cursor.clone_into(&mut cursor);
            let more = page.more;
            pages.push(page);
            if !more {
                return Ok(pages);
            }
        }
    }
}
