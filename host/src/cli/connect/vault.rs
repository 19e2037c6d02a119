//! `sekisho connect vault`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::super::{Session, choose, failure::Done, output};

#[derive(Subcommand)]
pub(in super::super) enum LowGrant {
    /// Give a Connect server a vault.
    #[command(
        after_help = "Examples:\n  sekisho connect vault grant --server default --vault Production"
    )]
    Grant(LowPair),
    /// Take a vault from a Connect server and from its tokens.
    Revoke(LowPair),
}

#[derive(Args)]
pub(in super::super) struct LowPair {
    /// The Connect server, by name or id.
    #[arg(long)]
    server: String,
    /// The vault, by name or id.
    #[arg(long)]
    vault: String,
}

impl LowGrant {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let (Self::Grant(pair) | Self::Revoke(pair)) = &self;
        let server = choose::server(&operator, &pair.server)?;
        let vault = choose::vault(&operator, &pair.vault)?;
        let is_granted = matches!(self, Self::Grant(_));
        if is_granted {
            operator.grant_vault(server.id, vault.id)?;
        } else {
            operator.revoke_vault(server.id, vault.id)?;
        }
        let word = if is_granted { "Granted" } else { "Revoked" };
        session.print(
            || json!({ "server": server.id, "vault": vault.id, "granted": is_granted }),
            || {
                output::line(&output::plain(&format!(
                    "{word}: vault {}, Connect server {}",
                    vault.attributes.name, server.name
                )))
            },
        )
    }
}
