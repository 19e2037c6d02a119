//! HTTP to a Connect server, blocking. The token goes into one header and nowhere else.

use std::{env, io::Read, time::Duration};

use sekisho_core::{item::json as item_json, secret::SecretText};
use serde_json::Value;
use ureq::{
    Agent, Body,
    http::{HeaderValue, Response},
    tls::{PemItem, RootCerts, TlsConfig, TlsProvider},
};
use zeroize::Zeroizing;

use crate::cli::{Failure, plain};

const HOST: &str = "OP_CONNECT_HOST";
const TOKEN: &str = "OP_CONNECT_TOKEN";
/// PEM of the CAs to trust instead of the public ones; the variable of OpenSSL's.
const CA: &str = "SSL_CERT_FILE";

/// For one exchange, and for a file until its content begins.
const PATIENCE: Duration = Duration::from_secs(15);
/// For a file's content.
const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// A vault of tens of thousands of items fits.
const MAX_JSON: u64 = 128 * 1024 * 1024;
const MAX_FILE: u64 = 2 * 1024 * 1024 * 1024;
/// Of a server's message.
const MAX_MESSAGE: usize = 300;

/// A Connect server and the right to ask it.
pub(crate) struct Connect {
    base: String,
    authorization: HeaderValue,
    agent: Agent,
}

/// JSON that wipes itself.
pub(crate) struct Opened(pub(crate) Value);

impl Drop for Opened {
    fn drop(&mut self) {
        item_json::wipe(&mut self.0);
    }
}

/// What was asked for, or that it is not there for this token.
pub(super) enum Answer {
    Here(Opened),
    /// Why, as a failure to be told unless it is found another way.
    Absent(Failure),
}

impl Connect {
    /// Whether the environment names a Connect server.
    pub(crate) fn is_named() -> bool {
        variable(HOST).is_some() && variable(TOKEN).is_some()
    }

