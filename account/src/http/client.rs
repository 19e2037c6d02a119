//! The other end, blocking: an account over HTTP for operators ([`RemoteAccount`]) and for hosts ([`RemoteDevice`]).
//!
//! A proxy is taken from the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, also in small letters: the first one
//! that is set, for any URL, by CONNECT; and `NO_PROXY`). Redirects are not followed: the
//! account is where it was said to be.

use std::{fmt, time::Duration};

use sekisho_core::{
    id::{EnvironmentId, FileId, ItemId, VaultId},
    records::{DeleteRequest, PutChunkRequest, PutRequest},
    seal::Sealed,
    secret::SecretText,
    sync::FeedPage,
};
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent, Body,
    http::{Response as HttpResponse, StatusCode},
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider},
};

mod fault;

use super::{CBOR, MAX_WAIT, ROOT, Refused, SCHEME, Version};
use crate::{
    AccountError, Credentials, Response, SignedRequest, StoredFile, UsageReport, device::Device,
    operator::AccountApi,
};

/// Longest answer that is read: pages end at 4 MiB of ciphertext, but one item alone may have 16.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a request may take, beyond what it was told to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same for what a client of a host waits for.
const CLIENTS_PATIENCE: Duration = Duration::from_secs(15);

/// How long until an answer begins, beyond what it was told to wait.
const BEGIN: Duration = Duration::from_secs(20);

/// In which forms a page is taken: an account of an earlier version knows the second only.
const FORMS: &str = "application/cbor, application/json;q=0.5";

/// Where an account is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// `https://host[:port][/prefix]`; plain HTTP for loopback or a trusted network only.
    pub url: String,
    /// PEM of the CA to trust there; absent = the public ones.
    pub ca: Option<String>,
}

/// What a host shows to an account, or to a proxy before it, that asks for a certificate.
#[derive(Clone)]
pub struct ClientIdentity(ClientCert);

impl ClientIdentity {
    /// From PEM: the chain of certificates, its own first; and its key.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, AccountError> {
        let unfit = |why: &str| AccountError::Unreachable(why.to_owned());
        let certificates = certificates(chain);
        if certificates.is_empty() {
            return Err(unfit(
                "the client certificate is no PEM with a certificate in it",
            ));
        }
        let key = PrivateKey::from_pem(key)
            .map_err(|_| unfit("the client key is no PEM with a private key in it"))?;
        Ok(Self(ClientCert::new_with_certs(&certificates, key)))
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Http {
    base: String,
    agent: Agent,
}

impl Http {
    fn new(address: &Address, client: Option<&ClientIdentity>) -> Result<Self, AccountError> {
        let url = address.url.trim_end_matches('/');
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let why = format!("'{url}' is no URL with https:// or http://");
            return Err(AccountError::Unreachable(why));
        }
        check_proxy()?;
        let tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        let tls = match &address.ca {
            None => tls.root_certs(RootCerts::WebPki),
            Some(ca) => tls.root_certs(roots(ca)?),
        };
        let tls = tls.client_cert(client.map(|client| client.0.clone()));
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("sekisho/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            base: format!("{url}{ROOT}"),
            agent,
        })
    }

    fn get(
        &self,
        forms: &str,
        path: &str,
        authorization: &SecretText,
        wait: Duration,
    ) -> Result<HttpResponse<Body>, AccountError> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            // EXPOSE: into the header.
            .header("Authorization", authorization.expose())
            .header("Accept", forms)
            .config()
            .timeout_global(Some(PATIENCE + wait))
            .timeout_recv_response(Some(BEGIN + wait))
            .build();
        self.checked(request.call())
    }

    fn post(
        &self,
        path: &str,
        authorization: Option<&SecretText>,
        body: &(impl Serialize + ?Sized),
    ) -> Result<HttpResponse<Body>, AccountError> {
        // A host proves itself by the header, and its clients wait; an operator can wait longer.
        let patience = authorization.map_or(PATIENCE, |_| CLIENTS_PATIENCE);
        let body = serde_json::to_vec(body)
            .map_err(|_| AccountError::invalid("it cannot be written as JSON"))?;
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .content_type("application/json")
            .config()
            .timeout_global(Some(patience))
            .build();
        if let Some(authorization) = authorization {
            // EXPOSE: into the header.
            request = request.header("Authorization", authorization.expose());
        }
        self.checked(request.send(&body))
    }

    /// An answer of success, or the refusal it carries.
    fn checked(
        &self,
        answered: Result<HttpResponse<Body>, ureq::Error>,
    ) -> Result<HttpResponse<Body>, AccountError> {
        let is_https = self.base.starts_with("https://");
        let answer = answered.map_err(|error| fault::explain(&error, is_https))?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(refusal(answer))
        }
    }
}

/// Those that the agent looks at, in its order; the first one that is set counts for every URL.
const PROXIES: [&str; 6] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// The agent passes by a proxy that it cannot use, and who set it would not hear of that.
fn check_proxy() -> Result<(), AccountError> {
    let set = PROXIES.into_iter().find_map(|name| {
        let value = std::env::var(name).ok();
        Some((name, value.filter(|value| !value.is_empty())?))
    });
    match set {
        Some((name, value)) if ureq::Proxy::new(&value).is_err() => {
            // The value may hold a password.
            let why = format!("{name} is no URL of a proxy: write http://host:port");
            Err(AccountError::Unreachable(why))
        }
        _ => Ok(()),
    }
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items: Result<Vec<PemItem<'static>>, _> = ureq::tls::parse_pem(pem).collect();
    let items = items.unwrap_or_default().into_iter();
    items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect()
}

