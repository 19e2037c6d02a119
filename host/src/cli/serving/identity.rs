//! Who a host is to the account: the credentials, where they came from, and where the account is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sekisho_account::{
    Credentials, Device,
    http::client::{Address, ClientIdentity, RemoteDevice},
};
use sekisho_host::credentials::{SessionError, SessionForm, read_session, read_session_file};

use zeroize::Zeroizing;

use super::variables::Variables;
use crate::cli::{failure::Failure, session::Session};

/// Credentials that were found.
pub(in crate::cli) struct Identity {
    pub(in crate::cli) credentials: Credentials,
    /// Their form; its path is looked at again.
    form: SessionForm,
    /// Said by flag or variable; wins over what the file says.
    address: Option<Address>,
    /// Certificate and key, for an account that asks for them.
    shown: Option<[PathBuf; 2]>,
}

impl Identity {
    /// By flag, by variable, or where the vendor's containers have it.
    pub(in crate::cli) fn find(
        flag: Option<&str>,
        shown: Option<[PathBuf; 2]>,
        variables: &Variables,
        session: &Session,
    ) -> Result<Self, Failure> {
        // EXPOSE: parsed.
        let variable = variables.session.as_ref().map(|text| text.expose());
        let (form, credentials) = match flag.or(variable) {
            Some(text) => read_session(text).map_err(|error| refused(&error))?,
            None => in_its_place(&variables.credentials_files())?,
        };
        tracing::info!(
            %form,
            server = %credentials.name(),
            id = %credentials.environment(),
            "credentials read"
        );
        let identity = Self {
            credentials,
            form,
            address: session.remote.clone(),
            shown,
        };
        // Found out now and not when somebody asks.
        identity.address()?;
        Ok(identity)
    }

    /// The file that it was read from.
    pub(in crate::cli) fn path(&self) -> Option<&Path> {
        self.form.path.as_deref()
    }

    /// All files that say who this host is.
    pub(in crate::cli) fn files(&self) -> impl Iterator<Item = &Path> {
        let shown = self.shown.iter().flatten().map(AsRef::as_ref);
        self.path().into_iter().chain(shown)
    }

    /// The same Connect server, by files that were changed; why not, otherwise.
    pub(in crate::cli) fn read_again(&self) -> Result<(Self, Arc<dyn Device>), String> {
        let (form, credentials) = match self.path() {
            Some(path) => read_session_file(path).map_err(|error| error.to_string())?,
            None => (self.form.clone(), self.credentials.clone()),
        };
        let (ours, theirs) = (self.credentials.trust(), credentials.trust());
        let is_ours = ours.account == theirs.account
            && ours.environment == theirs.environment
            && ours.head_key == theirs.head_key;
        if !is_ours {
            return Err("it is another Connect server's: restart this one to serve it".to_owned());
        }
        let identity = Self {
            credentials,
            form,
            address: self.address.clone(),
            shown: self.shown.clone(),
        };
        let device = identity.device().map_err(|failure| failure.to_string())?;
        Ok((identity, device))
    }

    /// The account's door for this host.
    pub(in crate::cli) fn device(&self) -> Result<Arc<dyn Device>, Failure> {
        let client = self.client()?;
        let device = RemoteDevice::showing(client.as_ref(), &self.address()?, &self.credentials)?;
        Ok(Arc::new(device))
    }

    fn client(&self) -> Result<Option<ClientIdentity>, Failure> {
        let Some([cert, key]) = &self.shown else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            let bytes = std::fs::read(path).map(Zeroizing::new);
            bytes.map_err(|error| Failure::io(path, &error))
        };
        Ok(Some(ClientIdentity::parse(&read(cert)?, &read(key)?)?))
    }

    fn address(&self) -> Result<Address, Failure> {
        let said = self.address.as_ref();
        let url = said.map_or_else(|| self.credentials.url(), |said| Some(said.url.as_str()));
        let url = url.ok_or_else(|| {
            Failure::new(
                "the credentials file does not say where the account is",
                "set SEKISHO_ACCOUNT_URL=https://…, or make a file that says it: `sekisho connect server create --account https://…`",
            )
        })?;
        let ca = said
            .and_then(|said| said.ca.as_deref())
            .or_else(|| self.credentials.ca());
        Ok(Address {
            url: url.to_owned(),
            ca: ca.map(str::to_owned),
        })
    }
}

fn in_its_place(places: &[PathBuf]) -> Result<(SessionForm, Credentials), Failure> {
    let found = places.iter().find(|path| path.exists());
    let found: Option<&Path> = found.map(AsRef::as_ref);
    match found {
        Some(path) => read_session_file(path).map_err(|error| refused(&error)),
        None => Err(Failure::new(
            "there are no credentials: OP_SESSION is not set and ~/.op/1password-credentials.json is not there",
            "make them with `sekisho connect server create NAME`, then set OP_SESSION to the file's path or content",
        )),
    }
}

pub(in crate::cli) fn refused(error: &SessionError) -> Failure {
    let line = error.to_string();
    let (cause, help) = line.rsplit_once(": ").unwrap_or((&line, "make a new file"));
    Failure::new(cause, help)
}
