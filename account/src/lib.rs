//! The upstream of record, and the operator's side of it.
//!
//! | module | holds | knows keys |
//! |---|---|---|
//! | [`store`] | [`Account`]: ciphertext, policy and public keys in SQLite | its own head key only (invariant 3) |
//! | [`protocol`] | what an operator may ask, and how it is signed | – |
//! | [`operator`] | [`Operator`]: makes, wraps, seals, opens | the operator's |
//! | [`credentials`] | the file `1password-credentials.json` of a Connect server | the device secret |
//!
//! | [`device`] | [`Device`]: what a host asks, in this process or over HTTP | the device secret |
//! | `http` | what carries both, server and client, behind features of these names | – |
//!
//! Operators and account meet only in [`AccountApi::call`]: a signed request in, sealed records out.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that fails"
    )
)]

pub mod clock;
pub mod credentials;
pub mod device;
mod error;
#[cfg(any(feature = "server", feature = "client"))]
pub mod http;
pub mod operator;
pub mod private_file;
pub mod protocol;
pub mod random;
mod secret_json;
pub mod store;

pub use credentials::Credentials;
pub use device::{Device, LocalDevice};
pub use error::{AccountError, FileError};
pub use operator::{AccountApi, JoinCode, Operator, OperatorError, keyfile::KeyFile};
pub use protocol::{NewUser, Request, Response, SignedRequest};
pub use store::{
    Account, Caller, StoredFile,
    usage::{Times, UsageReport},
};
