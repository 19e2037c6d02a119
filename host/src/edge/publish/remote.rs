//! A store behind HTTP: the publish endpoint of an edge that keeps the set itself (docs/protocol.md).

use std::{collections::BTreeSet, fmt, time::Duration};

use sekisho_account::UsageReport;
use sekisho_core::{
    published::{Digest, EdgeKeys, MAX_OBJECT},
    secret::SecretText,
};
use serde::Deserialize;
use ureq::{
    Agent, Body,
    http::{Response, StatusCode},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider},
};

use super::{PublishError, Store};

/// Where the endpoint is, below the URL that was given.
const ROOT: &str = "/edge/v1/";
const CONNECT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest list of names: two million.
const MOST_NAMES: u64 = 64 * 1024 * 1024;
/// Longest list of accesses.
const MOST_ACCESSES: u64 = 16 * 1024 * 1024;

/// A publish endpoint. It is proved to with a bearer that follows from the device secret.
pub struct RemoteStore {
    agent: Agent,
    base: String,
    authorization: SecretText,
}

impl RemoteStore {
    /// At this URL, believing public CAs, or this one in PEM.
    pub fn new(url: &str, ca: Option<&str>, keys: &EdgeKeys) -> Result<Self, PublishError> {
        let url = url.trim_end_matches('/');
        if !url.starts_with("https://") && !url.starts_with("http://") {
            let why = "the publish endpoint is no URL: give https://…";
            return Err(PublishError::Store(why.to_owned()));
        }
        let roots = match ca {
            None => RootCerts::WebPki,
            Some(pem) => roots(pem)?,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(PATIENCE))
            .user_agent(concat!("sekisho/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        // EXPOSE: kept as the header it will be.
        let bearer = keys.publish_bearer();
        Ok(Self {
            agent,
            base: format!("{url}{ROOT}"),
            authorization: SecretText::new(format!("Bearer {}", bearer.expose())),
        })
    }

    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, PublishError> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            // EXPOSE: into the header.
            .header("Authorization", self.authorization.expose());
        let mut answer = self.reached(request.call())?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.check(&mut answer)?;
        let body = answer.body_mut().with_config().limit(limit).read_to_vec();
        body.map(Some).map_err(|error| self.unreachable(&error))
    }

    fn post(&self, path: &str, body: &[u8]) -> Result<(), PublishError> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            // EXPOSE: into the header.
            .header("Authorization", self.authorization.expose())
            .content_type("application/octet-stream");
        let mut answer = self.reached(request.send(body))?;
        self.check(&mut answer)
    }

    fn reached(
        &self,
        answered: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, PublishError> {
        answered.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &ureq::Error) -> PublishError {
        // ureq's errors carry no header and no body.
        PublishError::Store(format!(
            "{} cannot be reached: {error}: is the edge running, and is this its URL?",
            self.base
        ))
    }

    fn check(&self, answer: &mut Response<Body>) -> Result<(), PublishError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        #[derive(Deserialize)]
        struct Refused {
            message: String,
        }
        let told = answer.body_mut().with_config().limit(4096).read_to_string();
        let told = told
            .ok()
            .and_then(|text| serde_json::from_str::<Refused>(&text).ok());
        let help = match status {
            StatusCode::UNAUTHORIZED => {
                "was it configured with the keys of this Connect server (`sekisho edge keys`)?"
            }
            StatusCode::NOT_FOUND => "is the publish component deployed, and is this its URL?",
            _ => "see the edge's log",
        };
        let message = told.map(|refused| format!(": {}", refused.message));
        Err(PublishError::Store(format!(
            "{} answers {status}{}: {help}",
            self.base,
            message.unwrap_or_default(),
        )))
    }
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

fn roots(pem: &str) -> Result<RootCerts, PublishError> {
    let items = ureq::tls::parse_pem(pem.as_bytes());
    let certificates: Vec<Certificate<'static>> = items
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let why = "the CA is no PEM with a certificate in it: check --edge-ca";
        return Err(PublishError::Store(why.to_owned()));
    }
    Ok(RootCerts::from(certificates))
}

impl Store for RemoteStore {
    fn names(&mut self) -> Result<BTreeSet<Digest>, PublishError> {
        let names = self.get("objects", MOST_NAMES)?.unwrap_or_default();
        let (names, rest) = names.as_chunks::<32>();
        if rest.is_empty() {
            Ok(names.iter().copied().map(Digest::from_bytes).collect())
        } else {
            let why = format!(
                "{} does not speak this version's protocol: update it",
                self.base
            );
            Err(PublishError::Store(why))
        }
    }

    fn pointer(&mut self) -> Result<Option<Vec<u8>>, PublishError> {
        self.get("pointer", 4096)
    }

    fn object(&mut self, name: &Digest) -> Result<Option<Vec<u8>>, PublishError> {
        self.get(&format!("objects/{name}"), MAX_OBJECT as u64)
    }

    fn put(&mut self, objects: &[Vec<u8>]) -> Result<(), PublishError> {
        let mut body = Vec::new();
        for bytes in objects {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(bytes);
        }
        self.post("objects", &body)
    }

    fn point(&mut self, pointer: &[u8]) -> Result<(), PublishError> {
        self.post("pointer", pointer)
    }

    fn accesses(&mut self) -> Result<Vec<Vec<UsageReport>>, PublishError> {
        let json = self.get("usage", MOST_ACCESSES)?.unwrap_or_default();
        serde_json::from_slice(&json).map_err(|_| {
            // serde's text would repeat what was sent.
            PublishError::Store(format!(
                "{} sends accesses that make no sense: update it",
                self.base
            ))
        })
    }

    fn forget_accesses(&mut self, names: &[&str]) -> Result<(), PublishError> {
        self.post("usage/remove", names.join("\n").as_bytes())
    }

    fn remove(&mut self, names: &[Digest]) -> Result<(), PublishError> {
        let body: Vec<u8> = names.iter().flat_map(|name| *name.as_bytes()).collect();
        self.post("remove", &body)
    }
}
