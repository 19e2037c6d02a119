//! What the tests share: one little [`world`], exchanges as data ([`cases`]), one suite for all who implement the
//! port ([`records_suite`]) and a double of it ([`memory`]).
//!
//! | module | holds |
//! |---|---|
//! | [`rng`] | reproducible bytes, by label |
//! | [`world`] | an account's state, made with core alone from `cases/world.json` |
//! | [`memory`] | `Records` in memory, with an account's rules for writes |
//! | [`records_suite`] | what every `Records` must do |
//! | [`cases`] | `cases/*.json`, read and run over any [`cases::Carrier`] |
//! | [`published`] | a published set in memory, a store that tampers, and the carrier over them |
//! | [`native`] | the carrier that calls `core::rest::answer` itself |
//! | `hosted` | the carrier over the host and its engines (feature `host`) |
//! | [`vectors`] | `vectors/**`, read and checked |
//! | `edge` | the carriers over `wasmtime serve` (feature `host`) |
//! | `relay` | the way between an edge and its host, where answers may be altered (feature `host`) |
//! | `binary` | the real binary, run and asked as a user would (feature `host`) |
//! | `spin` | a Spin made of wasmtime, and the carrier over it (feature `host`) |
//! | `sdk` | the vendor's SDKs and what they are shown (feature `host`) |
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is tests: a panic is a failure, and it says where"
)]

#[cfg(feature = "host")]
pub mod binary;
pub mod cases;
#[cfg(feature = "host")]
pub mod edge;
#[cfg(feature = "host")]
pub mod hosted;
pub mod memory;
pub mod native;
pub mod published;
pub mod records_suite;
#[cfg(feature = "host")]
pub mod relay;
pub mod rng;
#[cfg(feature = "host")]
pub mod sdk;
#[cfg(feature = "host")]
pub mod spin;
pub mod vectors;
pub mod world;
