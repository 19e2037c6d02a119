//! What a bridge remembers beside the account: counters, versions, what it could not read. Ids, dates and numbers only,
//! never a title, a value or the token. One JSON file, mode 0600, replaced whole.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sekisho_core::id::{ItemId, VaultId};
use serde::{Deserialize, Serialize};

use crate::{budget::Ledger, plan::KnownVault};

/// The form of the file.
const VERSION: u32 = 1;
/// A state of a hundred thousand items is far smaller.
const MAX_STATE: u64 = 64 * 1024 * 1024;

/// Why an item or a file is not mirrored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Its vault.
    pub vault: VaultId,
    /// In fixed words.
    pub reason: String,
    /// The date it showed then, in milliseconds: another one is tried again.
    pub updated: u64,
    /// When it is tried again anyway, in milliseconds.
    pub retry: u64,
}

/// Why a vault's title or list cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClosedVault {
    /// In fixed words.
    pub reason: String,
    /// Its versions then: others are tried again.
    pub versions: (u64, u64),
    /// When it is tried again anyway, in milliseconds.
    pub retry: u64,
}

/// A write that 1Password refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its item, or the id that a new one was to have.
    pub item: ItemId,
    /// The vendor's sentence, if it holds nothing of the item.
    pub reason: String,
    /// When, in milliseconds.
    pub at: u64,
}

/// A file whose content is still to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PendingFile {
    /// Its vault.
    pub vault: VaultId,
    /// Its item.
    pub item: ItemId,
    /// Its id, as the service spells it.
    pub file: String,
    /// Bytes of its content.
    pub size: u64,
}

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    version: u32,
    /// What was sent.
    #[serde(default)]
    pub ledger: Ledger,
    /// Vaults that are mirrored.
    #[serde(default)]
    pub vaults: BTreeMap<VaultId, KnownVault>,
    /// Vaults that cannot be read.
    #[serde(default)]
    pub closed: BTreeMap<VaultId, ClosedVault>,
    /// Items that cannot be read.
    #[serde(default)]
    pub quarantine: BTreeMap<ItemId, Quarantined>,
    /// Items that are mirrored with something missing, and what.
    #[serde(default)]
    pub lossy: BTreeMap<ItemId, Vec<String>>,
    /// Files whose content is still to come.
    #[serde(default)]
    pub files: Vec<PendingFile>,
    /// Records under the ids that clients' servers thought of for new items, and until when they stay, in milliseconds.
    #[serde(default)]
    pub pointers: BTreeMap<ItemId, u64>,
    /// Writes that 1Password refused, the latest last.
    #[serde(default)]
    pub refusals: Vec<Refusal>,
    /// For `bridge status`.
    #[serde(default)]
    pub report: Report,
}

/// What `bridge status` and the metrics say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When the last poll succeeded, in milliseconds; 0 = never.
    pub last_success: u64,
    /// When the last one was tried.
    pub last_try: u64,
    /// When the next one is due.
    pub next_poll: u64,
    /// Why the last one failed, if it did.
    pub trouble: Option<String>,
    /// Requests of the day under way.
    pub used_today: u64,
    /// Requests a day that the plan has.
    pub per_day: u64,
    /// Polls since the state was begun.
    pub polls: u64,
    /// Items written to the account since then.
    pub written: u64,
}

/// Where it all lies.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// The directory, made if it is not there, for its owner alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self(path.to_path_buf()))
    }

    /// The directory, if a bridge ever ran there.
    pub fn find(path: &Path) -> Option<Self> {
        let dir = Self(path.to_path_buf());
        dir.state_file().exists().then_some(dir)
    }

    /// Where the compiled core is kept.
    pub fn cache(&self) -> PathBuf {
        self.0.join("core")
    }

    /// Where `bridge fetch-core` leaves the core.
    pub fn core_file(&self) -> PathBuf {
        self.0.join("core.wasm")
    }

    fn state_file(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn poke_file(&self) -> PathBuf {
        self.0.join("poke")
    }

    /// What was remembered; nothing, if that is damaged: everything in it but the counters can be found again.
    pub fn load(&self) -> State {
        let read = || -> Option<State> {
            let file = File::open(self.state_file()).ok()?;
            (file.metadata().ok()?.len() <= MAX_STATE).then_some(())?;
            let state: State = serde_json::from_reader(io::BufReader::new(file)).ok()?;
            (state.version == VERSION).then_some(state)
        };
        read().unwrap_or_else(|| State {
            version: VERSION,
            ..State::default()
        })
    }

    /// Keeps it: the old file or the new one, never a mixture.
    pub fn save(&self, state: &State) -> io::Result<()> {
        let json = serde_json::to_vec(state).map_err(io::Error::other)?;
        self.replace(&self.state_file(), &json)
    }

    /// Writes a private file whole.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let part = path.with_extension("part");
        // Left by a process that died.
        let _ = fs::remove_file(&part);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(bytes)?;
        fs::rename(part, path)
    }

    /// Asks the bridge that runs here for a poll now.
    pub fn poke(&self) -> io::Result<()> {
        self.replace(&self.poke_file(), b"")
    }

    /// When it was last asked.
    pub fn poked(&self) -> Option<SystemTime> {
        fs::metadata(self.poke_file()).ok()?.modified().ok()
    }

    /// Held by the bridge that runs here.
    pub fn lock(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.0.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_privately_and_found_again() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(&folder.path().join("bridge")).unwrap();
        let mut state = dir.load();
        assert!(state.vaults.is_empty());
        state.report.polls = 7;
        dir.save(&state).unwrap();
        assert_eq!(dir.load(), state);
        let mode = fs::metadata(dir.state_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.state_file(), b"{").unwrap();
        assert_eq!(dir.load().report.polls, 0);
        assert!(dir.poked().is_none());
        dir.poke().unwrap();
        assert!(dir.poked().is_some());
    }

    #[test]
    fn one_bridge_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::open(folder.path()).unwrap();
        let held = dir.lock().unwrap();
        assert!(dir.lock().is_err());
        drop(held);
        assert!(dir.lock().is_ok());
    }
}
