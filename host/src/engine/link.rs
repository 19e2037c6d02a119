//! A request's view of the host: one consistent set of records, and what it may write, note and ask.
//!
//! Both engines stand on it: the native one as core's [`Records`], the component one through the WIT imports. A view
//! stays what it was at the request's start, except that it moves on to the set in which the request's own write is.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, OnceLock},
};

use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        SigningKeyRecord, TitleMark, TokenRecord, VaultRecord,
    },
    rest::{ActivityPage, ActivityQuery, Before, Usage, UsageEvent, Verdict},
    time::Timestamp,
};

use super::kept::{KeptAnswers, Question};
use crate::{
    activity::Activity,
    clock::Clock,
    dependency::Dependency,
    events::Events,
    live::Live,
    metrics::Metrics,
    random::Random,
    sync::{Chunks, Turn, UsageQueue, WriteRefused, Writer},
};

/// What does not change from request to request.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seconds during which a head may be served after it was issued.
    pub max_stale: u64,
    /// Largest file content inlined in an answer, in bytes.
    pub max_inline: u64,
}

/// What all requests stand on.
pub struct Backing {
    /// The records served.
    pub live: Arc<Live>,
    /// What the configuration says.
    pub settings: Settings,
    /// Carries writes to the account.
    pub writer: Writer,
    /// Finds pieces of files.
    pub chunks: Arc<Chunks>,
    /// Takes notes of accesses.
    pub usage: UsageQueue,
    /// The newest of them, to be shown.
    pub activity: Activity,
    /// Answers, sealed for the bearers that got them.
    pub kept: KeptAnswers,
    /// Who wants to be told of changes.
    pub events: Arc<Events>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// What else of this deployment has a state of its own.
    pub dependencies: Vec<Arc<dyn Dependency>>,
    /// Where blocking code waits for asynchronous code.
    pub runtime: tokio::runtime::Handle,
}

impl Backing {
    /// Notes accesses, to be shown and to be told to the account.
    pub(crate) fn note(&self, events: Vec<UsageEvent>) {
        // Most requests read no item; nothing is to be begun or locked for them.
        if events.is_empty() {
            return;
        }
        self.usage.note(&events);
        self.activity.note(events);
    }

    /// What is remembered of a request, if its answer may be kept.
    pub(super) fn recall(&self, question: Option<&Question>) -> Before {
        let before = question.map_or(Before::Never, |question| self.kept.recall(question));
        if matches!(before, Before::Kept(_)) {
            self.metrics.met_kept();
        }
        before
    }
}

/// Conflicts with what the account mirrors that one request may meet: the first one brought the item to what it is there
/// now, and each costs requests of a daily limit.
const MOST_DECLINED: u32 = 2;

/// One request's view.
pub(crate) struct Link {
    backing: Arc<Backing>,
    view: RefCell<Arc<Snapshot>>,
    /// Read once: a clock that is set while a request is answered must not make what it reads look older than it is.
    now: Timestamp,
    /// Set by each piece of a file that went through: such a request may take long without being stuck.
    moved_on: Cell<bool>,
    /// After a conflict: it is still this request's turn, so that its next attempt cannot be overtaken.
    turn: RefCell<Option<Turn>>,
    /// Conflicts with what the account mirrors.
    declined: Cell<u32>,
    /// Why what the account mirrors refused this request's write.
    reason: Arc<OnceLock<String>>,
}

impl Link {
    pub(crate) fn new(backing: Arc<Backing>) -> Self {
        let view = RefCell::new(backing.live.snapshot());
        let now = backing.clock.now();
        Self {
            backing,
            view,
            now,
            moved_on: Cell::new(false),
            turn: RefCell::default(),
            declined: Cell::new(0),
            reason: Arc::default(),
        }
    }

