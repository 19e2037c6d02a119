//! The key hierarchy (design.md §2): who holds what, and how one key lies wrapped under another.
//!
//! `derive_*` and `from_*` are pure, `generate` takes a random source. A key leaves this module only wrapped; the
//! plaintext of a [`VaultKey`] can be had by generating it or by unwrapping it with a secret that proves the right.
//!
//! A wrapped key, byte by byte:
//!
//! ```text
//!  0        1        2..6            6..
//! +--------+--------+---------------+--------------------------------------------+
//! | 0x01   | method | generation BE | 0x01: nonce (12) ‖ ciphertext (32) ‖ tag (16) |
//! | version|        |               | 0x02: enc   (32) ‖ ciphertext (32) ‖ tag (16) |
//! +--------+--------+---------------+--------------------------------------------+
//! method 0x01 = AES-256-GCM under a derived key, 0x02 = HPKE base mode (RFC 9180)
//! ```
//!
//! Associated data (for HPKE: `info`) is a purpose string, then the parts that say what is wrapped for whom, each of
//! fixed length; so a wrapped key moved to another vault, token or right does not unwrap.

use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

pub use crate::cipher::OpenError;
use crate::{
    cipher::{aead, hash, hpke, kdf, signature},
    encoding,
    id::{EnvironmentId, KeyId, TokenId, UserId, VaultId},
    secret::SecretBytes,
    token::Rights,
};

const WRAP_VERSION: u8 = 1;
const METHOD_AEAD: u8 = 1;
const METHOD_HPKE: u8 = 2;
const WRAP_HEADER: usize = 6;

/// A 256-bit key as ciphertext: safe to store and to carry anywhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrappedKey(#[serde(with = "encoding::bytes")] Vec<u8>);

impl WrappedKey {
    /// Takes bytes as they came; nothing is checked before [`WrappedKey`] is unwrapped.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The generation its header claims (authenticated when it unwraps).
    pub fn generation(&self) -> Option<u32> {
        let bytes = self.0.get(2..WRAP_HEADER)?;
        bytes.try_into().ok().map(u32::from_be_bytes)
    }

    /// Whether its header claims that it was wrapped to a public key, as by someone else: slow to open.
    pub fn is_to_public_key(&self) -> bool {
        self.0.get(1) == Some(&METHOD_HPKE)
    }

    fn header(method: u8, generation: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(WRAP_HEADER + 80);
        out.extend_from_slice(&[WRAP_VERSION, method]);
        out.extend_from_slice(&generation.to_be_bytes());
        out
    }

    fn split(&self) -> Result<(u8, u32, &[u8]), OpenError> {
        let (&[version, method, a, b, c, d], body) =
            self.0.split_first_chunk::<WRAP_HEADER>().ok_or(OpenError)?;
        if version != WRAP_VERSION {
            return Err(OpenError);
        }
        Ok((method, u32::from_be_bytes([a, b, c, d]), body))
    }

