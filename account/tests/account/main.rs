//! The account from outside: what operators and hosts see of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod blind;
mod feed;
mod files;
mod path;
mod policy;
mod setup;
mod signed;
mod writes;
