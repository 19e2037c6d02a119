//! Private keys as OpenSSH writes them (PROTOCOL.key), from PKCS #8 (RFC 5958) or PKCS #1 (RFC 8017) in PEM, which is
//! how Connect gives them. Ed25519 and RSA.

use sekisho_core::encoding;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::up::ed25519_public;

const HEAD: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const TAIL: &str = "-----END OPENSSH PRIVATE KEY-----";
/// 1.3.101.112 (RFC 8410).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.2.840.113549.1.1.1 (RFC 8017).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;

type Bytes = Zeroizing<Vec<u8>>;

/// A key's two halves as OpenSSH's fields.
struct Fields {
    public: Bytes,
    private: Bytes,
}

/// The same key in OpenSSH's form; `None` for what is no such key.
pub(super) fn of_pem(pem: &str) -> Option<String> {
    let pem = pem.trim();
    if pem.starts_with(HEAD) {
        return Some(pem.to_owned());
    }
    let (head, rest) = pem.split_once('\n')?;
    let (body, _) = rest.split_once("-----END ")?;
    let der = from_base64(body)?;
    let fields = match head.trim() {
        "-----BEGIN PRIVATE KEY-----" => pkcs8(&der)?,
        "-----BEGIN RSA PRIVATE KEY-----" => rsa(&der)?,
        _ => return None,
    };
    Some(write(&fields))
}

fn pkcs8(der: &[u8]) -> Option<Fields> {
    let (key, _) = tagged(der, SEQUENCE)?;
    let (_, rest) = tagged(key, INTEGER)?;
    let (algorithm, rest) = tagged(rest, SEQUENCE)?;
    let (inner, _) = tagged(rest, OCTETS)?;
    match tagged(algorithm, OID)?.0 {
        ED25519 => ed25519(tagged(inner, OCTETS)?.0),
        RSA => rsa(inner),
        _ => None,
    }
}

fn ed25519(seed: &[u8]) -> Option<Fields> {
    let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).ok()?);
    let public = ed25519_public(&seed);
    let both = Zeroizing::new([seed.as_slice(), public.as_slice()].concat());
    Some(Fields {
        public: strings(&[b"ssh-ed25519", &public]),
        private: strings(&[b"ssh-ed25519", &public, &both]),
    })
}

fn rsa(der: &[u8]) -> Option<Fields> {
    let (mut rest, _) = tagged(der, SEQUENCE)?;
    let mut numbers = Vec::new();
    while numbers.len() < 9 {
        let (number, after) = tagged(rest, INTEGER)?;
        numbers.push(number);
        rest = after;
    }
    let [_, n, e, d, p, q, _, _, inverse] = numbers.as_slice() else {
        return None;
    };
    // DER's integers are the mpints of RFC 4251 §5.
    Some(Fields {
        public: strings(&[b"ssh-rsa", e, n]),
        private: strings(&[b"ssh-rsa", n, e, d, inverse, p, q]),
    })
}

fn write(fields: &Fields) -> String {
    // Two equal numbers: whoever decrypts compares them. Here nothing is encrypted.
    let check: Vec<u8> = Sha256::digest(&*fields.public)
        .iter()
        .take(4)
        .copied()
        .collect();
    let comment = strings(&[b""]);
    let mut private =
        Zeroizing::new([check.as_slice(), &check, &fields.private, &comment].concat());
    let padding = (8 - private.len() % 8) % 8;
    let mut padded = Zeroizing::new(Vec::with_capacity(private.len() + padding));
    padded.append(&mut private);
    padded.extend((1..=padding).filter_map(|byte| u8::try_from(byte).ok()));
    let none = strings(&[b"none", b"none", b""]);
    let halves = strings(&[&fields.public, &padded]);
    let magic = b"openssh-key-v1\0".as_slice();
    let whole = Zeroizing::new([magic, &none, &1u32.to_be_bytes(), &halves].concat());
    let base64 = Zeroizing::new(to_base64(&whole));
    let mut text = String::with_capacity(base64.len() + base64.len() / 70 + 80);
    text.push_str(HEAD);
    for (position, c) in base64.chars().enumerate() {
        if position % 70 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push('\n');
    text.push_str(TAIL);
    text
}

/// RFC 4251 §5.
fn strings(parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len() + 4).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The content of the first thing, if it is of this kind, and what follows it.
fn tagged(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    (*found == tag).then_some(())?;
    rest.split_at_checked(length)
}

fn from_base64(text: &str) -> Option<Bytes> {
    let url: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| !c.is_whitespace() && *c != '=')
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect(),
    );
    encoding::from_base64url(&url).ok().map(Zeroizing::new)
}

fn to_base64(bytes: &[u8]) -> String {
    let url = Zeroizing::new(encoding::base64url(bytes));
    let mut text = String::with_capacity(url.len() + 3);
    text.extend(url.chars().map(|c| match c {
        '-' => '+',
        '_' => '/',
        c => c,
    }));
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        for text in [
            "",
            "x\ny",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] {
            assert!(of_pem(text).is_none(), "{text}");
        }
    }

    /// `ssh-keygen` is the judge, where there is one.
    #[test]
    fn openssh_reads_it() {
        use std::{os::unix::fs::PermissionsExt, process::Command};
        let dir = tempfile::tempdir().unwrap();
        for (kind, more) in [("ed25519", &[][..]), ("rsa", &["-b", "2048"][..])] {
            let path = dir.path().join(kind);
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", "", "-m", "PKCS8", "-f"])
                .arg(&path)
                .args(more)
                .status();
            if !made.is_ok_and(|status| status.success()) {
                return;
            }
            let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
            let pem = std::fs::read_to_string(&path).unwrap();
            let text = of_pem(&pem).unwrap();
            assert!(text.starts_with(HEAD));
            let ours = dir.path().join("ours");
            let _ = std::fs::remove_file(&ours);
            std::fs::write(&ours, format!("{text}\n")).unwrap();
            std::fs::set_permissions(&ours, PermissionsExt::from_mode(0o600)).unwrap();
            let shown = Command::new("ssh-keygen")
                .arg("-y")
                .arg("-f")
                .arg(&ours)
                .output()
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&shown.stdout).trim(),
                public.trim(),
                "{kind}"
            );
        }
    }
}
