//! HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

use alloc::vec::Vec;

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::OpenError;
use crate::secret::SecretBytes;

/// Bytes of a public key and of an encapsulated key.
pub const PUBLIC_LENGTH: usize = 32;

/// A key pair derived from a seed by the KEM's own `DeriveKeyPair`.
pub struct KeyPair {
    private: <X25519HkdfSha256 as Kem>::PrivateKey,
    public: [u8; PUBLIC_LENGTH],
}

impl KeyPair {
    /// The pair of this seed.
    pub fn derive(seed: &SecretBytes<32>) -> Self {
        // EXPOSE: input keying material of DeriveKeyPair.
        let (private, public) = X25519HkdfSha256::derive_keypair(seed.expose());
        Self {
            private,
            public: public.to_bytes().into(),
        }
    }

    /// What others seal to.
    pub const fn public(&self) -> &[u8; PUBLIC_LENGTH] {
        &self.public
    }

    /// Opens `enc ‖ ciphertext`.
    pub fn open(&self, info: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (enc, text) = sealed.split_at_checked(PUBLIC_LENGTH).ok_or(OpenError)?;
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).map_err(|_| OpenError)?;
        hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.private,
            &enc,
            info,
            text,
            &[],
        )
        .map(Zeroizing::new)
        .map_err(|_| OpenError)
    }
}

/// Seals to a public key: `enc ‖ ciphertext`. Fails only when `public` is not a usable key.
pub fn seal(
    public: &[u8; PUBLIC_LENGTH],
    info: &[u8],
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>, OpenError> {
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public).map_err(|_| OpenError)?;
    let (enc, text) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        &[],
        &mut &mut *rng,
    )
    .map_err(|_| OpenError)?;
    let mut out = enc.to_bytes().to_vec();
    out.extend_from_slice(&text);
    Ok(out)
}
