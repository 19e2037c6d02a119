//! Each primitive wrapped once, by our name, next to the document it implements. No other crate names a cryptographic
//! crate (but for the codes of one-time passwords, `sekisho_core::item::otp`), so this one is the whole bill of
//! materials.
//!
//! A crate of its own, because a compiler optimises by crate: in the component this one is compiled for speed, and the
//! rest for size. Nothing here is generic in what its callers would have to compile.
//!
//! | module | holds |
//! |---|---|
//! | [`aead`] | AES-256-GCM |
//! | [`hash`] | SHA-256, HMAC |
//! | [`kdf`] | HKDF |
//! | [`hpke`] | sealing to a public key |
//! | [`base64url`] | keys and tokens as text |
//! | [`signature`] | ECDSA on P-256 |
//! | [`secret`] | the only types with hidden insides; they wipe themselves |
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that panics is a test that fails"
    )
)]

extern crate alloc;

pub mod aead;
pub mod base64url;
pub mod hash;
pub mod hpke;
pub mod kdf;
pub mod secret;
pub mod signature;

/// A check failed. Which one is not told: an attacker must not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open")]
pub struct OpenError;
