//! One request, one permission, one deed: the table of everything an operator may do.

use sekisho_core::{
    file::FilePlace,
    id::{EnvironmentId, FileId, GroupId, ItemId, VaultId},
};

use super::{
    Account, Caller, audit, change::Row, chunks, environments, frame::Answer, grants, groups,
    items, managers, mirrors, permission, rotation, sharing, tokens, usage, users, vaults,
};
use crate::{AccountError, Request, Response};

impl Account {
    /// Does what an authenticated caller asks, if they may. [`Account::submit`] authenticates.
    pub fn execute(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::Account => self.ask(caller, |db, _| super::info(db).map(Response::Account)),
            Request::WhoAmI => self.ask(caller, |db, me| users::one(db, me).map(Response::User)),
            Request::Users => self.ask(caller, |db, _| users::list(db).map(Response::Users)),
            Request::UserCards => {
                self.ask(caller, |db, _| users::cards(db).map(Response::UserCards))
            }
            Request::Groups => self.ask(caller, |db, _| groups::list(db).map(Response::Groups)),
            Request::Usage { environment, since } => self.ask_manager(caller, |db, me| {
                if let Some(environment) = &environment {
                    permission::server(db, me, environment)?;
                }
                usage::list(db, me, environment.as_ref(), since).map(Response::Usage)
            }),
            Request::UsageReport(query) => self.ask_manager(caller, |db, me| {
                if let Some(environment) = &query.environment {
                    permission::server(db, me, environment)?;
                }
                usage::report(db, me, &query).map(Response::UsageReport)
            }),
            Request::Audit { before, limit } => self.ask(caller, |db, me| {
                permission::administrator(db, me)?;
                audit::list(db, before, limit).map(Response::Audit)
            }),
            request => self.execute_people(caller, request),
        }
    }

    fn execute_people(&self, caller: &Caller, request: Request) -> Answer {
        let me = &caller.user;
        match request {
            Request::CreateUser(new) => {
                self.administer(caller, "user.create", &[new.id.as_str()], |change| {
                    users::check_word(change, me, &new)?;
                    users::create(change, &new)
                })
            }
            Request::EndorseUser { user, endorsement } => {
                self.administer(caller, "user.endorse", &[user.as_str()], |change| {
                    users::endorse(change, me, &user, endorsement)
                })
            }
            Request::SuspendUser { user, suspended } => {
                let what = if suspended {
                    "user.suspend"
                } else {
                    "user.resume"
                };
                self.administer(caller, what, &[user.as_str()], |change| {
                    users::suspend(change, me, &user, suspended)
                })
            }
            Request::RemoveUser { user } => {
                let mut vaults = Vec::new();
                self.administer(caller, "user.remove", &[user.as_str()], |change| {
                    vaults = users::remove(change, me, &user)?;
                    Ok(())
                })?;
                Ok(Response::VaultIds(vaults))
            }
            Request::CreateGroup { group, name } => {
                self.administer(caller, "group.create", &[group.as_str()], |change| {
                    groups::create(change, &group, &name)
                })
            }
            Request::RenameGroup { group, name } => {
                self.administer(caller, "group.rename", &[group.as_str()], |change| {
                    groups::rename(change, &group, &name)
                })
            }
            Request::DeleteGroup { group } => {
                self.administer(caller, "group.delete", &[group.as_str()], |change| {
                    groups::delete(change, &group)
                })
            }
            Request::AddMember { group, user } => {
                let objects = [group.as_str(), user.as_str()];
                self.administer(caller, "group.add", &objects, |change| {
                    groups::add(change, me, &group, &user)
                })
            }
            Request::RemoveMember { group, user } => {
                let objects = [group.as_str(), user.as_str()];
                self.administer(caller, "group.remove", &objects, |change| {
                    groups::remove(change, me, &group, &user)
                })
            }
            request => self.execute_managers(caller, request),
        }
    }

    fn execute_managers(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::Managers { environment } => self.ask(caller, |db, me| {
                match &environment {
                    Some(environment) => permission::server(db, me, environment)?,
                    None => permission::some_server(db, me)?,
                }
                managers::list(db, environment.as_ref()).map(Response::Managers)
            }),
            Request::GrantManager { environment, group } => {
                let objects = objects_of(environment.as_ref(), &group);
                self.administer(caller, "manager.grant", &objects, |change| {
                    managers::grant(change, environment.as_ref(), &group)
                })
            }
            Request::RevokeManager { environment, group } => {
                let objects = objects_of(environment.as_ref(), &group);
                self.administer(caller, "manager.revoke", &objects, |change| {
                    managers::revoke(change, environment.as_ref(), &group)
                })
            }
            Request::ResetManagers { environment } => {
                let objects = [environment.as_str()];
                self.administer(caller, "manager.reset", &objects, |change| {
                    managers::reset(change, &environment)
                })
            }
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
            Request::RestoreVault(new) => {
                self.act(caller, "vault.restore", &[new.id.as_str()], |change| {
                    vaults::restore(change, &caller.user, &new)
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
            Request::Keyring { vaults } => self.ask(caller, |db, me| {
                vaults::keyring(db, me, &vaults).map(Response::Keyring)
            }),
            Request::EditVault {
                vault,
                expect,
                version,
                attributes,
            } => self.act_in(caller, "vault.edit", &vault, "", |change| {
                vaults::edit(change, &vault, expect, version, &attributes)
            }),
            Request::MirrorVault {
                vault,
                writes,
                upstream,
            } => self.act_in(caller, "vault.mirror", &vault, "", |change| {
                mirrors::mark(change, &caller.user, &vault, writes, upstream.as_ref())
            }),
            Request::ParkedWrites { wait } => self.parked(caller, wait),
            Request::TakeParked { id } => self.act(caller, "write.take", &[&id], |change| {
                mirrors::take(change, &caller.user, &id)
            }),
            Request::FinishParked { id, outcome } => {
                self.act(caller, "write.finish", &[&id], |change| {
                    mirrors::finish(change, &caller.user, &id, &outcome)
                })
            }
            Request::DeleteVault { vault } => {
                self.act_in(caller, "vault.delete", &vault, "", |change| {
                    vaults::delete(change, &vault)
                })
            }
            request => self.execute_holders(caller, request),
        }
    }

    fn execute_holders(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::ShareVault { vault, keys } => {
                let users = keys.iter().map(|key| key.user.to_string());
                let users: Vec<String> = users.collect();
                self.act_in(caller, "vault.share", &vault, &users.join(" "), |change| {
                    sharing::share(change, &caller.user, &vault, &keys)
                })
            }
            Request::ShareVaults { vaults } => {
                let objects: Vec<&str> = vaults.iter().map(|share| share.vault.as_str()).collect();
                self.act(caller, "vault.share", &objects, |change| {
                    vaults.iter().try_for_each(|share| {
                        sharing::share(change, &caller.user, &share.vault, &share.keys)
                    })
                })
            }
            Request::UnshareVault { vault, user } => {
                self.act_in(caller, "vault.unshare", &vault, user.as_str(), |change| {
                    sharing::unshare(change, &caller.user, &vault, &user)
                })
            }
            Request::VaultHolders { vault } => self.ask_in(caller, &vault, |db, _| {
                rotation::holders(db, &vault).map(Response::VaultHolders)
            }),
            Request::BeginRotation(new) => {
                self.act_in(caller, "vault.rotate", &new.vault, "", |change| {
                    rotation::begin(change, &new)
                })
            }
            Request::StaleItems { vault, limit } => self.ask_in(caller, &vault, |db, _| {
                rotation::stale(db, &vault, limit).map(Response::ItemRecords)
            }),
            Request::Reseal { vault, items } => {
                self.act_in(caller, "vault.reseal", &vault, "", |change| {
                    rotation::reseal(change, &vault, &items)
                })
            }
            Request::ResealAttributes {
                vault,
                version,
                attributes,
            } => self.act_in(caller, "vault.reseal", &vault, "", |change| {
                rotation::reseal_attributes(change, &vault, version, &attributes)
            }),
            Request::FinishRotation { vault } => {
                self.act_in(caller, "vault.rotated", &vault, "", |change| {
                    rotation::finish(change, &vault)
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
            Request::PutItems { vault, items, gone } => {
                let put = items.iter().map(|settled| ("item.put", &settled.item.id));
                let each = put.chain(gone.iter().map(|item| ("item.delete", item)));
                let rows = each.map(|(what, item)| Row {
                    what,
                    objects: vec![vault.as_str(), item.as_str()],
                });
                let rows: Vec<Row<'_>> = rows.collect();
                self.act_each_in(caller, &vault, &rows, |change| {
                    items::put_all(change, &vault, &items, &gone)
                })
            }
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
                chunks::put(
                    change,
                    &place(vault, item, file),
                    index,
                    &content,
                    chunks::Standing::Settled,
                )
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
        let now = caller.now;
        match request {
            Request::CreateEnvironment(new) => {
                self.act(caller, "environment.create", &[new.id.as_str()], |change| {
                    permission::servers(change, &caller.user)?;
                    environments::create(change, &caller.user, &new)
                })
            }
            Request::Environments => self.ask_manager(caller, |db, me| {
                environments::list(db, me, now).map(Response::Environments)
            }),
            Request::Environment { environment } => self.ask(caller, |db, me| {
                permission::server(db, me, &environment)?;
                environments::one(db, me, &environment, now)
                    .map(|info| Response::Environment(Box::new(info)))
            }),
            Request::RenameEnvironment { environment, name } => {
                self.manage(caller, "environment.rename", &environment, "", |change| {
                    environments::rename(change, &environment, &name)
                })
            }
            Request::DeleteEnvironment { environment } => {
                self.manage(caller, "environment.delete", &environment, "", |change| {
                    environments::delete(change, &environment)
                })
            }
            Request::GrantVault { environment, vault } => {
                let object = vault.as_str();
                self.manage(caller, "vault.grant", &environment, object, |change| {
                    grants::grant(change, &caller.user, &environment, &vault)
                })
            }
            Request::RevokeVault { environment, vault } => {
                let object = vault.as_str();
                self.manage(caller, "vault.revoke", &environment, object, |change| {
                    grants::revoke(change, &environment, &vault)
                })
            }
            request => self.execute_keys(caller, request),
        }
    }

    fn execute_keys(&self, caller: &Caller, request: Request) -> Answer {
        match request {
            Request::AddEnvironmentKey(new) => {
                let object = new.key.key.id;
                let (what, object) = ("environment.key", object.as_str());
                self.manage(caller, what, &new.environment, object, |change| {
                    environments::add_key(change, &caller.user, &new)
                })
            }
            Request::ShareEnvironmentKey {
                environment,
                key,
                wraps,
            } => {
                let (what, object) = ("environment.share", key.as_str());
                self.manage(caller, what, &environment, object, |change| {
                    environments::share_key(change, &environment, &key, &wraps)
                })
            }
            Request::AddDevice {
                environment,
                digest,
            } => self.manage(caller, "device.add", &environment, "", |change| {
                environments::add_device(change, &environment, &digest)
            }),
            Request::KeepDevice {
                environment,
                digest,
            } => self.manage(caller, "device.keep", &environment, "", |change| {
                environments::keep_device(change, &environment, &digest)
            }),
            request => self.execute_token(caller, request),
        }
    }

    fn execute_token(&self, caller: &Caller, request: Request) -> Answer {
        let now = caller.now;
        match request {
            Request::CreateToken(new) => {
                let object = new.record.id.as_str();
                self.manage(caller, "token.create", &new.environment, object, |change| {
                    tokens::create(change, &caller.user, &new)
                })
            }
            Request::Tokens { environment } => self.ask_manager(caller, |db, me| {
                if let Some(environment) = &environment {
                    permission::server(db, me, environment)?;
                }
                tokens::list(db, me, environment.as_ref(), now).map(Response::Tokens)
            }),
            Request::RenameToken { token, name } => {
                self.manage_token(caller, "token.rename", &token, |change| {
                    tokens::rename(change, &token, &name)
                })
            }
            Request::RevokeToken { token } => {
                self.manage_token(caller, "token.revoke", &token, |change| {
                    tokens::revoke(change, &token)
                })
            }
            // Every other request went to its own table above.
            _ => Err(AccountError::invalid("this version does not know it")),
        }
    }
}

fn objects_of<'o>(environment: Option<&'o EnvironmentId>, group: &'o GroupId) -> [&'o str; 2] {
    [
        environment.map_or("all-servers", EnvironmentId::as_str),
        group.as_str(),
    ]
}

const fn place(vault: VaultId, item: ItemId, file: FileId) -> FilePlace {
    FilePlace { vault, item, file }
}
