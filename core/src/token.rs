//! Bearer text to permission: [`RawToken`] → [`Grant`] → [`ReadAccess`] / [`WriteAccess`].
//!
//! The checks run in one fixed order (design.md §2) and end in a value that holds the vault's key, so that what may
//! not be read cannot be opened (invariant 4):
//!
//! ```compile_fail
//! // Proofs cannot be made up: their fields are private and nothing but a checked token or operator yields one.
//! use sekisho_core::{id::VaultId, token::ReadAccess};
//! fn forge(vault: VaultId) -> ReadAccess {
//!     ReadAccess { vault, keys: Vec::new() }
//! }
//! ```
//!
//! A token known here is recognised by its digest; its ES256 signature (RFC 7515) is verified only when its record is
//! not known, to tell a forged token from one that has not been synchronised yet.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    cipher::{OpenError, hash},
    encoding,
    id::{EnvironmentId, ItemId, KeyId, TokenId, UserId, VaultId},
    key::{OperatorKey, TokenKey, TokenPlace, VaultKey, WrappedKey},
    records::{Fault, Head, PartRecord, Records, TokenGrant, TokenRecord, TokenState, VaultRecord},
    seal::{self, Kind, Place, Sealed},
    secret::SecretBytes,
    time::Timestamp,
    vault::VaultAttributes,
};

mod issue;

pub use issue::{IssuedToken, TokenOrder, issue};

/// What a token may do in a vault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// See items.
    pub const READ: Self = Self(1);
    /// Create, change and delete items.
    pub const WRITE: Self = Self(2);
    /// Both.
    pub const READ_WRITE: Self = Self(3);

    /// From the bits 1 (read) and 2 (write); at least one.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if matches!(bits, 1..=3) {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether items may be seen.
    pub const fn can_read(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether items may be changed.
    pub const fn can_write(self) -> bool {
        self.0 & 2 != 0
    }

    /// The `a` of a claim `1password.com/vts` (connect-contract.md §4).
    pub const fn acl(self) -> u32 {
        match self.0 {
            1 => 48,
            2 => 448,
            _ => 496,
        }
    }

    /// `r`, `w` or `rw`, as the command line spells it.
    pub const fn as_str(self) -> &'static str {
        match self.0 {
            1 => "r",
            2 => "w",
            _ => "rw",
        }
    }

    /// From `r`, `w` or `rw`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::READ, Self::WRITE, Self::READ_WRITE]
            .into_iter()
            .find(|rights| rights.as_str() == text)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Rights {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Rights {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("rights are r, w or rw"))
    }
}

/// Why a token is not accepted, named by fault. All of them are answered 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is not a token of ours at all.
    #[error("the token is malformed")]
    Malformed,
    /// Its signature or digest does not fit.
    #[error("the token is not genuine")]
    Forged,
    /// It was made for another server.
    #[error("the token belongs to another Connect server")]
    OtherServer,
    /// It is genuine, but its record has not arrived here.
    #[error("the token is not synchronised yet")]
    NotSynchronised,
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Records could not be read.
    #[error("records are not available: {0}")]
    Records(Fault),
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    #[serde(default)]
    typ: &'a str,
}

/// The claims that a check needs; the others are for people and tools.
#[derive(Deserialize)]
struct Claims<'a> {
    jti: &'a str,
    sub: &'a str,
    #[serde(rename = "1password.com/token")]
    secret: &'a str,
}

/// A bearer's text taken apart, nothing of it believed.
pub struct RawToken<'a> {
    text: &'a str,
    signed: &'a str,
    signature: &'a str,
    algorithm_is_es256: bool,
    key: KeyId,
    id: TokenId,
    environment: EnvironmentId,
    secret: TokenKey,
}

/// Longest token looked at, in bytes; real ones have 700 to 1,800 (connect-contract.md §4), one with 150 vaults 8,000.
pub const MAX_TOKEN: usize = 64 * 1024;

