//! One poll: what changed in 1Password, fetched, mapped, sealed and pushed into the account.
//!
//! What is mirrored is read from the account itself: a poll that died goes on where it was. A vault's version is noted
//! only when all of it is done. No item ever falls back to a lower version.

mod files;
mod items;
mod telling;
mod vaults;
mod writes;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sekisho_account::{Operator, OperatorError};
use sekisho_core::{
    id::{ItemId, VaultId},
    time::Timestamp,
};

use crate::{
    budget::{Budget, Hold, Plan},
    client::{OpClient, OpError, VaultOverview},
    plan::{self, KnownItem, VaultStep},
    report::Watched,
    state::{State, StateDir},
};

/// How long an item that cannot be read is left alone, in milliseconds, unless it changes.
const QUARANTINE: u64 = 24 * 60 * 60 * 1000;

/// Why a poll did not end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// The budget.
    #[error(transparent)]
    Hold(#[from] Hold),
    /// 1Password or the core.
    #[error(transparent)]
    Op(#[from] OpError),
    /// The account.
    #[error(transparent)]
    Account(#[from] OperatorError),
    /// The state cannot be kept: without counters nothing is sent.
    #[error("the bridge's state cannot be written: {0}: check disk space and permissions")]
    State(std::io::ErrorKind),
    /// Someone asked for an end.
    #[error("stopped")]
    Stopped,
}

/// What a poll did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Polled {
    /// Items written to the account.
    pub written: u64,
    /// Items taken out of it.
    pub dropped: u64,
    /// Vaults made, renamed or taken out.
    pub vaults: u64,
}

/// The time, as the caller has it.
pub type Now = Box<dyn Fn() -> Timestamp + Send>;

/// What a mirror is made of.
pub struct MirrorConfig<C> {
    /// 1Password.
    pub client: C,
    /// The account.
    pub operator: Arc<Operator>,
    /// Where it remembers.
    pub dir: StateDir,
    /// How many requests there may be.
    pub plan: Plan,
    /// Tells the token from others.
    pub token_mark: String,
    /// The time.
    pub now: Now,
    /// Whether clients' writes are done in 1Password; else they are refused.
    pub writes: bool,
    /// Ends a poll early when set.
    pub stop: Arc<AtomicBool>,
}

/// Mirrors one 1Password account.
pub struct Mirror<C> {
    client: C,
    operator: Arc<Operator>,
    dir: StateDir,
    state: State,
    budget: Budget,
    now: Now,
    writes: bool,
    /// Whether the account knows what this run does with writes.
    is_marked: bool,
    stop: Arc<AtomicBool>,
    /// What others see of it.
    watched: Watched,
    /// By vault; loaded from the account when first needed.
    known: BTreeMap<VaultId, BTreeMap<ItemId, KnownItem>>,
    /// Requests up to the last note in the budget.
    noted: crate::net::MeterReading,
}

impl<C> std::fmt::Debug for Mirror<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror").finish_non_exhaustive()
    }
}

impl<C: OpClient> Mirror<C> {
    /// Goes on where the state ends.
    pub fn new(config: MirrorConfig<C>) -> Self {
        let state = config.dir.load();
        let budget = Budget::new(config.plan, state.ledger.clone(), &config.token_mark);
        Self {
            noted: config.client.sent(),
            client: config.client,
            operator: config.operator,
            dir: config.dir,
            state,
            budget,
            now: config.now,
            writes: config.writes,
            is_marked: false,
            stop: config.stop,
            watched: Watched::default(),
            known: BTreeMap::new(),
        }
    }

    /// What it remembers.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// How it is, for other threads: kept up to date from now on.
    pub fn watched(&self) -> Watched {
        self.watched.note(&self.state);
        self.watched.clone()
    }

    /// What may still be sent.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Whether clients' writes are done.
    pub const fn writes(&self) -> bool {
        self.writes
    }

