//! What a first run makes: account, Connect server "default", vault "Demo", token. Killed anywhere, the next run ends it.
//!
//! The directory `first-run` is there from the first step to the last. In it the account is made, for what is half made
//! must not be taken for an account. Key file before database: with the database in its place the account is there.
//! Every later step looks first whether it is done.

use std::{fs, path::Path};

use sekisho_account::{
    Account, Credentials, KeyFile, NewUser, Operator, clock,
    protocol::{EnvironmentInfo, TokenInfo, TokenStanding},
    random::SystemRng,
};
use sekisho_core::{
    id::{UserId, VaultId},
    key::OperatorKey,
    records::VaultType,
    secret::SecretText,
    token::Rights,
};
use zeroize::Zeroizing;

use super::{Lock, Place, private, samples};
use crate::cli::Failure;

/// The environment that `up` serves.
const SERVER: &str = "default";
const VAULT: &str = "Demo";
const TOKEN: &str = "demo";

/// What a first run shall make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstRun {
    /// Vault, items and token too.
    pub(crate) demo: bool,
}

/// All that is needed to serve.
pub(crate) struct Prepared {
    pub(crate) account: Account,
    pub(crate) credentials: Credentials,
    /// The token of `demo.token`, if there is one.
    pub(crate) token: Option<SecretText>,
    pub(crate) is_first: bool,
}

/// Makes what is missing of a first run, or opens what is there.
pub(crate) fn prepare(place: &Place, wanted: FirstRun, _lock: &Lock) -> Result<Prepared, Failure> {
    let staging = place.first_run();
    let is_first = staging.exists() || !place.account().exists();
    if is_first {
        private::make_dir(&staging)?;
        make_account(place)?;
        make_rest(place, wanted)?;
        fs::remove_dir_all(&staging).map_err(|error| Failure::io(&staging, &error))?;
    }
    Ok(Prepared {
        account: Account::open(&place.account())?,
        credentials: read_credentials(place)?,
        token: read_token(&place.token())?,
        is_first,
    })
}

fn read_credentials(place: &Place) -> Result<Credentials, Failure> {
    let path = place.credentials();
    if !path.exists() {
        return Err(Failure::new(
            format!("{} is gone", path.display()),
            "put it back, or make another in that directory: sekisho connect server create NAME",
        ));
    }
    Credentials::read(&path)
        .map_err(|error| Failure::from(error).with_cause(&path.display().to_string()))
}

fn read_token(path: &Path) -> Result<Option<SecretText>, Failure> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(SecretText::new(text.trim()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(path, &error)),
    }
}

/// Account and owner: made aside, then moved to their places.
fn make_account(place: &Place) -> Result<(), Failure> {
    if place.account().exists() {
        return Ok(());
    }
    let (database, key) = (
        place.first_run().join("account.sqlite"),
        place.first_run().join("operator.key"),
    );
    if !is_waiting(&database, &place.operator_key())? {
        make_aside(place, &database, &key)?;
        rename(&key, &place.operator_key())?;
    }
    rename(&database, &place.account())
}

/// Whether only the database is left to be moved.
fn is_waiting(database: &Path, key: &Path) -> Result<bool, Failure> {
    if !key.exists() {
        return Ok(false);
    }
    let owner = KeyFile::read(key)?.account;
    if Account::open(database).is_ok_and(|account| account.id() == owner) {
        return Ok(true);
    }
    // It may be all that is left of an account: nothing may take its place.
    Err(Failure::new(
        format!(
            "{} is there, but the account it belongs to is not",
            key.display()
        ),
        "put account.sqlite back beside it, or move the key file away to begin anew",
    ))
}

fn make_aside(place: &Place, database: &Path, key: &Path) -> Result<(), Failure> {
    let staging = place.first_run();
    fs::remove_dir_all(&staging).map_err(|error| Failure::io(&staging, &error))?;
    private::make_dir(&staging)?;
    let rng = &mut SystemRng;
    let operator_key = OperatorKey::generate(rng);
    let owner = NewUser {
        id: UserId::generate(rng),
        name: owner_name(),
        public: operator_key.public(),
    };
    // Dropped, so that all of it is in the one file that is moved.
    let account = Account::init(database, "Sekisho", &owner, clock::now(), rng)?.id();
    let file = KeyFile {
        account,
        user: owner.id,
        key: operator_key,
    };
    Ok(file.write(key)?)
}

fn owner_name() -> String {
    let name = std::env::var("USER").ok().filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "owner".to_owned())
}

fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::rename(from, to).map_err(|error| Failure::io(to, &error))
}

fn make_rest(place: &Place, wanted: FirstRun) -> Result<(), Failure> {
    let account = Account::open(&place.account())?;
    let operator = Operator::read(&place.operator_key(), Box::new(account))?;
    make_server(place, &operator)?;
    if wanted.demo {
        let vault = make_vault(&operator)?;
        samples::make(&operator, vault)?;
        make_token(place, &operator, vault)?;
    }
    Ok(())
}

/// A Connect server whose credentials were never written is of no use: it goes, and another comes.
fn make_server(place: &Place, operator: &Operator) -> Result<(), Failure> {
    let path = place.credentials();
    if path.exists() {
        return Ok(());
    }
    for lost in operator
        .environments()?
        .iter()
        .filter(|server| server.name == SERVER)
    {
        operator.delete_environment(lost.id)?;
    }
    let (_, credentials) = operator.create_environment(SERVER, &[])?;
    // Nothing is there to be overwritten; but this way the file is whole or not at all.
    Ok(credentials.write(&path, true)?)
}

