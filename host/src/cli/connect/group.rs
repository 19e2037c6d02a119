//! `sekisho connect group`: who manages Connect servers.

use clap::{Args, Subcommand};
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
        let (Self::Grant(wanted) | Self::Revoke(wanted)) = &self;
        let group = choose::group(&operator, &wanted.group)?;
        let servers: Vec<Option<EnvironmentId>> = match &wanted.server {
            Some(server) => vec![Some(choose::server(&operator, server)?.id)],
            None if wanted.all_servers => {
                let servers = operator.environments()?;
                servers.iter().map(|server| Some(server.id)).collect()
            }
            None => vec![None],
        };
        let is_granted = matches!(self, Self::Grant(_));
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
