//! Why a key may be trusted that only the account names: someone who could know vouches for it.
//!
//! The account is blind, not honest: it could offer a key of its own as an environment's new signing key, or as the
//! key of one more holder of a vault, to whom the next rotation would wrap, or as a user's. None of them can be made
//! without a secret:
//!
//! ```text
//! EndorsedKey  ES256 by an older signing key of the environment over
//!              "sekisho/v1/signing-key" 00 ‖ environment (26) ‖ new key's id (26) ‖ new key's point (65)
//! HolderProof  HMAC-SHA-256 under HKDF(vault key, "sekisho/v1/holder") over
//!              vault (26) ‖ "u" ‖ user (26) ‖ X25519 key (32), or
//!              vault (26) ‖ "t" ‖ environment (26) ‖ token (26) ‖ rights (1) ‖ X25519 key (32)
//! Endorsement  ES256 by a user of standing over
//!              "sekisho/v1/user" 00 ‖ account (26) ‖ standing (1) ‖ user (26) ‖ X25519 key (32) ‖ point (65) ‖ name
//! ```

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

mod users;

pub use users::{Endorsement, Standing, UserCard, account_of, believe_users};

use crate::{
    cipher::{hash, kdf},
    encoding,
    id::{EnvironmentId, KeyId, TokenId, UserId, VaultId},
    key::{EnvironmentKey, PublicKey, VaultKey},
    records::SigningKeyRecord,
    token::Rights,
};

/// A signing key of an environment, and the older one that vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndorsedKey {
    /// The new key.
    #[serde(flatten)]
    pub key: SigningKeyRecord,
    /// The older key's id.
    pub by: KeyId,
    /// See the module.
    #[serde(with = "encoding::array")]
    pub signature: [u8; 64],
}

impl EnvironmentKey {
    /// Vouches for the key that follows this one.
    pub fn endorse(&self, environment: &EnvironmentId, next: SigningKeyRecord) -> EndorsedKey {
        EndorsedKey {
            key: next,
            by: self.id(),
            signature: self.sign(&endorsement(environment, &next)),
        }
    }
}

/// All keys to believe, newest first: those known, and those offered that follow from them.
pub fn believe(
    environment: &EnvironmentId,
    known: &[SigningKeyRecord],
    offered: &[EndorsedKey],
) -> Vec<SigningKeyRecord> {
    let mut believed = known.to_vec();
    let mut left: Vec<&EndorsedKey> = offered.iter().collect();
    // Each round believes those that the round before made believable; a chain may come in any order.
    loop {
        let before = believed.len();
        left.retain(|offer| {
            if believed.iter().any(|key| key.id == offer.key.id) {
                return false;
            }
            let follows = believed
                .iter()
                .any(|key| key.id == offer.by && offer.is_by(&key.public, environment));
            if follows {
                believed.insert(0, offer.key);
            }
            !follows
        });
        if believed.len() == before {
            return believed;
        }
    }
}

impl EndorsedKey {
    fn is_by(&self, public: &PublicKey, environment: &EnvironmentId) -> bool {
        let message = endorsement(environment, &self.key);
        public.verify(&message, &self.signature).is_ok()
    }
}

fn endorsement(environment: &EnvironmentId, key: &SigningKeyRecord) -> Vec<u8> {
    let parts: [&[u8]; 4] = [
        b"sekisho/v1/signing-key\0",
        environment.as_bytes(),
        key.id.as_bytes(),
        key.public.as_bytes(),
    ];
    parts.concat()
}

/// Whom a vault's key is wrapped to.
#[derive(Debug, Clone, Copy)]
pub enum Holder<'a> {
    /// A user, by their X25519 key.
    User {
        /// Who.
        user: &'a UserId,
        /// Their key.
        public: &'a [u8; 32],
    },
    /// A token, by the X25519 key that follows from it.
    Token {
        /// Its environment.
        environment: &'a EnvironmentId,
        /// Which.
        token: &'a TokenId,
        /// What it may do.
        rights: Rights,
        /// Its key.
        public: &'a [u8; 32],
    },
}

