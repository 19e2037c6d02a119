//! Why an account cannot be reached: what the network or TLS says, and what to do about it.

use std::io;

use tokio_rustls::rustls::{self, CertificateError};

use crate::AccountError;

/// `https://` tells apart a port that should have spoken TLS from one that did when nobody asked.
pub(super) fn explain(error: &ureq::Error, is_https: bool) -> AccountError {
    match tls_of(error) {
        Some(rustls::Error::InvalidCertificate(fault)) => certificate(fault),
        // Plain HTTP where a record of TLS should be, or an end before one came.
        Some(rustls::Error::InvalidMessage(_)) => no_tls(),
        Some(other) => insecure(
            format!("TLS fails: {other}"),
            "check with whom the program speaks there, and its log",
        ),
        None if !is_https && is_no_http(error) => insecure(
            "the port does not answer in HTTP".into(),
            "if the account was started with --tls-cert, its URL begins with https://",
        ),
        None => AccountError::Unreachable(error.to_string()),
    }
}

fn tls_of(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn is_no_http(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Protocol(_) => true,
        ureq::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ),
        _ => false,
    }
}

fn certificate(fault: &CertificateError) -> AccountError {
    use CertificateError as Fault;
    match fault {
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => insecure(
            "its certificate is for another host".into(),
            "use the name that is in the certificate, or get one for this name",
        ),
        Fault::Expired
        | Fault::ExpiredContext { .. }
        | Fault::NotValidYet
        | Fault::NotValidYetContext { .. } => insecure(
            "its certificate has expired, or is not valid yet".into(),
            "renew it, or set the clock",
        ),
        // Two authorities of one name differ by their signatures only.
        Fault::UnknownIssuer | Fault::BadSignature => insecure(
            "its certificate is not of a CA that is trusted here".into(),
            "give the PEM of its CA by --ca or SEKISHO_ACCOUNT_CA",
        ),
        other => insecure(
            format!("its certificate is not accepted ({other:?})"),
            "get another certificate for it",
        ),
    }
}

fn no_tls() -> AccountError {
    insecure(
        "the port does not speak TLS".into(),
        "start the account with --tls-cert and --tls-key, or end TLS before it",
    )
}

const fn insecure(cause: String, help: &'static str) -> AccountError {
    let help = std::borrow::Cow::Borrowed(help);
    AccountError::Insecure { cause, help }
}
