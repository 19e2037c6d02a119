//! From what the account says to what is served: [`FeedPage`] → [`Incoming`] → [`Plan`] → next [`Snapshot`].
//!
//! Everything is decided here and nothing is done here: no clock, no store, no network. A plan lands whole or not at
//! all (invariant 9). The account is not believed where it can be checked: its head is signed, never older than the
//! one held, and names the exact list of tokens; an item's version never falls.

use alloc::{sync::Arc, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    cache::Snapshot,
    cipher::hash,
    encoding,
    id::{AccountId, EnvironmentId, ItemId, TokenId, VaultId},
    key::{PublicKey, SigningKey},
    records::{ItemRecord, SigningKeyRecord, TitleMark, TokenRecord, TokenState, VaultRecord},
    seal::Sealed,
    time::Timestamp,
    vouch::{self, EndorsedKey},
};

/// What an account vouches for: which version of an environment is current, when, and with which tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The account.
    pub account: AccountId,
    /// The environment.
    pub environment: EnvironmentId,
    /// Rises with every change of the environment.
    pub version: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// [`token_list_digest`] of the environment's tokens at this version.
    #[serde(with = "encoding::array")]
    pub tokens: [u8; 32],
    /// ES256 over all of the above by the account's head key.
    #[serde(with = "encoding::array")]
    pub signature: [u8; 64],
}

impl SignedHead {
    /// Signs a head.
    pub fn sign(
        account: AccountId,
        environment: EnvironmentId,
        version: u64,
        issued_at: Timestamp,
        tokens: [u8; 32],
        key: &SigningKey,
    ) -> Self {
        let mut head = Self {
            account,
            environment,
            version,
            issued_at,
            tokens,
            signature: [0; 64],
        };
        head.signature = key.sign(&head.message());
        head
    }

    /// Checks the signature.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SyncError> {
        key.verify(&self.message(), &self.signature)
            .map_err(|_| SyncError::ForgedHead)
    }

    fn message(&self) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"sekisho/v1/head\0",
            self.account.as_bytes(),
            self.environment.as_bytes(),
            &self.version.to_be_bytes(),
            &self.issued_at.millis().to_be_bytes(),
            &self.tokens,
        ];
        parts.concat()
    }
}

/// SHA-256 over everything that decides what tokens may do, by ascending token and vault id.
pub fn token_list_digest<'a>(tokens: impl Iterator<Item = &'a TokenRecord>) -> [u8; 32] {
    let mut entries: Vec<_> = tokens
        .map(|token| (token.id, token_digest(token)))
        .collect();
    entries.sort_unstable();
    let parts: Vec<&[u8]> = entries
        .iter()
        .map(|(_, digest)| digest.as_slice())
        .collect();
    hash::sha256(&parts)
}

fn token_digest(token: &TokenRecord) -> [u8; 32] {
    let mut grants: Vec<_> = token
        .grants
        .iter()
        .map(|grant| (grant.vault, grant))
        .collect();
    grants.sort_unstable_by_key(|(vault, _)| *vault);
    let state = [match token.state {
        TokenState::Active => 1,
        TokenState::Revoked => 2,
    }];
    let expires = token
        .expires_at
        .map_or(u64::MAX, Timestamp::millis)
        .to_be_bytes();
    let mut message: Vec<u8> = [
        token.id.as_bytes().as_slice(),
        token.key.as_bytes(),
        &token.digest,
        &state,
        &expires,
    ]
    .concat();
    for (vault, grant) in grants {
        message.extend_from_slice(vault.as_bytes());
        message.push(grant.rights.bits());
        for key in &grant.keys {
            message.extend_from_slice(&hash::sha256(&[key.as_bytes()]));
        }
    }
    hash::sha256(&[&message])
}

/// An item and the vault it lives in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "FlatItem")]
pub struct FeedItem {
    /// The vault.
    pub vault: VaultId,
    /// The item.
    #[serde(flatten)]
    pub item: ItemRecord,
}

/// The same as it is read: serde would hold back and copy whatever goes into a flattened struct.
#[derive(Deserialize)]
struct FlatItem {
    vault: VaultId,
    id: ItemId,
    version: u64,
    #[serde(default)]
    archived: bool,
    marks: [TitleMark; 2],
    overview: Sealed,
    details: Sealed,
    #[serde(default)]
    extra: Option<Sealed>,
    #[serde(default)]
    files: Option<Sealed>,
}

