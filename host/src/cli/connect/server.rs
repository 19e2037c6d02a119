//! `sekisho connect server`.

use std::{
    io::{self, Read as _},
    path::Path,
};

use clap::Subcommand;
use sekisho_account::{
    Credentials, Operator,
    protocol::{EnvironmentInfo, EnvironmentState},
};
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
        /// Its name or id, or `-` for those on stdin: one a line, or what `server list --format json` prints.
        server: String,
    },
    /// Give a Connect server a new signing key; its tokens and credentials files stay good.
    RotateKey {
        /// Its name or id.
        server: String,
    },
    /// Write further credentials for a Connect server; earlier ones stay good until --finish.
    #[command(
        after_help = "First write ./1password-credentials.json anew and bring it to the servers, then end the earlier ones.

Examples:\n  sekisho connect server rotate-device staging\n  sekisho connect server rotate-device staging --finish"
    )]
    RotateDevice {
        /// Its name or id.
        server: String,
        /// End all credentials but those of ./1password-credentials.json.
        #[arg(long, conflicts_with = "force")]
        finish: bool,
        /// Overwrite a credentials file without asking.
        #[arg(short, long)]
        force: bool,
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
            Self::RotateKey { server } => {
                let server = choose::server(&operator, &server)?;
                let key = operator.rotate_environment_key(server.id)?;
                session.print(
                    || json!({ "id": server.id, "key": key }),
                    || output::line(&format!("Rotated: {}", server.id)),
                )
            }
            Self::RotateDevice {
                server,
                finish,
                force,
            } => {
                let server = choose::server(&operator, &server)?;
                if finish {
                    finish_devices(session, &operator, &server)
                } else {
                    add_device(session, &operator, &server, force)
                }
            }
            Self::Delete { server } => {
                // All are found before the first is gone.
                let servers = named(server)?
                    .iter()
                    .map(|server| choose::server(&operator, server))
                    .collect::<Result<Vec<_>, _>>()?;
                for server in servers {
                    operator.delete_environment(server.id)?;
                    session.print(
                        || json!({ "id": server.id, "state": "DELETED" }),
                        || output::line(&format!("Deleted: {}", server.id)),
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// Most bytes of names and ids on stdin.
const MAX_NAMES: u64 = 1024 * 1024;

/// What was typed, or what stands on stdin.
fn named(typed: String) -> Result<Vec<String>, Failure> {
    if typed != "-" {
        return Ok(vec![typed]);
    }
    let mut text = String::new();
    io::stdin()
        .take(MAX_NAMES)
        .read_to_string(&mut text)
        .map_err(|_| Failure::usage("stdin is not text", "give one name or id a line"))?;
    let names = match serde_json::from_str(&text) {
        Ok(Value::Array(servers)) => servers.iter().filter_map(id_of).collect(),
        Ok(server @ Value::Object(_)) => id_of(&server).into_iter().collect(),
        _ => text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>(),
    };
    if names.is_empty() {
        return Err(Failure::usage(
            "no server is named on stdin",
            "give one name or id a line, or what `sekisho connect server list --format json` prints",
        ));
    }
    Ok(names)
}

fn id_of(server: &Value) -> Option<String> {
    server.get("id")?.as_str().map(ToOwned::to_owned)
}

fn create(
    session: &Session,
    operator: &Operator,
    name: &str,
    vaults: &[String],
    force: bool,
) -> Done {
    let vaults = choose::vaults(operator, vaults.iter().map(String::as_str))?;
    let path = Path::new(FILE);
    let overwrite = may_write(path, force)?;
    let (id, credentials) = operator.create_environment(name, &vaults)?;
    if let Err(error) = session.addressed(credentials).write(path, overwrite) {
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

fn add_device(
    session: &Session,
    operator: &Operator,
    server: &EnvironmentInfo,
    force: bool,
) -> Done {
    let path = Path::new(FILE);
    let overwrite = may_write(path, force)?;
    let credentials = operator.add_device(server.id)?;
    session.addressed(credentials).write(path, overwrite)?;
    let shown = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    session.print(
        || json!({ "id": server.id, "name": server.name, "credentials_file": shown }),
        || output::line(&format!("Credentials file: {}", shown.display())),
    )
}

fn finish_devices(session: &Session, operator: &Operator, server: &EnvironmentInfo) -> Done {
    let credentials = Credentials::read(Path::new(FILE))?;
    if credentials.environment() != server.id {
        return Err(Failure::new(
            format!("{FILE} is of another Connect server"),
            "change to the directory where the new file is",
        ));
    }
    operator.drop_other_devices(&credentials)?;
    session.print(
        || json!({ "id": server.id, "name": server.name, "finished": true }),
        || output::line(&format!("Earlier credentials ended: {}", server.id)),
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
        "tokens": server.tokens,
        "credits": server.credits,
        "own_managers": server.own_managers,
        "devices": server.devices.len(),
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
                ("Tokens:", server.tokens.to_string()),
                ("Credits:", server.credits.to_string()),
                ("Credentials:", server.devices.len().to_string()),
                (
                    "Managers:",
                    if server.own_managers {
                        "a list of its own".to_owned()
                    } else {
                        String::new()
                    },
                ),
            ])
        },
    )
}
