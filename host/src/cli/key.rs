//! `sekisho key`: the operator's key file, under a passphrase or not.

use clap::Subcommand;
use serde_json::json;

use super::{Session, failure::Done, output, passphrase};

#[derive(Subcommand)]
pub(super) enum LowKey {
    /// Put the operator's key file under a passphrase, or under another one.
    #[command(
        after_help = "The passphrase is typed, or is in SEKISHO_NEW_PASSPHRASE or in the file that SEKISHO_NEW_PASSPHRASE_FILE names;
the one it is under now in SEKISHO_PASSPHRASE or in the file that SEKISHO_PASSPHRASE_FILE names."
    )]
    Lock,
    /// Take the passphrase from the key file.
    Unlock,
}

impl LowKey {
    pub(super) fn run(self, session: &Session) -> Done {
        let path = session.key_path()?;
        let identity = session.identity()?;
        let is_locked = matches!(self, Self::Lock);
        let passphrase = is_locked.then(passphrase::new).transpose()?;
        identity.replace(&path, passphrase.as_ref())?;
        let word = if is_locked { "Locked" } else { "Unlocked" };
        session.print(
            || json!({ "key_file": path, "locked": is_locked }),
            || output::line(&format!("{word}: {}", path.display())),
        )
    }
}
