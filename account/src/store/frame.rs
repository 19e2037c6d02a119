//! What every request has around it: who may ask, and for a change its transaction and its row of the audit.

use rusqlite::Connection;
use sekisho_core::id::{EnvironmentId, TokenId, UserId, VaultId};

use super::{
    Account, Caller,
    change::{Actor, Change, Row},
    permission, tokens,
};
use crate::{AccountError, Response};

/// What a request comes to.
pub(super) type Answer = Result<Response, AccountError>;

impl Account {
    /// A question any active user may ask.
    pub(super) fn ask(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Connection, &UserId) -> Answer,
    ) -> Answer {
        self.read(|db| {
            permission::active(db, &caller.user)?;
            work(db, &caller.user)
        })
    }

    /// A question about a vault.
    pub(super) fn ask_in(
        &self,
        caller: &Caller,
        vault: &VaultId,
        work: impl FnOnce(&Connection, &UserId) -> Answer,
    ) -> Answer {
        self.ask(caller, |db, me| {
            permission::vault(db, me, vault)?;
            work(db, me)
        })
    }

    /// A question for those who manage some Connect server.
    pub(super) fn ask_manager(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Connection, &UserId) -> Answer,
    ) -> Answer {
        self.ask(caller, |db, me| {
            permission::some_server(db, me)?;
            work(db, me)
        })
    }

    /// A change any active user may make.
    pub(super) fn act(
        &self,
        caller: &Caller,
        what: &str,
        objects: &[&str],
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.change(&actor(caller), what, objects, |change| {
            permission::active(change, &caller.user)?;
            work(change)
        })?;
        Ok(Response::Done)
    }

    /// A change in a vault.
    pub(super) fn act_in(
        &self,
        caller: &Caller,
        what: &str,
        vault: &VaultId,
        object: &str,
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.act(caller, what, &[vault.as_str(), object], |change| {
            permission::vault(change, &caller.user, vault)?;
            work(change)
        })
    }

    /// Several changes in a vault as one, each with its row of the audit.
    pub(super) fn act_each_in(
        &self,
        caller: &Caller,
        vault: &VaultId,
        rows: &[Row<'_>],
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.change_noted(&actor(caller), rows, |change| {
            permission::active(change, &caller.user)?;
            permission::vault(change, &caller.user, vault)?;
            work(change)
        })?;
        Ok(Response::Done)
    }

    /// A change for owners and administrators.
    pub(super) fn administer(
        &self,
        caller: &Caller,
        what: &str,
        objects: &[&str],
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.act(caller, what, objects, |change| {
            permission::administrator(change, &caller.user)?;
            work(change)
        })
    }

    /// A change for those who manage the Connect server.
    pub(super) fn manage(
        &self,
        caller: &Caller,
        what: &str,
        environment: &EnvironmentId,
        object: &str,
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.act(caller, what, &[environment.as_str(), object], |change| {
            permission::server(change, &caller.user, environment)?;
            work(change)
        })
    }

    /// A change for those who manage a token's Connect server.
    pub(super) fn manage_token(
        &self,
        caller: &Caller,
        what: &str,
        token: &TokenId,
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.act(caller, what, &[token.as_str()], |change| {
            permission::some_server(change, &caller.user)?;
            let environment = tokens::environment(change, token)?;
            permission::server(change, &caller.user, &environment)?;
            work(change)
        })
    }
}

fn actor(caller: &Caller) -> Actor<'_> {
    Actor {
        who: caller.user.as_str(),
        origin: &caller.from,
        now: caller.now,
    }
}
