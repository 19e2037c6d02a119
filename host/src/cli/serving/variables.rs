//! The vendor's variables (connect-contract.md §6.1): each is obeyed, or it is said at start why it need not be.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use sekisho_core::secret::SecretText;

use super::go_duration;
use crate::cli::failure::Failure;

/// Where the vendor's containers keep everything when nothing says otherwise.
const VENDORS_HOME: &str = "/home/opuser";
/// How long a request waits for the first synchronisation.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says.
#[derive(Debug)]
pub(in crate::cli) struct Variables {
    /// Value of `OP_SESSION`.
    pub(super) session: Option<SecretText>,
    pub(super) http_port: Option<u16>,
    pub(super) https_port: Option<u16>,
    pub(super) http_host: Option<IpAddr>,
    pub(super) sync_timeout: Duration,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    /// `XDG_DATA_HOME`, else the home directory.
    pub(super) data_home: PathBuf,
    pub(super) home: PathBuf,
    /// Lines for the log: what is set and why it changes nothing.
    pub(super) notes: Vec<&'static str>,
}

/// Set, but without effect here.
const EXPLAINED: [(&str, &str); 8] = [
    (
        "OP_BUS_PORT",
        "OP_BUS_PORT is not needed: sync and api share the data folder and nothing else",
    ),
    (
        "OP_BUS_PEERS",
        "OP_BUS_PEERS is not needed: sync and api share the data folder and nothing else",
    ),
    (
        "OP_PROFILER_OUTPUT_DIR",
        "OP_PROFILER_OUTPUT_DIR has no effect: there is no profiler; see /metrics",
    ),
    (
        "OP_PROFILER_INTERVAL",
        "OP_PROFILER_INTERVAL has no effect: there is no profiler; see /metrics",
    ),
    (
        "OP_PROFILER_KEEP_LAST",
        "OP_PROFILER_KEEP_LAST has no effect: there is no profiler; see /metrics",
    ),
    (
        "OP_PRETTY_LOGS",
        "OP_PRETTY_LOGS has no effect: the log is for people on a terminal and JSON elsewhere",
    ),
    (
        "OP_TLS_DOMAIN",
        "OP_TLS_DOMAIN has no effect: the certificate says for which names it is",
    ),
    (
        "OP_DEBUG",
        "OP_DEBUG has no effect: OP_LOG_LEVEL=debug says the same",
    ),
];

impl Variables {
    /// From the environment, or what stands for it in a test. An empty variable counts as absent, as containers set
    /// them so.
    pub(in crate::cli) fn read(
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| {
            let wrong = || Failure::usage(format!("{name} is no text"), "set it anew");
            let value = set(name).map(|value| value.into_string().map_err(|_| wrong()));
            value.transpose()
        };
        let port = |name: &str| {
            let port = text(name)?.map(|text| text.trim().parse::<u16>());
            port.transpose().map_err(|_| {
                Failure::usage(
                    format!("{name} is no port"),
                    "set it to 1 to 65535, e.g. 8080",
                )
            })
        };
        // Container engines say `/` for a user of whom the image knows nothing.
        let home = set("HOME").filter(|home| home != "/");
        let home = home.map_or_else(|| VENDORS_HOME.into(), PathBuf::from);
        let tls_cert = set("OP_TLS_CERT_FILE").map(PathBuf::from);
        if tls_cert.is_none() && set("OP_TLS_USE_LETSENCRYPT").is_some() {
            return Err(Failure::usage(
                "OP_TLS_USE_LETSENCRYPT asks for a certificate, and this server fetches none",
                "let the platform fetch it (cert-manager, certbot, a load balancer) and give OP_TLS_CERT_FILE and OP_TLS_KEY_FILE",
            ));
        }
        let explained = EXPLAINED.iter().filter(|(name, _)| set(name).is_some());
        Ok(Self {
            session: text("OP_SESSION")?.map(SecretText::new),
            http_port: port("OP_HTTP_PORT")?,
            https_port: port("OP_HTTPS_PORT")?,
            http_host: host(text("OP_HTTP_HOST")?)?,
            sync_timeout: timeout(text("OP_SYNC_TIMEOUT")?)?,
            tls_cert,
            tls_key: set("OP_TLS_KEY_FILE").map(PathBuf::from),
            data_home: set("XDG_DATA_HOME").map_or_else(|| home.clone(), PathBuf::from),
            home,
            notes: explained.map(|(_, note)| *note).collect(),
        })
    }

