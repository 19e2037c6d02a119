//! The operator's key file: who they are, where, and the seed of their key. Mode 0600, never overwritten.
//!
//! ```json
//! { "version": 1, "account": "<26 upper>", "user": "<26 upper>", "seed": "<base64url, 32 bytes>" }
//! ```
//!
//! Under a passphrase there is, instead of `seed`, `"locked": {"kdf": "argon2id", "memory": <KiB>, "passes": …,
//! "lanes": …, "salt": …, "nonce": …, "sealed": …}`.

use std::path::Path;

use sekisho_core::{
    encoding,
    id::{AccountId, UserId},
    key::OperatorKey,
    secret::{SecretBytes, SecretText},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::passphrase::Locked;
use crate::{FileError, private_file, secret_json};

const VERSION: u32 = 1;

/// An operator, as their file knows them.
#[derive(Debug)]
pub struct KeyFile {
    /// The account.
    pub account: AccountId,
    /// Who they are there.
    pub user: UserId,
    /// Their key.
    pub key: OperatorKey,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    account: AccountId,
    user: UserId,
    #[serde(
        default,
        with = "secret_json",
        skip_serializing_if = "SecretText::is_empty"
    )]
    seed: SecretText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked: Option<Locked>,
}

impl KeyFile {
    /// Writes a new file; one that exists is refused.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        private_file::write_new(path, &self.to_json(None)?)
    }

    /// Writes a new file that opens with a passphrase only.
    pub fn write_locked(&self, path: &Path, passphrase: &SecretText) -> Result<(), FileError> {
        private_file::write_new(path, &self.to_json(Some(passphrase))?)
    }

    /// Writes it over what is there, under a passphrase or under none: the old file or the new one, never a mixture.
    pub fn replace(&self, path: &Path, passphrase: Option<&SecretText>) -> Result<(), FileError> {
        private_file::replace(path, &self.to_json(passphrase)?)
    }

    /// Reads a file. [`FileError::Passphrase`] says that it is locked: ask, then [`KeyFile::read_locked`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(&private_file::read(path)?)
    }

    /// Reads a file that is under a passphrase, or is not.
    pub fn read_locked(path: &Path, passphrase: &SecretText) -> Result<Self, FileError> {
        Self::take(&private_file::read(path)?, Some(passphrase))
    }

    /// From the file's content.
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        Self::take(json, None)
    }

    fn take(json: &[u8], passphrase: Option<&SecretText>) -> Result<Self, FileError> {
        let written: Written =
            serde_json::from_slice(json).map_err(|error| FileError::not_json(&error))?;
        if written.version != VERSION {
            return Err(FileError::Version("1"));
        }
        let Written { account, user, .. } = written;
        let seed = match &written.locked {
            Some(locked) => {
                let passphrase = passphrase.ok_or(FileError::Passphrase)?;
                locked.open(passphrase, &account, &user)?
            }
            // EXPOSE: decoded.
            None => encoding::array_from_base64url(written.seed.expose())
                .map(SecretBytes::new)
                .map_err(|_| FileError::Member("seed"))?,
        };
        Ok(Self {
            account,
            user,
            key: OperatorKey::from_seed(seed),
        })
    }

    fn to_json(&self, passphrase: Option<&SecretText>) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let seed = self.key.seed();
        let locked = passphrase.map(|text| Locked::seal(seed, text, &self.account, &self.user));
        let locked = locked.transpose()?;
        let seed = match &locked {
            Some(_) => SecretText::default(),
            // EXPOSE: this file is where the seed lives.
            None => SecretText::new(encoding::base64url(seed.expose())),
        };
        let written = Written {
            version: VERSION,
            account: self.account,
            user: self.user,
            seed,
            locked,
        };
        serde_json::to_vec_pretty(&written)
            .map(Zeroizing::new)
            .map_err(|error| FileError::not_json(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn comes_back_and_tells_nothing() {
        let rng = &mut SystemRng;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let file = KeyFile {
            account: AccountId::generate(rng),
            user: UserId::generate(rng),
            key: OperatorKey::generate(rng),
        };
        file.write(&path).unwrap();
        assert!(matches!(file.write(&path), Err(FileError::Exists(_))));
        let back = KeyFile::read(&path).unwrap();
        assert_eq!((back.account, back.user), (file.account, file.user));
        assert_eq!(back.key.public(), file.key.public());
        let seed = encoding::base64url(file.key.seed().expose());
        assert!(!format!("{file:?}").contains(&seed));
        let broken = format!(r#"{{"version":1,"account":"{seed}"}}"#);
        let error = KeyFile::parse(broken.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&seed));
        assert!(matches!(error, FileError::NotJson { line: 1, .. }));
    }

    #[test]
    fn a_locked_file_opens_with_its_passphrase_only() {
        let rng = &mut SystemRng;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let file = KeyFile {
            account: AccountId::generate(rng),
            user: UserId::generate(rng),
            key: OperatorKey::generate(rng),
        };
        let (right, wrong) = (SecretText::new("correct horse"), SecretText::new("battery"));
        file.write_locked(&path, &right).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&encoding::base64url(file.key.seed().expose())));
        assert_eq!(KeyFile::read(&path).unwrap_err(), FileError::Passphrase);
        let error = KeyFile::read_locked(&path, &wrong).unwrap_err();
        assert_eq!(error, FileError::Passphrase);
        let back = KeyFile::read_locked(&path, &right).unwrap();
        assert_eq!(back.key.public(), file.key.public());
        let other = AccountId::generate(rng);
        std::fs::write(&path, text.replace(file.account.as_str(), other.as_str())).unwrap();
        assert!(KeyFile::read_locked(&path, &right).is_err(), "moved");
    }
}
