//! Every refusal of this crate, named by fault. Texts say the cause, then the way out; they carry ids, never contents.

use std::{borrow::Cow, io, path::PathBuf};

use sekisho_core::{
    id::{EnvironmentId, ItemId, TokenId, UserId, VaultId},
    records::{Fault, VaultType},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::protocol::Reason;

/// Why the account does not do what it was asked. In JSON it is `{"code": …, "detail": …}`; of the account's own
/// troubles only [`AccountError::Unavailable`] travels.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(
    tag = "code",
    content = "detail",
    rename_all = "SCREAMING_SNAKE_CASE",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum AccountError {
    /// The caller's: unknown user, or the signature does not fit.
    #[error(
        "the request is not signed by an active user of this account: check which operator key file is used"
    )]
    NotAuthenticated,
    /// The caller's: the request is too old or from the future.
    #[error(
        "the request was made at {issued_at} but the account's clock says {now}: set the clock, then try again"
    )]
    ClockSkew {
        /// When the caller says it was made.
        issued_at: Timestamp,
        /// The account's time.
        now: Timestamp,
    },
    /// The caller's, or an eavesdropper's.
    #[error("the request was received before: make a new one")]
    Replayed,
    /// The caller's: no such device secret.
    #[error(
        "the credentials file is not known to this account: make a new one with `sekisho connect server create`"
    )]
    DeviceUnknown,
    /// The caller's.
    #[error("user '{0}' may not manage this: ask an owner or an administrator")]
    NotManager(UserId),
    /// The caller's: only owners decide over owners.
    #[error("user '{0}' is not an owner: ask one of them")]
    NotOwner(UserId),
    /// The caller's: nobody could manage the account afterwards.
    #[error("the account would be left without an active owner: make another user one first")]
    LastOwner,
    /// The caller's.
    #[error("there is a {what} named '{name}' already: choose another name")]
    NameTaken {
        /// What kind of thing.
        what: Cow<'static, str>,
        /// The name.
        name: String,
    },
    /// The caller's: there is no such vault, or it is not wrapped to them. The wording is the vendor's.
    #[error("You do not have the requested access to vault '{0}'")]
    NoVaultAccess(VaultId),
    /// The caller's: the type forbids it.
    #[error(
        "vault '{vault}' is of type {}, which can never be granted to a Connect server: move what is needed to a vault of type USER_CREATED",
        kind.as_str()
    )]
    NotGrantable {
        /// The vault.
        vault: VaultId,
        /// Its type.
        kind: VaultType,
    },
    /// The caller's: 1Password is the vault's truth, and its bridge does not write.
    #[error(
        "vault '{0}' is mirrored from 1Password for reading only: change it there, or run the bridge with --write"
    )]
    MirrorReadOnly(VaultId),
    /// The caller's: 1Password, which is the vault's truth, does not take the write.
    #[error("1Password refuses the write{}: `sekisho bridge status` shows the last refusals", reason_text(reason.as_ref()))]
    RefusedUpstream {
        /// In its words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// The caller's: the item moved on in 1Password, and is here now as it is there.
    #[error("item '{0}' was changed in 1Password meanwhile: read it again, then decide")]
    ConflictUpstream(ItemId),
    /// The caller's: a token cannot exceed its server.
    #[error(
        "Connect server '{environment}' has no access to vault '{vault}': grant it first with `sekisho connect vault grant`"
    )]
    OutsideEnvironment {
        /// The server.
        environment: EnvironmentId,
        /// The vault.
        vault: VaultId,
    },
    /// The caller's: the token does not carry this write.
    #[error("token '{token}' is refused: {why}")]
    TokenRefused {
        /// The token.
        token: TokenId,
        /// The reason.
        why: Cow<'static, str>,
    },
    /// The caller's.
    #[error("there is no {what} '{id}': look at the list")]
    Missing {
        /// What kind of thing.
        what: Cow<'static, str>,
        /// The id asked for.
        id: String,
    },
    /// The caller's: the thing moved on since it was read, or is there already.
    #[error("{what} '{id}' is not what the request expects{}: read it again, then decide", held_text(*held))]
    Conflict {
        /// What kind of thing.
        what: Cow<'static, str>,
        /// Its id.
        id: String,
        /// The version the account holds.
        held: Option<u64>,
    },
    /// The caller's.
    #[error("the request is not valid: {0}")]
    Invalid(Cow<'static, str>),
    /// The caller's.
    #[error("the record is larger than {limit} bytes: split it")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The network's, or the account is not running.
    #[error("the account cannot be reached: {0}: check its URL, the network and the CA")]
    Unreachable(String),
    /// The account is there, but not safely.
    #[serde(skip)]
    #[error("the account cannot be reached safely: {cause}: {help}")]
    Insecure {
        /// What is wrong.
        cause: String,
        /// What to do.
        help: Cow<'static, str>,
    },
    /// The account's: it answers, but not as an account.
    #[error(
        "the account's answer makes no sense: {0}: check its URL, and update the older of the two programs"
    )]
    Garbled(String),
    /// The account's: it is in trouble itself; its log knows why.
    #[error("the account cannot do it now: look at its log, then try again")]
    Unavailable,
    /// The administrator's: a file is in the way, absent or unreadable.
    #[serde(skip)]
    #[error(transparent)]
    File(#[from] FileError),
    /// The administrator's.
    #[serde(skip)]
    #[error(
        "the database is of version {found}, this program knows versions up to {known}: update the program"
    )]
    NewerDatabase {
        /// `user_version` of the file.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// Ours, or the disk's.
    #[serde(skip)]
    #[error("the account's database failed: {0}: check disk space and permissions, then try again")]
    Store(#[from] rusqlite::Error),
}

fn reason_text(reason: Option<&Reason>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({})", reason.as_str()))
}

fn held_text(version: Option<u64>) -> String {
    version.map_or_else(String::new, |version| {
        format!(" (it is at version {version})")
    })
}

impl AccountError {
    pub(crate) const fn invalid(why: &'static str) -> Self {
        Self::Invalid(Cow::Borrowed(why))
    }

    pub(crate) fn missing(what: &'static str, id: impl ToString) -> Self {
        let (what, id) = (what.into(), id.to_string());
        Self::Missing { what, id }
    }

    pub(crate) fn conflict(what: &'static str, id: impl ToString, held: Option<u64>) -> Self {
        let (what, id) = (what.into(), id.to_string());
        Self::Conflict { what, id, held }
    }

    /// The same in the words of the records port.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Missing { .. } => Fault::Missing,
            Self::Conflict { .. } | Self::ConflictUpstream(_) => Fault::Conflict,
            Self::TooLarge { .. } => Fault::TooLarge,
            Self::MirrorReadOnly(_) => Fault::Mirrored,
            Self::RefusedUpstream { .. } => Fault::Refused,
            Self::Store(_)
            | Self::File(_)
            | Self::NewerDatabase { .. }
            | Self::Unavailable
            | Self::Insecure { .. }
            | Self::Unreachable(_)
            | Self::Garbled(_) => Fault::Unavailable,
            _ => Fault::Denied,
        }
    }
}