    /// The one that the environment names.
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let (Some(host), Some(token)) = (variable(HOST), variable(TOKEN).map(SecretText::new))
        else {
            return Err(Failure::usage(
                format!("{HOST} and {TOKEN} are not both set"),
                "`sekisho up` prints both; they may be of any Connect server",
            ));
        };
        let ca = match variable(CA) {
            None => None,
            Some(path) => Some(std::fs::read_to_string(&path).map_err(|error| {
                Failure::new(
                    format!("{CA} cannot be read: {}", error.kind()),
                    "name a PEM file",
                )
            })?),
        };
        Self::new(&host, &token, ca.as_deref())
    }

    fn new(host: &str, token: &SecretText, ca: Option<&str>) -> Result<Self, Failure> {
        let base = host.trim().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base);
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(Failure::usage(
                format!("{HOST} is no URL with http:// or https://"),
                format!("for example {HOST}=http://localhost:8080"),
            ));
        }
        // EXPOSE: into the header.
        let bearer = Zeroizing::new(format!("Bearer {}", token.expose().trim()));
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| {
            Failure::usage(
                format!("{TOKEN} has characters that no token has"),
                "copy the token again, whole and without line breaks",
            )
        })?;
        authorization.set_sensitive(true);
        let tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        let tls = tls.root_certs(ca.map_or(Ok(RootCerts::WebPki), roots)?);
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .user_agent(concat!("sekisho/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            base: base.to_owned(),
            authorization,
            agent,
        })
    }

    /// Vaults called so, or all of them.
    pub(super) fn vaults(&self, named: Option<&str>) -> Result<Opened, Failure> {
        self.list("/v1/vaults", named)
    }

    pub(super) fn vault(&self, id: &str) -> Result<Answer, Failure> {
        self.json(&format!("/v1/vaults/{id}"))
    }

    /// Items of a vault called so, or all of them.
    pub(super) fn items(&self, vault: &str, titled: Option<&str>) -> Result<Opened, Failure> {
        self.list(&format!("/v1/vaults/{vault}/items"), titled)
    }

    pub(super) fn item(&self, vault: &str, id: &str) -> Result<Answer, Failure> {
        self.json(&format!("/v1/vaults/{vault}/items/{id}"))
    }

    /// A file's content.
    pub(super) fn content(
        &self,
        vault: &str,
        item: &str,
        file: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = format!("/v1/vaults/{vault}/items/{item}/files/{file}/content");
        let answer = self.ask(&path, LONG_PATIENCE)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(self.refused(answer));
        }
        self.read(answer, MAX_FILE)
    }

    fn list(&self, path: &str, named: Option<&str>) -> Result<Opened, Failure> {
        let path = match named {
            Some(name) => format!(
                "{path}?filter={}",
                percent_encode(&format!("title eq \"{name}\""))
            ),
            None => path.to_owned(),
        };
        match self.json(&path)? {
            Answer::Here(list) if list.0.is_array() => Ok(list),
            Answer::Here(_) => Err(self.garbled()),
            Answer::Absent(failure) => Err(failure),
        }
    }

    fn json(&self, path: &str) -> Result<Answer, Failure> {
        let answer = self.ask(path, PATIENCE)?;
        match answer.status().as_u16() {
            200 => {
                let bytes = self.read(answer, MAX_JSON)?;
                // serde's error would repeat what it read.
                let value = serde_json::from_slice(&bytes).map_err(|_| self.garbled())?;
                Ok(Answer::Here(Opened(value)))
            }
            400 | 403 | 404 => Ok(Answer::Absent(self.refused(answer))),
            _ => Err(self.refused(answer)),
        }
    }

    fn ask(&self, path: &str, patience: Duration) -> Result<Response<Body>, Failure> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .header("Authorization", self.authorization.clone())
            .header("Accept", "application/json")
            .config()
            .timeout_global(Some(patience))
            .build();
        request.call().map_err(|error| self.unreachable(&error))
    }

    fn read(&self, answer: Response<Body>, most: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut body = answer.into_body().into_with_config().limit(most).reader();
        body.read_to_end(&mut bytes).map_err(|error| {
            Failure::new(
                format!("the answer of {} broke off: {}", self.base, error.kind()),
                "try again; if it persists, look at the server's log",
            )
        })?;
        Ok(bytes)
    }

    /// Status and message, and what to do about that status.
    fn refused(&self, answer: Response<Body>) -> Failure {
        let status = answer.status().as_u16();
        let message = self
            .read(answer, 64 * 1024)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
        let message: String = plain(&message.unwrap_or_else(|| "without a message".into()))
            .chars()
            .take(MAX_MESSAGE)
            .collect();
        let help = match status {
            300..=399 => {
                "redirects are not followed: set OP_CONNECT_HOST to where the server really is"
            }
            400 | 404 => "check the names; ids work too",
            401 => {
                "check OP_CONNECT_TOKEN: it may have expired, been revoked, or be of another server"
            }
            403 => {
                "the token does not open that vault: `sekisho connect token list` shows what it opens"
            }
            413 => "the file is larger than the server gives",
            _ => "look at the server's log, then try again",
        };
        Failure::new(format!("{} answers {status}: {message}", self.base), help)
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let why = match error {
            ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            ureq::Error::Io(error) => error.kind().to_string(),
            error => error.to_string(),
        };
        Failure::new(
            format!("{} cannot be reached: {}", self.base, plain(&why)),
            "is the server running, and is OP_CONNECT_HOST right?",
        )
    }

    pub(super) fn garbled(&self) -> Failure {
        Failure::new(
            format!("{} does not answer as a Connect server does", self.base),
            "is OP_CONNECT_HOST right?",
        )
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.trim().is_empty())
}

fn roots(pem: &str) -> Result<RootCerts, Failure> {
    let items = ureq::tls::parse_pem(pem.as_bytes());
    let certificates: Vec<_> = items
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Failure::new(
            format!("{CA} names no PEM with a certificate in it"),
            "name a PEM file, or unset it to trust the public ones",
        ));
    }
    Ok(RootCerts::from(certificates))
}

/// Everything but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => {
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    encoded
                        .extend(char::from_digit(digit.into(), 16).map(|c| c.to_ascii_uppercase()));
                }
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_encoded_whole() {
        assert_eq!(
            percent_encode("title eq \"Ä+&b\""),
            "title%20eq%20%22%C3%84%2B%26b%22"
        );
    }

    #[test]
    fn hosts_and_tokens_are_checked_and_not_repeated() {
        let token = SecretText::new("hunter2\u{1}");
        let Err(failure) = Connect::new("http://a", &token, None) else {
            panic!("taken");
        };
        assert!(!failure.to_string().contains("hunter2"));
        let token = SecretText::new("t");
        assert!(Connect::new("a:8080", &token, None).is_err());
        let connect = Connect::new("http://a:8080/v1/", &token, None)
            .ok()
            .unwrap();
        assert_eq!(connect.base, "http://a:8080");
        assert!(!format!("{:?}", connect.authorization).contains("Bearer"));
    }
}
