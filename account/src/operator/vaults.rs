//! Vaults, opened.

use sekisho_core::{
    id::{UserId, VaultId},
    key::{OperatorPublic, VaultKey, WrappedKey},
    records::VaultType,
    time::Timestamp,
    token::{ReadAccess, WriteAccess},
    vault::VaultAttributes,
    vouch::Holder,
};
use zeroize::Zeroizing;

use super::{Operator, OperatorError, owners_hold, parallel};
use crate::{
    Request, Response,
    protocol::{NewVault, VaultInfo, VaultShare, VaultWrap},
    random::SystemRng,
};

/// From so many slow keys on it pays to wrap them another way.
const WORTH_ADOPTING: usize = 16;

/// A vault as its operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenVault {
    /// The vault.
    pub id: VaultId,
    /// Its type.
    pub kind: VaultType,
    /// Its name and description.
    pub attributes: VaultAttributes,
    /// Version of these.
    pub attribute_version: u64,
    /// The users who hold it.
    pub users: Vec<UserId>,
    /// Version of its contents.
    pub content_version: u64,
    /// Number of active items.
    pub items: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

impl Operator {
    /// Makes a vault, under a given id (of an import, of a mirrored account) or a fresh one. Its key is wrapped to
    /// this operator and, unless it is a personal vault, to all owners.
    pub fn create_vault(
        &self,
        name: &str,
        description: &str,
        kind: VaultType,
        id: Option<VaultId>,
    ) -> Result<VaultId, OperatorError> {
        let id = id.unwrap_or_else(|| VaultId::generate(&mut SystemRng));
        let new = self.new_vault(id, name, description, kind)?;
        self.command(&Request::CreateVault(new))?;
        Ok(id)
    }

    /// Makes a vault under the id of one that was deleted: a mirrored one that was withdrawn and is granted again. Its
    /// items must come at higher versions than they had, or hosts take them for rolled back.
    pub fn restore_vault(
        &self,
        name: &str,
        description: &str,
        kind: VaultType,
        id: VaultId,
    ) -> Result<(), OperatorError> {
        let new = self.new_vault(id, name, description, kind)?;
        self.command(&Request::RestoreVault(new))
    }

    fn new_vault(
        &self,
        id: VaultId,
        name: &str,
        description: &str,
        kind: VaultType,
    ) -> Result<NewVault, OperatorError> {
        let key = VaultKey::generate(1, &mut SystemRng);
        let keys = self.wrap_vault_key(&id, kind, &key)?;
        let access = WriteAccess::of_operator(ReadAccess::of_maker(id, key));
        let attributes = VaultAttributes {
            name: name.to_owned(),
            description: description.to_owned(),
        };
        let attributes = seal_attributes(&access, 1, &attributes)?;
        Ok(NewVault {
            id,
            kind,
            attributes,
            keys,
        })
    }

    fn wrap_vault_key(
        &self,
        vault: &VaultId,
        kind: VaultType,
        key: &VaultKey,
    ) -> Result<Vec<VaultWrap>, OperatorError> {
        let users = self.recipients(|user| owners_hold(kind, user))?;
        let wraps = users.into_iter().map(|user| {
            if user.id == self.user() {
                Ok(self.wrap_own(vault, key))
            } else {
                wrap(user.id, &user.public, vault, key)
            }
        });
        wraps.collect()
    }

    /// Wraps a vault's key to this operator.
    pub(super) fn wrap_own(&self, vault: &VaultId, key: &VaultKey) -> VaultWrap {
        let (user, rng) = (self.user(), &mut SystemRng);
        let who = Holder::User {
            user: &user,
            public: &self.key().public().wrapping,
        };
        VaultWrap {
            user,
            wrapped: self.key().wrap_own_vault_key(&user, vault, key, rng),
            proof: key.vouch(vault, &who),
        }
    }

    /// Lets a user see and fill a vault that this operator holds.
    pub fn share_vault(&self, vault: VaultId, user: UserId) -> Result<(), OperatorError> {
        let keys = share(user, &self.user_public(user)?, &self.read_access(vault)?)?.keys;
        self.command(&Request::ShareVault { vault, keys })
    }

    /// Lets a user see every vault that this operator holds and may share.
    pub(super) fn share_all_vaults(&self, user: UserId) -> Result<(), OperatorError> {
        let Response::Vaults(vaults) = self.call(&Request::Vaults)? else {
            return Err(OperatorError::Unexpected);
        };
        let lacking = vaults
            .into_iter()
            .filter(|info| info.record.kind != VaultType::Personal && !info.users.contains(&user));
        let lacking: Vec<VaultId> = lacking.map(|info| info.record.id).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let public = self.user_public(user)?;
        let held = self.keyring(lacking)?;
        let vaults = parallel::map(&held, |access| share(user, &public, access))?;
        self.command(&Request::ShareVaults { vaults })
    }

    /// Wraps keys that others wrapped to this operator to themself, so that the next time they open fast. Nothing
    /// depends on it.
    fn adopt(&self, held: &[ReadAccess]) {
        let vaults = held.iter().map(|access| {
            let vault = access.vault();
            let keys = access.keys().iter().map(|key| self.wrap_own(&vault, key));
            let keys = keys.collect();
            VaultShare { vault, keys }
        });
        let vaults = vaults.collect();
        // A key may have been rotated in between: then it is for another time.
        let _ = self.command(&Request::ShareVaults { vaults });
    }

    /// Takes a vault from a user. They may have kept its key: rotate it ([`Operator::rotate_vault_key`]).
    pub fn unshare_vault(&self, vault: VaultId, user: UserId) -> Result<(), OperatorError> {
        self.command(&Request::UnshareVault { vault, user })
    }

