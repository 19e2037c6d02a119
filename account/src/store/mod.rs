//! The record of truth: one SQLite file of ciphertext, policy and public keys. **Blind**: nothing in it opens an item
//! (invariant 3); the only secret it owns is the key that signs heads.
//!
//! Two doors lead in: [`Account::submit`] for operators ([`crate::protocol`]), and for hosts
//! [`Account::authenticate_device`] with [`Account::changes`], [`Account::put`], [`Account::delete`],
//! [`Account::chunk`] and [`Account::report_usage`]. Neither knows HTTP. All calls block for as long as the disk does.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, MutexGuard},
};

use rusqlite::{Connection, params};
use sekisho_core::{
    CryptoRng,
    id::{AccountId, GroupId, UserId},
    key::SigningKey,
    secret::SecretBytes,
    time::Timestamp,
    vouch::{UserCard, account_of},
};

use crate::{
    AccountError, FileError, NewUser, private_file,
    protocol::{AccountInfo, Role},
};

mod audit;
mod change;
mod chunks;
mod columns;
mod cursor;
mod device;
mod environments;
mod execute;
mod feed;
mod frame;
mod grants;
mod groups;
mod items;
mod managers;
mod mirrors;
mod names;
mod permission;
mod pool;
mod rotation;
mod schema;
mod sharing;
mod submit;
mod tokens;
pub mod usage;
mod users;
mod vaults;

pub use chunks::StoredFile;
pub use items::MAX_ITEM;

use change::{Actor, Change, Row};

/// Who asks, once that is sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// Where the request came from, for the audit: an address, or `local`.
    pub from: String,
    /// When.
    pub now: Timestamp,
}

/// An open account. Clones are the same account; any number of threads and processes may have it open.
#[derive(Clone)]
pub struct Account {
    inner: Arc<Inner>,
    /// Where requests of this clone come from, for the audit.
    origin: Option<Arc<str>>,
}

struct Inner {
    id: AccountId,
    path: PathBuf,
    head_key: SigningKey,
    pool: pool::Pool,
}

impl Account {
    /// Makes an account in a new file, mode 0600. The owner is its first user: its id follows from them, so that whoever
    /// knows the id knows whom to believe ([`sekisho_core::vouch`]).
    pub fn init(
        path: &Path,
        name: &str,
        owner: &NewUser,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, AccountError> {
        drop(private_file::create(path)?);
        fill(path, name, owner, now, rng).inspect_err(|_| {
            // What is half made is of no use; the first error is the one to tell.
            let _ = fs::remove_file(path);
        })?;
        Self::open(path)
    }

    /// Opens an account, brought to the newest schema.
    pub fn open(path: &Path) -> Result<Self, AccountError> {
        fs::metadata(path).map_err(|error| FileError::io(path, &error))?;
        let none = || FileError::NoAccount(path.to_path_buf());
        let mut writer = pool::open_writer(path).map_err(|error| match error {
            AccountError::Store(error) if is_not_a_database(&error) => none().into(),
            error => error,
        })?;
        if schema::version(&writer)? == 0 {
            return Err(none().into());
        }
        schema::migrate(&mut writer)?;
        let (id, head_key) = identity(&writer)?;
        let inner = Arc::new(Inner {
            id,
            path: path.to_path_buf(),
            head_key,
            pool: pool::Pool::new(path, writer)?,
        });
        let origin = None;
        Ok(Self { inner, origin })
    }

    /// The same account; what a host does through it came from this address.
    #[must_use]
    pub fn seen_from(&self, origin: &str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            origin: Some(origin.into()),
        }
    }

    /// The account's id.
    pub fn id(&self) -> AccountId {
        self.inner.id
    }

    /// The account's public face.
    pub fn info(&self) -> Result<AccountInfo, AccountError> {
        self.read(info)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A number that differs after any commit, of this process or another: a cheap probe for changes. Numbers of two
    /// [`Account::open`]s cannot be compared.
    pub fn data_version(&self) -> Result<u64, AccountError> {
        self.inner.pool.data_version()
    }

    fn head_key(&self) -> &SigningKey {
        &self.inner.head_key
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.inner.pool.writer()
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        self.inner.pool.read(work)
    }

    fn change<T>(
        &self,
        actor: &Actor<'_>,
        what: &str,
        objects: &[&str],
        work: impl FnOnce(&Change<'_>) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let objects = objects.to_vec();
        self.change_noted(actor, &[Row { what, objects }], work)
    }

    fn change_noted<T>(
        &self,
        actor: &Actor<'_>,
        rows: &[Row<'_>],
        work: impl FnOnce(&Change<'_>) -> Result<T, AccountError>,
    ) -> Result<T, AccountError> {
        let origin = self.origin.as_deref().unwrap_or(actor.origin);
        let actor = Actor { origin, ..*actor };
        change::make(&mut self.writer(), &actor, rows, work)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Account").field(&self.inner.id).finish()
    }
}

fn fill(
    path: &Path,
    name: &str,
    owner: &NewUser,
    now: Timestamp,
    rng: &mut dyn CryptoRng,
) -> Result<(), AccountError> {
    let mut db = pool::open_writer(path)?;
    schema::migrate(&mut db)?;
    let owner = UserCard {
        id: owner.id,
        name: names::plain(&owner.name)?,
        public: owner.public.clone(),
        endorsement: None,
    };
    let id = account_of(&owner.id, &owner.public, &owner.name);
    let seed = SecretBytes::<32>::generate(rng);
    let (owners, administrators) = (GroupId::generate(rng), GroupId::generate(rng));
    db.execute(
        "INSERT INTO account (one, id, name, head_seed, created, seq) VALUES (1, ?, ?, ?, ?, 0)",
        // EXPOSE: the account's own key lives in its own file.
        params![id.as_str(), name, seed.expose(), columns::millis(now)],
    )?;
    let actor = Actor {
        who: owner.id.as_str(),
        origin: "local",
        now,
    };
    let row = Row {
        what: "account.create",
        objects: vec![id.as_str()],
    };
    change::make(&mut db, &actor, &[row], |change| {
        users::create(change, &owner)?;
        groups::create_built_in(change, &owners, Role::Owners)?;
        groups::create_built_in(change, &administrators, Role::Administrators)?;
        users::join(change, &owner.id, Role::Owners)
    })
}

fn identity(db: &Connection) -> Result<(AccountId, SigningKey), AccountError> {
    let found = db.query_row("SELECT id, head_seed FROM account", [], |row| {
        let seed = SecretBytes::new(columns::array(row, "head_seed")?);
        Ok((
            columns::id(row, "id")?,
            SigningKey::derive(&seed, b"sekisho/v1/head"),
        ))
    })?;
    Ok(found)
}

fn info(db: &Connection) -> Result<AccountInfo, AccountError> {
    let (id, head_key) = identity(db)?;
    let info = db.query_row("SELECT name, created FROM account", [], |row| {
        Ok(AccountInfo {
            id,
            name: row.get("name")?,
            head_key: head_key.public(),
            created_at: columns::time(row, "created")?,
        })
    })?;
    Ok(info)
}

fn is_not_a_database(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase)
}
