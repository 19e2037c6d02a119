//! The operator's key file: who they are, where, and the seed of their key. Mode 0600, never overwritten.
//!
//! ```json
//! { "version": 1, "account": "<26 upper>", "user": "<26 upper>", "seed": "<base64url, 32 bytes>" }
//! ```

use std::path::Path;

use sekisho_core::{
    encoding,
    id::{AccountId, UserId},
    key::OperatorKey,
    secret::{SecretBytes, SecretText},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

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
    #[serde(with = "secret_json")]
    seed: SecretText,
}

impl KeyFile {
    /// Writes a new file; one that exists is refused.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        private_file::write_new(path, &self.to_json()?)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(&private_file::read(path)?)
    }

    /// From the file's content.
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        let written: Written =
            serde_json::from_slice(json).map_err(|error| FileError::not_json(&error))?;
        if written.version != VERSION {
            return Err(FileError::Version("1"));
        }
        // EXPOSE: decoded.
        let seed = encoding::array_from_base64url(written.seed.expose())
            .map_err(|_| FileError::Member("seed"))?;
        Ok(Self {
            account: written.account,
            user: written.user,
            key: OperatorKey::from_seed(SecretBytes::new(seed)),
        })
    }

    fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let written = Written {
            version: VERSION,
            account: self.account,
            user: self.user,
            // EXPOSE: this file is where the seed lives.
            seed: SecretText::new(encoding::base64url(self.key.seed().expose())),
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
}