    /// The time of this request.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The records as they are for this request now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.view.borrow())
    }

    /// Where the reason of a refusal will be when the request is answered: the port has no place for it.
    pub(crate) fn reason(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.reason)
    }

    /// Core begins anew after each conflict; this one has begun often enough.
    fn go_on(&self) -> Result<(), Fault> {
        if self.declined.get() < MOST_DECLINED {
            Ok(())
        } else {
            Err(Fault::Conflict)
        }
    }

    pub(crate) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    /// Notes that a piece of a file goes through.
    pub(crate) fn moves_on(&self) {
        self.moved_on.set(true);
    }

    /// Whether a piece of a file went through since this was last asked.
    pub(crate) fn has_moved_on(&self) -> bool {
        self.moved_on.take()
    }

    /// One item, shared: whoever needs bytes copies them only once.
    pub(crate) fn shared_item(
        &self,
        vault: &VaultId,
        item: &ItemId,
    ) -> Result<Arc<ItemRecord>, Fault> {
        self.view.borrow().item(vault, item).cloned()
    }

    pub(crate) fn shared_token(&self, id: &TokenId) -> Result<Arc<TokenRecord>, Fault> {
        self.view.borrow().token(id).cloned()
    }

    pub(crate) fn shared_vault(&self, id: &VaultId) -> Result<Arc<VaultRecord>, Fault> {
        self.view.borrow().vault(id).cloned()
    }

    /// [`Records::put`] for those who can wait without blocking.
    pub(crate) async fn put_async(&mut self, request: PutRequest) -> Result<(), Fault> {
        self.go_on()?;
        let turn = self.turn.take();
        let result = self.backing.writer.put(request, turn).await;
        self.written(result)
    }

    /// [`Records::put_chunk`] for those who can wait without blocking.
    pub(crate) async fn put_chunk_async(&mut self, request: PutChunkRequest) -> Result<(), Fault> {
        self.moved_on.set(true);
        self.backing.writer.put_chunk(request).await
    }

    /// [`Records::delete`] for those who can wait without blocking.
    pub(crate) async fn delete_async(&mut self, request: DeleteRequest) -> Result<(), Fault> {
        self.go_on()?;
        let turn = self.turn.take();
        let result = self.backing.writer.delete(request, turn).await;
        self.written(result)
    }

    /// What this request sees from now on: its own write, or what came before it.
    fn written(&self, result: Result<Arc<Snapshot>, WriteRefused>) -> Result<(), Fault> {
        match result {
            Ok(next) => {
                self.view.replace(next);
                Ok(())
            }
            Err(refused) => {
                if let Some((newest, turn)) = refused.again {
                    self.view.replace(newest);
                    self.turn.replace(Some(turn));
                }
                if refused.is_declined {
                    self.declined.set(self.declined.get() + 1);
                }
                if let Some(reason) = refused.reason {
                    // A request's write is refused once: that ends it.
                    let _ = self.reason.set(reason);
                }
                Err(refused.fault)
            }
        }
    }
}

impl Records for Link {
    fn head(&self) -> Result<Head, Fault> {
        let view = self.view.borrow();
        let head = view.head().ok_or(Fault::NotSynchronised)?;
        let vouched_at = self.backing.live.vouched_at(self.now);
        Ok(Head {
            environment: head.environment,
            account: head.account,
            version: head.version,
            // When the account last vouched for it.
            issued_at: vouched_at.unwrap_or(head.issued_at),
            max_stale: self.backing.settings.max_stale,
            max_inline: self.backing.settings.max_inline,
        })
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        Ok(self.backing.live.signing_keys().to_vec())
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.shared_token(id).map(|token| (*token).clone())
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.shared_vault(id).map(|vault| (*vault).clone())
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.view.borrow().list(vault, after, limit)
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.view.borrow().find(vault, mark)
    }

    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        self.shared_item(vault, item).map(|item| item.version)
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        self.shared_item(vault, item).map(|item| details_of(&item))
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.shared_item(vault, item).map(|item| (*item).clone())
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.moved_on.set(true);
        step_aside(|| self.backing.chunks.load(vault, item, file, index))
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.go_on()?;
        let write = self.backing.writer.put(request, self.turn.take());
        self.written(self.backing.runtime.block_on(write))
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        self.backing
            .runtime
            .block_on(self.backing.writer.put_chunk(request))
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        self.go_on()?;
        let write = self.backing.writer.delete(request, self.turn.take());
        self.written(self.backing.runtime.block_on(write))
    }
}

impl Usage for Link {
    fn note(&self, event: UsageEvent) {
        self.backing.note(vec![event]);
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        self.backing.activity.recent(&wanted)
    }

    fn checked(&self, verdict: Verdict) {
        self.backing.metrics.checked(verdict);
    }
}

pub(crate) fn details_of(item: &ItemRecord) -> PartRecord {
    PartRecord {
        id: item.id,
        version: item.version,
        archived: item.archived,
        sealed: item.details.clone(),
    }
}

/// Blocks without holding up the other requests of this thread.
fn step_aside<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let many_threads = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if many_threads {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
