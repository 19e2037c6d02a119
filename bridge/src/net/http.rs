//! Requests over the network, blocking.

use std::{
    io::{ErrorKind, Read},
    time::Duration,
};

use ureq::{
    Agent,
    http::Request,
    tls::{RootCerts, TlsConfig, TlsProvider},
};
use zeroize::Zeroizing;

use super::{Incoming, MAX_ANSWER, Outgoing, Transport, TransportError};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most headers that are taken from an answer, and their longest value.
const MAX_HEADERS: usize = 100;
const MAX_HEADER: usize = 8192;

/// TLS with the public roots; no redirects; a proxy from the environment as usual (`HTTPS_PROXY`, `NO_PROXY`).
pub struct HttpTransport(Agent);

impl Default for HttpTransport {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl HttpTransport {
    /// With another patience.
    pub fn new(patience: Duration) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::WebPki);
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(patience))
            .build()
            .new_agent();
        Self(agent)
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &Outgoing) -> Result<Incoming, TransportError> {
        let mut builder = Request::builder()
            .method(request.method.as_str())
            .uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        // What the core makes is well-formed; what is not, cannot be sent.
        let answer =
            if request.body.is_empty() && matches!(request.method.as_str(), "GET" | "DELETE") {
                let request = builder.body(()).map_err(|_| TransportError::Unreachable)?;
                self.0.run(request)
            } else {
                let request = builder
                    .body(request.body.as_slice())
                    .map_err(|_| TransportError::Unreachable)?;
                self.0.run(request)
            };
        let (head, mut body) = answer.map_err(|error| why(&error))?.into_parts();
        let headers = head
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .filter(|(_, value)| value.len() <= MAX_HEADER)
            .take(MAX_HEADERS)
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers = headers.collect();
        let mut bytes = Zeroizing::default();
        let limit = MAX_ANSWER as u64 + 1;
        let read = body.as_reader().take(limit).read_to_end(&mut bytes);
        match read {
            Ok(length) if length <= MAX_ANSWER => Ok(Incoming {
                status: head.status.as_u16(),
                headers,
                body: bytes,
            }),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(TransportError::Late),
            _ => Err(TransportError::Broken),
        }
    }
}

const fn why(error: &ureq::Error) -> TransportError {
    match error {
        ureq::Error::Timeout(_) => TransportError::Late,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::Protocol(_) => TransportError::Broken,
        _ => TransportError::Unreachable,
    }
}