    fn wrap_to(
        public: &[u8; 32],
        generation: u32,
        context: &[u8],
        key: &SecretBytes<32>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, OpenError> {
        let mut out = Self::header(METHOD_HPKE, generation);
        // EXPOSE: plaintext of the wrap.
        out.extend_from_slice(&hpke::seal(public, context, key.expose(), rng)?);
        Ok(Self(out))
    }

    fn wrap_under(
        wrapping: &SecretBytes<32>,
        generation: u32,
        context: &[u8],
        key: &SecretBytes<32>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let mut out = Self::header(METHOD_AEAD, generation);
        let mut nonce = [0; aead::NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        out.extend_from_slice(&nonce);
        let from = out.len();
        // EXPOSE: plaintext of the wrap, encrypted in place.
        out.extend_from_slice(key.expose());
        aead::seal_in_place(wrapping.expose(), &nonce, context, &mut out, from);
        Self(out)
    }

    fn unwrap_under(
        wrapping: &SecretBytes<32>,
        context: &[u8],
        body: &[u8],
    ) -> Result<SecretBytes<32>, OpenError> {
        let (nonce, sealed) = body
            .split_first_chunk::<{ aead::NONCE_LENGTH }>()
            .ok_or(OpenError)?;
        let mut sealed: [u8; 32 + aead::TAG_LENGTH] = sealed.try_into().map_err(|_| OpenError)?;
        // EXPOSE: the wrapping key goes to the cipher.
        let length = aead::open_slice(wrapping.expose(), nonce, context, &mut sealed)?;
        let key = sealed
            .get(..length)
            .and_then(SecretBytes::from_slice)
            .ok_or(OpenError);
        zeroize::Zeroize::zeroize(&mut sealed);
        key
    }

    fn unwrap_to(
        pair: &hpke::KeyPair,
        context: &[u8],
        body: &[u8],
    ) -> Result<SecretBytes<32>, OpenError> {
        SecretBytes::from_slice(&pair.open(context, body)?).ok_or(OpenError)
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({} bytes)", self.0.len())
    }
}

fn context(purpose: &str, generation: u32, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(purpose.as_bytes());
    out.push(0);
    out.extend_from_slice(&generation.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Opens and seals one vault (AES-256-GCM). Its generation counts rotations; a key seals at most 2^32 messages.
#[derive(Clone)]
pub struct VaultKey {
    generation: u32,
    bytes: SecretBytes<32>,
}

impl VaultKey {
    /// A fresh key of the given generation (the first is 1).
    pub fn generate(generation: u32, rng: &mut dyn CryptoRng) -> Self {
        Self {
            generation,
            bytes: SecretBytes::generate(rng),
        }
    }

    /// A key from known bytes, for test vectors only: it proves no right.
    pub fn dangerous_from_bytes(generation: u32, bytes: [u8; 32]) -> Self {
        Self {
            generation,
            bytes: SecretBytes::new(bytes),
        }
    }

    /// How many times the vault's key was replaced, plus one.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) const fn bytes(&self) -> &SecretBytes<32> {
        &self.bytes
    }

    pub(crate) fn derive_index_key(&self) -> SecretBytes<32> {
        kdf::derive(&self.bytes, &[b"sekisho/v1/title-index"])
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey(generation {})", self.generation)
    }
}

/// The public halves of an operator's key: what the account knows of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorPublic {
    /// X25519 public key to which vault keys are wrapped.
    #[serde(with = "encoding::array")]
    pub wrapping: [u8; 32],
    /// ES256 key that signs the operator's requests.
    pub signing: PublicKey,
}

/// An operator's own key: one seed, from which an HPKE key pair and a signing key follow.
pub struct OperatorKey {
    seed: SecretBytes<32>,
    pair: hpke::KeyPair,
    signing: SigningKey,
}

impl OperatorKey {
    /// A fresh key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_seed(SecretBytes::generate(rng))
    }

    /// The key that follows from a stored seed.
    pub fn from_seed(seed: SecretBytes<32>) -> Self {
        let pair = hpke::KeyPair::derive(&kdf::derive(&seed, &[b"sekisho/v1/operator-wrapping"]));
        let signing = SigningKey::derive(&seed, b"sekisho/v1/operator-signing");
        Self {
            seed,
            pair,
            signing,
        }
    }

    /// The seed, to be stored by its owner (file 0600, optionally under a passphrase).
    pub const fn seed(&self) -> &SecretBytes<32> {
        &self.seed
    }

    /// What the account may know.
    pub fn public(&self) -> OperatorPublic {
        OperatorPublic {
            wrapping: *self.pair.public(),
            signing: self.signing.public(),
        }
    }

    /// Signs a request to the account.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message)
    }

    /// Unwraps a vault key that was wrapped to this operator, by themself or by someone else.
    pub fn unwrap_vault_key(
        &self,
        user: &UserId,
        vault: &VaultId,
        wrapped: &WrappedKey,
    ) -> Result<VaultKey, OpenError> {
        let (method, generation, body) = wrapped.split()?;
        let context = operator_vault_context(user, vault, generation);
        let bytes = match method {
            METHOD_AEAD => {
                WrappedKey::unwrap_under(&self.derive_own_wrapping_key(), &context, body)?
            }
            METHOD_HPKE => WrappedKey::unwrap_to(&self.pair, &context, body)?,
            _ => return Err(OpenError),
        };
        Ok(VaultKey { generation, bytes })
    }

    /// Wraps a vault key to this operator by themself. Nobody else can make it, and opening a thousand of them takes
    /// no curve operation.
    pub fn wrap_own_vault_key(
        &self,
        user: &UserId,
        vault: &VaultId,
        key: &VaultKey,
        rng: &mut dyn CryptoRng,
    ) -> WrappedKey {
        WrappedKey::wrap_under(
            &self.derive_own_wrapping_key(),
            key.generation,
            &operator_vault_context(user, vault, key.generation),
            &key.bytes,
            rng,
        )
    }

    fn derive_own_wrapping_key(&self) -> SecretBytes<32> {
        kdf::derive(&self.seed, &[b"sekisho/v1/operator-own-wrapping"])
    }