    /// The time, as it has it.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// When the next poll is due.
    pub fn next_poll(&self) -> Timestamp {
        self.budget.next_poll((self.now)())
    }

    /// Makes the account equal to what 1Password shows now.
    pub fn poll(&mut self) -> Result<Polled, MirrorError> {
        let now = (self.now)();
        self.state.report.last_try = now.millis();
        self.state.report.trouble = None;
        let result = self.try_poll();
        let now = (self.now)();
        match &result {
            Ok(polled) => {
                self.budget.polled(now);
                let report = &mut self.state.report;
                report.last_success = now.millis();
                report.polls += 1;
                report.written += polled.written;
            }
            Err(error) => self.state.report.trouble = Some(error.to_string()),
        }
        self.keep()?;
        result
    }

    fn try_poll(&mut self) -> Result<Polled, MirrorError> {
        self.budget.may_poll((self.now)())?;
        self.budget.polling((self.now)());
        let (listed, has_titles) = self.list_vaults()?;
        self.mark_vaults()?;
        let mut steps = plan::vaults(&self.state.vaults, &listed);
        self.leave_closed(&mut steps, &listed);
        let listed: BTreeMap<VaultId, &VaultOverview> =
            listed.iter().map(|vault| (vault.id, vault)).collect();
        let titles = if has_titles {
            listed
                .iter()
                .map(|(id, vault)| (*id, (*vault).clone()))
                .collect()
        } else if plan::needs_titles(&steps) {
            self.titles(&steps, &listed)?
        } else {
            BTreeMap::new()
        };
        let mut polled = Polled::default();
        for step in steps {
            self.go_on()?;
            // Clients wait for theirs, whatever else is to be done.
            self.write_through(0)?;
            match step {
                VaultStep::Drop(vault) if self.is_missed_once(vault) => continue,
                VaultStep::Drop(vault) => self.drop_vault(vault)?,
                VaultStep::Make(vault) | VaultStep::Rename(vault) => {
                    let Some(titled) = titles.get(&vault) else {
                        continue;
                    };
                    self.title_vault(titled)?;
                }
                VaultStep::Compare(vault) => {
                    let Some(overview) = listed.get(&vault) else {
                        continue;
                    };
                    self.compare(overview, &mut polled)?;
                    continue;
                }
            }
            polled.vaults += 1;
        }
        self.fetch_files()?;
        Ok(polled)
    }

    /// Asks 1Password, and notes what it cost.
    fn ask<T>(&mut self, call: impl FnOnce(&mut C) -> Result<T, OpError>) -> Result<T, OpError> {
        let result = call(&mut self.client);
        let now = (self.now)();
        let sent = self.client.sent();
        self.budget.spend(now, &sent.since(&self.noted));
        self.noted = sent;
        match &result {
            Ok(_) => self.budget.signed_in(0),
            Err(OpError::Auth) => self.budget.signed_in(self.budget.failed_sign_ins() + 1),
            Err(OpError::RateLimited) => {
                let told = self.client.take_limited();
                let retry_after = told.and_then(|limited| limited.retry_after);
                self.budget.limited(now, retry_after, now.millis());
            }
            Err(_) => {}
        }
        // A counter that is lost would let a crash loop use up the day.
        if let Err(error) = self.keep() {
            tracing::warn!(%error, "the counters are not kept");
        }
        result
    }

    fn keep(&mut self) -> Result<(), MirrorError> {
        let now = (self.now)();
        self.state.ledger = self.budget.ledger().clone();
        self.state.report.used_today = self.budget.used_today(now);
        self.state.report.per_day = self.budget.plan().per_day;
        self.state.report.next_poll = self.budget.next_poll(now).millis();
        self.watched.note(&self.state);
        self.dir
            .save(&self.state)
            .map_err(|error| MirrorError::State(error.kind()))
    }

    fn go_on(&self) -> Result<(), MirrorError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(MirrorError::Stopped);
        }
        Ok(())
    }
}
