//! A vault's next key: begun, filled in batches, finished – and taken up again by whoever holds the vault after a crash.
//!
//! The new key is wrapped only to holders for whom someone who held the old one vouched
//! ([`sekisho_core::vouch`]): the account cannot add one of its own.

use sekisho_core::{
    id::VaultId,
    key::{TokenPlace, VaultKey, rewrap_for_token},
    records::ItemRecord,
    seal::{Kind, Sealed},
    token::WriteAccess,
    vault::TitleIndex,
    vouch::Holder,
};
use zeroize::Zeroizing;

use super::{Operator, OperatorError};
use crate::{
    AccountError, Request, Response,
    protocol::{NewGeneration, TokenHolder, TokenWrap, UserHolder, VaultHolders, VaultWrap},
    random::SystemRng,
};

/// Items asked for at once; the account ends a batch earlier when it is large.
const BATCH: u32 = 200;

/// How many times it is tried again when holders or items change in between.
const TRIES: usize = 100;

impl Operator {
    /// Gives a vault a new key, or finishes what was begun. Readers and writers go on all the while.
    pub fn rotate_vault_key(&self, vault: VaultId) -> Result<(), OperatorError> {
        self.try_again(|| {
            let held = self.vault_holders(vault)?;
            if held.oldest == held.generation {
                self.begin_rotation(vault, &held)
            } else {
                Ok(())
            }
        })?;
        self.resume_rotation(vault)
    }

    /// Finishes a rotation that was begun; without one there is nothing to do.
    pub fn resume_rotation(&self, vault: VaultId) -> Result<(), OperatorError> {
        let held = self.vault_holders(vault)?;
        if held.oldest == held.generation {
            return Ok(());
        }
        let access = self.write_access(vault)?;
        self.try_again(|| {
            self.reseal_attributes(vault, &access)?;
            while self.reseal_batch(vault, &access)? {}
            self.command(&Request::FinishRotation { vault })
        })
    }

    /// Whether a rotation was begun and not finished.
    pub fn is_rotating(&self, vault: VaultId) -> Result<bool, OperatorError> {
        let held = self.vault_holders(vault)?;
        Ok(held.oldest != held.generation)
    }

    fn try_again(&self, work: impl Fn() -> Result<(), OperatorError>) -> Result<(), OperatorError> {
        let mut done = work();
        for _ in 1..TRIES {
            match done {
                Err(OperatorError::Account(AccountError::Conflict { .. })) => done = work(),
                other => return other,
            }
        }
        done
    }

    fn vault_holders(&self, vault: VaultId) -> Result<VaultHolders, OperatorError> {
        match self.call(&Request::VaultHolders { vault })? {
            Response::VaultHolders(held) => Ok(held),
            _ => Err(OperatorError::Unexpected),
        }
    }

    fn begin_rotation(&self, vault: VaultId, held: &VaultHolders) -> Result<(), OperatorError> {
        let access = self.read_access(vault)?;
        let closed = || OperatorError::does_not_open("vault", vault);
        let old = access.newest_key().ok_or_else(closed)?;
        let next = old.generation().checked_add(1).ok_or_else(closed)?;
        let new = VaultKey::generate(next, &mut SystemRng);
        let users = held.users.iter().map(|holder| {
            let wrapped = next_for_user(vault, old, &new, holder)?;
            // Vouched for as everyone; then by this operator's own means.
            let is_me = holder.user == self.user();
            Ok(if is_me {
                self.wrap_own(&vault, &new)
            } else {
                wrapped
            })
        });
        let tokens = held
            .tokens
            .iter()
            .map(|holder| next_for_token(vault, old, &new, holder));
        self.command(&Request::BeginRotation(NewGeneration {
            vault,
            generation: new.generation(),
            users: users.collect::<Result<_, OperatorError>>()?,
            tokens: tokens.collect::<Result<_, _>>()?,
        }))
    }

    fn reseal_attributes(&self, vault: VaultId, access: &WriteAccess) -> Result<(), OperatorError> {
        let Response::Vault(info) = self.call(&Request::Vault { vault })? else {
            return Err(OperatorError::Unexpected);
        };
        let (version, sealed) = (info.record.attribute_version, &info.record.attributes);
        let newest = access.current().newest_key().map(VaultKey::generation);
        if sealed.generation() == newest {
            return Ok(());
        }
        let closed = |_| OperatorError::does_not_open("vault", vault);
        let opened = access.current().open_attributes(version, sealed);
        let attributes = access
            .seal_attributes(version, &opened.map_err(closed)?, &mut SystemRng)
            .map_err(closed)?;
        self.command(&Request::ResealAttributes {
            vault,
            version,
            attributes,
        })
    }