impl<'a> RawToken<'a> {
    /// Takes the compact serialisation apart (RFC 7515 §7.1).
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Malformed);
        }
        Self::take_apart(text).ok_or(TokenError::Malformed)
    }

    fn take_apart(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = encoding::from_base64url(header).ok()?;
        let header: Header<'_> = serde_json::from_slice(&header).ok()?;
        let claims = Zeroizing::new(encoding::from_base64url(claims).ok()?);
        let claims: Claims<'_> = serde_json::from_slice(&claims).ok()?;
        Some(Self {
            text,
            signed,
            signature,
            algorithm_is_es256: header.alg == "ES256",
            key: KeyId::parse(header.kid).ok()?,
            id: TokenId::parse(claims.jti).ok()?,
            environment: EnvironmentId::parse(claims.sub).ok()?,
            secret: TokenKey::from_secret(SecretBytes::new(
                encoding::array_from_base64url(claims.secret).ok()?,
            )),
        })
    }

    /// The claim `jti`, unproven.
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Checks it in the order of design.md §2.
    pub fn check(
        self,
        head: &Head,
        records: &dyn Records,
        now: Timestamp,
    ) -> Result<Grant, TokenError> {
        if !self.algorithm_is_es256 {
            return Err(TokenError::Malformed);
        }
        let record = match records.token(&self.id) {
            Ok(record) => record,
            Err(Fault::Missing) => return Err(self.explain_unknown(head, records)),
            Err(fault) => return Err(TokenError::Records(fault)),
        };
        let digest = hash::sha256(&[self.text.as_bytes()]);
        if !bool::from(digest.ct_eq(&record.digest)) || self.key != record.key {
            return Err(TokenError::Forged);
        }
        if self.environment != head.environment {
            return Err(TokenError::OtherServer);
        }
        if record.state == TokenState::Revoked {
            return Err(TokenError::Revoked);
        }
        if record.expires_at.is_some_and(|at| at <= now) {
            return Err(TokenError::Expired);
        }
        Ok(Grant {
            environment: self.environment,
            record,
            secret: self.secret,
        })
    }

    /// No record: is it forged, another server's, or simply not here yet?
    fn explain_unknown(&self, head: &Head, records: &dyn Records) -> TokenError {
        if self.environment != head.environment {
            return TokenError::OtherServer;
        }
        let keys = match records.signing_keys() {
            Ok(keys) => keys,
            Err(fault) => return TokenError::Records(fault),
        };
        let Some(key) = keys.iter().find(|key| key.id == self.key) else {
            return TokenError::Forged;
        };
        match encoding::from_base64url(self.signature) {
            Ok(signature)
                if key
                    .public
                    .verify(self.signed.as_bytes(), &signature)
                    .is_ok() =>
            {
                TokenError::NotSynchronised
            }
            _ => TokenError::Forged,
        }
    }
}

impl fmt::Debug for RawToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A token that passed every check: permission to ask for its vaults.
pub struct Grant {
    environment: EnvironmentId,
    record: TokenRecord,
    secret: TokenKey,
}

/// Why a vault is out of a grant's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The vault is not among the token's, whether it exists or not.
    #[error("the token does not have access to the vault")]
    OutOfScope,
    /// The vault is the token's, the right is not.
    #[error("the token does not have the permission")]
    NotPermitted,
    /// The record's key does not unwrap: the record was tampered with or damaged.
    #[error("the token's record is damaged")]
    Damaged,
}

impl Grant {
    /// The token's id (the claim `jti`).
    pub const fn token(&self) -> TokenId {
        self.record.id
    }

    /// When it ends, if ever.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.record.expires_at
    }

    /// The vaults in scope, readable or not.
    pub fn grants(&self) -> &[TokenGrant] {
        &self.record.grants
    }

    /// Permission to read a vault.
    pub fn read(&self, vault: &VaultId) -> Result<ReadAccess, AccessError> {
        Ok(ReadAccess {
            vault: *vault,
            keys: self.unwrap(self.may_read(vault)?)?,
        })
    }

    /// Whether [`Grant::read`] may be asked, before anything is unwrapped: enough to say that nothing has changed.
    pub fn may_read(&self, vault: &VaultId) -> Result<&TokenGrant, AccessError> {
        let grant = self.scope(vault)?;
        if grant.rights.can_read() {
            Ok(grant)
        } else {
            Err(AccessError::NotPermitted)
        }
    }

    /// Permission to write to a vault (and, with it, to see what is overwritten).
    pub fn write(&self, vault: &VaultId) -> Result<WriteAccess, AccessError> {
        let grant = self.scope(vault)?;
        if !grant.rights.can_write() {
            return Err(AccessError::NotPermitted);
        }
        Ok(WriteAccess {
            read: ReadAccess {
                vault: *vault,
                keys: self.unwrap(grant)?,
            },
        })
    }

    /// A vault's name and description: whoever may do anything in a vault may know what it is called.
    pub fn open_attributes(&self, record: &VaultRecord) -> Result<VaultAttributes, AccessError> {
        let access = ReadAccess {
            vault: record.id,
            keys: self.unwrap(self.scope(&record.id)?)?,
        };
        let opened = access
            .open_attributes(record.attribute_version, &record.attributes)
            .map_err(|_| AccessError::Damaged)?;
        serde_json::from_slice(&opened).map_err(|_| AccessError::Damaged)
    }

    fn scope(&self, vault: &VaultId) -> Result<&TokenGrant, AccessError> {
        self.record
            .grants
            .iter()
            .find(|grant| grant.vault == *vault)
            .ok_or(AccessError::OutOfScope)
    }

    fn unwrap(&self, grant: &TokenGrant) -> Result<Vec<VaultKey>, AccessError> {
        let place = TokenPlace {
            environment: &self.environment,
            token: &self.record.id,
            vault: &grant.vault,
            rights: grant.rights,
        };
        let keys: Result<Vec<_>, _> = grant
            .keys
            .iter()
            .map(|wrapped| self.secret.unwrap(&place, wrapped))
            .collect();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(keys),
            _ => Err(AccessError::Damaged),
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("token", &self.record.id)
            .finish_non_exhaustive()
    }
}

