//! Users, groups, and who manages Connect servers.
//!
//! A user makes their key on their own machine and prints a [`JoinCode`]: public halves only, signed by the key itself.
//! Whoever administers the account adds it. Nothing secret is sent either way.

use sekisho_core::{
    encoding,
    id::{AccountId, EnvironmentId, GroupId, UserId, VaultId},
    key::OperatorPublic,
    vouch::Standing,
};
use serde::{Deserialize, Serialize};

use super::{Operator, OperatorError};
use crate::{
    AccountError, KeyFile, NewUser, Request, Response,
    protocol::{AuditEntry, GroupInfo, ManagerList, Role},
    random::SystemRng,
};

/// A user's public face on one line: `sekisho-join-1.` and base64url of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCode {
    account: AccountId,
    user: UserId,
    name: String,
    public: OperatorPublic,
    #[serde(with = "encoding::array")]
    signature: [u8; 64],
}

const PREFIX: &str = "sekisho-join-1.";

impl JoinCode {
    /// The code for the holder of a key file.
    pub fn new(identity: &KeyFile, name: &str) -> Self {
        let mut code = Self {
            account: identity.account,
            user: identity.user,
            name: name.to_owned(),
            public: identity.key.public(),
            signature: [0; 64],
        };
        code.signature = identity.key.sign(&code.message());
        code
    }

    /// Reads a code. One that was cut, altered or mistyped is refused: it is signed by the key it names.
    pub fn parse(text: &str) -> Result<Self, OperatorError> {
        let code: Self = text
            .trim()
            .strip_prefix(PREFIX)
            .and_then(|rest| encoding::from_base64url(rest).ok())
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or(OperatorError::JoinCode)?;
        code.public
            .signing
            .verify(&code.message(), &code.signature)
            .map_err(|_| OperatorError::JoinCode)?;
        Ok(code)
    }

    /// The one line.
    pub fn to_text(&self) -> String {
        // Ids, a name and three fixed arrays: nothing in it can fail to be JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", encoding::base64url(&json))
    }

    /// The user's id.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn message(&self) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"sekisho/v1/join\0",
            self.account.as_bytes(),
            self.user.as_bytes(),
            &self.public.wrapping,
            self.public.signing.as_bytes(),
            self.name.as_bytes(),
        ];
        parts.concat()
    }
}

impl Operator {
    /// Adds the user of a code, and vouches for them.
    pub fn add_user(&self, code: &JoinCode) -> Result<(), OperatorError> {
        if code.account != self.account() {
            return Err(OperatorError::JoinCode);
        }
        let user = NewUser {
            id: code.user,
            name: code.name.trim().to_owned(),
            public: code.public.clone(),
        };
        self.command(&Request::CreateUser(self.endorse(user, Standing::User)))
    }

    /// Refuses a user's requests for now, or takes them again.
    pub fn suspend_user(&self, user: UserId, suspended: bool) -> Result<(), OperatorError> {
        self.command(&Request::SuspendUser { user, suspended })
    }

