//! What every command shares, decided: where the data is, how results are printed.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;
use sekisho_account::{
    Account, Credentials, FileError, KeyFile, Operator,
    http::client::{Address, RemoteAccount},
    operator::AccountApi,
};
use serde_json::Value;

use super::{
    failure::{Done, Failure},
    output::{self, Format},
    passphrase,
};
use crate::up::Place;

#[derive(Args)]
pub(super) struct LowSession {
    /// How results are printed [env: SEKISHO_FORMAT, OP_FORMAT] [default: table]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where the account is [env: SEKISHO_DATA_DIR] [default: $XDG_DATA_HOME/sekisho or ~/.local/share/sekisho]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Reach the account at this URL instead [env: SEKISHO_ACCOUNT_URL]
    #[arg(long, global = true, value_name = "URL")]
    account: Option<String>,
    /// PEM of the CA to trust there [env: SEKISHO_ACCOUNT_CA]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The operator's key file [default: operator.key beside the account]
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Whether a new key is under a passphrase from the start.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Lock {
    /// Put the new key under a passphrase: SEKISHO_NEW_PASSPHRASE, SEKISHO_NEW_PASSPHRASE_FILE, or typed
    #[arg(long)]
    lock: bool,
}

/// Decided.
pub(super) struct Session {
    pub(super) format: Format,
    place: Option<Place>,
    /// The data directory, if it was said and is not the default one.
    pub(super) given_dir: Option<PathBuf>,
    /// Absent = the account is in `place`.
    pub(super) remote: Option<Address>,
    key: Option<PathBuf>,
}

impl LowSession {
    pub(super) fn decide(self) -> Result<Session, Failure> {
        let format = match self.format {
            Some(format) => format,
            None => format_of(&|name| env::var(name).ok())?,
        };
        let given_dir = self.data_dir.or_else(|| {
            let set = env::var_os("SEKISHO_DATA_DIR").filter(|dir| !dir.is_empty());
            set.map(PathBuf::from)
        });
        let place = given_dir
            .clone()
            .or_else(|| data_dir_of(&|name| env::var_os(name)));
        let set = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
        let ca = self
            .ca
            .or_else(|| set("SEKISHO_ACCOUNT_CA").map(PathBuf::from));
        let remote = match self.account.or_else(|| set("SEKISHO_ACCOUNT_URL")) {
            None => None,
            Some(url) => {
                let read = |path: PathBuf| {
                    let text = std::fs::read_to_string(&path);
                    text.map_err(|error| Failure::io(&path, &error))
                };
                let ca = ca.map(read).transpose()?;
                Some(Address { url, ca })
            }
        };
        Ok(Session {
            format,
            place: place.map(Place::new),
            given_dir,
            remote,
            key: self.key,
        })
    }
}

/// An empty variable counts as absent, as containers set them so.
fn format_of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Format, Failure> {
    for name in ["SEKISHO_FORMAT", "OP_FORMAT"] {
        if let Some(word) = variable(name).filter(|word| !word.is_empty()) {
            return Format::parse(&word).ok_or_else(|| {
                Failure::usage(
                    format!("the variable {name} names no format"),
                    "set it to `json` or `table`",
                )
            });
        }
    }
    Ok(Format::Table)
}

fn data_dir_of(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("SEKISHO_DATA_DIR")
        .or_else(|| Some(variable("XDG_DATA_HOME")?.join("sekisho")))
        .or_else(|| Some(variable("HOME")?.join(".local/share/sekisho")))
}

impl Session {
    /// Where the account is.
    pub(super) fn place(&self) -> Result<&Place, Failure> {
        self.place.as_ref().ok_or_else(|| {
            Failure::usage(
                "there is no home directory to keep data in",
                "say where: --data-dir DIR, or SEKISHO_DATA_DIR",
            )
        })
    }

    /// Credentials that say where the account is, if the operator reached it by a URL: a host has nothing else to go by.
    pub(super) fn addressed(&self, credentials: Credentials) -> Credentials {
        match &self.remote {
            Some(address) => credentials.with_account(&address.url, address.ca.as_deref()),
            None => credentials,
        }
    }

    /// Whether there is an account whose operator could be asked.
    pub(super) fn has_account(&self) -> bool {
        let place = self.place.as_ref();
        self.remote.is_some() || place.is_some_and(|place| place.account().exists())
    }

