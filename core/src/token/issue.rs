//! New tokens: a JWT (RFC 7519) for one person, a record for the account.

use alloc::{format, string::String, vec::Vec};

use rand_core::CryptoRng;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Header, Rights};
use crate::{
    cipher::{OpenError, hash},
    encoding,
    id::{AccountId, EnvironmentId, TokenId, VaultId},
    key::{EnvironmentKey, TokenKey, TokenPlace, VaultKey},
    records::{TokenGrant, TokenRecord, TokenState},
    secret::SecretText,
    time::Timestamp,
};

/// What a new token says.
#[derive(Debug)]
pub struct TokenOrder<'a> {
    /// The account's id.
    pub account: AccountId,
    /// The environment it is for.
    pub environment: EnvironmentId,
    /// When it is issued.
    pub issued_at: Timestamp,
    /// When it expires; `None` = never.
    pub expires_at: Option<Timestamp>,
    /// The vaults, the rights there, and the keys to wrap for it, newest first.
    pub vaults: &'a [(VaultId, Rights, &'a [VaultKey])],
}

/// A token just made: its text goes to one person once, its record to the account.
#[derive(Debug)]
pub struct IssuedToken {
    /// The bearer text.
    pub text: SecretText,
    /// What the account keeps.
    pub record: TokenRecord,
    /// The public key for wrapping rotated vault keys to it.
    pub public: [u8; 32],
}

#[derive(Serialize)]
struct IssuedClaims<'a> {
    #[serde(rename = "1password.com/auuid")]
    account: AccountId,
    #[serde(rename = "1password.com/token")]
    secret: &'a str,
    #[serde(rename = "1password.com/fts")]
    features: [&'a str; 1],
    #[serde(rename = "1password.com/vts")]
    vaults: Vec<IssuedVault>,
    aud: [&'a str; 1],
    sub: EnvironmentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    iat: u64,
    iss: &'a str,
    jti: TokenId,
}

#[derive(Serialize)]
struct IssuedVault {
    u: VaultId,
    a: u32,
}

/// Generates a token: a JWT (RFC 7519) with the vendor's claims, signed by the environment's key.
pub fn issue(
    order: &TokenOrder<'_>,
    key: &EnvironmentKey,
    rng: &mut dyn CryptoRng,
) -> Result<IssuedToken, OpenError> {
    let (id, secret) = (TokenId::generate(rng), TokenKey::generate(rng));
    // EXPOSE: the secret lives inside the token; the intermediate texts wipe themselves.
    let secret_text = Zeroizing::new(encoding::base64url(secret.secret().expose()));
    let claims = IssuedClaims {
        account: order.account,
        secret: &secret_text,
        features: ["vaultaccess"],
        vaults: order
            .vaults
            .iter()
            .map(|(u, rights, _)| IssuedVault {
                u: *u,
                a: rights.acl(),
            })
            .collect(),
        aud: ["com.1password.connect"],
        sub: order.environment,
        exp: order.expires_at.map(Timestamp::seconds),
        iat: order.issued_at.seconds(),
        iss: "com.1password.b5",
        jti: id,
    };
    let text = sign_jwt(&claims, key)?;
    let grants = order
        .vaults
        .iter()
        .map(|(vault, rights, keys)| {
            let place = TokenPlace {
                environment: &order.environment,
                token: &id,
                vault,
                rights: *rights,
            };
            let keys = keys
                .iter()
                .map(|vault_key| secret.wrap(&place, vault_key, rng))
                .collect();
            TokenGrant {
                vault: *vault,
                rights: *rights,
                keys,
            }
        })
        .collect();
    let record = TokenRecord {
        id,
        key: key.id(),
        digest: hash::sha256(&[text.as_bytes()]),
        state: TokenState::Active,
        expires_at: order.expires_at.map(Timestamp::truncated),
        grants,
    };
    Ok(IssuedToken {
        public: secret.public(),
        text: SecretText::new(core::mem::take(&mut *Zeroizing::new(text))),
        record,
    })
}

fn sign_jwt(claims: &IssuedClaims<'_>, key: &EnvironmentKey) -> Result<String, OpenError> {
    let kid = key.id();
    let header = Header {
        alg: "ES256",
        kid: kid.as_str(),
        typ: "JWT",
    };
    let header = serde_json::to_vec(&header).map_err(|_| OpenError)?;
    let claims = Zeroizing::new(serde_json::to_vec(claims).map_err(|_| OpenError)?);
    let signed = Zeroizing::new(format!(
        "{}.{}",
        encoding::base64url(&header),
        encoding::base64url(&claims)
    ));
    Ok(format!(
        "{}.{}",
        *signed,
        encoding::base64url(&key.sign(signed.as_bytes()))
    ))
}