    /// Where to serve when no flag says it: every address, for probes come from outside of the container.
    pub(super) fn listen(&self, with_tls: bool) -> SocketAddr {
        let port = if with_tls {
            self.https_port.unwrap_or(8443)
        } else {
            self.http_port.unwrap_or(8080)
        };
        let every = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        SocketAddr::new(self.http_host.unwrap_or(every), port)
    }

    /// The vendor's data folder.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.data_home.join(".op/data")
    }

    /// Where the credentials file may lie when nothing says where.
    pub(super) fn credentials_files(&self) -> [PathBuf; 2] {
        const FILE: &str = ".op/1password-credentials.json";
        [self.home.join(FILE), PathBuf::from(VENDORS_HOME).join(FILE)]
    }
}

fn host(text: Option<String>) -> Result<Option<IpAddr>, Failure> {
    let host = match text.as_deref().map(str::trim) {
        Some("localhost") => Some("127.0.0.1"),
        other => other,
    };
    let host = host.map(str::parse).transpose();
    host.map_err(|_| {
        Failure::usage(
            "OP_HTTP_HOST is no address",
            "set it to an address of this machine, e.g. 127.0.0.1, or leave it out for all",
        )
    })
}

fn timeout(text: Option<String>) -> Result<Duration, Failure> {
    let Some(text) = text else {
        return Ok(SYNC_TIMEOUT);
    };
    go_duration::parse(&text).ok_or_else(|| {
        Failure::usage(
            "OP_SYNC_TIMEOUT is no duration",
            "write it with units, e.g. 10s, 1m or 1m30s",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &'static [(&str, &str)]) -> Result<Variables, Failure> {
        Variables::read(&|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn without_any_they_are_the_vendors_containers() {
        let none = of(&[]).unwrap();
        assert_eq!(none.listen(false), "[::]:8080".parse().unwrap());
        assert_eq!(none.listen(true), "[::]:8443".parse().unwrap());
        assert_eq!(none.data_dir(), PathBuf::from("/home/opuser/.op/data"));
        assert_eq!(
            none.credentials_files()[0],
            PathBuf::from("/home/opuser/.op/1password-credentials.json")
        );
        assert_eq!(none.sync_timeout, Duration::from_secs(10));
        assert!(none.notes.is_empty());
        let unknown = of(&[("HOME", "/")]).unwrap();
        assert_eq!(unknown.data_dir(), none.data_dir());
    }

    #[test]
    fn the_charts_are_obeyed_or_explained() {
        let chart = of(&[
            ("OP_HTTP_PORT", "8081"),
            ("OP_HTTPS_PORT", "9443"),
            ("OP_SYNC_TIMEOUT", "1m"),
            ("XDG_DATA_HOME", "/data"),
            ("HOME", "/home/opuser"),
            ("OP_BUS_PORT", "11220"),
            ("OP_BUS_PEERS", "localhost:11221"),
            ("OP_PROFILER_OUTPUT_DIR", "/x"),
            ("OP_LOG_LEVEL", ""),
        ])
        .unwrap();
        assert_eq!(chart.listen(false).port(), 8081);
        assert_eq!(chart.listen(true).port(), 9443);
        assert_eq!(chart.data_dir(), PathBuf::from("/data/.op/data"));
        assert_eq!(chart.sync_timeout, Duration::from_secs(60));
        assert_eq!(chart.notes.len(), 3);
    }

    #[test]
    fn what_makes_no_sense_is_said_without_repeating_it() {
        for pairs in [
            &[("OP_HTTP_PORT", "hunter2")] as &'static [(&str, &str)],
            &[("OP_HTTPS_PORT", "-hunter2")],
            &[("OP_SYNC_TIMEOUT", "hunter2")],
            &[("OP_HTTP_HOST", "hunter2")],
            &[("OP_TLS_USE_LETSENCRYPT", "hunter2")],
        ] {
            let said = of(pairs).unwrap_err().to_string();
            assert!(said.contains(pairs[0].0), "{said}");
            assert!(
                said.contains("\nhelp: ") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
