//! `sekisho credentials`.

use std::{env, path::Path};

use clap::Subcommand;
use sekisho_account::Credentials;
use sekisho_host::credentials::{SessionError, SessionForm, read_session, read_session_file};
use serde_json::json;

use super::{
    Session,
    failure::{Done, Failure},
    output,
};

const HERE: &str = "1password-credentials.json";

#[derive(Subcommand)]
pub(super) enum LowCredentials {
    /// Say which form the credentials have and whose they are, never what they are.
    #[command(
        after_help = "Without FILE, what OP_SESSION holds is checked (a path, JSON, base64, base64url, base64 twice),
then ./1password-credentials.json.

Examples:\n  sekisho credentials check\n  sekisho credentials check /run/secrets/op-session"
    )]
    Check {
        /// The file, whatever form its content has.
        file: Option<String>,
    },
}

impl LowCredentials {
    pub(super) fn run(self, session: &Session) -> Done {
        let Self::Check { file } = self;
        let variable = env::var("OP_SESSION").ok().filter(|text| !text.is_empty());
        let found = match (file, variable) {
            (Some(file), _) => read_session_file(Path::new(&file)),
            (None, Some(text)) => read_session(&text),
            (None, None) => read_session_file(Path::new(HERE)),
        };
        let (form, credentials) = found.map_err(|error| refused(&error))?;
        show(session, &form, &credentials)
    }
}

fn refused(error: &SessionError) -> Failure {
    let line = error.to_string();
    let (cause, help) = line.rsplit_once(": ").unwrap_or((&line, "make a new file"));
    Failure::new(cause, help)
}

fn show(session: &Session, form: &SessionForm, credentials: &Credentials) -> Done {
    let keys: Vec<String> = credentials
        .signing_keys()
        .iter()
        .map(|key| key.id.to_string())
        .collect();
    session.print(
        || {
            json!({
                "form": form.to_string(),
                "server": { "id": credentials.environment(), "name": credentials.name() },
                "account": credentials.account(),
                "url": credentials.url(),
                "signing_keys": keys,
            })
        },
        || {
            output::facts(&[
                ("Form:", form.to_string()),
                ("Connect server:", credentials.name().to_owned()),
                ("Server ID:", credentials.environment().to_string()),
                ("Account ID:", credentials.account().to_string()),
                (
                    "Account at:",
                    credentials.url().unwrap_or_default().to_owned(),
                ),
                ("Signing keys:", keys.join(", ")),
            ])
        },
    )
}
