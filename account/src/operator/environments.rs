//! Environments and their tokens.

use sekisho_core::{
    id::{EnvironmentId, KeyId, TokenId, UserId, VaultId},
    key::{DeviceSecret, EnvironmentKey, WrappedKey},
    records::SigningKeyRecord,
    sync::Trust,
    time::Timestamp,
    token::{self, IssuedToken, Rights, TokenOrder},
    vouch::Holder,
};

use super::{Operator, OperatorError, trust::Recipient};
use crate::{
    Credentials, Request, Response, clock,
    protocol::{
        EnvironmentInfo, EnvironmentKeyInfo, KeyWrap, NewEnvironment, NewToken, NextKey, TokenInfo,
    },
    random::SystemRng,
};

impl Operator {
    /// Makes an environment with these vaults. The credentials can be had only now: the account keeps no secret of
    /// them. Its signing key is wrapped to all who manage servers.
    pub fn create_environment(
        &self,
        name: &str,
        vaults: &[VaultId],
    ) -> Result<(EnvironmentId, Credentials), OperatorError> {
        let rng = &mut SystemRng;
        let (id, device) = (EnvironmentId::generate(rng), DeviceSecret::generate(rng));
        let key = EnvironmentKey::generate(rng);
        self.command(&Request::CreateEnvironment(NewEnvironment {
            id,
            name: name.to_owned(),
            device: device.digest(),
            key: record(&key),
            wraps: self.wrap_environment_key(None, &id, &key)?,
            vaults: vaults.to_vec(),
        }))?;
        let trust = self.trust(id)?;
        Ok((id, Credentials::new(trust, name, device, record(&key), rng)))
    }

    /// Wraps a signing key to the managers of a server; of one that is not there yet, to those who manage all.
    fn wrap_environment_key(
        &self,
        managed: Option<EnvironmentId>,
        environment: &EnvironmentId,
        key: &EnvironmentKey,
    ) -> Result<Vec<KeyWrap>, OperatorError> {
        let managers = self.managers(managed)?.users;
        let users = self.recipients(|user| managers.contains(&user.id))?;
        let wraps = users.iter().map(|user| wrap(user, environment, key));
        wraps.collect()
    }

    /// Wraps a signing key that this operator holds to the users that `lacks` names.
    pub(super) fn share_environment_key(
        &self,
        environment: EnvironmentId,
        key: &EnvironmentKeyInfo,
        lacks: impl Fn(&UserId) -> bool,
    ) -> Result<(), OperatorError> {
        let Some(wrapped) = &key.wrapped else {
            return Ok(());
        };
        let users = self.recipients(|user| lacks(&user.id))?;
        let users = users.iter().filter(|user| lacks(&user.id));
        let opened = self.unwrap_environment_key(environment, key.id, wrapped)?;
        let wraps = users.map(|user| wrap(user, &environment, &opened));
        let wraps: Vec<_> = wraps.collect::<Result<_, _>>()?;
        if wraps.is_empty() {
            return Ok(());
        }
        let key = key.id;
        self.command(&Request::ShareEnvironmentKey {
            environment,
            key,
            wraps,
        })
    }

    /// Gives an environment a new signing key. Tokens of the older ones stay good, and credentials files too: hosts
    /// hear of the new key through the feed, on the older one's word.
    pub fn rotate_environment_key(
        &self,
        environment: EnvironmentId,
    ) -> Result<KeyId, OperatorError> {
        let old = self.environment_key(environment)?;
        let new = EnvironmentKey::generate(&mut SystemRng);
        let key = old.endorse(&environment, record(&new));
        let wraps = self.wrap_environment_key(Some(environment), &environment, &new)?;
        self.command(&Request::AddEnvironmentKey(NextKey {
            environment,
            key,
            wraps,
        }))?;
        Ok(new.id())
    }

