//! The portable decisions of Sekisho: what opens, for whom, and what the Connect REST API answers.
//!
//! Everything here is synchronous and sans-IO: bytes, the time and a random source come in as arguments, bytes go
//! out. The same code therefore runs natively and inside the WebAssembly component (invariants 1 and 8).
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | 26-character identifiers, parsed once |
//! | [`secret`] | the only types with hidden insides; they wipe themselves |
//! | [`key`] | the key hierarchy: derive, generate, wrap, unwrap |
//! | [`seal`] | the versioned envelope: seal and open data, bound to its place |
//! | [`token`] | bearer text to permission: [`token::RawToken`] → [`token::Grant`] → [`token::ReadAccess`] |
//! | [`item`] | Connect's item shapes, decided |
//! | [`vault`] | a vault's metadata and its title index |
//! | [`vouch`] | why a key may be trusted that only the account names |
//! | [`records`] | the one port to sealed records |
//! | [`cache`] | the immutable [`cache::Snapshot`] |
//! | [`published`] | a snapshot as a tree of objects in any store, and [`records`] over it |
//! | [`sync`] | a feed page to a plan, a plan to the next snapshot |
//! | [`reference`] | secret references and what they mean in an item |
//! | [`rest`] | the whole REST API as one function |
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
#[cfg(test)]
extern crate std;

pub mod cache;
mod case;
pub mod changes;
mod cipher;
pub mod encoding;
pub mod file;
pub mod id;
pub mod item;
pub mod key;
mod nfc;
pub mod published;
pub mod records;
pub mod reference;
pub mod rest;
pub mod seal;
pub mod sync;
pub mod time;
pub mod token;
pub mod vault;
pub mod vouch;
mod wire;

pub use rand_core::CryptoRng;
pub use sekisho_cipher::secret;
