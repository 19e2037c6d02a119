//! `sekisho connect group`: who manages Connect servers.

use clap::{Args, Subcommand};
use sekisho_account::Operator;
use sekisho_core::id::EnvironmentId;
use serde_json::json;

use super::super::{Session, choose, failure::Done, output};

#[derive(Subcommand)]
pub(in super::super) enum LowManagers {
    /// Let a group manage Connect servers.
    #[command(
        after_help = "Without --server and --all-servers, the group manages every server that has no list of managers of its own. The first
change for one server gives it such a list.

Examples:\n  sekisho connect group grant --group Platform --server staging"
    )]
    Grant(LowManager),
    /// Take that from a group.
    Revoke(LowManager),
    /// Drop a Connect server's own list of managers: those of all servers count again.
    Reset {
        /// The Connect server, by name or id.
        #[arg(long)]
        server: String,
    },
}

#[derive(Args)]
pub(in super::super) struct LowManager {
    /// The group, by name or id.
    #[arg(long)]
    group: String,
    /// Of this Connect server only, by name or id.
    #[arg(long, conflicts_with = "all_servers")]
    server: Option<String>,
    /// Of each Connect server there is now.
    #[arg(long)]
    all_servers: bool,
}

impl LowManagers {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let (wanted, is_granted) = match &self {
            Self::Grant(wanted) => (wanted, true),
            Self::Revoke(wanted) => (wanted, false),
            Self::Reset { server } => return reset(session, &operator, server),
        };
        let group = choose::group(&operator, &wanted.group)?;
        let servers: Vec<Option<EnvironmentId>> = match &wanted.server {
            Some(server) => vec![Some(choose::server(&operator, server)?.id)],
            None if wanted.all_servers => {
                let servers = operator.environments()?;
                servers.iter().map(|server| Some(server.id)).collect()
            }
            None => vec![None],
        };
        for server in &servers {
            if is_granted {
                operator.grant_manager(*server, group.id)?;
            } else {
                operator.revoke_manager(*server, group.id)?;
            }
        }
        let word = if is_granted { "Granted" } else { "Revoked" };
        let named: Vec<EnvironmentId> = servers.into_iter().flatten().collect();
        session.print(
            || json!({ "group": group.id, "servers": named, "granted": is_granted }),
            || {
                let which = match named.as_slice() {
                    [] => "all Connect servers without managers of their own".to_owned(),
                    [one] => format!("Connect server {one}"),
                    many => format!("{} Connect servers", many.len()),
                };
                output::line(&output::plain(&format!(
                    "{word}: group {}, {which}",
                    group.name
                )))
            },
        )
    }
}

fn reset(session: &Session, operator: &Operator, server: &str) -> Done {
    let server = choose::server(operator, server)?;
    operator.reset_managers(server.id)?;
    session.print(
        || json!({ "server": server.id, "own_managers": false }),
        || output::line(&format!("Reset: {}", server.id)),
    )
}