    /// Makes further credentials for an environment: a second device secret. Those there were stay good until
    /// [`Operator::drop_other_devices`].
    pub fn add_device(&self, environment: EnvironmentId) -> Result<Credentials, OperatorError> {
        let rng = &mut SystemRng;
        let info = self.environment(environment)?;
        let trust = self.trust(environment)?;
        let keys = self.held_keys(&info)?;
        let (first, later) = keys
            .split_last()
            .ok_or_else(|| OperatorError::does_not_open("environment", environment))?;
        let device = DeviceSecret::generate(rng);
        let digest = device.digest();
        self.command(&Request::AddDevice {
            environment,
            digest,
        })?;
        let made = Credentials::new(trust, &info.name, device, record(first), rng);
        let later = later.iter().rev().map(record);
        Ok(later.fold(made, Credentials::with_signing_key))
    }

    /// Ends every device secret of an environment but the one of these credentials.
    pub fn drop_other_devices(&self, kept: &Credentials) -> Result<(), OperatorError> {
        self.command(&Request::KeepDevice {
            environment: kept.environment(),
            digest: kept.device().digest(),
        })
    }

    fn trust(&self, environment: EnvironmentId) -> Result<Trust, OperatorError> {
        Ok(Trust {
            account: self.account(),
            environment,
            head_key: self.account_info()?.head_key,
        })
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
        let ids: Vec<VaultId> = vaults.iter().map(|(vault, _)| *vault).collect();
        let accesses = self.keyring(ids)?;
        let accesses: Vec<_> = vaults
            .iter()
            .map(|(_, rights)| rights)
            .zip(&accesses)
            .collect();
        let granted: Vec<_> = accesses
            .iter()
            .map(|(rights, access)| (access.vault(), **rights, access.keys()))
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
        let proofs = accesses.iter().map(|(rights, access)| {
            let key = access.newest_key();
            let key = key.ok_or_else(|| OperatorError::does_not_open("vault", access.vault()))?;
            let who = Holder::Token {
                environment: &environment,
                token: &issued.record.id,
                rights: **rights,
                public: &issued.public,
            };
            Ok(key.vouch(&access.vault(), &who))
        });
        let proofs = proofs.collect::<Result<_, OperatorError>>()?;
        self.command(&Request::CreateToken(NewToken {
            environment,
            name: name.to_owned(),
            record: issued.record.clone(),
            public: issued.public,
            proofs,
        }))?;
        Ok(issued)
    }

    /// The newest signing key that is wrapped to this operator.
    fn environment_key(&self, environment: EnvironmentId) -> Result<EnvironmentKey, OperatorError> {
        let info = self.environment(environment)?;
        let key = self.held_keys(&info)?.into_iter().next();
        key.ok_or_else(|| OperatorError::does_not_open("environment", environment))
    }

    /// The signing keys that are wrapped to this operator, newest first.
    fn held_keys(&self, info: &EnvironmentInfo) -> Result<Vec<EnvironmentKey>, OperatorError> {
        let wrapped = info.keys.iter();
        let wrapped = wrapped.filter_map(|key| Some((key.id, key.wrapped.as_ref()?)));
        wrapped
            .map(|(id, wrapped)| self.unwrap_environment_key(info.id, id, wrapped))
            .collect()
    }

    fn unwrap_environment_key(
        &self,
        environment: EnvironmentId,
        id: KeyId,
        wrapped: &WrappedKey,
    ) -> Result<EnvironmentKey, OperatorError> {
        self.key()
            .unwrap_environment_key(&self.user(), &environment, id, wrapped)
            .map_err(|_| OperatorError::does_not_open("environment", environment))
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

fn record(key: &EnvironmentKey) -> SigningKeyRecord {
    SigningKeyRecord {
        id: key.id(),
        public: key.public(),
    }
}

fn wrap(
    user: &Recipient,
    environment: &EnvironmentId,
    key: &EnvironmentKey,
) -> Result<KeyWrap, OperatorError> {
    let wrapped = user
        .public
        .wrap_environment_key(&user.id, environment, key, &mut SystemRng)
        .map_err(|_| OperatorError::damaged("user", user.id))?;
    let user = user.id;
    Ok(KeyWrap { user, wrapped })
}
