//! The account from outside: what operators and hosts see of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod adversary;
mod blind;
mod endorsed;
mod feed;
mod files;
mod http;
mod matrix;
mod mirrors;
mod openapi;
mod path;
mod people;
mod policy;
mod rotation;
mod servers;
mod setup;
mod signed;
mod usage;
mod writes;