impl From<FlatItem> for FeedItem {
    fn from(flat: FlatItem) -> Self {
        Self {
            vault: flat.vault,
            item: ItemRecord {
                id: flat.id,
                version: flat.version,
                archived: flat.archived,
                marks: flat.marks,
                overview: flat.overview,
                details: flat.details,
                extra: flat.extra,
                files: flat.files,
            },
        }
    }
}

/// An item that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneItem {
    /// The vault.
    pub vault: VaultId,
    /// The item.
    pub item: ItemId,
}

/// One page of an environment's change feed: everything that changed after a cursor, each thing in its newest state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage {
    /// The cursor that this page follows, so that a page of another place cannot pass for it. Absent = not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<alloc::string::String>,
    /// Where the next page, or the next tick, goes on. Opaque; the empty text is the beginning.
    pub cursor: alloc::string::String,
    /// Whether more pages follow now.
    pub more: bool,
    /// Whether everything held must be dropped first: the cursor is unknown to the account.
    #[serde(default)]
    pub reset: bool,
    /// The account's head when the page was made. The last page's counts.
    pub head: SignedHead,
    /// Vaults that are new or changed.
    #[serde(default)]
    pub vaults: Vec<VaultRecord>,
    /// Vaults that the environment has lost.
    #[serde(default)]
    pub gone_vaults: Vec<VaultId>,
    /// Items that are new or changed.
    #[serde(default)]
    pub items: Vec<FeedItem>,
    /// Items that were deleted.
    #[serde(default)]
    pub gone_items: Vec<GoneItem>,
    /// Tokens that are new or changed.
    #[serde(default)]
    pub tokens: Vec<TokenRecord>,
    /// Tokens that were removed for good.
    #[serde(default)]
    pub gone_tokens: Vec<TokenId>,
    /// Every signing key that followed the first one. On each page, so that nobody need store them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<EndorsedKey>,
}

/// Why what the account sent is not taken. The set that is served stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The head's signature does not fit the credentials file.
    #[error("the account's head is not signed by the key in the credentials file")]
    ForgedHead,
    /// The head names another account or environment.
    #[error("the account's head belongs to another Connect server")]
    OtherEnvironment,
    /// The head is older than the one held.
    #[error(
        "the account offered version {offered}, but version {held} is held already: an older state is never taken"
    )]
    OlderHead {
        /// The version offered.
        offered: u64,
        /// The version held.
        held: u64,
    },
    /// An item would fall back to an older version.
    #[error(
        "item {item} would fall back from version {held} to {offered}: an older state is never taken"
    )]
    OlderItem {
        /// The item.
        item: ItemId,
        /// The version offered.
        offered: u64,
        /// The version held.
        held: u64,
    },
    /// The list of tokens is not the one that the head names.
    #[error("the account's list of tokens is not the one its head names")]
    TokenList,
    /// No page at all.
    #[error("the account sent no page")]
    Empty,
}

/// Whom to believe: taken from the credentials file.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// The account.
    pub account: AccountId,
    /// The environment.
    pub environment: EnvironmentId,
    /// Verifies heads.
    pub head_key: PublicKey,
}

/// The pages of one tick, checked and merged.
#[derive(Debug, Clone)]
pub struct Incoming {
    pages: Vec<FeedPage>,
    head: SignedHead,
}

impl Incoming {
    /// Checks the last page's head: genuine and ours.
    pub fn parse(pages: Vec<FeedPage>, trust: &Trust) -> Result<Self, SyncError> {
        let head = pages.last().ok_or(SyncError::Empty)?.head.clone();
        if head.account != trust.account || head.environment != trust.environment {
            return Err(SyncError::OtherEnvironment);
        }
        head.verify(&trust.head_key)?;
        Ok(Self { pages, head })
    }

    /// The keys that verify tokens, newest first: those known from the credentials file, and those that follow.
    pub fn signing_keys(&self, known: &[SigningKeyRecord]) -> Vec<SigningKeyRecord> {
        vouch::believe(&self.head.environment, known, self.endorsed())
    }

