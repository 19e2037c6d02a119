//! `sekisho import`: a 1Password export becomes vaults. All of it is read, checked and decided before the first write.

mod convert;
mod derive;
mod plan;
mod summary;
mod write;

use std::path::PathBuf;

use clap::Args;
use sekisho_host::import::{self, Limits};

use super::{Session, failure::Done};

#[derive(Args)]
#[command(
    after_help = "Vaults and items keep their ids, dates, archived state, files and earlier passwords.
A failed import can be run again: what is there already is passed over.

Examples:\n  sekisho import export.1pux\n  sekisho import export.1pux --vault Imported"
)]
pub(super) struct LowImport {
    /// The export, a .1pux file.
    file: PathBuf,
    /// Put every item into this vault (made if there is none) instead of one vault for each exported one.
    #[arg(long, value_name = "NAME")]
    vault: Option<String>,
}

impl LowImport {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let mut archive = import::read(&self.file, &Limits::default())?;
        let plan = plan::plan(&operator, archive.export(), self.vault.as_deref())?;
        let written = write::write(&operator, &mut archive, plan)?;
        summary::show(session, &written, &archive.export().report)
    }
}
