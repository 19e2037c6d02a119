//! The replica as the sync core keeps it: what cannot be written now is written whole later.

use sekisho_core::{
    cache::Snapshot,
    sync::{Plan, Step, Trust, token_list_digest},
};

use crate::{
    health::Health,
    store::{Replica, StoreError},
};

/// The replica, and whether it lags behind.
pub(super) struct Keeper {
    replica: Option<Replica>,
    behind: bool,
}

impl Keeper {
    /// No replica: everything is fetched again at each start.
    pub(super) fn new(replica: Option<Replica>) -> Self {
        Self {
            replica,
            behind: false,
        }
    }

    /// What the replica holds, if it is this environment's and whole. What is not, is moved aside.
    pub(super) fn load(&mut self, trust: &Trust) -> Result<Option<Plan>, StoreError> {
        let Some(replica) = &mut self.replica else {
            return Ok(None);
        };
        match replica.load().and_then(|plan| checked(plan, trust)) {
            Err(StoreError::Damaged(why)) => {
                tracing::warn!(why, "the replica is not taken");
                replica.renew()?;
                Ok(None)
            }
            other => other,
        }
    }

    /// Writes a plan, or everything if something is missing. A failure is told to `health` and does not stop the
    /// swap: a revoked token must be refused though the disk is full.
    pub(super) fn apply(&mut self, plan: &Plan, next: &Snapshot, health: &Health) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let result = if self.behind {
            replica.apply(&everything(next, plan))
        } else {
            replica.apply(plan)
        };
        let result = match result {
            Err(StoreError::Damaged(_)) => replica
                .renew()
                .and_then(|()| replica.apply(&everything(next, plan))),
            other => other,
        };
        self.behind = result.is_err();
        match &result {
            Ok(()) => health.replica(None),
            Err(error) => health.replica(Some(error)),
        }
    }
}

/// The disk is not believed where it can be checked, no more than the account.
fn checked(plan: Option<Plan>, trust: &Trust) -> Result<Option<Plan>, StoreError> {
    let Some(plan) = plan else {
        return Ok(None);
    };
    let head = plan.head();
    if head.account != trust.account || head.environment != trust.environment {
        return Err(StoreError::Damaged("it is another Connect server's"));
    }
    head.verify(&trust.head_key)
        .map_err(|_| StoreError::Damaged("its head is not the account's"))?;
    let tokens = plan.steps().iter().filter_map(|step| match step {
        Step::PutToken(token) => Some(token),
        _ => None,
    });
    if token_list_digest(tokens) == head.tokens {
        Ok(Some(plan))
    } else {
        Err(StoreError::Damaged("its list of tokens is not the head's"))
    }
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