    /// The vaults that are wrapped to this operator.
    pub fn vaults(&self) -> Result<Vec<OpenVault>, OperatorError> {
        match self.call(&Request::Vaults)? {
            Response::Vaults(vaults) => parallel::map(&vaults, |info| self.open_vault(info)),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// One of them.
    pub fn vault(&self, vault: VaultId) -> Result<OpenVault, OperatorError> {
        match self.call(&Request::Vault { vault })? {
            Response::Vault(info) => self.open_vault(&info),
            _ => Err(OperatorError::Unexpected),
        }
    }

    fn open_vault(&self, info: &VaultInfo) -> Result<OpenVault, OperatorError> {
        let record = &info.record;
        let access = ReadAccess::of_operator(self.key(), &self.user(), record.id, &info.keys)
            .map_err(|_| OperatorError::does_not_open("vault", record.id))?;
        let attributes = access
            .open_attributes(record.attribute_version, &record.attributes)
            .map_err(|_| OperatorError::does_not_open("vault", record.id))?;
        Ok(OpenVault {
            id: record.id,
            kind: record.kind,
            // serde's error would repeat what it read.
            attributes: serde_json::from_slice(&attributes)
                .map_err(|_| OperatorError::damaged("vault", record.id))?,
            attribute_version: record.attribute_version,
            users: info.users.clone(),
            content_version: record.content_version,
            items: record.items,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }

    /// Replaces a vault's attributes, if they are still at this version.
    pub fn edit_vault(
        &self,
        vault: VaultId,
        expect: u64,
        attributes: &VaultAttributes,
    ) -> Result<(), OperatorError> {
        self.edit_vault_to(vault, expect, expect.saturating_add(1), attributes)
    }

    /// The same, to a higher version: a mirrored vault has that of the account it comes from.
    pub fn edit_vault_to(
        &self,
        vault: VaultId,
        expect: u64,
        version: u64,
        attributes: &VaultAttributes,
    ) -> Result<(), OperatorError> {
        let access = self.write_access(vault)?;
        let attributes = seal_attributes(&access, version, attributes)?;
        self.command(&Request::EditVault {
            vault,
            expect,
            version: Some(version),
            attributes,
        })
    }

    /// Removes a vault for good, with all that is in it.
    pub fn delete_vault(&self, vault: VaultId) -> Result<(), OperatorError> {
        self.command(&Request::DeleteVault { vault })
    }

    /// Proof that this operator may read a vault.
    pub fn read_access(&self, vault: VaultId) -> Result<ReadAccess, OperatorError> {
        let Response::VaultKeys(keys) = self.call(&Request::VaultKeys { vault })? else {
            return Err(OperatorError::Unexpected);
        };
        ReadAccess::of_operator(self.key(), &self.user(), vault, &keys)
            .map_err(|_| OperatorError::does_not_open("vault", vault))
    }

    /// Proof that this operator may read these vaults, in this order: one request for all of them.
    pub(super) fn keyring(&self, vaults: Vec<VaultId>) -> Result<Vec<ReadAccess>, OperatorError> {
        let asked = vaults.clone();
        let Response::Keyring(keys) = self.call(&Request::Keyring { vaults: asked })? else {
            return Err(OperatorError::Unexpected);
        };
        if keys.len() != vaults.len() {
            return Err(OperatorError::Unexpected);
        }
        let keys: Vec<_> = vaults.into_iter().zip(keys).collect();
        let held = parallel::map(&keys, |(vault, keys)| {
            ReadAccess::of_operator(self.key(), &self.user(), *vault, keys)
                .map_err(|_| OperatorError::does_not_open("vault", vault))
        })?;
        let slow = keys
            .iter()
            .filter(|(_, keys)| keys.iter().any(WrappedKey::is_to_public_key));
        if slow.count() >= WORTH_ADOPTING {
            self.adopt(&held);
        }
        Ok(held)
    }

    /// Proof that this operator may write to a vault.
    pub fn write_access(&self, vault: VaultId) -> Result<WriteAccess, OperatorError> {
        self.read_access(vault).map(WriteAccess::of_operator)
    }
}

/// All keys of a vault for a user.
fn share(
    user: UserId,
    public: &OperatorPublic,
    access: &ReadAccess,
) -> Result<VaultShare, OperatorError> {
    let vault = access.vault();
    let keys = access.keys().iter();
    let keys = keys.map(|key| wrap(user, public, &vault, key));
    let keys = keys.collect::<Result<_, _>>()?;
    Ok(VaultShare { vault, keys })
}

/// Wraps a vault's key to a user, and vouches for them.
fn wrap(
    user: UserId,
    public: &OperatorPublic,
    vault: &VaultId,
    key: &VaultKey,
) -> Result<VaultWrap, OperatorError> {
    let wrapped = public
        .wrap_vault_key(&user, vault, key, &mut SystemRng)
        .map_err(|_| OperatorError::damaged("user", user))?;
    let who = Holder::User {
        user: &user,
        public: &public.wrapping,
    };
    Ok(VaultWrap {
        user,
        wrapped,
        proof: key.vouch(vault, &who),
    })
}

fn seal_attributes(
    access: &WriteAccess,
    version: u64,
    attributes: &VaultAttributes,
) -> Result<sekisho_core::seal::Sealed, OperatorError> {
    let json = serde_json::to_vec(attributes)
        .map(Zeroizing::new)
        .map_err(|_| OperatorError::damaged("vault", access.vault()))?;
    access
        .seal_attributes(version, &json, &mut SystemRng)
        .map_err(|_| OperatorError::does_not_open("vault", access.vault()))
}
