//! Sekisho's host: the part that touches the world.
//!
//! | module | holds |
//! |---|---|
//! | [`serve`] | sockets, limits, HTTP/1.1 |
//! | [`engine`] | core in a sandbox, or core itself |
//! | [`sync`] | what is served equals what the account says |
//! | [`store`] | the replica on disk: sealed bytes |
//! | [`live`] | the set that is served, behind one swap |
//! | [`events`] | what each swap changed, as a stream |
//! | [`activity`], [`metrics`] | the newest accesses, and what is counted |
//! | [`clock`], [`random`] | time and randomness, taken once each |
//! | [`health`], [`dependency`] | how synchronisation is, and what runs beside it |
//! | [`edge`] | components for runtimes that are not ours, and their feed |
//! | [`import`] | a 1PUX export becomes vaults |
//! | [`credentials`] | `OP_SESSION` in all its forms |
//!
//! [`Host::start`] puts them together.
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that fails"
    )
)]

pub mod activity;
pub mod clock;
pub mod credentials;
pub mod dependency;
pub mod edge;
pub mod engine;
pub mod events;
pub mod health;
pub mod import;
pub mod live;
pub mod metrics;
pub mod random;
mod refusal;
mod running;
pub mod serve;
pub mod store;
pub mod sync;

pub use running::{Host, HostConfig, Role, RunningHost, StartError};
