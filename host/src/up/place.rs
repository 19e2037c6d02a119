//! What lies where in the data directory.

use std::path::{Path, PathBuf};

/// The data directory.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) const fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The record of truth.
    pub(crate) fn account(&self) -> PathBuf {
        self.0.join("account.sqlite")
    }

    /// Who we are to it.
    pub(crate) fn operator_key(&self) -> PathBuf {
        self.0.join("operator.key")
    }

    /// The Connect server that `up` runs.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.0.join("1password-credentials.json")
    }

    /// The token that `up` prints.
    pub(crate) fn token(&self) -> PathBuf {
        self.0.join("demo.token")
    }

    /// What a bridge to 1Password remembers.
    pub(crate) fn bridge(&self) -> PathBuf {
        self.0.join("bridge")
    }

    /// The token that `up --bridge` prints.
    pub(crate) fn bridge_token(&self) -> PathBuf {
        self.0.join("bridge.token")
    }

    /// There as long as a first run is not finished; an account in the making lies in it.
    pub(super) fn first_run(&self) -> PathBuf {
        self.0.join("first-run")
    }

    /// Held by the process that serves.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("up.lock")
    }

    /// What may be lost: sealed copies, compiled components.
    pub(crate) fn replica(&self) -> PathBuf {
        self.0.join("replica")
    }
}