    /// The operator whose key file lies with the account.
    pub(super) fn operator(&self) -> Result<Operator, Failure> {
        let account: Box<dyn AccountApi> = match &self.remote {
            Some(address) => Box::new(RemoteAccount::new(address)?),
            None => Box::new(self.open_account()?),
        };
        Ok(Operator::new(self.identity()?, account))
    }

    /// The account in the data directory.
    pub(super) fn open_account(&self) -> Result<Account, Failure> {
        open_account(self.place()?)
    }

    /// Where the operator's key is.
    pub(super) fn key_path(&self) -> Result<PathBuf, Failure> {
        match &self.key {
            Some(path) => Ok(path.clone()),
            None => Ok(self.place()?.operator_key()),
        }
    }

    /// The operator's key, with the passphrase if it needs one.
    pub(super) fn identity(&self) -> Result<KeyFile, Failure> {
        let path = self.key_path()?;
        let failed = |error: FileError| match error {
            FileError::Passphrase => Failure::new(
                format!(
                    "{} is locked and this is not its passphrase",
                    path.display()
                ),
                "give the passphrase it was locked with: in a terminal, or by SEKISHO_PASSPHRASE_FILE",
            ),
            error => error.into(),
        };
        match KeyFile::read(&path) {
            Err(FileError::Passphrase) => {
                let what = path.display().to_string();
                match passphrase::current(&what)? {
                    Some(text) => KeyFile::read_locked(&path, &text).map_err(failed),
                    None => Err(failed(FileError::Passphrase)),
                }
            }
            read => read.map_err(failed),
        }
    }

    /// Writes the key of a new user, under a passphrase if that is wanted.
    pub(super) fn write_key(&self, identity: &KeyFile, path: &Path, lock: Lock) -> Done {
        match lock.lock {
            true => identity.write_locked(path, &passphrase::new()?)?,
            false => identity.write(path)?,
        }
        Ok(())
    }

    /// Prints a result: JSON, or what `table` prints.
    pub(super) fn print(
        &self,
        value: impl FnOnce() -> Value,
        table: impl FnOnce() -> Done,
    ) -> Done {
        match self.format {
            Format::Json => output::json(&value()),
            Format::Table | Format::Csv => table(),
        }
    }

    /// Prints a report: JSON, CSV or a table.
    pub(super) fn print_rows<const N: usize>(
        &self,
        value: impl FnOnce() -> Value,
        head: [&str; N],
        rows: impl FnOnce() -> Vec<[String; N]>,
    ) -> Done {
        match self.format {
            Format::Json => output::json(&value()),
            Format::Csv => output::csv(head, rows()),
            Format::Table => output::table(head, rows()),
        }
    }

    /// Where the key of a new user goes.
    pub(super) fn new_key_path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.key {
            return Ok(path.clone());
        }
        let place = self.place()?;
        crate::up::make_private_dir(place.dir())?;
        Ok(place.operator_key())
    }
}

fn open_account(place: &Place) -> Result<Account, Failure> {
    let path = place.account();
    if !path.exists() {
        return Err(no_account(place.dir()));
    }
    Ok(Account::open(&path)?)
}

fn no_account(dir: &Path) -> Failure {
    Failure::new(
        format!("there is no account in {}", dir.display()),
        "make one with `sekisho up`, or say where it is: --data-dir DIR",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_from_the_environment() {
        let of = |pairs: &'static [(&str, &str)]| {
            format_of(&|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]).ok(), Some(Format::Table));
        assert_eq!(
            of(&[("OP_FORMAT", "human-readable")]).ok(),
            Some(Format::Table)
        );
        assert_eq!(
            of(&[("SEKISHO_FORMAT", "table"), ("OP_FORMAT", "json")]).ok(),
            Some(Format::Table)
        );
        assert_eq!(
            of(&[("SEKISHO_FORMAT", ""), ("OP_FORMAT", "json")]).ok(),
            Some(Format::Json)
        );
        assert!(of(&[("SEKISHO_FORMAT", "xml")]).is_err());
    }

    #[test]
    fn data_directories_from_the_environment() {
        let of = |pairs: &'static [(&str, &str)]| {
            data_dir_of(&|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        assert_eq!(
            of(&[("HOME", "/h")]),
            Some("/h/.local/share/sekisho".into())
        );
        assert_eq!(
            of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]),
            Some("/x/sekisho".into())
        );
        assert_eq!(
            of(&[("HOME", "/h"), ("SEKISHO_DATA_DIR", "/d")]),
            Some("/d".into())
        );
        assert_eq!(of(&[]), None);
    }
}
