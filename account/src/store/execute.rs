//! One request, one permission, one deed: the table of everything an operator may do.

use rusqlite::Connection;
use sekisho_core::{
    file::FilePlace,
    id::{FileId, ItemId, UserId, VaultId},
};

use super::{
    Account, Caller,
    change::{Actor, Change},
    chunks, environments, grants, items, permission, tokens, usage, users, vaults,
};
use crate::{AccountError, Request, Response};

type Answer = Result<Response, AccountError>;

impl Account {
    /// Does what an authenticated caller asks, if they may. [`Account::submit`] authenticates.
    pub fn execute(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::Account => self.ask(caller, |db, _| super::info(db).map(Response::Account)),
            Request::WhoAmI => self.ask(caller, |db, me| users::one(db, me).map(Response::User)),
            Request::Users => self.ask(caller, |db, _| users::list(db).map(Response::Users)),
            Request::CreateUser(new) => {
                self.manage(caller, "user.create", &[new.id.as_str()], |change| {
                    users::create(change, &new)
                })
            }
            Request::Usage { environment, since } => self.ask_manager(caller, |db, _| {
                usage::list(db, environment.as_ref(), since).map(Response::Usage)
            }),
            request => self.execute_vault(caller, request),
        }
    }

    fn execute_vault(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::CreateVault(new) => {
                self.act(caller, "vault.create", &[new.id.as_str()], |change| {
                    vaults::create(change, &caller.user, &new)
                })
            }
            Request::Vaults => {
                self.ask(caller, |db, me| vaults::list(db, me).map(Response::Vaults))
            }
            Request::Vault { vault } => self.ask_in(caller, &vault, |db, me| {
                vaults::one(db, me, &vault).map(|info| Response::Vault(Box::new(info)))
            }),
            Request::VaultKeys { vault } => self.ask_in(caller, &vault, |db, me| {
                vaults::keys(db, me, &vault).map(Response::VaultKeys)
            }),
            Request::EditVault {
                vault,
                expect,
                attributes,
            } => self.act_in(caller, "vault.edit", &vault, "", |change| {
                vaults::edit(change, &vault, expect, &attributes)
            }),
            Request::DeleteVault { vault } => {
                self.act_in(caller, "vault.delete", &vault, "", |change| {
                    vaults::delete(change, &vault)
                })
            }
            request => self.execute_item(caller, request),
        }
    }

    fn execute_item(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::PutItem {
                vault,
                expect,
                item,
            } => self.act_in(caller, "item.put", &vault, item.id.as_str(), |change| {
                items::put(change, &vault, expect, &item)
            }),
            Request::Item { vault, item } => self.ask_in(caller, &vault, |db, _| {
                items::one(db, &vault, &item).map(|item| Response::Item(Box::new(item)))
            }),
            Request::Items {
                vault,
                after,
                limit,
            } => self.ask_in(caller, &vault, |db, _| {
                items::list(db, &vault, after.as_ref(), limit).map(Response::Items)
            }),
            Request::DeleteItem {
                vault,
                item,
                version,
            } => self.act_in(caller, "item.delete", &vault, item.as_str(), |change| {
                items::delete(change, &vault, &item, version)
            }),
            Request::ArchiveItem {
                vault,
                item,
                archived,
            } => self.act_in(caller, "item.archive", &vault, item.as_str(), |change| {
                items::archive(change, &vault, &item, archived)
            }),
            Request::PutChunk {
                vault,
                item,
                file,
                index,
                content,
            } => self.act_in(caller, "file.put", &vault, file.as_str(), |change| {
                chunks::put(change, &place(vault, item, file), index, &content)
            }),
            Request::Chunk {
                vault,
                item,
                file,
                index,
            } => self.ask_in(caller, &vault, |db, _| {
                chunks::one(db, &place(vault, item, file), index).map(Response::Chunk)
            }),
            request => self.execute_environment(caller, request),
        }
    }

    fn execute_environment(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::CreateEnvironment(new) => {
                self.manage(caller, "environment.create", &[new.id.as_str()], |change| {
                    environments::create(change, &caller.user, &new)
                })
            }
            Request::Environments => self.ask_manager(caller, |db, me| {
                environments::list(db, me).map(Response::Environments)
            }),
            Request::Environment { environment } => self.ask_manager(caller, |db, me| {
                environments::one(db, me, &environment)
                    .map(|info| Response::Environment(Box::new(info)))
            }),
            Request::RenameEnvironment { environment, name } => {
                let objects = [environment.as_str()];
                self.manage(caller, "environment.rename", &objects, |change| {
                    environments::rename(change, &environment, &name)
                })
            }
            Request::DeleteEnvironment { environment } => {
                let objects = [environment.as_str()];
                self.manage(caller, "environment.delete", &objects, |change| {
                    environments::delete(change, &environment)
                })
            }
            Request::GrantVault { environment, vault } => {
                let objects = [environment.as_str(), vault.as_str()];
                self.manage(caller, "vault.grant", &objects, |change| {
                    grants::grant(change, &caller.user, &environment, &vault)
                })
            }
            Request::RevokeVault { environment, vault } => {
                let objects = [environment.as_str(), vault.as_str()];
                self.manage(caller, "vault.revoke", &objects, |change| {
                    grants::revoke(change, &environment, &vault)
                })
            }
            request => self.execute_token(caller, request),
        }
    }

    fn execute_token(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::CreateToken(new) => {
                let objects = [new.environment.as_str(), new.record.id.as_str()];
                self.manage(caller, "token.create", &objects, |change| {
                    tokens::create(change, &caller.user, &new)
                })
            }
            Request::Tokens { environment } => self.ask_manager(caller, |db, _| {
                tokens::list(db, environment.as_ref()).map(Response::Tokens)
            }),
            Request::RenameToken { token, name } => {
                self.manage(caller, "token.rename", &[token.as_str()], |change| {
                    tokens::rename(change, &token, &name)
                })
            }
            Request::RevokeToken { token } => {
                self.manage(caller, "token.revoke", &[token.as_str()], |change| {
                    tokens::revoke(change, &token)
                })
            }
            // Every other request went to its own table above.
            _ => Err(AccountError::Invalid("this version does not know it")),
        }
    }

    /// A question any active user may ask.
    fn ask(&self, caller: &Caller, work: impl FnOnce(&Connection, &UserId) -> Answer) -> Answer {
        self.read(|db| {
            permission::active(db, &caller.user)?;
            work(db, &caller.user)
        })
    }

    /// A question about a vault.
    fn ask_in(
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

    /// A question for managers.
    fn ask_manager(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Connection, &UserId) -> Answer,
    ) -> Answer {
        self.ask(caller, |db, me| {
            permission::manager(db, me)?;
            work(db, me)
        })
    }

    /// A change any active user may make.
    fn act(
        &self,
        caller: &Caller,
        what: &str,
        objects: &[&str],
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        let actor = Actor {
            who: caller.user.as_str(),
            origin: &caller.from,
            now: caller.now,
        };
        self.change(&actor, what, objects, |change| {
            permission::active(change, &caller.user)?;
            work(change)
        })?;
        Ok(Response::Done)
    }

    /// A change in a vault.
    fn act_in(
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

    /// A change for managers.
    fn manage(
        &self,
        caller: &Caller,
        what: &str,
        objects: &[&str],
        work: impl FnOnce(&Change<'_>) -> Result<(), AccountError>,
    ) -> Answer {
        self.act(caller, what, objects, |change| {
            permission::manager(change, &caller.user)?;
            work(change)
        })
    }
}

const fn place(vault: VaultId, item: ItemId, file: FileId) -> FilePlace {
    FilePlace { vault, item, file }
}
