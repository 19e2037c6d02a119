//! Where a request may go: https, to a host of the vendor's, nowhere else.

use std::sync::Arc;

use super::{Incoming, MAX_REQUEST, Meter, Outgoing, Transport};

/// Ends of the hosts that a service account can live on.
const SUFFIXES: [&str; 3] = [".1password.com", ".1password.ca", ".1password.eu"];

/// Which hosts requests may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// The vendor's, over TLS.
    Vendor,
    /// This machine, without TLS: for tests against a stand-in. Whoever sets it takes the token's address for granted.
    DangerousLoopback,
}

/// Why a request is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The address.
    #[error(
        "the token names a sign-in address that is not 1Password's: only https and hosts under 1password.com, 1password.ca or 1password.eu are taken"
    )]
    Host,
    /// The body is longer than [`MAX_REQUEST`].
    #[error("the request is larger than {MAX_REQUEST} bytes")]
    TooLarge,
}

/// Between the core and the network.
pub struct Guard {
    hosts: Hosts,
    transport: Arc<dyn Transport>,
    meter: Arc<Meter>,
}

impl Guard {
    /// Lets requests to these hosts through, as long as the meter allows it.
    pub fn new(hosts: Hosts, transport: Arc<dyn Transport>, meter: Arc<Meter>) -> Self {
        Self {
            hosts,
            transport,
            meter,
        }
    }

    /// Counts what was sent.
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Sends a request. What cannot be sent is answered 503, for the core cannot bear an error.
    pub fn send(&self, request: &Outgoing) -> Incoming {
        if let Err(error) = self.check(request) {
            self.meter.refuse(error);
            tracing::error!(%error, "a request of the core is not sent");
            return Incoming::unavailable();
        }
        let (method, path) = (request.method.as_str(), shown_path(&request.url));
        if !self.meter.take(&request.method, &path) {
            tracing::warn!(method, path, "not sent: the allowance is used up");
            return Incoming::unavailable();
        }
        match self.transport.send(request) {
            // The core breaks on a redirect, and where it leads is for nobody but the vendor's own hosts to say.
            Ok(answer) if (300..400).contains(&answer.status) => {
                tracing::warn!(
                    method,
                    path,
                    status = answer.status,
                    "1Password: a redirect is not followed"
                );
                Incoming::unavailable()
            }
            Ok(answer) => {
                tracing::debug!(method, path, status = answer.status, "1Password");
                self.meter.answered(&answer);
                answer
            }
            Err(error) => {
                tracing::info!(method, path, %error, "1Password");
                self.meter.failed();
                Incoming::unavailable()
            }
        }
    }

    fn check(&self, request: &Outgoing) -> Result<(), GuardError> {
        if request.body.len() > MAX_REQUEST {
            return Err(GuardError::TooLarge);
        }
        if self.hosts.allow(&request.url) {
            Ok(())
        } else {
            Err(GuardError::Host)
        }
    }
}

impl Hosts {
    /// Whether a request may go there.
    fn allow(self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else {
            return false;
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let Some(authority) = rest.get(..end) else {
            return false;
        };
        match self {
            // Letters, digits, dots and dashes only: no user, no port, no escape that another parser reads otherwise.
            Self::Vendor => scheme == "https" && is_vendor(authority),
            Self::DangerousLoopback => {
                scheme == "http"
                    && authority
                        .strip_prefix("127.0.0.1:")
                        .is_some_and(|port| port.parse::<u16>().is_ok())
            }
        }
    }
}

fn is_vendor(host: &str) -> bool {
    let plain = host
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    let under = |suffix: &str| {
        host.strip_suffix(suffix)
            .is_some_and(|name| !name.is_empty() && !name.starts_with('.'))
    };
    plain && !host.contains("..") && host.len() <= 253 && SUFFIXES.into_iter().any(under)
}

/// A path for the log: every segment that could be an id is cut to its first four characters, no query.
pub(super) fn shown_path(url: &str) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments = path.split('/').map(|segment| {
        if segment.len() > 16 {
            let start: String = segment.chars().take(4).collect();
            format!("{start}…")
        } else {
            segment.to_owned()
        }
    });
    format!("/{}", segments.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::net::TransportError;

    #[test]
    fn only_the_vendors_hosts_over_tls() {
        for good in [
            "https://my.1password.com/api/v3/auth/start?",
            "https://team.1password.eu",
            "https://a.b.1password.ca/x",
        ] {
            assert!(Hosts::Vendor.allow(good), "{good}");
        }
        for bad in [
            "http://my.1password.com/",
            "https://1password.com/",
            "https://.1password.com/",
            "https://my.1password.com:8443/",
            "https://my.1password.com.evil.example/",
            "https://evil.example/?.1password.com",
            "https://evil.example#.1password.com",
            "https://evil.example\\.1password.com/",
            "https://user@my.1password.com/",
            "https://evil.example%2f.1password.com/",
            "https://MY.1PASSWORD.COM/",
            "https://a..1password.com/",
            "file:///etc/passwd",
            "https:/my.1password.com/",
            "http://127.0.0.1:80/",
            "",
        ] {
            assert!(!Hosts::Vendor.allow(bad), "{bad}");
        }
        assert!(Hosts::DangerousLoopback.allow("http://127.0.0.1:9000/api"));
        for bad in [
            "https://my.1password.com/",
            "http://127.0.0.1/",
            "http://127.0.0.1:x/",
            "http://127.0.0.1.evil:1/",
        ] {
            assert!(!Hosts::DangerousLoopback.allow(bad), "{bad}");
        }
    }

    struct Counting(AtomicUsize);

    impl Transport for Counting {
        fn send(&self, _: &Outgoing) -> Result<Incoming, TransportError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(TransportError::Unreachable)
        }
    }

    fn request(url: &str) -> Outgoing {
        Outgoing {
            method: "GET".into(),
            url: url.into(),
            headers: Vec::new(),
            body: Zeroizing::default(),
        }
    }
    use zeroize::Zeroizing;

    #[test]
    fn what_is_refused_is_not_sent_and_what_fails_is_503() {
        let transport = Arc::new(Counting(AtomicUsize::new(0)));
        let meter = Arc::new(Meter::default());
        let sent: Arc<dyn Transport> = transport.clone();
        let guard = Guard::new(Hosts::Vendor, sent, Arc::clone(&meter));
        assert_eq!(guard.send(&request("https://evil.example/")).status, 503);
        assert_eq!(transport.0.load(Ordering::Relaxed), 0);
        assert_eq!(meter.take_refusal(), Some(GuardError::Host));
        assert_eq!(
            guard.send(&request("https://my.1password.com/x")).status,
            503
        );
        assert_eq!(transport.0.load(Ordering::Relaxed), 1);
        assert_eq!(meter.reading().reads, 1);
    }

    #[test]
    fn shown_paths_hold_no_ids() {
        let shown = shown_path(
            "https://my.1password.com/api/v1/vault/abcdefghijklmnopqrstuvwxya/items/overviews?attrs=x",
        );
        assert_eq!(shown, "/api/v1/vault/abcd…/items/overviews");
    }
}
