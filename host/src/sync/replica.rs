//! The replica as the sync core keeps it: what cannot be written now is written whole later.

use std::{io, path::PathBuf};

use sekisho_core::{
    cache::Snapshot,
    records::SigningKeyRecord,
    sync::{Incoming, Plan, Step, SyncError, Trust},
    vouch::EndorsedKey,
};

use crate::{
    health::Health,
    store::{Applied, News, Replica, StoreError},
};

/// The replica, how much of it is in memory, and whether it lags behind.
pub(super) struct Keeper {
    /// `None` = there is to be none.
    directory: Option<PathBuf>,
    /// `None` = it could not be opened yet.
    replica: Option<Replica>,
    /// What is served is what the file held at this change, and then some if it is behind.
    change: u64,
    behind: bool,
}

/// What the file told.
pub(super) struct Learnt {
    pub(super) signing_keys: Vec<SigningKeyRecord>,
    pub(super) plan: Plan,
}

/// What became of a plan on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is there, or will be: nothing stands in the way of serving it.
    Yes,
    /// Another process wrote first: what it wrote must be seen before.
    Behind,
}

impl Keeper {
    /// No directory: everything is fetched again at each start.
    pub(super) const fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            replica: None,
            change: 0,
            behind: false,
        }
    }

    /// Opens the file if it is not open; `None` = there is to be none.
    fn replica(&mut self) -> Result<Option<&mut Replica>, StoreError> {
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        if self.replica.is_none() {
            match Replica::open(directory) {
                Ok(replica) => self.replica = Some(replica),
                Err(StoreError::File(error)) if may_not(&error) => {
                    let directory = directory.display();
                    tracing::warn!(%directory, kind = ?error.kind(), "nothing can be kept in the data folder: everything is fetched again at each start");
                    self.directory = None;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.replica.as_mut())
    }

    /// Whether the file lacks something that is served.
    pub(super) const fn is_behind(&self) -> bool {
        self.behind
    }

    /// What others wrote, or an earlier life of ours: checked as what comes from the account is, for the disk is not
    /// believed more. A file that is damaged, or another Connect server's, is moved aside.
    pub(super) fn news(
        &mut self,
        held: &Snapshot,
        trust: &Trust,
        known: &[SigningKeyRecord],
        health: &Health,
    ) -> Option<Learnt> {
        let result = self.try_news(held, trust, known);
        let result = match result {
            Err(StoreError::Damaged(why)) => {
                tracing::warn!(why, "the replica is not taken");
                self.renew(held).map(|()| None)
            }
            other => other,
        };
        match result {
            Ok(learnt) => learnt,
            Err(error) => {
                health.replica(Some(&error));
                None
            }
        }
    }

    fn try_news(
        &mut self,
        held: &Snapshot,
        trust: &Trust,
        known: &[SigningKeyRecord],
    ) -> Result<Option<Learnt>, StoreError> {
        let since = self.change;
        let Some(replica) = self.replica()? else {
            return Ok(None);
        };
        let news = if replica.is_replaced() {
            replica.reopen()?;
            let news = replica.news(0)?;
            self.change = 0;
            self.behind = held.head().is_some();
            news
        } else {
            replica.news(since)?
        };
        let Some(News { change, page }) = news else {
            return Ok(None);
        };
        let incoming = Incoming::parse(vec![page], trust).map_err(|error| match error {
            SyncError::OtherEnvironment => StoreError::Damaged("it is another Connect server's"),
            _ => StoreError::Damaged("its head is not the account's"),
        })?;
        let signing_keys = incoming.signing_keys(known);
        match incoming.plan(held) {
            Ok(plan) => {
                self.change = change;
                self.behind = false;
                Ok(Some(Learnt { signing_keys, plan }))
            }
            Err(SyncError::OlderHead { .. } | SyncError::OlderItem { .. }) => {
                // What is served is newer: it goes there with the next tick.
                self.change = change;
                self.behind = true;
                Ok(None)
            }
            Err(_) => Err(StoreError::Damaged("its list of tokens is not the head's")),
        }
    }

    /// Writes a plan, or everything if something is missing. A failure is told to `health` and does not stop the
    /// swap: a revoked token must be refused though the disk is full.
    pub(super) fn apply(
        &mut self,
        plan: &Plan,
        keys: &[EndorsedKey],
        next: &Snapshot,
        health: &Health,
    ) -> Kept {
        let result = match self.write(plan, keys, next) {
            Err(StoreError::Damaged(why)) => {
                tracing::warn!(why, "the replica is written anew");
                self.renew(next).and_then(|()| self.write(plan, keys, next))
            }
            other => other,
        };
        match result {
            Ok(None) => Kept::Yes,
            Ok(Some(Applied::At(change))) => {
                self.change = change;
                self.behind = false;
                health.replica(None);
                Kept::Yes
            }
            Ok(Some(Applied::Behind)) => Kept::Behind,
            Err(error) => {
                self.behind = true;
                health.replica(Some(&error));
                Kept::Yes
            }
        }
    }

    fn write(
        &mut self,
        plan: &Plan,
        keys: &[EndorsedKey],
        next: &Snapshot,
    ) -> Result<Option<Applied>, StoreError> {
        let (since, behind) = (self.change, self.behind);
        let Some(replica) = self.replica()? else {
            return Ok(None);
        };
        let applied = if replica.is_replaced() {
            Applied::Behind
        } else if behind {
            replica.apply(&everything(next, plan), keys, since)?
        } else {
            replica.apply(plan, keys, since)?
        };
        Ok(Some(applied))
    }

    fn renew(&mut self, held: &Snapshot) -> Result<(), StoreError> {
        self.change = 0;
        self.behind = held.head().is_some();
        match &mut self.replica {
            Some(replica) => replica.renew(),
            None => Ok(()),
        }
    }
}

/// The folder is read-only, or another's: it will not be otherwise at the next try.
fn may_not(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// A plan that makes a replica equal to a snapshot, whatever it held before.
fn everything(snapshot: &Snapshot, plan: &Plan) -> Plan {
    let mut steps = Vec::new();
    for vault in snapshot.vaults() {
        steps.push(Step::PutVault(vault.clone()));
        let items = snapshot.items(&vault.id);
        steps.extend(items.map(|item| Step::PutItem(vault.id, item.clone().into())));
    }
    steps.extend(snapshot.tokens().cloned().map(Step::PutToken));
    Plan::restore(steps, plan.head().clone(), plan.cursor().to_owned())
}