/// Why a file is not taken or not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It would be overwritten.
    #[error("{} exists already: move it away, or say that it may be overwritten", .0.display())]
    Exists(PathBuf),
    /// The system refuses.
    #[error("{}: {kind}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// No account in it.
    #[error("{} holds no account: make one with `sekisho account init`", .0.display())]
    NoAccount(PathBuf),
    /// Not the JSON that is wanted. Only the place is told, the content may be secret.
    #[error(
        "it is not the expected JSON (line {line}, column {column}): was it copied whole and is it decoded?"
    )]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column.
        column: usize,
    },
    /// The operator key is under a passphrase, and this is not it.
    #[error("the operator key file is locked: give the passphrase it was written with")]
    Passphrase,
    /// A format of another time.
    #[error("its version is not {0}: make a new one")]
    Version(&'static str),
    /// The vendor's own file.
    #[error(
        "it is the credentials file of a vendor's Connect server: make one with `sekisho connect server create`"
    )]
    Vendor,
    /// A member is absent or malformed.
    #[error("its member '{0}' is absent or malformed: make a new file")]
    Member(&'static str),
}

impl FileError {
    pub(crate) fn io(path: &std::path::Path, error: &io::Error) -> Self {
        let (path, kind) = (path.to_path_buf(), error.kind());
        Self::Io { path, kind }
    }

    /// A serde error's text repeats values: only its place is kept.
    pub(crate) fn not_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::NotJson { line, column }
    }
}