    /// Removes a user. Handed back are the vaults they held: they may have kept those keys, so rotate them.
    pub fn remove_user(&self, user: UserId) -> Result<Vec<VaultId>, OperatorError> {
        match self.call(&Request::RemoveUser { user })? {
            Response::VaultIds(vaults) => Ok(vaults),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Every group.
    pub fn groups(&self) -> Result<Vec<GroupInfo>, OperatorError> {
        match self.call(&Request::Groups)? {
            Response::Groups(groups) => Ok(groups),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Makes a group.
    pub fn create_group(&self, name: &str) -> Result<GroupId, OperatorError> {
        let group = GroupId::generate(&mut SystemRng);
        let name = name.to_owned();
        self.command(&Request::CreateGroup { group, name })?;
        Ok(group)
    }

    /// Gives a group another name.
    pub fn rename_group(&self, group: GroupId, name: &str) -> Result<(), OperatorError> {
        let name = name.to_owned();
        self.command(&Request::RenameGroup { group, name })
    }

    /// Removes a group.
    pub fn delete_group(&self, group: GroupId) -> Result<(), OperatorError> {
        self.command(&Request::DeleteGroup { group })
    }

    /// Puts a user into a group, and wraps to them what its members need: signing keys of the servers it manages, and
    /// for an owner the shared vaults. Only what this operator holds can be wrapped.
    pub fn add_member(&self, group: GroupId, user: UserId) -> Result<(), OperatorError> {
        self.command(&Request::AddMember { group, user })?;
        let groups = self.groups()?;
        let group = groups.iter().find(|known| known.id == group);
        match group.and_then(|group| group.role) {
            Some(Role::Owners) => {
                self.raise(user, Standing::Owner)?;
                self.share_all_vaults(user)?;
            }
            Some(Role::Administrators) => self.raise(user, Standing::Administrator)?,
            None => {}
        }
        self.share_environment_keys()
    }

    /// Takes a user out of a group.
    pub fn remove_member(&self, group: GroupId, user: UserId) -> Result<(), OperatorError> {
        self.command(&Request::RemoveMember { group, user })
    }

    /// Who manages a Connect server, or all without a list of their own.
    pub fn managers(
        &self,
        environment: Option<EnvironmentId>,
    ) -> Result<ManagerList, OperatorError> {
        match self.call(&Request::Managers { environment })? {
            Response::Managers(list) => Ok(list),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Lets a group manage a Connect server, or all without a list of their own, and wraps signing keys to its members.
    pub fn grant_manager(
        &self,
        environment: Option<EnvironmentId>,
        group: GroupId,
    ) -> Result<(), OperatorError> {
        self.command(&Request::GrantManager { environment, group })?;
        self.share_environment_keys()
    }

    /// Takes that back.
    pub fn revoke_manager(
        &self,
        environment: Option<EnvironmentId>,
        group: GroupId,
    ) -> Result<(), OperatorError> {
        self.command(&Request::RevokeManager { environment, group })
    }

    /// Drops a Connect server's own list of managers.
    pub fn reset_managers(&self, environment: EnvironmentId) -> Result<(), OperatorError> {
        self.command(&Request::ResetManagers { environment })?;
        self.share_environment_keys()
    }

    /// Wraps every signing key this operator holds to the managers who lack it.
    pub fn share_environment_keys(&self) -> Result<(), OperatorError> {
        let environments = match self.environments() {
            // An administrator need not manage servers: then there is nothing to share.
            Err(OperatorError::Account(AccountError::NotManager(_))) => return Ok(()),
            other => other?,
        };
        for environment in environments {
            let managers = self.managers(Some(environment.id))?;
            for key in &environment.keys {
                let lacks =
                    |user: &UserId| managers.users.contains(user) && !key.users.contains(user);
                self.share_environment_key(environment.id, key, lacks)?;
            }
        }
        Ok(())
    }

    /// Changes of the account, newest first, from the first one before a number.
    pub fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, OperatorError> {
        match self.call(&Request::Audit { before, limit })? {
            Response::Audit(entries) => Ok(entries),
            _ => Err(OperatorError::Unexpected),
        }
    }
}

#[cfg(test)]
mod tests {
    use sekisho_core::key::OperatorKey;

    use super::*;

    #[test]
    fn a_code_comes_back_and_an_altered_one_does_not() {
        let rng = &mut SystemRng;
        let identity = KeyFile {
            account: AccountId::generate(rng),
            user: UserId::generate(rng),
            key: OperatorKey::generate(rng),
        };
        let code = JoinCode::new(&identity, "Una Ü.");
        let text = code.to_text();
        assert!(!text.contains(char::is_whitespace));
        assert_eq!(JoinCode::parse(&format!(" {text}\n")).unwrap(), code);
        let mut renamed = code;
        renamed.name.push('x');
        for broken in [
            renamed.to_text(),
            text.split_at(text.len() - 4).0.into(),
            "x".into(),
            String::new(),
        ] {
            assert!(matches!(
                JoinCode::parse(&broken),
                Err(OperatorError::JoinCode)
            ));
        }
    }
}
