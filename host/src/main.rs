//! `sekisho`: a drop-in server for the 1Password Connect REST API, and its command line. One binary for everything.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that panics is a test that fails"
    )
)]

mod cli;
mod client;
mod up;

fn main() -> std::process::ExitCode {
    sekisho_host::engine::compile_if_asked().unwrap_or_else(cli::main)
}
