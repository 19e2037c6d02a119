//! The one port to sealed records (the WIT interface `sekisho:vault/records` as a trait).
//!
//! Whoever implements it sees ciphertext, policy and counters, never a key (invariant 3). All calls are synchronous;
//! all answers within one request must come from one consistent set, except that a successful write is seen by the
//! reads after it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    encoding,
    id::{AccountId, EnvironmentId, FileId, ItemId, KeyId, TokenId, VaultId},
    key::{PublicKey, WrappedKey},
    seal::Sealed,
    time::Timestamp,
    token::Rights,
};

/// Why a record cannot be had. There is no text: what failed inside a store is the store's to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no such record in this environment.
    #[error("missing")]
    Missing,
    /// The account does not allow it.
    #[error("denied")]
    Denied,
    /// The record moved on since it was read: read again.
    #[error("conflict")]
    Conflict,
    /// It is larger than the account takes.
    #[error("too large")]
    TooLarge,
    /// Nothing has been synchronised yet.
    #[error("not synchronised")]
    NotSynchronised,
    /// The account or the store cannot be reached now.
    #[error("unavailable")]
    Unavailable,
    /// This runtime cannot write.
    #[error("read only")]
    ReadOnly,
    /// The vault's truth is elsewhere, and it is mirrored for reading only.
    #[error("mirrored")]
    Mirrored,
    /// The vault's truth is elsewhere, and does not take the write.
    #[error("refused")]
    Refused,
}

impl Fault {
    const ALL: [Self; 9] = [
        Self::Missing,
        Self::Denied,
        Self::Conflict,
        Self::TooLarge,
        Self::NotSynchronised,
        Self::Unavailable,
        Self::ReadOnly,
        Self::Mirrored,
        Self::Refused,
    ];

    /// Its word between an edge and its host, as the WIT interface spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::NotSynchronised => "not-synchronised",
            Self::Unavailable => "unavailable",
            Self::ReadOnly => "read-only",
            Self::Mirrored => "mirrored",
            Self::Refused => "refused",
        }
    }

    /// From its word. What is none was not said by a host of ours: [`Fault::Unavailable`].
    pub fn of_word(word: &[u8]) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|fault| fault.word().as_bytes() == word)
            .unwrap_or(Self::Unavailable)
    }
}

/// What is served, and how fresh it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The environment that is served.
    pub environment: EnvironmentId,
    /// The account it belongs to.
    pub account: AccountId,
    /// Rises with every change of the environment's contents, tokens or grants.
    pub version: u64,
    /// When the account last vouched for this version.
    pub issued_at: Timestamp,
    /// Seconds after `issued_at` during which it may be served.
    pub max_stale: u64,
    /// Largest file content inlined in an answer, in bytes (`OP_MAX_INLINE_FILE_SIZE_KB`).
    pub max_inline: u64,
}

/// A public key that verifies the environment's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyRecord {
    /// The header `kid`.
    pub id: KeyId,
    /// The key.
    pub public: PublicKey,
}

/// Whether a token may still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenState {
    /// It may, until it expires.
    Active,
    /// It was revoked.
    Revoked,
}

/// What the account knows of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The claim `jti`.
    pub id: TokenId,
    /// The key that signed it.
    pub key: KeyId,
    /// SHA-256 of the token's text.
    #[serde(with = "encoding::array")]
    pub digest: [u8; 32],
    /// Whether it may be used.
    pub state: TokenState,
    /// From when on it may not be used; `None` = never.
    pub expires_at: Option<Timestamp>,
    /// The vaults it opens.
    pub grants: Vec<TokenGrant>,
}

/// One vault a token opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The vault.
    pub vault: VaultId,
    /// What the token may do there.
    pub rights: Rights,
    /// The vault's key wrapped for the token, one for each key generation still in use, newest first.
    pub keys: Vec<WrappedKey>,
}

/// Connect's vault types (connect-contract.md §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VaultType {
    /// Made by a user.
    UserCreated,
    /// A user's own; can never be granted.
    Personal,
    /// The team's default shared vault; can never be granted.
    Everyone,
    /// Made for moving items.
    Transfer,
}

impl VaultType {
    /// Whether an environment may be given it (connect-contract.md §6.5).
    pub const fn is_grantable(self) -> bool {
        matches!(self, Self::UserCreated | Self::Transfer)
    }

    /// Connect's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "USER_CREATED",
            Self::Personal => "PERSONAL",
            Self::Everyone => "EVERYONE",
            Self::Transfer => "TRANSFER",
        }
    }

    /// From Connect's word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::UserCreated,
            Self::Personal,
            Self::Everyone,
            Self::Transfer,
        ]
        .into_iter()
        .find(|t| t.as_str() == word)
    }
}

