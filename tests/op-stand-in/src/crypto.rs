//! Envelopes (op-account.md §C.2), MACs, and RSA-OAEP (RFC 8017 §7.1) with the stand-in's own key.

use std::convert::Infallible;

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use hmac::{Hmac, Mac};
use num_bigint::BigUint;
use rand_core::{TryCryptoRng, TryRng};
use sekisho_core::encoding;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::rsa_key::RSA;

/// Random bytes of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random;

impl TryRng for Random {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes(random(4).try_into().unwrap()))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes(random(8).try_into().unwrap()))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(out).unwrap();
        Ok(())
    }
}

impl TryCryptoRng for Random {}

pub(crate) fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    encoding::base64url(bytes)
}

pub(crate) fn from_b64(text: &str) -> Option<Vec<u8>> {
    encoding::from_base64url(&text.replace('+', "-").replace('/', "_")).ok()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

/// An envelope around JSON.
pub(crate) fn seal(key_id: &str, key: &[u8], value: &Value) -> Value {
    let iv: [u8; 12] = random(12).try_into().unwrap();
    let mut data = value.to_string().into_bytes();
    let cipher = Aes256Gcm::new_from_slice(key).unwrap();
    cipher.encrypt_in_place(&iv.into(), b"", &mut data).unwrap();
    json!({"kid": key_id, "enc": "A256GCM", "cty": "b5+jwk+json", "iv": b64(&iv), "data": b64(&data)})
}

/// What is in an envelope; `None` if it does not open.
pub(crate) fn open(key: &[u8], envelope: &Value) -> Option<Vec<u8>> {
    let iv: [u8; 12] = from_b64(envelope["iv"].as_str()?)?.try_into().ok()?;
    let mut data = from_b64(envelope["data"].as_str()?)?;
    let cipher = Aes256Gcm::new_from_slice(key).ok()?;
    cipher.decrypt_in_place(&iv.into(), b"", &mut data).ok()?;
    Some(data)
}

pub(crate) fn open_json(key: &[u8], envelope: &Value) -> Option<Value> {
    serde_json::from_slice(&open(key, envelope)?).ok()
}

pub(crate) fn symmetric_jwk(key_id: &str, key: &[u8]) -> Value {
    json!({"kty": "oct", "alg": "A256GCM", "ext": true, "k": b64(key), "key_ops": ["encrypt", "decrypt"], "kid": key_id})
}

/// The key pair's halves as JWKs: public, private.
pub(crate) fn rsa_jwks(key_id: &str) -> (Value, Value) {
    let mut public = json!({"kty": "RSA", "alg": "RSA-OAEP", "ext": true, "kid": key_id, "key_ops": ["encrypt"]});
    let mut private = public.clone();
    private["key_ops"] = json!(["decrypt"]);
    for (position, (name, value)) in RSA.iter().enumerate() {
        if position < 2 {
            public[*name] = json!(value);
        }
        private[*name] = json!(value);
    }
    (public, private)
}

/// RSA-OAEP with SHA-1 under the stand-in's key.
pub(crate) fn oaep(message: &[u8]) -> Vec<u8> {
    let size = 256;
    let mut block = Sha1::digest(b"").to_vec();
    block.resize(size - 20 - 1 - message.len() - 1, 0);
    block.push(1);
    block.extend_from_slice(message);
    let mut seed = random(20);
    xor(&mut block, &mgf1(&seed, size - 21));
    xor(&mut seed, &mgf1(&block, 20));
    let padded = BigUint::from_bytes_be(&[seed, block].concat());
    let number = |at: usize| BigUint::from_bytes_be(&from_b64(RSA[at].1).unwrap());
    let sealed = padded.modpow(&number(1), &number(0)).to_bytes_be();
    [vec![0; size - sealed.len()], sealed].concat()
}

fn mgf1(seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::new();
    for counter in 0u32.. {
        if mask.len() >= length {
            break;
        }
        let hash = Sha1::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes());
        mask.extend_from_slice(&hash.finalize());
    }
    mask.truncate(length);
    mask
}

fn xor(bytes: &mut [u8], mask: &[u8]) {
    for (byte, mask) in bytes.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
