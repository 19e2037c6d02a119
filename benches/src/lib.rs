//! What the benches share. Each file in `benches/` asks one question and prints its answer as ratios against a
//! baseline of the same run; nothing here fails because a machine is slow.
//!
//! | module | holds |
//! |---|---|
//! | [`upstream`] | an account that exists only as what it sends |
//! | [`server`] | a host with one worker thread, and hyper alone |
//! | [`load`] | a load generator of its own |
//! | [`records`] | core's port straight on a snapshot |
//! | [`report`] | tables, medians, goals |
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tools for measuring: a panic says where, and what they find they print"
)]

pub mod load;
pub mod records;
pub mod report;
pub mod rng;
pub mod server;
pub mod upstream;
