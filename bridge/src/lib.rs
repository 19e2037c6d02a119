//! The bridge: a real 1Password account behind a Sekisho account, with nothing but a service account token.
//!
//! | module | does | knows |
//! |---|---|---|
//! | [`vendor`] | runs the vendor's SDK core, a wasm file, in a sandbox of its own | the token, while it signs in |
//! | [`net`] | carries the core's HTTP requests: where to, how long, how large, how many | ciphertext |
//! | [`client`] | [`OpClient`]: the few calls that a mirror needs, with typed errors | plaintext |
//! | [`map`] | the SDK's item to Connect's and back | plaintext |
//! | [`plan`], [`budget`] | what to fetch, and when; pure | ids, dates, counts |
//! | [`state`] | what is remembered over restarts | ids, dates, counts |
//! | [`runner`], [`report`] | polls and writes until it is stopped; what it says of itself | ids, dates, counts |
//! | [`mirror`] | one poll: fetch, map, seal, push | plaintext, vault keys |
//!
//! Towards the account the bridge is an ordinary operator: it seals with vault keys it holds and pushes over the
//! account's API. Hosts never meet it. It is the only running part that sees plaintext without a client's token, and
//! the only one that holds the service account token, which is why it is apart (SECURITY.md).
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that fails"
    )
)]

pub mod budget;
pub mod client;
pub mod map;
pub mod mirror;
pub mod net;
pub mod plan;
pub mod report;
pub mod runner;
pub mod state;
pub mod vendor;

pub use client::{OpClient, OpError};
