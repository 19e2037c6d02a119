//! `sekisho connect`: Connect servers (environments), their tokens and their vaults.

mod group;
mod server;
mod token;
mod vault;
mod wanted;

use clap::Subcommand;

use super::{Session, failure::Done};

#[derive(Subcommand)]
pub(super) enum LowConnect {
    /// Connect servers.
    #[command(subcommand)]
    Server(server::LowServer),
    /// Access tokens.
    #[command(subcommand)]
    Token(token::LowToken),
    /// Which groups manage Connect servers.
    #[command(subcommand)]
    Group(group::LowManagers),
    /// Which vaults a Connect server has.
    #[command(subcommand)]
    Vault(vault::LowGrant),
}

impl LowConnect {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Server(low) => low.run(session),
            Self::Token(low) => low.run(session),
            Self::Group(low) => low.run(session),
            Self::Vault(low) => low.run(session),
        }
    }
}
