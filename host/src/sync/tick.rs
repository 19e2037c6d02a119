//! One tick.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use sekisho_core::{
    cache::Snapshot,
    changes::changes,
    records::SigningKeyRecord,
    sync::{FeedPage, Incoming, Plan, SyncError, Trust},
};

use super::{
    Upstream, UpstreamError,
    replica::{Keeper, Kept, Learnt},
};
use crate::{clock::Clock, events::Events, health::Health, live::Live};

/// Between two writes of a head that changed in nothing but its date.
pub(crate) const IDLE_WRITE: Duration = Duration::from_secs(60);
/// How often another process may write first before this tick gives up; the next one goes on.
const MOST_OVERTAKEN: u32 = 10;
/// Pages of one tick: at a thousand things each, ten times the largest environment there is to be.
const MOST_PAGES: usize = 10_000;

/// Why a tick changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TickError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error("another process writes to the replica all the time")]
    Overtaken,
    #[error("the replica is empty: is `sekisho sync` running on this data folder?")]
    Empty,
}

/// What a sync core is made of.
pub(crate) struct Parts {
    pub(crate) upstream: Arc<dyn Upstream>,
    /// From the credentials file.
    pub(crate) trust: Trust,
    /// Where the replica lies; `None` = nowhere.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Arc<dyn Clock>,
    /// From the credentials file; those that follow are vouched for by them.
    pub(crate) signing_keys: Vec<SigningKeyRecord>,
    /// Streams of events at once.
    pub(crate) streams: usize,
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
    signing_keys: Vec<SigningKeyRecord>,
    cursor: String,
    written_at: Option<Instant>,
}

impl SyncCore {
    /// Begins with what the replica holds.
    pub(crate) fn load(parts: Parts) -> Self {
        let mut keeper = Keeper::new(parts.directory);
        let (mut snapshot, mut cursor) = (Snapshot::default(), String::new());
        let mut believed = parts.signing_keys.clone();
        let learnt = keeper.news(&snapshot, &parts.trust, &parts.signing_keys, &parts.health);
        if let Some(Learnt { signing_keys, plan }) = learnt {
            snapshot.apply_in_place(&plan);
            plan.cursor().clone_into(&mut cursor);
            believed = signing_keys;
        }
        let version = snapshot.head().map_or(0, |head| head.version);
        Self {
            events: Arc::new(Events::new(parts.streams, version, parts.clock.now())),
            upstream: parts.upstream,
            trust: parts.trust,
            live: Arc::new(Live::new(snapshot, believed)),
            signing_keys: parts.signing_keys,
            keeper,
            health: parts.health,
            clock: parts.clock,
            cursor,
            written_at: None,
        }
    }

    pub(crate) const fn events(&self) -> &Arc<Events> {
        &self.events
    }

    pub(crate) const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Believes these keys from now on: the credentials file was changed.
    pub(crate) fn believe(&mut self, signing_keys: Vec<SigningKeyRecord>) {
        self.live.believe(signing_keys.clone());
        self.signing_keys = signing_keys;
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

    /// Makes what is served equal to what the replica holds; the account is not asked.
    pub(crate) fn follow(&mut self) -> Result<Arc<Snapshot>, TickError> {
        self.catch_up();
        let snapshot = self.live.snapshot();
        match snapshot.head() {
            Some(head) => self.health.followed(head.issued_at),
            None => {
                self.health.failed(&TickError::Empty);
                return Err(TickError::Empty);
            }
        }
        Ok(snapshot)
    }

    fn catch_up(&mut self) {
        let held = self.live.snapshot();
        let learnt = self
            .keeper
            .news(&held, &self.trust, &self.signing_keys, &self.health);
        if let Some(Learnt { signing_keys, plan }) = learnt {
            let next = Arc::new(held.apply(&plan));
            self.publish(&held, next, &plan, signing_keys);
        }
    }

    fn try_tick(&mut self) -> Result<Arc<Snapshot>, TickError> {
        for _ in 0..MOST_OVERTAKEN {
            self.catch_up();
            let pages = self.fetch()?;
            let held = self.live.snapshot();
            let incoming = Incoming::parse(pages, &self.trust)?;
            let signing_keys = incoming.signing_keys(&self.signing_keys);
            let endorsed = incoming.endorsed().to_vec();
            let plan = incoming.plan(&held)?;
            let next = Arc::new(held.apply(&plan));
            let is_due = self.keeper.is_behind()
                || !plan.is_idle(&held)
                || self.written_at.is_none_or(|at| at.elapsed() >= IDLE_WRITE);
            if is_due {
                match self.keeper.apply(&plan, &endorsed, &next, &self.health) {
                    Kept::Yes => self.written_at = Some(Instant::now()),
                    Kept::Behind => continue,
                }
            }
            self.publish(&held, Arc::clone(&next), &plan, signing_keys);
            return Ok(next);
        }
        Err(TickError::Overtaken)
    }

    fn publish(
        &mut self,
        held: &Snapshot,
        next: Arc<Snapshot>,
        plan: &Plan,
        signing_keys: Vec<SigningKeyRecord>,
    ) {
        self.live.believe(signing_keys);
        self.live.swap(Arc::clone(&next));
        let changes = changes(held, &next, plan);
        self.events.add(plan.head().version, changes);
        plan.cursor().clone_into(&mut self.cursor);
    }

    fn fetch(&self) -> Result<Vec<FeedPage>, UpstreamError> {
        let mut pages = Vec::new();
        let mut cursor = self.cursor.clone();
        loop {
            let page = self.upstream.changes(&cursor)?;
            if page.more && page.cursor == cursor {
                return Err(UpstreamError::Garbled("the feed does not move".to_owned()));
            }
            if pages.len() == MOST_PAGES {
                return Err(UpstreamError::Garbled("the feed does not end".to_owned()));
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
