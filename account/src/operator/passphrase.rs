//! A seed under a passphrase: Argon2id (RFC 9106) makes a key, AES-256-GCM seals with it.
//!
//! Associated data is `"sekisho/v1/operator-key" 00 ‖ account (26) ‖ user (26)`, so a seed moved to another file does
//! not open. The costs stand in the file; those of a file that asks for too much are refused.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::Rng;
use sekisho_core::{
    encoding,
    id::{AccountId, UserId},
    secret::{SecretBytes, SecretText},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{FileError, random::SystemRng};

/// RFC 9106 §4, the second recommendation: 64 MiB, three passes.
const MEMORY: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// Most memory a file may ask for, in KiB.
const MAX_MEMORY: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;

/// How a seed lies under a passphrase.
#[derive(Serialize, Deserialize)]
pub(super) struct Locked {
    /// `argon2id`.
    kdf: String,
    memory: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "encoding::array")]
    salt: [u8; 16],
    #[serde(with = "encoding::array")]
    nonce: [u8; 12],
    #[serde(with = "encoding::array")]
    sealed: [u8; 48],
}

impl Locked {
    pub(super) fn seal(
        seed: &SecretBytes<32>,
        passphrase: &SecretText,
        account: &AccountId,
        user: &UserId,
    ) -> Result<Self, FileError> {
        let mut locked = Self {
            kdf: "argon2id".into(),
            memory: MEMORY,
            passes: PASSES,
            lanes: LANES,
            salt: [0; 16],
            nonce: [0; 12],
            sealed: [0; 48],
        };
        SystemRng.fill_bytes(&mut locked.salt);
        SystemRng.fill_bytes(&mut locked.nonce);
        let aad = associated_data(account, user);
        // EXPOSE: the plaintext of the seal.
        let (msg, aad) = (seed.expose().as_slice(), aad.as_slice());
        let sealed = locked
            .cipher(passphrase)?
            .encrypt((&locked.nonce).into(), Payload { msg, aad })
            .map_err(|_| FileError::Passphrase)?;
        locked.sealed = sealed.try_into().map_err(|_| FileError::Passphrase)?;
        Ok(locked)
    }

    pub(super) fn open(
        &self,
        passphrase: &SecretText,
        account: &AccountId,
        user: &UserId,
    ) -> Result<SecretBytes<32>, FileError> {
        if self.kdf != "argon2id" || self.memory > MAX_MEMORY || self.passes > MAX_PASSES {
            return Err(FileError::Member("locked"));
        }
        let aad = associated_data(account, user);
        let (msg, aad) = (self.sealed.as_slice(), aad.as_slice());
        let opened = self
            .cipher(passphrase)?
            .decrypt((&self.nonce).into(), Payload { msg, aad })
            .map(Zeroizing::new)
            .map_err(|_| FileError::Passphrase)?;
        SecretBytes::from_slice(&opened).ok_or(FileError::Passphrase)
    }

    fn cipher(&self, passphrase: &SecretText) -> Result<Aes256Gcm, FileError> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32))
            .map_err(|_| FileError::Member("locked"))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            // EXPOSE: stretched.
            .hash_password_into(
                passphrase.expose().as_bytes(),
                &self.salt,
                key.as_mut_slice(),
            )
            .map_err(|_| FileError::Member("locked"))?;
        Ok(Aes256Gcm::new((&*key).into()))
    }
}

fn associated_data(account: &AccountId, user: &UserId) -> Vec<u8> {
    let parts: [&[u8]; 3] = [
        b"sekisho/v1/operator-key\0",
        account.as_bytes(),
        user.as_bytes(),
    ];
    parts.concat()
}
