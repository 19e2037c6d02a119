//! `sekisho health`: one request by hand, so that a container's health check costs no runtime.

use std::{
    env,
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use clap::Args;
use serde_json::json;

use super::{
    Session,
    failure::{Done, Failure},
    output,
};

/// For each of: connecting, sending, and every piece of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than a status line ever needs.
const MOST: u64 = 8 * 1024;

#[derive(Args)]
#[command(after_help = "Examples:\n  sekisho health\n  sekisho health --url http://127.0.0.1:8081")]
pub(super) struct LowHealth {
    /// Where the server is [default: http://127.0.0.1:$OP_HTTP_PORT, or port 8080]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl LowHealth {
    pub(super) fn run(self, session: &Session) -> Done {
        let url = self.url.unwrap_or_else(default_url);
        let authority = authority(&url)?;
        let status = ask(&authority).map_err(|error| {
            Failure::new(
                format!("{authority} does not answer: {}", error.kind()),
                "is the server running, and is this its port? See --url",
            )
        })?;
        if status != 200 {
            return Err(Failure::new(
                format!("{authority} answers with status {status}"),
                "look at the server's log",
            ));
        }
        session.print(
            || json!({ "url": url, "status": status }),
            || output::line("ok"),
        )
    }
}

fn default_url() -> String {
    let port = env::var("OP_HTTP_PORT")
        .ok()
        .and_then(|port| port.parse().ok());
    format!("http://127.0.0.1:{}", port.unwrap_or(8080u16))
}

/// Host and port of a URL.
fn authority(url: &str) -> Result<String, Failure> {
    let rest = url.strip_prefix("http://").ok_or_else(|| {
        Failure::usage(
            "health asks over plain HTTP only",
            "give a URL such as http://127.0.0.1:8080",
        )
    })?;
    let authority = rest.split('/').next().unwrap_or_default();
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    })
}

/// The status of `GET /heartbeat`.
fn ask(authority: &str) -> std::io::Result<u16> {
    let addresses = authority.to_socket_addrs()?;
    let mut failure = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return exchange(stream, authority),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn exchange(mut stream: TcpStream, authority: &str) -> std::io::Result<u16> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request =
        format!("GET /heartbeat HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    parse_status(&answer).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
}

fn parse_status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.get(2..5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        assert_eq!(authority("http://a:1/x").ok().as_deref(), Some("a:1"));
        assert_eq!(authority("http://a").ok().as_deref(), Some("a:80"));
        assert_eq!(
            authority("http://[::1]:8080/").ok().as_deref(),
            Some("[::1]:8080")
        );
        assert!(authority("https://a").is_err());
    }

    #[test]
    fn status_lines() {
        assert_eq!(parse_status(b"HTTP/1.1 200 OK\r\nA: b"), Some(200));
        assert_eq!(
            parse_status(b"HTTP/1.1 503 Service Unavailable\r\n"),
            Some(503)
        );
        assert_eq!(parse_status(b"SSH-2.0-x\r\n"), None);
        assert_eq!(parse_status(b""), None);
    }
}