    /// Whether there was anything to do.
    fn reseal_batch(&self, vault: VaultId, access: &WriteAccess) -> Result<bool, OperatorError> {
        let limit = BATCH;
        let Response::ItemRecords(stale) = self.call(&Request::StaleItems { vault, limit })? else {
            return Err(OperatorError::Unexpected);
        };
        if stale.is_empty() {
            return Ok(false);
        }
        let items = stale.iter().map(|item| reseal(access, item));
        let items = items.collect::<Result<_, _>>()?;
        self.command(&Request::Reseal { vault, items })?;
        Ok(true)
    }
}

fn next_for_user(
    vault: VaultId,
    old: &VaultKey,
    new: &VaultKey,
    holder: &UserHolder,
) -> Result<VaultWrap, OperatorError> {
    let who = Holder::User {
        user: &holder.user,
        public: &holder.public.wrapping,
    };
    if old.vouch(&vault, &who) != holder.proof {
        return Err(OperatorError::unvouched("user", holder.user));
    }
    let wrapped = holder
        .public
        .wrap_vault_key(&holder.user, &vault, new, &mut SystemRng)
        .map_err(|_| OperatorError::damaged("user", holder.user))?;
    Ok(VaultWrap {
        user: holder.user,
        wrapped,
        proof: new.vouch(&vault, &who),
    })
}

fn next_for_token(
    vault: VaultId,
    old: &VaultKey,
    new: &VaultKey,
    holder: &TokenHolder,
) -> Result<TokenWrap, OperatorError> {
    let TokenHolder {
        token,
        environment,
        rights,
        public,
        ..
    } = holder;
    let who = Holder::Token {
        environment,
        token,
        rights: *rights,
        public,
    };
    if old.vouch(&vault, &who) != holder.proof {
        return Err(OperatorError::unvouched("token", token));
    }
    let place = TokenPlace {
        environment,
        token,
        vault: &vault,
        rights: *rights,
    };
    let wrapped = rewrap_for_token(public, &place, new, &mut SystemRng)
        .map_err(|_| OperatorError::damaged("token", token))?;
    Ok(TokenWrap {
        token: *token,
        wrapped,
        proof: new.vouch(&vault, &who),
    })
}

/// The same item at the same version under the newest key.
fn reseal(access: &WriteAccess, item: &ItemRecord) -> Result<ItemRecord, OperatorError> {
    let closed = || OperatorError::does_not_open("item", item.id);
    let again = |kind, sealed: &Sealed| {
        let opened = access
            .current()
            .open_item(kind, item.id, item.version, sealed);
        access
            .seal_item(
                kind,
                item.id,
                item.version,
                &opened.map_err(|_| closed())?,
                &mut SystemRng,
            )
            .map_err(|_| closed())
    };
    let optional = |kind, sealed: Option<&Sealed>| sealed.map(|s| again(kind, s)).transpose();
    let overview = access
        .current()
        .open_item(Kind::Overview, item.id, item.version, &item.overview)
        .map_err(|_| closed())?;
    let key = access.current().newest_key().ok_or_else(closed)?;
    let title = title(&overview).ok_or_else(|| OperatorError::damaged("item", item.id))?;
    Ok(ItemRecord {
        id: item.id,
        version: item.version,
        archived: item.archived,
        marks: TitleIndex::derive(key).marks(&title),
        overview: again(Kind::Overview, &item.overview)?,
        details: again(Kind::Details, &item.details)?,
        extra: optional(Kind::Extra, item.extra.as_ref())?,
        files: optional(Kind::Files, item.files.as_ref())?,
    })
}

/// An overview's title; the rest of it is not looked at.
fn title(overview: &[u8]) -> Option<Zeroizing<String>> {
    #[derive(serde::Deserialize)]
    struct Titled {
        #[serde(default)]
        title: String,
    }
    let titled: Titled = serde_json::from_slice(overview).ok()?;
    Some(Zeroizing::new(titled.title))
}
