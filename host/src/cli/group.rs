//! `sekisho group`.

use clap::{Args, Subcommand};
use sekisho_account::protocol::{GroupInfo, Role};
use serde_json::{Value, json};

use super::{Session, choose, failure::Done, output};

#[derive(Subcommand)]
pub(super) enum LowGroup {
    /// List the groups.
    #[command(visible_alias = "ls")]
    List,
    /// Make a group.
    Create {
        /// Its name.
        name: String,
    },
    /// Rename a group.
    Edit {
        /// Its name or id.
        group: String,
        /// The new name.
        #[arg(long)]
        name: String,
    },
    /// Delete a group.
    #[command(visible_alias = "rm")]
    Delete {
        /// Its name or id.
        group: String,
    },
    /// Put a user into a group.
    #[command(after_help = "Examples:\n  sekisho group add Administrators Wendy")]
    Add(LowMember),
    /// Take a user out of a group.
    Remove(LowMember),
}

#[derive(Args)]
pub(super) struct LowMember {
    /// The group, by name or id.
    group: String,
    /// The user, by name or id.
    user: String,
}

impl LowGroup {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        match &self {
            Self::List => list(session, &operator.groups()?),
            Self::Create { name } => {
                let id = operator.create_group(name)?;
                session.print(
                    || json!({ "id": id, "name": name }),
                    || output::line(&format!("Made: {id}")),
                )
            }
            Self::Edit { group, name } => {
                let group = choose::group(&operator, group)?;
                operator.rename_group(group.id, name)?;
                session.print(
                    || json!({ "id": group.id, "name": name }),
                    || output::line(&format!("Renamed: {}", group.id)),
                )
            }
            Self::Delete { group } => {
                let group = choose::group(&operator, group)?;
                operator.delete_group(group.id)?;
                session.print(
                    || json!({ "id": group.id, "state": "DELETED" }),
                    || output::line(&format!("Deleted: {}", group.id)),
                )
            }
            Self::Add(pair) | Self::Remove(pair) => {
                let group = choose::group(&operator, &pair.group)?;
                let user = choose::user(&operator, &pair.user)?;
                let is_added = matches!(self, Self::Add(_));
                if is_added {
                    operator.add_member(group.id, user.id)?;
                } else {
                    operator.remove_member(group.id, user.id)?;
                }
                let word = if is_added { "Added" } else { "Removed" };
                session.print(
                    || json!({ "group": group.id, "user": user.id, "member": is_added }),
                    || {
                        let (user, group) = (&user.name, &group.name);
                        output::line(&output::plain(&format!("{word}: {user}, group {group}")))
                    },
                )
            }
        }
    }
}

fn role(group: &GroupInfo) -> &'static str {
    group.role.map_or("", Role::as_str)
}

fn to_json(group: &GroupInfo) -> Value {
    json!({
        "id": group.id,
        "name": group.name,
        "role": group.role.map(Role::as_str),
        "members": group.members,
        "manages_servers": group.manages_servers,
    })
}

fn list(session: &Session, groups: &[GroupInfo]) -> Done {
    session.print(
        || groups.iter().map(to_json).collect(),
        || {
            let row = |group: &GroupInfo| {
                [
                    group.id.to_string(),
                    group.name.clone(),
                    role(group).to_owned(),
                    group.members.len().to_string(),
                    if group.manages_servers { "yes" } else { "no" }.to_owned(),
                ]
            };
            output::table(
                ["ID", "NAME", "ROLE", "MEMBERS", "MANAGES SERVERS"],
                groups.iter().map(row).collect(),
            )
        },
    )
}
