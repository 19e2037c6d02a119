//! `sekisho connect server`.

use std::path::Path;

use clap::Subcommand;
use sekisho_account::{
    Operator,
    protocol::{EnvironmentInfo, EnvironmentState},
};
use sekisho_core::id::VaultId;
use serde_json::{Value, json};

use super::super::{
    Session, choose,
    failure::{Done, Failure},
    output,
};

/// Fixed, as the vendor's tool has it.
const FILE: &str = "1password-credentials.json";

#[derive(Subcommand)]
pub(in super::super) enum LowServer {
    /// Make a Connect server and write ./1password-credentials.json.
    #[command(
        after_help = "Examples:\n  sekisho connect server create staging --vaults Staging,Shared"
    )]
    Create {
        /// Its name.
        name: String,
        /// Vaults it has from the start, by name or id; may be repeated.
        #[arg(
            long,
            visible_alias = "vault",
            value_delimiter = ',',
            value_name = "VAULT"
        )]
        vaults: Vec<String>,
        /// Overwrite a credentials file without asking.
        #[arg(short, long)]
        force: bool,
    },
    /// List the Connect servers.
    #[command(visible_alias = "ls")]
    List,
    /// Show a Connect server.
    Get {
        /// Its name or id.
        server: String,
    },
    /// Rename a Connect server.
    Edit {
        /// Its name or id.
        server: String,
        /// The new name.
        #[arg(long)]
        name: String,
    },
    /// Delete a Connect server: its credentials file and its tokens are of no use afterwards.
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Its name or id.
        server: String,
    },
}

impl LowServer {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        match self {
            Self::Create {
                name,
                vaults,
                force,
            } => create(session, &operator, &name, &vaults, force),
            Self::List => list(session, &operator.environments()?),
            Self::Get { server } => show(session, &choose::server(&operator, &server)?),
            Self::Edit { server, name } => {
                let server = choose::server(&operator, &server)?;
                operator.rename_environment(server.id, &name)?;
                show(session, &operator.environment(server.id)?)
            }
            Self::Delete { server } => {
                let server = choose::server(&operator, &server)?;
                operator.delete_environment(server.id)?;
                session.print(
                    || json!({ "id": server.id, "state": "DELETED" }),
                    || output::line(&format!("Deleted: {}", server.id)),
                )
            }
        }
    }
}

fn create(
    session: &Session,
    operator: &Operator,
    name: &str,
    vaults: &[String],
    force: bool,
) -> Done {
    let vaults = vaults
        .iter()
        .map(|wanted| Ok(choose::vault(operator, wanted)?.id))
        .collect::<Result<Vec<VaultId>, Failure>>()?;
    let path = Path::new(FILE);
    let overwrite = may_write(path, force)?;
    let (id, credentials) = operator.create_environment(name, &vaults)?;
    if let Err(error) = credentials.write(path, overwrite) {
        // A server whose credentials nobody has is of no use; the first error is the one to tell.
        let _ = operator.delete_environment(id);
        return Err(error.into());
    }
    let shown = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    session.print(
        || json!({ "id": id, "name": name, "credentials_file": shown }),
        || {
            output::line("Set up a Connect server.")?;
            output::line(&format!("UUID: {id}"))?;
            output::line(&format!("Credentials file: {}", shown.display()))
        },
    )
}

/// Whether a file is there that may be overwritten.
fn may_write(path: &Path, force: bool) -> Result<bool, Failure> {
    if force || !path.exists() {
        return Ok(force);
    }
    match output::confirm(&format!("{FILE} exists here already. Overwrite it?")) {
        Some(true) => Ok(true),
        _ => Err(Failure::new(
            format!("{FILE} exists here already"),
            "move it away, change the directory, or overwrite it with --force",
        )),
    }
}

const fn state(server: &EnvironmentInfo) -> &'static str {
    match server.state {
        EnvironmentState::Active => "ACTIVE",
        EnvironmentState::Deleted => "DELETED",
    }
}

/// The shape of the vendor's tool, and the vaults.
fn to_json(server: &EnvironmentInfo) -> Value {
    json!({
        "id": server.id,
        "name": server.name,
        "state": state(server),
        "created_at": server.created_at.to_rfc3339(),
        "creator_id": server.creator,
        "tokens_version": server.tokens_version,
        "vaults": server.vaults,
    })
}

fn list(session: &Session, servers: &[EnvironmentInfo]) -> Done {
    session.print(
        || servers.iter().map(to_json).collect(),
        || {
            let row = |server: &EnvironmentInfo| {
                [
                    server.id.to_string(),
                    server.name.clone(),
                    state(server).to_owned(),
                    server.vaults.len().to_string(),
                ]
            };
            output::table(
                ["ID", "NAME", "STATE", "VAULTS"],
                servers.iter().map(row).collect(),
            )
        },
    )
}

fn show(session: &Session, server: &EnvironmentInfo) -> Done {
    let vaults: Vec<String> = server.vaults.iter().map(ToString::to_string).collect();
    session.print(
        || to_json(server),
        || {
            output::facts(&[
                ("ID:", server.id.to_string()),
                ("Name:", server.name.clone()),
                ("State:", state(server).to_owned()),
                ("Created:", server.created_at.to_rfc3339()),
                ("Creator:", server.creator.to_string()),
                ("Vaults:", vaults.join(", ")),
            ])
        },
    )
}