/// A vault: its metadata sealed, its counters not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultRecord {
    /// The vault.
    pub id: VaultId,
    /// Its type.
    pub kind: VaultType,
    /// Version of its metadata.
    pub attribute_version: u64,
    /// Version of its contents.
    pub content_version: u64,
    /// Number of active items.
    pub items: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its metadata or contents last changed.
    pub updated_at: Timestamp,
    /// [`crate::vault::VaultAttributes`], sealed as [`crate::seal::Kind::Vault`] at `attribute_version`.
    pub attributes: Sealed,
}

/// A position in a vault's title index: the first half of an HMAC-SHA-256 (see [`crate::vault`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TitleMark(#[serde(with = "encoding::array")] pub [u8; 16]);

impl core::fmt::Debug for TitleMark {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TitleMark({})", encoding::base64url(&self.0))
    }
}

/// An item's parts, each sealed at `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRecord {
    /// The item.
    pub id: ItemId,
    /// Its version, from 1, one more with each change.
    pub version: u64,
    /// Whether lists leave it out.
    #[serde(default)]
    pub archived: bool,
    /// Its title, blindly indexed: the exact form, then the case-folded one.
    pub marks: [TitleMark; 2],
    /// [`crate::seal::Kind::Overview`].
    pub overview: Sealed,
    /// [`crate::seal::Kind::Details`].
    pub details: Sealed,
    /// [`crate::seal::Kind::Extra`], if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Sealed>,
    /// [`crate::seal::Kind::Files`], if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Sealed>,
}

/// One part of an item, as the hot path wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    /// The item.
    pub id: ItemId,
    /// Its version.
    pub version: u64,
    /// Whether lists leave it out.
    pub archived: bool,
    /// The part.
    pub sealed: Sealed,
}

/// What the account must find for a write to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// No item of this id ever was.
    Absent,
    /// The item is at this version.
    Version(u64),
}

/// A client's write of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutRequest {
    /// The token on whose behalf.
    pub token: TokenId,
    /// The vault.
    pub vault: VaultId,
    /// What must be there before.
    pub expect: Expect,
    /// What shall be there.
    pub item: ItemRecord,
    /// Files that the item has from this write on; their chunks were put before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<FileId>,
    /// Files that the item has no more: their chunks can go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<FileId>,
}

/// A client's upload of one sealed chunk. It counts for nothing before a [`PutRequest`] adds the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutChunkRequest {
    /// The token on whose behalf.
    pub token: TokenId,
    /// The vault.
    pub vault: VaultId,
    /// The item.
    pub item: ItemId,
    /// The file.
    pub file: FileId,
    /// From 0.
    pub index: u32,
    /// See [`crate::file`].
    pub content: Sealed,
}

/// A client's deletion of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRequest {
    /// The token on whose behalf.
    pub token: TokenId,
    /// The vault.
    pub vault: VaultId,
    /// The item.
    pub item: ItemId,
    /// The version that shall go.
    pub version: u64,
}

/// The port. One suite tests all who implement it.
pub trait Records {
    /// Is told, before anything else is asked for a request, whose token it bears and what its path names, so that all of
    /// it may be fetched at once. Nothing is proven yet, and nothing need come of it.
    fn foresee(&self, _token: &TokenId, _vault: Option<&VaultId>, _item: Option<&ItemId>) {}
    /// What is served now.
    fn head(&self) -> Result<Head, Fault>;
    /// The keys that verify the environment's tokens.
    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault>;
    /// A token's record.
    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault>;
    /// A vault's record.
    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault>;
    /// Overviews of a vault's active items, by ascending id, from the first one after `after`, at most `limit`.
    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault>;
    /// Overviews of the active items whose title has this mark.
    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault>;
    /// An item's version: enough to say that it has not changed.
    fn version(&self, vault: &VaultId, item: &ItemId) -> Result<u64, Fault> {
        self.details(vault, item).map(|record| record.version)
    }
    /// One item's details.
    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault>;
    /// One item, every part.
    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault>;
    /// A sealed chunk of a file's content.
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault>;
    /// Writes an item: durable upstream and visible to the next read when it returns. Who does not say otherwise only
    /// reads.
    fn put(&self, _request: PutRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
    /// Stores a sealed chunk of a file that a later write adds.
    fn put_chunk(&self, _request: PutChunkRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
    /// Deletes an item, likewise.
    fn delete(&self, _request: DeleteRequest) -> Result<(), Fault> {
        Err(Fault::ReadOnly)
    }
}
