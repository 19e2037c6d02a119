//! `sekisho man`.

use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory};
use serde_json::json;

use super::{
    LowArgs, Session,
    failure::{Done, Failure},
    output,
};

#[derive(Args)]
#[command(after_help = "Examples:\n  sekisho man /usr/local/share/man/man1")]
pub(super) struct LowMan {
    /// The directory to write them to; made if it is not there.
    directory: PathBuf,
}

impl LowMan {
    /// One page for each command: sekisho.1, sekisho-vault.1, sekisho-vault-create.1, …
    pub(super) fn run(self, session: &Session) -> Done {
        let directory = &self.directory;
        let failed = |error: std::io::Error| Failure::io(directory, &error);
        fs::create_dir_all(directory).map_err(failed)?;
        // With the tree built, each page shows the options that all commands share.
        let mut command = LowArgs::command();
        command.build();
        clap_mangen::generate_to(command, directory).map_err(failed)?;
        session.print(
            || json!({ "directory": directory }),
            || output::line(&format!("Man pages: {}", directory.display())),
        )
    }
}