/// Says that whoever held a vault's key meant this holder. The account keeps it and cannot make it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HolderProof(#[serde(with = "encoding::array")] pub [u8; 32]);

impl PartialEq for HolderProof {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for HolderProof {}

impl VaultKey {
    /// Vouches for a holder; compare with `==` what the account hands back.
    pub fn vouch(&self, vault: &VaultId, holder: &Holder<'_>) -> HolderProof {
        let key = kdf::derive(self.bytes(), &[b"sekisho/v1/holder"]);
        let rights;
        let parts: [&[u8]; 6] = match holder {
            Holder::User { user, public } => {
                [vault.as_bytes(), b"u", user.as_bytes(), *public, b"", b""]
            }
            Holder::Token {
                environment,
                token,
                rights: may,
                public,
            } => {
                rights = [may.bits()];
                [
                    vault.as_bytes(),
                    b"t",
                    environment.as_bytes(),
                    token.as_bytes(),
                    &rights,
                    *public,
                ]
            }
        };
        // EXPOSE: the derived key goes to the MAC.
        HolderProof(hash::hmac_sha256(key.expose(), &parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::test_rng;

    fn record(key: &EnvironmentKey) -> SigningKeyRecord {
        SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        }
    }

    #[test]
    fn a_chain_is_believed_in_any_order_and_nothing_else_is() {
        let rng = &mut test_rng(31);
        let (here, elsewhere) = (EnvironmentId::generate(rng), EnvironmentId::generate(rng));
        let keys: Vec<_> = (0..4).map(|_| EnvironmentKey::generate(rng)).collect();
        let [first, second, third, foreign] = keys.as_slice() else {
            unreachable!()
        };
        let chain = [
            second.endorse(&here, record(third)),
            first.endorse(&here, record(second)),
        ];
        let known = [record(first)];
        let ids = |offered: &[EndorsedKey]| -> Vec<_> {
            let believed = believe(&here, &known, offered);
            believed.iter().map(|key| key.id).collect()
        };
        assert_eq!(ids(&chain), [third.id(), second.id(), first.id()]);
        assert_eq!(
            ids(&chain[..1]),
            [first.id()],
            "the link between is missing"
        );
        let mut renamed = foreign.endorse(&here, record(third));
        renamed.by = first.id();
        let forged = [
            renamed,
            foreign.endorse(&here, record(foreign)),
            first.endorse(&elsewhere, record(second)),
        ];
        assert_eq!(ids(&forged), [first.id()]);
    }

    #[test]
    fn a_proof_is_of_one_holder_of_one_vault_under_one_key() {
        let rng = &mut test_rng(32);
        let (vault, other) = (VaultId::generate(rng), VaultId::generate(rng));
        let (environment, token) = (EnvironmentId::generate(rng), TokenId::generate(rng));
        let user = UserId::generate(rng);
        let key = VaultKey::generate(1, rng);
        let of_token = |rights, public| Holder::Token {
            environment: &environment,
            token: &token,
            rights,
            public,
        };
        let proof = key.vouch(&vault, &of_token(Rights::READ, &[1; 32]));
        assert_eq!(proof, key.vouch(&vault, &of_token(Rights::READ, &[1; 32])));
        let others = [
            key.vouch(&other, &of_token(Rights::READ, &[1; 32])),
            key.vouch(&vault, &of_token(Rights::READ_WRITE, &[1; 32])),
            key.vouch(&vault, &of_token(Rights::READ, &[2; 32])),
            key.vouch(
                &vault,
                &Holder::User {
                    user: &user,
                    public: &[1; 32],
                },
            ),
            VaultKey::generate(1, rng).vouch(&vault, &of_token(Rights::READ, &[1; 32])),
        ];
        assert!(others.iter().all(|other| *other != proof));
    }
}
