//! `sekisho key`: the operator's key file, under a passphrase or not.

use clap::Subcommand;
use serde_json::json;

use super::{
    Session,
    failure::{Done, Failure},
    output, passphrase,
};

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
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = std::path::PathBuf::from(beside);
        if is_locked {
            identity.write_locked(&beside, &passphrase::new()?)?;
        } else {
            identity.write(&beside)?;
        }
        std::fs::rename(&beside, &path).map_err(|error| {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(&beside);
            Failure::io(&path, &error)
        })?;
        let word = if is_locked { "Locked" } else { "Unlocked" };
        session.print(
            || json!({ "key_file": path, "locked": is_locked }),
            || output::line(&format!("{word}: {}", path.display())),
        )
    }
}
