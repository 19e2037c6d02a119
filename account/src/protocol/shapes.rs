//! What requests bring and answers carry: policy in the open, contents sealed.

use sekisho_core::{
    encoding,
    id::{AccountId, EnvironmentId, ItemId, KeyId, TokenId, UserId, VaultId},
    key::{OperatorPublic, PublicKey, WrappedKey},
    records::{SigningKeyRecord, TokenRecord, TokenState, VaultRecord, VaultType},
    rest::UsageEvent,
    seal::Sealed,
    time::Timestamp,
    token::Rights,
};
use serde::{Deserialize, Serialize};

/// A user to be added; id and keys are made on their side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// Public halves of their key.
    pub public: OperatorPublic,
}

/// A vault key wrapped to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyWrap {
    /// To whom.
    pub user: UserId,
    /// The key.
    pub wrapped: WrappedKey,
}

/// A vault to be made, of key generation 1 and attribute version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewVault {
    /// The id.
    pub id: VaultId,
    /// The type.
    pub kind: VaultType,
    /// Sealed attributes.
    pub attributes: Sealed,
    /// Its key, wrapped at least to the caller.
    pub keys: Vec<KeyWrap>,
}

/// An environment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEnvironment {
    /// The id.
    pub id: EnvironmentId,
    /// The name shown.
    pub name: String,
    /// Digest of its device secret.
    #[serde(with = "encoding::array")]
    pub device: [u8; 32],
    /// Its first signing key.
    pub key: SigningKeyRecord,
    /// That key, wrapped at least to the caller.
    pub wraps: Vec<KeyWrap>,
    /// Vaults granted from the start.
    pub vaults: Vec<VaultId>,
}

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// The environment it is for.
    pub environment: EnvironmentId,
    /// The name shown.
    pub name: String,
    /// What hosts will know of it.
    pub record: TokenRecord,
    /// HPKE public key for wrapping rotated vault keys to it.
    #[serde(with = "encoding::array")]
    pub public: [u8; 32],
}

/// What anyone may know of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountInfo {
    /// The id.
    pub id: AccountId,
    /// The name shown.
    pub name: String,
    /// Verifies the heads it signs.
    pub head_key: PublicKey,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A built-in group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Every new shared vault is wrapped to them.
    Owners,
    /// They manage environments and tokens, as owners do.
    Administrators,
}

impl Role {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owners => "OWNERS",
            Self::Administrators => "ADMINISTRATORS",
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfo {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// Public halves of their key.
    pub public: OperatorPublic,
    /// Whether their requests are taken.
    pub active: bool,
    /// Built-in groups they are in.
    pub roles: Vec<Role>,
}

/// A vault that is wrapped to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultInfo {
    /// As hosts know it.
    pub record: VaultRecord,
    /// The caller's wrapped keys, newest first.
    pub keys: Vec<WrappedKey>,
}

/// An item as lists have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedItem {
    /// The item.
    pub id: ItemId,
    /// Its version.
    pub version: u64,
    /// Whether clients' lists leave it out.
    pub archived: bool,
    /// When the account took it.
    pub updated_at: Timestamp,
    /// Its sealed overview.
    pub overview: Sealed,
}

/// Whether an environment is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EnvironmentState {
    /// It is.
    Active,
    /// It was deleted.
    Deleted,
}

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentInfo {
    /// The id.
    pub id: EnvironmentId,
    /// The name shown.
    pub name: String,
    /// Whether it is in use.
    pub state: EnvironmentState,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub creator: UserId,
    /// Counts what happened to its tokens.
    pub tokens_version: u64,
    /// The vaults it has.
    pub vaults: Vec<VaultId>,
    /// Its signing keys, newest first.
    pub keys: Vec<EnvironmentKeyInfo>,
}

/// A signing key of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentKeyInfo {
    /// The key's id.
    pub id: KeyId,
    /// The verifying half.
    pub public: PublicKey,
    /// The key wrapped to the caller, if it is.
    pub wrapped: Option<WrappedKey>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenInfo {
    /// The id.
    pub id: TokenId,
    /// The environment it is for.
    pub environment: EnvironmentId,
    /// The name shown.
    pub name: String,
    /// Whether it may be used.
    pub state: TokenState,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it may not be used.
    pub expires_at: Option<Timestamp>,
    /// What it opens.
    pub vaults: Vec<(VaultId, Rights)>,
}

/// An access that a host reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageInfo {
    /// The environment.
    pub environment: EnvironmentId,
    /// The access.
    pub event: UsageEvent,
}
