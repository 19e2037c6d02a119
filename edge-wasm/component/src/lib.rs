//! [`sekisho_edge`] as a component, and nothing that decides: where its memory comes from, and that it cannot print.
//!
//! The level of optimisation of what is linked last counts for the link as a whole (ADR 0023); `sekisho-edge` stays a
//! library that builds natively too.

#[cfg(target_family = "wasm")]
mod heap;
#[cfg(target_family = "wasm")]
mod mute;

extern crate sekisho_edge as _;