fn roots(pem: &str) -> Result<RootCerts, AccountError> {
    let certificates = certificates(pem.as_bytes());
    if certificates.is_empty() {
        let why = "the CA is no PEM with a certificate in it";
        return Err(AccountError::Unreachable(why.into()));
    }
    Ok(RootCerts::from(certificates))
}

fn refusal(mut answer: HttpResponse<Body>) -> AccountError {
    let status = answer.status();
    match json::<Refused>(&mut answer) {
        Ok(refused) => refused.error,
        // A proxy's page, or a refusal of a later version.
        Err(_) if status == StatusCode::BAD_GATEWAY || status.as_u16() >= 503 => {
            AccountError::Unavailable
        }
        Err(_) => AccountError::Garbled(format!("status {}", status.as_u16())),
    }
}

fn read(answer: &mut HttpResponse<Body>) -> Result<Vec<u8>, AccountError> {
    let body = answer.body_mut().with_config().limit(MAX_ANSWER);
    body.read_to_vec()
        .map_err(|error| AccountError::Unreachable(error.to_string()))
}

fn json<T: DeserializeOwned>(answer: &mut HttpResponse<Body>) -> Result<T, AccountError> {
    serde_json::from_slice(&read(answer)?)
        .map_err(|_| AccountError::Garbled("it is not the JSON that was asked for".into()))
}

fn cbor<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<T, AccountError> {
    let garbled = || AccountError::Garbled("it is not the CBOR that was asked for".into());
    let value = ciborium::from_reader(&mut bytes).map_err(|_| garbled())?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err(garbled())
    }
}

/// An account over HTTP, for operators.
#[derive(Clone)]
pub struct RemoteAccount(Http);

impl RemoteAccount {
    /// Nothing is sent yet.
    pub fn new(address: &Address) -> Result<Self, AccountError> {
        Http::new(address, None).map(Self)
    }
}

impl fmt::Debug for RemoteAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteAccount").field(&self.0.base).finish()
    }
}

impl AccountApi for RemoteAccount {
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        json(&mut self.0.post("submit", None, &request)?)
    }
}

/// An account over HTTP, for one of its hosts.
#[derive(Clone)]
pub struct RemoteDevice {
    http: Http,
    environment: EnvironmentId,
    authorization: SecretText,
}

impl RemoteDevice {
    /// The host of these credentials. The address is the one given (`SEKISHO_ACCOUNT_URL`), or the file's.
    pub fn new(credentials: &Credentials, url: Option<&str>) -> Result<Self, AccountError> {
        let url = url.or_else(|| credentials.url()).unwrap_or_default();
        let address = Address {
            url: url.to_owned(),
            ca: credentials.ca().map(str::to_owned),
        };
        Self::at(&address, credentials)
    }

    /// The host of these credentials, at this address.
    pub fn at(address: &Address, credentials: &Credentials) -> Result<Self, AccountError> {
        Self::showing(None, address, credentials)
    }

    /// The same, with a certificate for who asks for one.
    pub fn showing(
        client: Option<&ClientIdentity>,
        address: &Address,
        credentials: &Credentials,
    ) -> Result<Self, AccountError> {
        let environment = credentials.environment();
        // EXPOSE: kept as the header it will be.
        let device = credentials.device().to_text();
        let authorization = format!("{SCHEME}{environment}.{}", device.expose());
        Ok(Self {
            http: Http::new(address, client)?,
            environment,
            authorization: SecretText::new(authorization),
        })
    }

    fn post(&self, path: &str, body: &(impl Serialize + ?Sized)) -> Result<(), AccountError> {
        self.http.post(path, Some(&self.authorization), body)?;
        Ok(())
    }

    fn get(&self, path: &str, wait: Duration) -> Result<HttpResponse<Body>, AccountError> {
        self.get_as("*/*", path, wait)
    }

    fn get_as(
        &self,
        forms: &str,
        path: &str,
        wait: Duration,
    ) -> Result<HttpResponse<Body>, AccountError> {
        self.http.get(forms, path, &self.authorization, wait)
    }
}

impl fmt::Debug for RemoteDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteDevice")
            .field("at", &self.http.base)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

impl Device for RemoteDevice {
    fn changes(&self, cursor: &str, limit: u32) -> Result<FeedPage, AccountError> {
        let path = format!("feed?cursor={cursor}&limit={limit}");
        let mut answer = self.get_as(FORMS, &path, Duration::ZERO)?;
        if answer.body().mime_type() == Some(CBOR) {
            cbor(&read(&mut answer)?)
        } else {
            json(&mut answer)
        }
    }

    fn put(&self, request: &PutRequest) -> Result<(), AccountError> {
        self.post("put", request)
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), AccountError> {
        self.post("chunk", request)
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), AccountError> {
        self.post("delete", request)
    }

    fn files(&self, vault: &VaultId, item: &ItemId) -> Result<Vec<StoredFile>, AccountError> {
        json(&mut self.get(&format!("files/{vault}/{item}"), Duration::ZERO)?)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Sealed, AccountError> {
        let path = format!("chunk/{vault}/{item}/{file}/{index}");
        let mut answer = self.get(&path, Duration::ZERO)?;
        read(&mut answer).map(Sealed::from_bytes)
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), AccountError> {
        self.post("usage", reports)
    }

    fn wait(&self, version: u64, limit: Duration) -> Result<u64, AccountError> {
        let limit = limit.min(Duration::from_secs(MAX_WAIT));
        let seconds = limit.as_secs().max(1);
        let path = format!("wait?version={version}&seconds={seconds}");
        let at: Version = json(&mut self.get(&path, limit)?)?;
        Ok(at.version)
    }
}
