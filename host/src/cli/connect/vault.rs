//! `sekisho connect vault`.

use clap::{Args, Subcommand};
use sekisho_account::Operator;
use sekisho_core::id::VaultId;
use serde_json::json;

use super::super::{
    Session, choose,
    failure::{Done, Failure},
    output,
};

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
        let is_granted = matches!(self, Self::Grant(_));
        let (vault, name) = if is_granted {
            let vault = choose::vault(&operator, &pair.vault)?;
            operator.grant_vault(server.id, vault.id)?;
            (vault.id, vault.attributes.name)
        } else {
            let (vault, name) = to_revoke(&operator, &pair.vault)?;
            operator.revoke_vault(server.id, vault)?;
            (vault, name)
        };
        let word = if is_granted { "Granted" } else { "Revoked" };
        session.print(
            || json!({ "server": server.id, "vault": vault, "granted": is_granted }),
            || {
                output::line(&output::plain(&format!(
                    "{word}: vault {name}, Connect server {}",
                    server.name
                )))
            },
        )
    }
}

/// A manager may take away a vault they cannot open: by its id, which needs no name.
fn to_revoke(operator: &Operator, wanted: &str) -> Result<(VaultId, String), Failure> {
    match VaultId::parse(wanted) {
        Ok(id) => Ok((id, id.to_string())),
        Err(_) => {
            let vault = choose::vault(operator, wanted)?;
            Ok((vault.id, vault.attributes.name))
        }
    }
}
