//! A request and the operator's signature over it: what travels, whatever carries it.
//!
//! ES256 over `"sekisho/v1/request" 00 ‖ account (26) ‖ user (26) ‖ issued_at in ms (8 BE) ‖ nonce (16) ‖ body`.
//! All parts before the body are of fixed length, so no two requests have one message.

use rand_core::CryptoRng;
use sekisho_core::{
    encoding,
    id::{AccountId, UserId},
    key::{OpenError, OperatorKey, PublicKey},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Request;
use crate::AccountError;

/// Seconds a request may be older or younger than the account's clock. Nonces are kept for twice as long.
pub const REPLAY_WINDOW: u64 = 300;

/// A request as an operator sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequest {
    /// Who asks.
    pub user: UserId,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Makes it different from every other.
    #[serde(with = "encoding::array")]
    pub nonce: [u8; 16],
    /// [`Request`] in JSON.
    #[serde(with = "encoding::bytes")]
    pub body: Vec<u8>,
    /// Over all of the above, see the module.
    #[serde(with = "encoding::array")]
    pub signature: [u8; 64],
}

impl SignedRequest {
    /// Signs a request to an account.
    pub fn sign(
        request: &Request,
        account: &AccountId,
        user: UserId,
        key: &OperatorKey,
        issued_at: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, AccountError> {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let body = serde_json::to_vec(request)
            .map_err(|_| AccountError::invalid("it cannot be written as JSON"))?;
        let mut signed = Self {
            user,
            issued_at,
            nonce,
            body,
            signature: [0; 64],
        };
        signed.signature = key.sign(&signed.message(account));
        Ok(signed)
    }

    /// Checks the signature under the user's key.
    pub fn verify(&self, account: &AccountId, key: &PublicKey) -> Result<(), OpenError> {
        key.verify(&self.message(account), &self.signature)
    }

    /// Whether it was made close enough to `now`.
    pub const fn is_fresh(&self, now: Timestamp) -> bool {
        self.issued_at.millis().abs_diff(now.millis()) <= REPLAY_WINDOW * 1000
    }

    /// The request; to be asked for only after [`SignedRequest::verify`].
    pub fn request(&self) -> Result<Request, AccountError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| AccountError::invalid("its body is no request this version knows"))
    }

    fn message(&self, account: &AccountId) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"sekisho/v1/request\0",
            account.as_bytes(),
            self.user.as_bytes(),
            &self.issued_at.millis().to_be_bytes(),
            &self.nonce,
            &self.body,
        ];
        parts.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn a_signature_covers_every_part() {
        let rng = &mut SystemRng;
        let (key, user) = (OperatorKey::generate(rng), UserId::generate(rng));
        let (account, public) = (AccountId::generate(rng), key.public().signing);
        let now = Timestamp::from_seconds(1000);
        let signed = SignedRequest::sign(&Request::Vaults, &account, user, &key, now, rng).unwrap();
        assert!(signed.verify(&account, &public).is_ok());
        assert!(signed.verify(&AccountId::generate(rng), &public).is_err());
        let altered = [
            SignedRequest {
                user: UserId::generate(rng),
                ..signed.clone()
            },
            SignedRequest {
                issued_at: now.plus_seconds(1),
                ..signed.clone()
            },
            SignedRequest {
                nonce: [0; 16],
                ..signed.clone()
            },
            SignedRequest {
                body: b"\"users\"".to_vec(),
                ..signed
            },
        ];
        for request in altered {
            assert!(request.verify(&account, &public).is_err(), "{request:?}");
        }
    }

    #[test]
    fn fresh_means_five_minutes_either_way() {
        let rng = &mut SystemRng;
        let (key, user) = (OperatorKey::generate(rng), UserId::generate(rng));
        let now = Timestamp::from_seconds(1000);
        let account = AccountId::generate(rng);
        let signed = SignedRequest::sign(&Request::Users, &account, user, &key, now, rng).unwrap();
        assert!(signed.is_fresh(now.plus_seconds(300)));
        assert!(!signed.is_fresh(now.plus_seconds(301)));
        assert!(!signed.is_fresh(Timestamp::from_seconds(699)));
    }
}
