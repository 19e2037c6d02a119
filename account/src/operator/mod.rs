//! The operator's side: it makes keys, wraps them, seals and opens. It reaches the account through one call.
//!
//! Everything secret stays on this side; what is sent is sealed, wrapped, or public. An [`Operator`] may be shared by
//! threads.

use sekisho_core::{
    id::{AccountId, UserId},
    key::OperatorKey,
    records::VaultType,
};

use crate::{
    AccountError, FileError, KeyFile, Request, Response, SignedRequest, clock,
    protocol::{AccountInfo, Role, UsageInfo, UsageQuery, UsageRow, UserInfo},
    random::SystemRng,
};

mod environments;
mod files;
mod items;
pub mod keyfile;
mod parallel;
mod passphrase;
mod people;
mod rotation;
mod trust;
mod vaults;

pub use files::NewFile;
pub use items::{OpenItem, OpenOverview};
pub use people::JoinCode;
pub use vaults::OpenVault;

/// How an operator reaches the account: in this process, or over a network.
pub trait AccountApi: Send + Sync {
    /// Sends one request, waits for the answer.
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError>;
}

/// Why an operator's deed is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The account refuses.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A key or a sealed thing does not open: another key made it, or it was tampered with.
    #[error(
        "{what} '{id}' does not open with this operator's key: check which operator key file is used"
    )]
    DoesNotOpen {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// It opens, but does not hold what it should.
    #[error("the content of {what} '{id}' is damaged: write it again")]
    Damaged {
        /// What kind of thing.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The account answers something else than was asked.
    #[error(
        "the account answers in another way than this program knows: update the older of the two"
    )]
    Unexpected,
    /// Not a join code, or one that was altered, or of another account.
    #[error(
        "the join code is not whole, or is for another account: let the user print it again and copy all of it"
    )]
    JoinCode,
    /// The account offers a key to wrap to for which no holder of the vault vouches: it may be the account's own.
    #[error(
        "no holder of the vault vouches for {what} '{id}' that the account offers: nothing was wrapped to it; find out how it got there"
    )]
    Unvouched {
        /// What kind of holder.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The account names a user for whom nobody vouches, or not as far as it says.
    #[error(
        "nobody this operator trusts vouches for user '{0}' as the account shows them: nothing was wrapped to them; if they are who they say, remove them and let them join again, or add them to their group again"
    )]
    Unendorsed(UserId),
    /// A file's content could not be read or written.
    #[error("the file's content could not be read or written: {0}")]
    Content(std::io::ErrorKind),
    /// A file's content is not as long as was said.
    #[error(
        "the file's content has not the {expected} bytes that were announced: try again once it no longer changes"
    )]
    Length {
        /// Bytes announced.
        expected: u64,
    },
}

impl OperatorError {
    fn does_not_open(what: &'static str, id: impl ToString) -> Self {
        let id = id.to_string();
        Self::DoesNotOpen { what, id }
    }

    fn unvouched(what: &'static str, id: impl ToString) -> Self {
        let id = id.to_string();
        Self::Unvouched { what, id }
    }

    fn damaged(what: &'static str, id: impl ToString) -> Self {
        let id = id.to_string();
        Self::Damaged { what, id }
    }
}

/// A user with their key.
pub struct Operator {
    identity: KeyFile,
    account: Box<dyn AccountApi>,
}

impl Operator {
    /// An operator who reaches the account this way.
    pub fn new(identity: KeyFile, account: Box<dyn AccountApi>) -> Self {
        Self { identity, account }
    }

    /// An operator by their key file.
    pub fn read(path: &std::path::Path, account: Box<dyn AccountApi>) -> Result<Self, FileError> {
        KeyFile::read(path).map(|identity| Self::new(identity, account))
    }

    /// Who they are.
    pub const fn user(&self) -> UserId {
        self.identity.user
    }

    /// The account they belong to.
    pub const fn account(&self) -> AccountId {
        self.identity.account
    }

    /// Signs and sends one request.
    pub fn call(&self, request: &Request) -> Result<Response, OperatorError> {
        let KeyFile { account, user, key } = &self.identity;
        let now = clock::now();
        let signed = SignedRequest::sign(request, account, *user, key, now, &mut SystemRng)?;
        Ok(self.account.call(signed)?)
    }

    /// The account's public face.
    pub fn account_info(&self) -> Result<AccountInfo, OperatorError> {
        match self.call(&Request::Account)? {
            Response::Account(info) => Ok(info),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// What the account knows of this operator.
    pub fn whoami(&self) -> Result<UserInfo, OperatorError> {
        match self.call(&Request::WhoAmI)? {
            Response::User(info) => Ok(info),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// Every user.
    pub fn users(&self) -> Result<Vec<UserInfo>, OperatorError> {
        match self.call(&Request::Users)? {
            Response::Users(users) => Ok(users),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// What hosts reported.
    pub fn usage(
        &self,
        environment: Option<sekisho_core::id::EnvironmentId>,
        since: sekisho_core::time::Timestamp,
    ) -> Result<Vec<UsageInfo>, OperatorError> {
        match self.call(&Request::Usage { environment, since })? {
            Response::Usage(events) => Ok(events),
            _ => Err(OperatorError::Unexpected),
        }
    }

    /// The same added up, with the names of those who used it.
    pub fn usage_report(&self, query: UsageQuery) -> Result<Vec<UsageRow>, OperatorError> {
        match self.call(&Request::UsageReport(query))? {
            Response::UsageReport(rows) => Ok(rows),
            _ => Err(OperatorError::Unexpected),
        }
    }

    fn command(&self, request: &Request) -> Result<(), OperatorError> {
        match self.call(request)? {
            Response::Done => Ok(()),
            _ => Err(OperatorError::Unexpected),
        }
    }

    const fn key(&self) -> &OperatorKey {
        &self.identity.key
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("user", &self.identity.user)
            .finish_non_exhaustive()
    }
}

/// Whether a new vault of this type is wrapped to owners too: a user's own vault is theirs alone.
fn owners_hold(kind: VaultType, user: &UserInfo) -> bool {
    kind != VaultType::Personal && user.roles.contains(&Role::Owners)
}
