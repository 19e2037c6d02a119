//! `sekisho user`.

use clap::Subcommand;
use sekisho_account::{
    JoinCode, KeyFile, Operator,
    protocol::{Role, UserInfo, UserState},
    random::SystemRng,
};
use sekisho_core::{
    id::{AccountId, UserId},
    key::OperatorKey,
};
use serde_json::{Value, json};

use super::{
    Session, choose,
    failure::{Done, Failure},
    output,
    session::Lock,
};

#[derive(Subcommand)]
pub(super) enum LowUser {
    /// List the users.
    #[command(visible_alias = "ls")]
    List,
    /// Show who you are to the account.
    Whoami,
    /// On a new user's machine: make their key and print the code by which an administrator adds them.
    #[command(
        after_help = "The key never leaves this machine. `sekisho user whoami` shows the account's id to those who are in it.

Examples:\n  sekisho user join Wendy --account-id ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    )]
    Join {
        /// The name shown to others.
        name: String,
        /// The account's id.
        #[arg(long, value_name = "ID")]
        account_id: String,
        #[command(flatten)]
        lock: Lock,
    },
    /// Add the user of a join code.
    #[command(after_help = "Examples:\n  sekisho user add sekisho-join-1.… --group Administrators")]
    Add {
        /// What `sekisho user join` printed.
        code: String,
        /// A group to put them into, by name or id; may be repeated.
        #[arg(long)]
        group: Vec<String>,
    },
    /// Refuse a user's requests for now.
    Suspend {
        /// Their name or id.
        user: String,
        /// Take them again.
        #[arg(long)]
        undo: bool,
    },
    /// Remove a user, at once and for good.
    #[command(visible_aliases = ["rm", "delete"])]
    Remove {
        /// Their name or id.
        user: String,
    },
}

impl LowUser {
    pub(super) fn run(self, session: &Session) -> Done {
        // Who joins has nothing to ask of the account yet.
        if let Self::Join {
            name,
            account_id,
            lock,
        } = self
        {
            return join(session, &name, &account_id, lock);
        }
        let operator = session.operator()?;
        match self {
            Self::Join { .. } => Ok(()),
            Self::List => list(session, &operator.users()?),
            Self::Whoami => whoami(session, &operator),
            Self::Add { code, group } => add(session, &operator, &code, &group),
            Self::Suspend { user, undo } => {
                let user = choose::user(&operator, &user)?;
                operator.suspend_user(user.id, !undo)?;
                let word = if undo { "ACTIVE" } else { "SUSPENDED" };
                session.print(
                    || json!({ "id": user.id, "state": word }),
                    || output::line(&format!("{word}: {}", user.id)),
                )
            }
            Self::Remove { user } => {
                let user = choose::user(&operator, &user)?;
                let vaults = operator.remove_user(user.id)?;
                session.print(
                    || json!({ "id": user.id, "state": "REMOVED", "vaults_to_rotate": vaults }),
                    || output::line(&format!("Removed: {}", user.id)),
                )?;
                for vault in &vaults {
                    output::remark(&format!(
                        "note: they held vault {vault}; give it a new key: sekisho vault rotate-key {vault}"
                    ));
                }
                Ok(())
            }
        }
    }
}

fn join(session: &Session, name: &str, account: &str, lock: Lock) -> Done {
    let account = AccountId::parse(account).map_err(|_| {
        Failure::usage(
            "the account's id has 26 capital letters and digits",
            "an administrator sees it with `sekisho user whoami`",
        )
    })?;
    let rng = &mut SystemRng;
    let identity = KeyFile {
        account,
        user: UserId::generate(rng),
        key: OperatorKey::generate(rng),
    };
    let path = session.new_key_path()?;
    session.write_key(&identity, &path, lock)?;
    let code = JoinCode::new(&identity, name).to_text();
    session.print(
        || json!({ "id": identity.user, "name": name, "join_code": code, "key_file": path }),
        || {
            output::remark(&format!(
                "Your key is in {}. Give this code to an administrator:",
                path.display()
            ));
            output::line(&code)
        },
    )
}

fn add(session: &Session, operator: &Operator, code: &str, groups: &[String]) -> Done {
    let code = JoinCode::parse(code)?;
    let groups = groups
        .iter()
        .map(|group| choose::group(operator, group))
        .collect::<Result<Vec<_>, Failure>>()?;
    operator.add_user(&code)?;
    for group in &groups {
        operator.add_member(group.id, code.user())?;
    }
    session.print(
        || json!({ "id": code.user(), "name": code.name(), "state": "ACTIVE" }),
        || {
            output::line(&output::plain(&format!(
                "Added: {} ({})",
                code.name(),
                code.user()
            )))
        },
    )
}

fn whoami(session: &Session, operator: &Operator) -> Done {
    let (account, user) = (operator.account_info()?, operator.whoami()?);
    session.print(
        || {
            let mut value = to_json(&user);
            if let Some(members) = value.as_object_mut() {
                let account = json!({ "id": account.id, "name": account.name });
                members.insert("account".into(), account);
            }
            value
        },
        || {
            output::facts(&[
                ("User:", user.id.to_string()),
                ("Name:", user.name.clone()),
                ("State:", state(&user).to_owned()),
                ("Roles:", roles(&user).join(", ")),
                ("Account:", account.id.to_string()),
                ("Account's name:", account.name.clone()),
            ])
        },
    )
}

const fn state(user: &UserInfo) -> &'static str {
    UserState::as_str(user.state)
}

fn roles(user: &UserInfo) -> Vec<&'static str> {
    user.roles.iter().map(|role| Role::as_str(*role)).collect()
}

fn to_json(user: &UserInfo) -> Value {
    json!({ "id": user.id, "name": user.name, "state": state(user), "roles": roles(user) })
}

fn list(session: &Session, users: &[UserInfo]) -> Done {
    session.print(
        || users.iter().map(to_json).collect(),
        || {
            let row = |user: &UserInfo| {
                [
                    user.id.to_string(),
                    user.name.clone(),
                    state(user).to_owned(),
                    roles(user).join(","),
                ]
            };
            output::table(
                ["ID", "NAME", "STATE", "ROLES"],
                users.iter().map(row).collect(),
            )
        },
    )
}