    /// The keys offered, as a store keeps them for the next start.
    pub fn endorsed(&self) -> &[EndorsedKey] {
        let offered = self.pages.last().map(|page| page.signing_keys.as_slice());
        offered.unwrap_or_default()
    }

    /// What to do, so that the account's state is served.
    pub fn plan(self, held: &Snapshot) -> Result<Plan, SyncError> {
        if let Some(ours) = held.head()
            && self.head.version < ours.version
        {
            return Err(SyncError::OlderHead {
                offered: self.head.version,
                held: ours.version,
            });
        }
        let cursor = self
            .pages
            .last()
            .map(|page| page.cursor.clone())
            .unwrap_or_default();
        let reset = self.pages.iter().any(|page| page.reset);
        let steps = steps(self.pages, held, reset)?;
        let plan = Plan {
            reset,
            steps,
            head: self.head,
            cursor,
        };
        plan.check_tokens(held)?;
        Ok(plan)
    }
}

fn steps(pages: Vec<FeedPage>, held: &Snapshot, reset: bool) -> Result<Vec<Step>, SyncError> {
    let mut steps = Vec::new();
    for page in pages {
        steps.extend(page.gone_vaults.into_iter().map(Step::RemoveVault));
        steps.extend(page.vaults.into_iter().map(Step::PutVault));
        for FeedItem { vault, item } in page.items {
            match held.item(&vault, &item.id) {
                Ok(ours) if !reset && item.version < ours.version => {
                    return Err(SyncError::OlderItem {
                        item: item.id,
                        offered: item.version,
                        held: ours.version,
                    });
                }
                _ => steps.push(Step::PutItem(vault, Arc::new(item))),
            }
        }
        steps.extend(
            page.gone_items
                .into_iter()
                .map(|gone| Step::RemoveItem(gone.vault, gone.item)),
        );
        steps.extend(page.tokens.into_iter().map(Step::PutToken));
        steps.extend(page.gone_tokens.into_iter().map(Step::RemoveToken));
    }
    Ok(steps)
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Store a vault's record; its items stay.
    PutVault(VaultRecord),
    /// Drop a vault and its items.
    RemoveVault(VaultId),
    /// Store an item.
    PutItem(VaultId, Arc<ItemRecord>),
    /// Drop an item.
    RemoveItem(VaultId, ItemId),
    /// Store a token's record.
    PutToken(TokenRecord),
    /// Drop a token's record.
    RemoveToken(TokenId),
}

/// What to do, in order. A store applies it in one transaction, cursor included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    reset: bool,
    steps: Vec<Step>,
    head: SignedHead,
    cursor: alloc::string::String,
}

impl Plan {
    /// A plan from what a store kept; for loading it at start, when everything in it was checked before.
    pub const fn restore(
        steps: Vec<Step>,
        head: SignedHead,
        cursor: alloc::string::String,
    ) -> Self {
        Self {
            reset: true,
            steps,
            head,
            cursor,
        }
    }

    /// Whether everything held must be dropped first.
    pub const fn reset(&self) -> bool {
        self.reset
    }

    /// What to do, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The head that is true afterwards.
    pub const fn head(&self) -> &SignedHead {
        &self.head
    }

    /// Where the next tick goes on.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Whether nothing changes but the head's date.
    pub fn is_idle(&self, held: &Snapshot) -> bool {
        !self.reset
            && self.steps.is_empty()
            && held
                .head()
                .is_some_and(|head| head.version == self.head.version)
    }

    fn check_tokens(&self, held: &Snapshot) -> Result<(), SyncError> {
        let mut tokens: alloc::collections::BTreeMap<TokenId, &TokenRecord> =
            alloc::collections::BTreeMap::new();
        if !self.reset {
            tokens.extend(held.tokens().map(|token| (token.id, token)));
        }
        for step in &self.steps {
            match step {
                Step::PutToken(token) => {
                    tokens.insert(token.id, token);
                }
                Step::RemoveToken(id) => {
                    tokens.remove(id);
                }
                _ => {}
            }
        }
        if token_list_digest(tokens.into_values()) == self.head.tokens {
            Ok(())
        } else {
            Err(SyncError::TokenList)
        }
    }
}
