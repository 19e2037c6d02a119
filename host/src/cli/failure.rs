//! Why a command did not do what it was asked: the cause first, then what to do.

use std::process::ExitCode;

use sekisho_account::{AccountError, FileError, OperatorError};
use sekisho_host::{StartError, import::ImportError};

/// What most functions of the command line return.
pub(crate) type Done = Result<(), Failure>;

/// A cause and a way out. Holds names and ids that were typed, never a value of an item, never a token.
#[derive(Debug)]
pub(crate) struct Failure {
    cause: String,
    help: String,
    code: u8,
}

impl Failure {
    /// Refused or failed: exit code 1.
    pub(crate) fn new(cause: impl Into<String>, help: impl Into<String>) -> Self {
        let (cause, help) = (cause.into(), help.into());
        Self {
            cause,
            help,
            code: 1,
        }
    }

    /// Typed wrongly: exit code 2.
    pub(crate) fn usage(cause: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code: 2,
            ..Self::new(cause, help)
        }
    }

    /// A file that the system does not give.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(
            format!("{}: {}", path.display(), error.kind()),
            "check the path and its permissions",
        )
    }

    /// The same, with more to say about how far things went.
    pub(crate) fn with_cause(self, more: &str) -> Self {
        Self {
            cause: format!("{} ({more})", self.cause),
            ..self
        }
    }

    /// The same with another way out.
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }

    /// Exit code 1 or 2.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The errors of our crates say cause and way out in one line.
    pub(super) fn of_line(line: &str, separator: &str) -> Self {
        let (cause, help) = line
            .rsplit_once(separator)
            .unwrap_or((line, "run `sekisho --help` for what can be done"));
        Self::new(cause, help)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "error: {}\nhelp: {}", self.cause, self.help)
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Account(error) => error.into(),
            error => Self::of_line(&error.to_string(), ": "),
        }
    }
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NoVaultAccess(_) => Self::new(
                error.to_string(),
                "`sekisho vault list` shows the vaults that are wrapped to you",
            ),
            error => Self::of_line(&error.to_string(), ": "),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::of_line(&error.to_string(), ": ")
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let line = error.to_string();
        let (cause, help) = line.split_once("; ").unwrap_or((&line, "export again"));
        Self::new(cause, help)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match &error {
            StartError::Listen(address, io) if io.kind() == std::io::ErrorKind::AddrInUse => {
                let free = address.port().checked_add(1).unwrap_or(8080);
                Self::new(
                    format!("port {} is in use on {}", address.port(), address.ip()),
                    format!(
                        "stop what listens there, or take another port: --listen {}:{free}",
                        address.ip()
                    ),
                )
            }
            StartError::Listen(..) => Self::new(
                error.to_string(),
                "choose an address of this machine: --listen 127.0.0.1:8080",
            ),
            _ => Self::new(
                error.to_string(),
                "check disk space and the permissions of the data directory",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_then_way_out() {
        let failure = Failure::from(AccountError::Replayed);
        assert_eq!(
            failure.to_string(),
            "error: the request was received before\nhelp: make a new one"
        );
        let failure = Failure::from(ImportError::NotAnArchive);
        assert!(failure.to_string().contains("\nhelp: export again from"));
    }
}
