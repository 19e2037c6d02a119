//! `sekisho edge keys`, and the credentials that commands for edges work with.

use std::{env, path::Path};

use clap::Args;
use sekisho_account::Credentials;
use sekisho_core::published::EdgeKeys;
use sekisho_host::credentials::{read_session, read_session_file};

use crate::cli::{
    failure::{Done, Failure},
    outfile::LowOutFile,
};

const HERE: &str = "1password-credentials.json";

#[derive(Args)]
pub(super) struct LowWhose {
    /// The Connect server's credentials file: a path, or what OP_SESSION may hold [env: OP_SESSION] [default: ./1password-credentials.json]
    #[arg(long, value_name = "FILE")]
    credentials: Option<String>,
}

impl LowWhose {
    pub(super) fn credentials(&self) -> Result<Credentials, Failure> {
        let variable = || env::var("OP_SESSION").ok().filter(|text| !text.is_empty());
        let found = match self.credentials.clone().or_else(variable) {
            Some(text) => read_session(&text),
            None => read_session_file(Path::new(HERE)),
        };
        let (_, credentials) = found.map_err(|error| {
            let line = error.to_string();
            Failure::of_line(&line, ": ")
        })?;
        Ok(credentials)
    }

    pub(super) fn edge_keys(&self) -> Result<EdgeKeys, Failure> {
        let credentials = self.credentials()?;
        Ok(EdgeKeys::derive(credentials.trust(), credentials.device()))
    }
}

#[derive(Args)]
#[command(
    after_help = "The line is a secret: who has it reads sealed records and may publish them, but opens none and is no host for the account.
An edge takes it as SEKISHO_EDGE_KEYS. New credentials of the Connect server (`sekisho connect server rotate-device`) make it void.

Examples:\n  export SEKISHO_EDGE_KEYS=$(sekisho edge keys)\n  sekisho edge keys --credentials /run/secrets/op-session -o edge.keys"
)]
pub(in crate::cli) struct LowKeys {
    #[command(flatten)]
    whose: LowWhose,
    #[command(flatten)]
    out: LowOutFile,
}

impl LowKeys {
    pub(in crate::cli) fn run(self) -> Done {
        self.out.check()?;
        let keys = self.whose.edge_keys()?;
        // EXPOSE: this is what was asked for.
        let line = zeroize::Zeroizing::new(format!("{}\n", keys.to_text().expose()));
        self.out.write(line.as_bytes())
    }
}
