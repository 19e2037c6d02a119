//! What requests bring and answers carry: policy in the open, contents sealed.

use sekisho_core::{
    encoding,
    id::{AccountId, EnvironmentId, GroupId, ItemId, KeyId, TokenId, UserId, VaultId},
    key::{OperatorPublic, PublicKey, WrappedKey},
    records::{SigningKeyRecord, TokenRecord, VaultRecord, VaultType},
    rest::{Action, UsageEvent},
    seal::Sealed,
    time::Timestamp,
    token::Rights,
    vouch::{EndorsedKey, HolderProof},
};
use serde::{Deserialize, Serialize};

/// An account's first owner; id and keys are made on their side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// Public halves of their key.
    pub public: OperatorPublic,
}

/// A key wrapped to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyWrap {
    /// To whom.
    pub user: UserId,
    /// The key.
    pub wrapped: WrappedKey,
}

/// A vault key wrapped to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultWrap {
    /// To whom.
    pub user: UserId,
    /// The key.
    pub wrapped: WrappedKey,
    /// That the user is meant, under this very key.
    pub proof: HolderProof,
}

/// A vault and its keys, of all generations in use, wrapped to users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultShare {
    /// The vault.
    pub vault: VaultId,
    /// Its keys.
    pub keys: Vec<VaultWrap>,
}

/// A vault key wrapped again for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenWrap {
    /// For which.
    pub token: TokenId,
    /// The key.
    pub wrapped: WrappedKey,
    /// That the token is meant, under this very key.
    pub proof: HolderProof,
}

/// Everyone who holds a vault's key: to whom a rotation wraps the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultHolders {
    /// The generation that seals now.
    pub generation: u32,
    /// The oldest one that still opens; below `generation` while a rotation is under way.
    pub oldest: u32,
    /// Users.
    pub users: Vec<UserHolder>,
    /// Active tokens.
    pub tokens: Vec<TokenHolder>,
}

/// A user who holds a vault's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserHolder {
    /// Who.
    pub user: UserId,
    /// Public halves of their key.
    pub public: OperatorPublic,
    /// Proof under the vault key of `generation`.
    pub proof: HolderProof,
}

/// A token that holds a vault's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenHolder {
    /// Which.
    pub token: TokenId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// What it may do.
    pub rights: Rights,
    /// Its key.
    #[serde(with = "encoding::array")]
    pub public: [u8; 32],
    /// Proof under the vault key of `generation`.
    pub proof: HolderProof,
}

/// A vault's next key, for everyone who holds the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewGeneration {
    /// The vault.
    pub vault: VaultId,
    /// The new generation, one above the one that seals now.
    pub generation: u32,
    /// The key for each user who holds the vault.
    pub users: Vec<VaultWrap>,
    /// The key for each active token that holds it.
    pub tokens: Vec<TokenWrap>,
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
    pub keys: Vec<VaultWrap>,
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
    /// That the token is meant, under each granted vault's newest key, in the order of the record's grants.
    pub proofs: Vec<HolderProof>,
}

/// A signing key that follows another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextKey {
    /// The environment.
    pub environment: EnvironmentId,
    /// The key, vouched for by the one before.
    pub key: EndorsedKey,
    /// That key, wrapped at least to the caller.
    pub wraps: Vec<KeyWrap>,
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

/// Whether a user's requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserState {
    /// They are.
    Active,
    /// They are not, for now.
    Suspended,
    /// They are not any more.
    Removed,
}

impl UserState {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Removed => "REMOVED",
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupInfo {
    /// The id.
    pub id: GroupId,
    /// The name shown.
    pub name: String,
    /// Set for the two built-in ones.
    pub role: Option<Role>,
    /// Its members by ascending id.
    pub members: Vec<UserId>,
    /// Whether it manages every Connect server that has no list of its own.
    pub manages_servers: bool,
}

/// Who manages a Connect server, or all that have no list of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagerList {
    /// Whether the server has a list of its own.
    pub own: bool,
    /// The groups, owners among them.
    pub groups: Vec<GroupId>,
    /// Their active members by ascending id.
    pub users: Vec<UserId>,
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
    pub state: UserState,
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
    /// All users to whom it is wrapped, by ascending id.
    pub users: Vec<UserId>,
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
    /// Tokens in force.
    pub tokens: u64,
    /// Used vault accesses: each vault that each token in force can reach (connect-contract.md §7).
    pub credits: u64,
    /// Whether it has a list of managers of its own.
    pub own_managers: bool,
    /// Its device secrets, newest first.
    pub devices: Vec<DeviceInfo>,
    /// Its signing keys, newest first.
    pub keys: Vec<EnvironmentKeyInfo>,
}

/// A device secret of an environment, known by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// The digest.
    #[serde(with = "encoding::array")]
    pub digest: [u8; 32],
    /// When it was added.
    pub created_at: Timestamp,
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
    /// All users to whom it is wrapped, by ascending id.
    pub users: Vec<UserId>,
    /// The older key's word for it; the first one has none.
    pub endorsed: Option<EndorsedKey>,
}

/// Whether a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TokenStanding {
    /// It may.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
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
    pub state: TokenStanding,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it may not be used.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as hosts have reported.
    pub last_used: Option<Timestamp>,
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

/// Which accesses a report is about; what is absent is not asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageQuery {
    /// Of one environment.
    pub environment: Option<EnvironmentId>,
    /// In one vault.
    pub vault: Option<VaultId>,
    /// To one item.
    pub item: Option<ItemId>,
    /// From when on.
    pub since: Option<Timestamp>,
    /// Before when.
    pub until: Option<Timestamp>,
}

/// Accesses of one kind to one item through one Connect server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageRow {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name: who used it, as the manual says.
    pub used_by: String,
    /// The vault.
    pub vault: VaultId,
    /// The item; absent where a list was shown.
    pub item: Option<ItemId>,
    /// What was truly done.
    pub action: Action,
    /// Whether it was allowed.
    pub allowed: bool,
    /// How many times.
    pub count: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

impl UsageRow {
    /// The manual's word for the action: it knows one for reads.
    pub const fn shown_action(&self) -> &'static str {
        match self.action {
            Action::Read => "Display",
            Action::Create => "Create",
            Action::Update => "Update",
            Action::Delete => "Delete",
        }
    }
}

/// A change of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Rises with each one.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// A user, or the token of a client.
    pub who: String,
    /// Where the request came from.
    pub from: String,
    /// What was done.
    pub what: String,
    /// To which things, by id.
    pub objects: Vec<String>,
}
