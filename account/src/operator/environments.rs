//! Environments and their tokens.

use sekisho_core::{
    id::{EnvironmentId, TokenId, VaultId},
    key::{DeviceSecret, EnvironmentKey},
    records::SigningKeyRecord,
    sync::Trust,
    time::Timestamp,
    token::{self, IssuedToken, ReadAccess, Rights, TokenOrder},
};

use super::{Operator, OperatorError};
use crate::{
    Credentials, Request, Response, clock,
    protocol::{EnvironmentInfo, KeyWrap, NewEnvironment, NewToken, TokenInfo},
    random::SystemRng,
};

impl Operator {
    /// Makes an environment with these vaults. The credentials can be had only now: the account keeps no secret of
    /// them. Its signing key is wrapped to all owners and administrators.
    pub fn create_environment(
        &self,
        name: &str,
        vaults: &[VaultId],
    ) -> Result<(EnvironmentId, Credentials), OperatorError> {
        let rng = &mut SystemRng;
        let account = self.account_info()?;
        let (id, device) = (EnvironmentId::generate(rng), DeviceSecret::generate(rng));
        let key = EnvironmentKey::generate(rng);
        let record = SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        };
        self.command(&Request::CreateEnvironment(NewEnvironment {
            id,
            name: name.to_owned(),
            device: device.digest(),
            key: record,
            wraps: self.wrap_environment_key(&id, &key)?,
            vaults: vaults.to_vec(),
        }))?;
        let trust = Trust {
            account: self.account(),
            environment: id,
            head_key: account.head_key,
        };
        Ok((id, Credentials::new(trust, name, device, record, rng)))
    }

    fn wrap_environment_key(
        &self,
        environment: &EnvironmentId,
        key: &EnvironmentKey,
    ) -> Result<Vec<KeyWrap>, OperatorError> {
        let users = self.recipients(|user| !user.roles.is_empty())?;
        let wraps = users.into_iter().map(|user| {
            let wrapped = user
                .public
                .wrap_environment_key(&user.id, environment, key, &mut SystemRng)
                .map_err(|_| OperatorError::damaged("user", user.id))?;
            let user = user.id;
            Ok(KeyWrap { user, wrapped })
        });
        wraps.collect()
    }

    /// Every environment in use.
    pub fn environments(&self) -> Result<Vec<EnvironmentInfo>, OperatorError> {
        match self.call(&Request::Environments)? {
            Response::Environments(list) => Ok(list),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// One environment.
    pub fn environment(
        &self,
        environment: EnvironmentId,
    ) -> Result<EnvironmentInfo, OperatorError> {
        match self.call(&Request::Environment { environment })? {
            Response::Environment(info) => Ok(*info),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Gives an environment another name.
    pub fn rename_environment(
        &self,
        environment: EnvironmentId,
        name: &str,
    ) -> Result<(), OperatorError> {
        let name = name.to_owned();
        self.command(&Request::RenameEnvironment { environment, name })
    }

    /// Ends an environment and its tokens.
    pub fn delete_environment(&self, environment: EnvironmentId) -> Result<(), OperatorError> {
        self.command(&Request::DeleteEnvironment { environment })
    }

    /// Gives an environment a vault.
    pub fn grant_vault(
        &self,
        environment: EnvironmentId,
        vault: VaultId,
    ) -> Result<(), OperatorError> {
        self.command(&Request::GrantVault { environment, vault })
    }

    /// Takes a vault from an environment and from its tokens.
    pub fn revoke_vault(
        &self,
        environment: EnvironmentId,
        vault: VaultId,
    ) -> Result<(), OperatorError> {
        self.command(&Request::RevokeVault { environment, vault })
    }

    /// Issues a token. Its text can be had only now: the account keeps a digest.
    pub fn create_token(
        &self,
        environment: EnvironmentId,
        name: &str,
        vaults: &[(VaultId, Rights)],
        expires_at: Option<Timestamp>,
    ) -> Result<IssuedToken, OperatorError> {
        let key = self.environment_key(environment)?;
        let accesses: Vec<(Rights, ReadAccess)> = vaults
            .iter()
            .map(|(vault, rights)| Ok((*rights, self.read_access(*vault)?)))
            .collect::<Result<_, OperatorError>>()?;
        let granted: Vec<_> = accesses
            .iter()
            .map(|(rights, access)| (access.vault(), *rights, access.keys()))
            .collect();
        let order = TokenOrder {
            account: self.account(),
            environment,
            issued_at: clock::now(),
            expires_at,
            vaults: &granted,
        };
        let issued = token::issue(&order, &key, &mut SystemRng)
            .map_err(|_| OperatorError::does_not_open("environment", environment))?;
        self.command(&Request::CreateToken(NewToken {
            environment,
            name: name.to_owned(),
            record: issued.record.clone(),
            public: issued.public,
        }))?;
        Ok(issued)
    }

    /// The newest signing key that is wrapped to this operator.
    fn environment_key(&self, environment: EnvironmentId) -> Result<EnvironmentKey, OperatorError> {
        let closed = || OperatorError::does_not_open("environment", environment);
        let info = self.environment(environment)?;
        let (id, wrapped) = info
            .keys
            .into_iter()
            .find_map(|key| Some((key.id, key.wrapped?)))
            .ok_or_else(closed)?;
        self.key()
            .unwrap_environment_key(&self.user(), &environment, id, &wrapped)
            .map_err(|_| closed())
    }

    /// Tokens of one environment, or of all.
    pub fn tokens(
        &self,
        environment: Option<EnvironmentId>,
    ) -> Result<Vec<TokenInfo>, OperatorError> {
        match self.call(&Request::Tokens { environment })? {
            Response::Tokens(tokens) => Ok(tokens),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Gives a token another name.
    pub fn rename_token(&self, token: TokenId, name: &str) -> Result<(), OperatorError> {
        let name = name.to_owned();
        self.command(&Request::RenameToken { token, name })
    }

    /// Ends a token.
    pub fn revoke_token(&self, token: TokenId) -> Result<(), OperatorError> {
        self.command(&Request::RevokeToken { token })
    }
}
