//! `sekisho vault`.

use clap::{Args, Subcommand};
use sekisho_account::{Operator, operator::OpenVault};
use sekisho_core::{records::VaultType, vault::VaultAttributes};
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
    /// Change a vault's name or description.
    #[command(after_help = "Examples:\n  sekisho vault edit Production --name Prod")]
    Edit {
        /// Its name or id.
        vault: String,
        /// The new name.
        #[arg(long, required_unless_present = "description")]
        name: Option<String>,
        /// The new description.
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete a vault for good, with all that is in it.
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Its name or id.
        vault: String,
    },
    /// Who sees and fills a vault.
    #[command(subcommand)]
    User(LowHolder),
    /// Give a vault a new key and seal everything in it anew; readers and writers go on meanwhile.
    #[command(
        after_help = "Do so when somebody who held the vault shall not read it any more. What was begun and broke off is taken up again."
    )]
    RotateKey {
        /// Its name or id.
        vault: String,
    },
}

#[derive(Subcommand)]
pub(super) enum LowHolder {
    /// Let a user see and fill a vault.
    #[command(after_help = "Examples:\n  sekisho vault user grant --vault Production --user Wendy")]
    Grant(LowPair),
    /// Take a vault from a user; give it a new key afterwards, for they may have kept the old one.
    Revoke(LowPair),
}

#[derive(Args)]
pub(super) struct LowPair {
    /// The vault, by name or id.
    #[arg(long)]
    vault: String,
    /// The user, by name or id.
    #[arg(long)]
    user: String,
}

impl LowHolder {
    fn run(&self, session: &Session, operator: &Operator) -> Done {
        let (Self::Grant(pair) | Self::Revoke(pair)) = self;
        let vault = choose::vault(operator, &pair.vault)?;
        let user = choose::user(operator, &pair.user)?;
        let is_granted = matches!(self, Self::Grant(_));
        if is_granted {
            operator.share_vault(vault.id, user.id)?;
        } else {
            operator.unshare_vault(vault.id, user.id)?;
        }
        let word = if is_granted { "Granted" } else { "Revoked" };
        session.print(
            || json!({ "vault": vault.id, "user": user.id, "granted": is_granted }),
            || {
                let (vault, user) = (&vault.attributes.name, &user.name);
                output::line(&output::plain(&format!(
                    "{word}: vault {vault}, user {user}"
                )))
            },
        )
    }
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
            Self::Edit {
                vault,
                name,
                description,
            } => {
                let vault = choose::vault(&operator, &vault)?;
                let attributes = VaultAttributes {
                    name: name.unwrap_or(vault.attributes.name),
                    description: description.unwrap_or(vault.attributes.description),
                };
                operator.edit_vault(vault.id, vault.attribute_version, &attributes)?;
                show(session, &operator.vault(vault.id)?)
            }
            Self::Delete { vault } => {
                let vault = choose::vault(&operator, &vault)?;
                operator.delete_vault(vault.id)?;
                session.print(
                    || json!({ "id": vault.id, "state": "DELETED" }),
                    || output::line(&format!("Deleted: {}", vault.id)),
                )
            }
            Self::User(low) => low.run(session, &operator),
            Self::RotateKey { vault } => {
                let vault = choose::vault(&operator, &vault)?;
                operator.rotate_vault_key(vault.id)?;
                session.print(
                    || json!({ "id": vault.id, "rotated": true }),
                    || output::line(&format!("Rotated: {}", vault.id)),
                )
            }
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