/// Proof that a vault may be read: it holds the vault's keys, newest first.
pub struct ReadAccess {
    vault: VaultId,
    keys: Vec<VaultKey>,
}

impl ReadAccess {
    /// An operator's proof: the vault keys wrapped to them, newest first.
    pub fn of_operator(
        key: &OperatorKey,
        user: &UserId,
        vault: VaultId,
        wrapped: &[WrappedKey],
    ) -> Result<Self, OpenError> {
        let keys: Vec<_> = wrapped
            .iter()
            .map(|w| key.unwrap_vault_key(user, &vault, w))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            Err(OpenError)
        } else {
            Ok(Self { vault, keys })
        }
    }

    /// The proof of whoever made the vault.
    pub fn of_maker(vault: VaultId, key: VaultKey) -> Self {
        Self {
            vault,
            keys: alloc::vec![key],
        }
    }

    /// The vault it is for.
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// The key that seals now; older generations only open.
    pub fn newest_key(&self) -> Option<&VaultKey> {
        self.keys.first()
    }

    /// All keys, newest first.
    pub fn keys(&self) -> &[VaultKey] {
        &self.keys
    }

    /// Opens a part of an item of this vault.
    pub fn open_part(
        &self,
        kind: Kind,
        record: &PartRecord,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_item(kind, record.id, record.version, &record.sealed)
    }

    /// Opens a part of an item of this vault.
    pub fn open_item(
        &self,
        kind: Kind,
        item: ItemId,
        version: u64,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open(&Place::item(kind, self.vault, item, version), sealed)
    }

    /// Opens the vault's own attributes.
    pub fn open_attributes(
        &self,
        attribute_version: u64,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open(&Place::vault(self.vault, attribute_version), sealed)
    }

    fn open(&self, place: &Place, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let generation = sealed.generation().ok_or(OpenError)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.generation() == generation)
            .ok_or(OpenError)?;
        seal::open(key, place, sealed)
    }
}

impl fmt::Debug for ReadAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAccess")
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}

/// Proof that a vault may be written to.
pub struct WriteAccess {
    read: ReadAccess,
}

impl WriteAccess {
    /// An operator's proof follows from the one to read: operators who see a vault may fill it.
    pub const fn of_operator(read: ReadAccess) -> Self {
        Self { read }
    }

    /// What the writer must see of the stored item to write the next one. Not for answers to a write-only client.
    pub const fn current(&self) -> &ReadAccess {
        &self.read
    }

    /// The vault it is for.
    pub const fn vault(&self) -> VaultId {
        self.read.vault
    }

    /// The id of the item that a client's `Idempotency-Key` makes: the same key makes the same item. The oldest key
    /// decides, so that it stays the same while a rotation is under way.
    pub fn derive_item_id(&self, token: &TokenId, idempotency_key: &str) -> ItemId {
        let index = self.read.keys.last().map(VaultKey::derive_index_key);
        let mac = index.map(|key| {
            // EXPOSE: the index key goes to the MAC; the purpose keeps these apart from title marks.
            hash::hmac_sha256(
                key.expose(),
                &[
                    b"\xffsekisho/v1/idempotency",
                    token.as_bytes(),
                    idempotency_key.as_bytes(),
                ],
            )
        });
        let mac = mac.unwrap_or_default();
        ItemId::from_entropy(mac.first_chunk().copied().unwrap_or_default())
    }

    /// Seals a part of an item of this vault under the newest key.
    pub fn seal_item(
        &self,
        kind: Kind,
        item: ItemId,
        version: u64,
        plaintext: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Sealed, OpenError> {
        let key = self.read.newest_key().ok_or(OpenError)?;
        Ok(seal::seal(
            key,
            &Place::item(kind, self.read.vault, item, version),
            plaintext,
            rng,
        ))
    }

    /// Seals the vault's own attributes under the newest key.
    pub fn seal_attributes(
        &self,
        attribute_version: u64,
        plaintext: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Sealed, OpenError> {
        let key = self.read.newest_key().ok_or(OpenError)?;
        Ok(seal::seal(
            key,
            &Place::vault(self.read.vault, attribute_version),
            plaintext,
            rng,
        ))
    }
}

impl fmt::Debug for WriteAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteAccess")
            .field("vault", &self.read.vault)
            .finish_non_exhaustive()
    }
}
