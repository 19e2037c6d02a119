//! `sekisho vault`.

use clap::Subcommand;
use sekisho_account::operator::OpenVault;
use sekisho_core::records::VaultType;
use serde_json::{Value, json};

use super::{Session, choose, failure::Done, output};

#[derive(Subcommand)]
pub(super) enum LowVault {
    /// Make a vault.
    #[command(
        after_help = "Examples:\n  sekisho vault create Production --description \"What runs in production\""
    )]
    Create {
        /// Its name.
        name: String,
        /// What it is for.
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
    },
    /// List the vaults that are wrapped to you.
    #[command(visible_alias = "ls")]
    List,
    /// Show a vault.
    Get {
        /// Its name or id.
        vault: String,
    },
}

impl LowVault {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        match self {
            Self::Create { name, description } => {
                let id =
                    operator.create_vault(&name, &description, VaultType::UserCreated, None)?;
                show(session, &operator.vault(id)?)
            }
            Self::List => list(session, &operator.vaults()?),
            Self::Get { vault } => show(session, &choose::vault(&operator, &vault)?),
        }
    }
}

/// Connect's shape (connect-contract.md §2.2).
fn to_json(vault: &OpenVault) -> Value {
    json!({
        "id": vault.id,
        "name": vault.attributes.name,
        "description": vault.attributes.description,
        "attribute_version": vault.attribute_version,
        "content_version": vault.content_version,
        "items": vault.items,
        "type": vault.kind.as_str(),
        "created_at": vault.created_at.to_rfc3339(),
        "updated_at": vault.updated_at.to_rfc3339(),
    })
}

fn list(session: &Session, vaults: &[OpenVault]) -> Done {
    session.print(
        || vaults.iter().map(to_json).collect(),
        || {
            let row = |vault: &OpenVault| {
                [
                    vault.id.to_string(),
                    vault.attributes.name.clone(),
                    vault.kind.as_str().to_owned(),
                    vault.items.to_string(),
                ]
            };
            output::table(
                ["ID", "NAME", "TYPE", "ITEMS"],
                vaults.iter().map(row).collect(),
            )
        },
    )
}

fn show(session: &Session, vault: &OpenVault) -> Done {
    session.print(
        || to_json(vault),
        || {
            let rows = [
                ("ID:", vault.id.to_string()),
                ("Name:", vault.attributes.name.clone()),
                ("Description:", vault.attributes.description.clone()),
                ("Type:", vault.kind.as_str().to_owned()),
                ("Items:", vault.items.to_string()),
                ("Created:", vault.created_at.to_rfc3339()),
                ("Updated:", vault.updated_at.to_rfc3339()),
            ];
            output::facts(&rows)
        },
    )
}
