//! `sekisho connect token`.

use clap::Subcommand;
use sekisho_account::{
    Operator, clock,
    protocol::{TokenInfo, TokenStanding},
};
use sekisho_core::token::Rights;
use serde_json::{Value, json};

use super::{
    super::{
        Session, choose,
        duration::Lifetime,
        failure::{Done, Failure},
        output,
    },
    wanted::{self, WantedVault},
};

#[derive(Subcommand)]
pub(in super::super) enum LowToken {
    /// Issue a token and print it, this once.
    #[command(after_help = "Examples:
  sekisho connect token create ci --server default --vault Demo,r --expires-in 30d
  export OP_CONNECT_TOKEN=$(sekisho connect token create me --server default --vault Demo)")]
    Create {
        /// Its name.
        name: String,
        /// The Connect server, by name or id.
        #[arg(long)]
        server: String,
        /// A vault it opens, by name or id, and how; may be repeated.
        #[arg(long, visible_alias = "vaults", required = true, value_name = "VAULT[,r|w|rw]", value_parser = clap::builder::ValueParser::from(|text: &str| Ok::<_, std::convert::Infallible>(WantedVault::from(text))))]
        vault: Vec<WantedVault>,
        /// How long it may be used: 30d, 12h, never.
        #[arg(long, value_name = "DURATION", default_value = "never", value_parser = clap::builder::ValueParser::from(str::parse::<Lifetime>))]
        expires_in: Lifetime,
    },
    /// List tokens.
    #[command(visible_alias = "ls")]
    List {
        /// Only of this Connect server, by name or id.
        #[arg(long)]
        server: Option<String>,
    },
    /// Rename a token.
    Edit {
        /// Its name or id.
        token: String,
        /// The new name.
        #[arg(long)]
        name: String,
        /// The Connect server it is for, by name or id.
        #[arg(long)]
        server: Option<String>,
    },
    /// Revoke a token.
    #[command(visible_aliases = ["rm", "remove"])]
    Delete {
        /// Its name or id.
        token: String,
        /// The Connect server it is for, by name or id.
        #[arg(long)]
        server: Option<String>,
    },
}

impl LowToken {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        match self {
            Self::Create {
                name,
                server,
                vault,
                expires_in,
            } => {
                let server = choose::server(&operator, &server)?;
                let vaults = wanted::decide(&operator, &vault)?;
                let expires_at = expires_in.end(clock::now());
                let issued = operator.create_token(server.id, &name, &vaults, expires_at)?;
                // EXPOSE: the one time it is shown.
                let text = issued.text.expose();
                session.print(
                    || json!({ "id": issued.record.id, "name": name, "token": text, "expires_at": expires_at.map(|at| at.to_rfc3339()) }),
                    || output::line(text),
                )
            }
            Self::List { server } => list(session, &tokens(&operator, server.as_deref())?),
            Self::Edit {
                token,
                name,
                server,
            } => {
                let token = one(&operator, server.as_deref(), &token)?;
                operator.rename_token(token.id, &name)?;
                session.print(
                    || json!({ "id": token.id, "name": name }),
                    || output::line(&format!("Renamed: {}", token.id)),
                )
            }
            Self::Delete { token, server } => {
                let token = one(&operator, server.as_deref(), &token)?;
                operator.revoke_token(token.id)?;
                session.print(
                    || json!({ "id": token.id, "state": "REVOKED" }),
                    || output::line(&format!("Revoked: {}", token.id)),
                )
            }
        }
    }
}

fn tokens(operator: &Operator, server: Option<&str>) -> Result<Vec<TokenInfo>, Failure> {
    let server = server
        .map(|wanted| choose::server(operator, wanted))
        .transpose()?;
    Ok(operator.tokens(server.map(|server| server.id))?)
}

/// By id any token; by name only one in use, for names come again.
fn one(operator: &Operator, server: Option<&str>, wanted: &str) -> Result<TokenInfo, Failure> {
    let mut tokens = tokens(operator, server)?;
    tokens.retain(|token| token.state != TokenStanding::Revoked || token.id.as_str() == wanted);
    choose::one(tokens, wanted)
}

const fn state(token: &TokenInfo) -> &'static str {
    match token.state {
        TokenStanding::Active => "ACTIVE",
        TokenStanding::Expired => "EXPIRED",
        TokenStanding::Revoked => "REVOKED",
    }
}

fn acl(rights: Rights) -> Vec<&'static str> {
    let words = [
        (rights.can_read(), "allow_viewing"),
        (rights.can_write(), "allow_editing"),
    ];
    words
        .into_iter()
        .filter_map(|(may, word)| may.then_some(word))
        .collect()
}

/// The shape of the vendor's tool.
fn to_json(token: &TokenInfo) -> Value {
    let vaults = token
        .vaults
        .iter()
        .map(|(id, rights)| json!({ "id": id, "acl": acl(*rights) }));
    let mut value = json!({
        "id": token.id,
        "name": token.name,
        "state": state(token),
        "issuer": "com.1password.b5",
        "audience": "com.1password.connect",
        "features": ["vaultaccess"],
        "vaults": vaults.collect::<Value>(),
        "created_at": token.created_at.to_rfc3339(),
        "integration_id": token.environment,
    });
    if let (Some(at), Some(members)) = (token.expires_at, value.as_object_mut()) {
        members.insert("expires_at".into(), at.to_rfc3339().into());
    }
    if let (Some(at), Some(members)) = (token.last_used, value.as_object_mut()) {
        members.insert("last_used_at".into(), at.to_rfc3339().into());
    }
    value
}

fn list(session: &Session, tokens: &[TokenInfo]) -> Done {
    session.print(
        || tokens.iter().map(to_json).collect(),
        || {
            let row = |token: &TokenInfo| {
                let vaults: Vec<String> = token
                    .vaults
                    .iter()
                    .map(|(id, rights)| format!("{id},{}", rights.as_str()))
                    .collect();
                [
                    token.id.to_string(),
                    token.name.clone(),
                    state(token).to_owned(),
                    token.created_at.to_rfc3339(),
                    token
                        .expires_at
                        .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339()),
                    token
                        .last_used
                        .map_or_else(|| "never".to_owned(), |at| at.to_rfc3339()),
                    vaults.join(" "),
                ]
            };
            output::table(
                [
                    "ID",
                    "NAME",
                    "STATE",
                    "ISSUED",
                    "EXPIRES",
                    "LAST USED",
                    "VAULTS",
                ],
                tokens.iter().map(row).collect(),
            )
        },
    )
}