fn make_vault(operator: &Operator) -> Result<VaultId, Failure> {
    let vaults = operator.vaults()?;
    if let Some(vault) = vaults.iter().find(|vault| vault.attributes.name == VAULT) {
        return Ok(vault.id);
    }
    Ok(operator.create_vault(
        VAULT,
        "Samples to try things with; nothing in it is secret",
        VaultType::UserCreated,
        None,
    )?)
}

fn make_token(place: &Place, operator: &Operator, vault: VaultId) -> Result<(), Failure> {
    let server = Credentials::read(&place.credentials())?.environment();
    let server: EnvironmentInfo = operator.environment(server)?;
    if !server.vaults.contains(&vault) {
        operator.grant_vault(server.id, vault)?;
    }
    if place.token().exists() {
        return Ok(());
    }
    // One that was issued but never written is in nobody's hands.
    let is_lost = |token: &&TokenInfo| token.name == TOKEN && token.state != TokenStanding::Revoked;
    for lost in operator.tokens(Some(server.id))?.iter().filter(is_lost) {
        operator.revoke_token(lost.id)?;
    }
    let issued = operator.create_token(server.id, TOKEN, &[(vault, Rights::READ_WRITE)], None)?;
    // EXPOSE: this file is where the token lives.
    let text = Zeroizing::new(format!("{}\n", issued.text.expose()));
    private::write(&place.token(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn run(place: &Place) -> Result<Prepared, Failure> {
        let lock = Lock::take(place)?;
        prepare(place, FirstRun { demo: true }, &lock)
    }

    fn titles(place: &Place) -> Vec<String> {
        let account = Account::open(&place.account()).unwrap();
        let operator = Operator::read(&place.operator_key(), Box::new(account)).unwrap();
        let vault = make_vault(&operator).unwrap();
        let items = operator.items(vault).unwrap();
        let title = |json: &[u8]| {
            serde_json::from_slice::<serde_json::Value>(json).unwrap()["title"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        items.iter().map(|item| title(&item.overview)).collect()
    }

    #[test]
    fn a_first_run_makes_all_and_a_second_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path().to_path_buf());
        let first = run(&place).unwrap();
        assert!(first.is_first && first.token.is_some());
        for path in [
            place.account(),
            place.operator_key(),
            place.credentials(),
            place.token(),
        ] {
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                path.display()
            );
        }
        let second = run(&place).unwrap();
        assert!(!second.is_first && second.token == first.token);
        assert_eq!(
            second.credentials.environment(),
            first.credentials.environment()
        );
        assert_eq!(titles(&place).len(), samples::COUNT);
    }

    /// Every state that a kill between two steps can leave.
    #[test]
    fn a_first_run_that_was_killed_is_ended() {
        type Kill = fn(&Place);
        let staging = |place: &Place| private::make_dir(&place.first_run()).unwrap();
        let kills: [(&str, Kill); 7] = [
            ("before anything", |place| {
                private::make_dir(&place.first_run()).unwrap()
            }),
            ("in the account", |place| {
                private::make_dir(&place.first_run()).unwrap();
                fs::write(place.first_run().join("account.sqlite"), b"half").unwrap();
            }),
            ("after the account", |place| {
                private::make_dir(&place.first_run()).unwrap();
                let (database, key) = (
                    place.first_run().join("account.sqlite"),
                    place.first_run().join("operator.key"),
                );
                make_aside(place, &database, &key).unwrap();
            }),
            ("between key and account", |place| {
                private::make_dir(&place.first_run()).unwrap();
                let (database, key) = (
                    place.first_run().join("account.sqlite"),
                    place.first_run().join("operator.key"),
                );
                make_aside(place, &database, &key).unwrap();
                rename(&key, &place.operator_key()).unwrap();
            }),
            ("after the credentials", |place| {
                run(place).unwrap();
                fs::remove_file(place.token()).unwrap();
            }),
            ("before the credentials", |place| {
                run(place).unwrap();
                fs::remove_file(place.token()).unwrap();
                fs::remove_file(place.credentials()).unwrap();
            }),
            ("before the last step", |place| drop(run(place).unwrap())),
        ];
        for (name, kill) in kills {
            let dir = tempfile::tempdir().unwrap();
            let place = Place::new(dir.path().to_path_buf());
            private::make_dir(place.dir()).unwrap();
            kill(&place);
            staging(&place);
            let prepared = run(&place).unwrap();
            assert!(prepared.is_first && prepared.token.is_some(), "{name}");
            assert_eq!(titles(&place).len(), samples::COUNT, "{name}: samples once");
            let operator =
                Operator::read(&place.operator_key(), Box::new(prepared.account.clone())).unwrap();
            let active = |tokens: Vec<TokenInfo>| {
                tokens
                    .iter()
                    .filter(|token| token.state != TokenStanding::Revoked)
                    .count()
            };
            assert_eq!(
                active(operator.tokens(None).unwrap()),
                1,
                "{name}: one token"
            );
            assert_eq!(
                operator.environments().unwrap().len(),
                1,
                "{name}: one server"
            );
            assert!(!place.first_run().exists(), "{name}");
        }
    }

    #[test]
    fn a_key_without_its_account_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path().to_path_buf());
        run(&place).unwrap();
        let key = fs::read(place.operator_key()).unwrap();
        fs::remove_file(place.account()).unwrap();
        let Err(failure) = run(&place) else {
            panic!("the key would be lost");
        };
        assert!(
            failure.to_string().contains("put account.sqlite back"),
            "{failure}"
        );
        assert_eq!(fs::read(place.operator_key()).unwrap(), key);
    }
}