    /// Unwraps an environment's signing key that was wrapped to this operator.
    pub fn unwrap_environment_key(
        &self,
        user: &UserId,
        environment: &EnvironmentId,
        id: KeyId,
        wrapped: &WrappedKey,
    ) -> Result<EnvironmentKey, OpenError> {
        let (method, generation, body) = wrapped.split()?;
        if method != METHOD_HPKE {
            return Err(OpenError);
        }
        let scalar = WrappedKey::unwrap_to(
            &self.pair,
            &operator_environment_context(user, environment, &id, generation),
            body,
        )?;
        EnvironmentKey::from_scalar(id, scalar).ok_or(OpenError)
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorKey").finish_non_exhaustive()
    }
}

fn operator_vault_context(user: &UserId, vault: &VaultId, generation: u32) -> Vec<u8> {
    context(
        "sekisho/v1/vault-key-to-operator",
        generation,
        &[vault.as_bytes(), user.as_bytes()],
    )
}

fn operator_environment_context(
    user: &UserId,
    environment: &EnvironmentId,
    id: &KeyId,
    generation: u32,
) -> Vec<u8> {
    context(
        "sekisho/v1/environment-key-to-operator",
        generation,
        &[environment.as_bytes(), id.as_bytes(), user.as_bytes()],
    )
}

impl OperatorPublic {
    /// Wraps a vault key to this operator.
    pub fn wrap_vault_key(
        &self,
        user: &UserId,
        vault: &VaultId,
        key: &VaultKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<WrappedKey, OpenError> {
        WrappedKey::wrap_to(
            &self.wrapping,
            key.generation,
            &operator_vault_context(user, vault, key.generation),
            &key.bytes,
            rng,
        )
    }

    /// Wraps an environment's signing key to this operator.
    pub fn wrap_environment_key(
        &self,
        user: &UserId,
        environment: &EnvironmentId,
        key: &EnvironmentKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<WrappedKey, OpenError> {
        WrappedKey::wrap_to(
            &self.wrapping,
            0,
            &operator_environment_context(user, environment, &key.id, 0),
            &key.scalar,
            rng,
        )
    }
}

/// Verifies ES256 signatures; a point of P-256, in JSON as base64url of its 65 uncompressed bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; signature::POINT_LENGTH]);

impl PublicKey {
    /// Parses an uncompressed SEC1 point.
    pub fn parse(point: &[u8]) -> Result<Self, OpenError> {
        let point: [u8; signature::POINT_LENGTH] = point.try_into().map_err(|_| OpenError)?;
        if signature::is_point(&point) {
            Ok(Self(point))
        } else {
            Err(OpenError)
        }
    }

    /// The uncompressed SEC1 point.
    pub const fn as_bytes(&self) -> &[u8; signature::POINT_LENGTH] {
        &self.0
    }

    /// The coordinates of the point as a JWK names them (RFC 7518 §6.2.1): `x`, `y`.
    pub fn coordinates(&self) -> ([u8; 32], [u8; 32]) {
        let (_, rest) = self.0.split_at(1);
        let (x, y) = rest.split_at(32);
        (
            x.try_into().unwrap_or_default(),
            y.try_into().unwrap_or_default(),
        )
    }

    /// Checks a signature over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), OpenError> {
        signature::verify(&self.0, message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", encoding::base64url(&self.0))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        encoding::array::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let point: [u8; signature::POINT_LENGTH] = encoding::array::deserialize(deserializer)?;
        Self::parse(&point).map_err(serde::de::Error::custom)
    }
}

/// Signs with ES256.
pub struct SigningKey(signature::SigningKey);

impl SigningKey {
    /// The key that follows from a seed; about one label in 2^32 gives no scalar and is passed over.
    pub fn derive(seed: &SecretBytes<32>, purpose: &[u8]) -> Self {
        let mut attempt = 0u8;
        loop {
            let scalar = kdf::derive(seed, &[purpose, &[attempt]]);
            if let Some(key) = signature::SigningKey::from_scalar(&scalar) {
                return Self(key);
            }
            attempt = attempt.wrapping_add(1);
        }
    }

    /// The verifying half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.point())
    }

    /// `r ‖ s`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// The key that signs an environment's tokens.
pub struct EnvironmentKey {
    id: KeyId,
    scalar: SecretBytes<32>,
    signing: SigningKey,
}

impl EnvironmentKey {
    /// A fresh key with a fresh id.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        loop {
            if let Some(key) = Self::from_scalar(KeyId::generate(rng), SecretBytes::generate(rng)) {
                return key;
            }
        }
    }

    fn from_scalar(id: KeyId, scalar: SecretBytes<32>) -> Option<Self> {
        let signing = SigningKey(signature::SigningKey::from_scalar(&scalar)?);
        Some(Self {
            id,
            scalar,
            signing,
        })
    }

    /// The header `kid` of tokens signed by it.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The verifying half.
    pub fn public(&self) -> PublicKey {
        self.signing.public()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message)
    }
}

impl fmt::Debug for EnvironmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvironmentKey({})", self.id)
    }
}

/// The secret inside a token. Never stored; its holder can unwrap the token's vault keys.
pub struct TokenKey {
    secret: SecretBytes<32>,
}

/// Says exactly which wrapped vault key is meant: for which token of which environment, with which rights.
#[derive(Debug, Clone, Copy)]
pub struct TokenPlace<'a> {
    /// The environment the token belongs to.
    pub environment: &'a EnvironmentId,
    /// The token.
    pub token: &'a TokenId,
    /// The vault whose key is wrapped.
    pub vault: &'a VaultId,
    /// What the token may do there.
    pub rights: Rights,
}

impl TokenPlace<'_> {
    fn context(&self, generation: u32) -> Vec<u8> {
        context(
            "sekisho/v1/vault-key-to-token",
            generation,
            &[
                self.environment.as_bytes(),
                self.token.as_bytes(),
                self.vault.as_bytes(),
                &[self.rights.bits()],
            ],
        )
    }
}

impl TokenKey {
    /// A fresh secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self {
            secret: SecretBytes::generate(rng),
        }
    }

    pub(crate) const fn from_secret(secret: SecretBytes<32>) -> Self {
        Self { secret }
    }

    pub(crate) const fn secret(&self) -> &SecretBytes<32> {
        &self.secret
    }

    /// The public key by which a rotated vault key can be wrapped again without the token.
    pub fn public(&self) -> [u8; 32] {
        *self.pair().public()
    }

    /// Wraps a vault key for this token.
    pub fn wrap(
        &self,
        place: &TokenPlace<'_>,
        key: &VaultKey,
        rng: &mut dyn CryptoRng,
    ) -> WrappedKey {
        WrappedKey::wrap_under(
            &self.derive_wrapping_key(),
            key.generation,
            &place.context(key.generation),
            &key.bytes,
            rng,
        )
    }

    /// Unwraps a vault key, whichever way it was wrapped.
    pub fn unwrap(
        &self,
        place: &TokenPlace<'_>,
        wrapped: &WrappedKey,
    ) -> Result<VaultKey, OpenError> {
        let (method, generation, body) = wrapped.split()?;
        let context = place.context(generation);
        let bytes = match method {
            METHOD_AEAD => WrappedKey::unwrap_under(&self.derive_wrapping_key(), &context, body)?,
            METHOD_HPKE => WrappedKey::unwrap_to(&self.pair(), &context, body)?,
            _ => return Err(OpenError),
        };
        Ok(VaultKey { generation, bytes })
    }

    fn derive_wrapping_key(&self) -> SecretBytes<32> {
        kdf::derive(&self.secret, &[b"sekisho/v1/token-wrapping"])
    }

    fn pair(&self) -> hpke::KeyPair {
        hpke::KeyPair::derive(&kdf::derive(&self.secret, &[b"sekisho/v1/token-hpke"]))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

/// Wraps a (rotated) vault key to a token by its public key: needs no token, only the vault key.
pub fn rewrap_for_token(
    public: &[u8; 32],
    place: &TokenPlace<'_>,
    key: &VaultKey,
    rng: &mut dyn CryptoRng,
) -> Result<WrappedKey, OpenError> {
    WrappedKey::wrap_to(
        public,
        key.generation,
        &place.context(key.generation),
        &key.bytes,
        rng,
    )
}

/// A device's secret: authenticates a host to the account, which keeps only its hash.
#[derive(Debug, Clone)]
pub struct DeviceSecret(SecretBytes<32>);

impl DeviceSecret {
    /// A fresh secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(SecretBytes::generate(rng))
    }

    /// From its base64url form, as it stands in the credentials file.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        encoding::array_from_base64url(text)
            .map(|bytes| Self(SecretBytes::new(bytes)))
            .map_err(|_| OpenError)
    }

    /// The base64url form.
    pub fn to_text(&self) -> crate::secret::SecretText {
        // EXPOSE: written into the credentials file or a request's header.
        crate::secret::SecretText::new(encoding::base64url(self.0.expose()))
    }

    /// For the derivations of other modules.
    pub(crate) const fn bytes(&self) -> &SecretBytes<32> {
        &self.0
    }

    /// What the account keeps of it.
    pub fn digest(&self) -> [u8; 32] {
        // EXPOSE: hashed.
        hash::sha256(&[b"sekisho/v1/device", self.0.expose()])
    }
}

#[cfg(test)]
mod tests;
