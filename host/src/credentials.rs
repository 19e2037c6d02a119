//! `OP_SESSION`, whatever form it comes in: a path, raw JSON, base64, base64url, or base64 of base64.
//!
//! It is apart from the file's own reader because the forms are accidents of deployment (pains.md no. 4): Kubernetes
//! adds its own base64, forms cut lines, editors add byte order marks. Errors name the form, never the content.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use sekisho_account::{Credentials, FileError};
use sekisho_core::encoding;
use zeroize::Zeroizing;

/// No credentials file is nearly as large.
const MOST: u64 = 1024 * 1024;
/// No path is longer (PATH_MAX); base64 of a credentials file may be shorter than that, but is no path that exists.
const LONGEST_PATH: usize = 4096;

/// How a text holds the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Json,
    /// RFC 4648 §4.
    Base64,
    /// RFC 4648 §5.
    Base64Url,
    /// Base64, and within it base64 again, as Kubernetes secrets make it.
    Base64Twice,
}

/// The form that was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionForm {
    /// The file, if the text was a path.
    pub path: Option<PathBuf>,
    /// What the text, or the file, holds.
    pub encoding: Encoding,
}

impl fmt::Display for SessionForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = match self.encoding {
            Encoding::Json => "JSON",
            Encoding::Base64 => "base64",
            Encoding::Base64Url => "base64url",
            Encoding::Base64Twice => "base64, twice",
        };
        match &self.path {
            Some(path) => write!(f, "file {} ({encoding})", path.display()),
            None => f.write_str(encoding),
        }
    }
}

/// Why no credentials are found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is nothing.
    #[error("the credentials are empty: give a path, JSON or base64")]
    Empty,
    /// None of the forms.
    #[error(
        "the credentials are neither a path to a file that exists, nor JSON, nor base64: was the value copied whole?"
    )]
    NoForm,
    /// What Docker makes of a mount whose source is missing.
    #[error("{} is a folder: mount the file itself (Docker makes a folder when the source is missing)", .0.display())]
    Folder(PathBuf),
    /// The file cannot be read.
    #[error("{}: {kind}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The file is far too large.
    #[error("{} is too large for a credentials file: check the path", .0.display())]
    TooLarge(PathBuf),
    /// A form is recognised, its content is not what it should be.
    #[error("{form}: {error}")]
    Content {
        /// The form.
        form: SessionForm,
        /// What is wrong with the content.
        error: FileError,
    },
}

/// Reads the value of `OP_SESSION`, or anything else that is one.
pub fn read_session(text: &str) -> Result<(SessionForm, Credentials), SessionError> {
    let trimmed = strip(text);
    if trimmed.is_empty() {
        return Err(SessionError::Empty);
    }
    if !trimmed.starts_with('{') && trimmed.len() <= LONGEST_PATH && !trimmed.contains('\0') {
        let path = Path::new(trimmed);
        match fs::metadata(path) {
            Ok(_) => return read_session_file(path),
            // Permissions of a folder on the way: it is a path all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(io_error(path, &error));
            }
            Err(_) => {}
        }
    }
    parse(trimmed, None)
}

/// Reads a file, whatever form its content has.
pub fn read_session_file(path: &Path) -> Result<(SessionForm, Credentials), SessionError> {
    let metadata = fs::metadata(path).map_err(|error| io_error(path, &error))?;
    if metadata.is_dir() {
        return Err(SessionError::Folder(path.to_path_buf()));
    }
    if metadata.len() > MOST {
        return Err(SessionError::TooLarge(path.to_path_buf()));
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| io_error(path, &error))?);
    let text = std::str::from_utf8(&bytes).map_err(|_| SessionError::NoForm)?;
    match strip(text) {
        "" => Err(SessionError::Empty),
        text => parse(text, Some(path)),
    }
}

fn io_error(path: &Path, error: &io::Error) -> SessionError {
    let (path, kind) = (path.to_path_buf(), error.kind());
    SessionError::Io { path, kind }
}

/// Without byte order mark, blanks, newlines, and quotes that a shell or a form left.
fn strip(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    unquoted.unwrap_or(text).trim()
}

fn parse(text: &str, path: Option<&Path>) -> Result<(SessionForm, Credentials), SessionError> {
    let (encoding, json) = decode(text).ok_or(SessionError::NoForm)?;
    let form = SessionForm {
        path: path.map(Path::to_path_buf),
        encoding,
    };
    match Credentials::parse(strip(&json).as_bytes()) {
        Ok(credentials) => Ok((form, credentials)),
        Err(error) => Err(SessionError::Content { form, error }),
    }
}

fn decode(text: &str) -> Option<(Encoding, Zeroizing<String>)> {
    if text.starts_with('{') {
        return Some((Encoding::Json, Zeroizing::new(text.to_owned())));
    }
    let once = from_base64(text)?;
    let inner = strip(&once);
    if inner.starts_with('{') {
        let is_url = text.contains(['-', '_']);
        let encoding = if is_url {
            Encoding::Base64Url
        } else {
            Encoding::Base64
        };
        return Some((encoding, once));
    }
    let twice = from_base64(inner)?;
    strip(&twice)
        .starts_with('{')
        .then_some((Encoding::Base64Twice, twice))
}

/// Either alphabet, with or without padding, broken into lines or not.
fn from_base64(text: &str) -> Option<Zeroizing<String>> {
    let one_line: Zeroizing<String> = Zeroizing::new(
        text.chars()
            .filter(|c| !c.is_ascii_whitespace())
            .map(|c| match c {
                '+' => '-',
                '/' => '_',
                c => c,
            })
            .collect(),
    );
    let bytes = encoding::from_base64url(&one_line).ok()?;
    match String::from_utf8(bytes) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use sekisho_account::random::SystemRng;
    use sekisho_core::{
        id::{AccountId, EnvironmentId},
        key::{DeviceSecret, EnvironmentKey},
        records::SigningKeyRecord,
        sync::Trust,
    };

    use super::*;

    fn sample() -> (EnvironmentId, String) {
        let rng = &mut SystemRng;
        let key = EnvironmentKey::generate(rng);
        let environment = EnvironmentId::generate(rng);
        let trust = Trust {
            account: AccountId::generate(rng),
            environment,
            head_key: key.public(),
        };
        let record = SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        };
        let credentials = Credentials::new(
            trust,
            "dev ≥ ÿÿÿ??>>",
            DeviceSecret::generate(rng),
            record,
            rng,
        );
        let json = credentials.to_json().unwrap();
        (environment, String::from_utf8(json.to_vec()).unwrap())
    }

    fn base64(text: &str) -> String {
        let url = encoding::base64url(text.as_bytes());
        let padding = "=".repeat((4 - url.len() % 4) % 4);
        url.replace('-', "+").replace('_', "/") + &padding
    }

    fn in_lines(text: &str) -> String {
        text.as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).unwrap().to_owned() + "\r\n")
            .collect()
    }

    #[test]
    fn every_form_is_met() {
        let (environment, json) = sample();
        let url = encoding::base64url(json.as_bytes());
        assert!(
            url.contains(['-', '_']),
            "the sample tells the alphabets apart"
        );
        let rows = [
            (json.clone(), Encoding::Json),
            (format!("\u{feff}{json}\r\n"), Encoding::Json),
            (base64(&json), Encoding::Base64),
            (
                format!("{}\n", base64(&json).trim_end_matches('=')),
                Encoding::Base64,
            ),
            (in_lines(&base64(&json)), Encoding::Base64),
            (format!("\"{}\"", base64(&json)), Encoding::Base64),
            (base64(&format!("\u{feff}{json}\n")), Encoding::Base64),
            (url, Encoding::Base64Url),
            (base64(&base64(&json)), Encoding::Base64Twice),
            (base64(&in_lines(&base64(&json))), Encoding::Base64Twice),
        ];
        let dir = tempfile::tempdir().unwrap();
        for (number, (text, wanted)) in rows.iter().enumerate() {
            let (form, credentials) = read_session(text).unwrap();
            assert_eq!((form.path, form.encoding), (None, *wanted), "row {number}");
            assert_eq!(credentials.environment(), environment);
            let path = dir.path().join(number.to_string());
            fs::write(&path, text).unwrap();
            let (form, _) = read_session(&format!("{}\n", path.display())).unwrap();
            assert_eq!(
                (form.path, form.encoding),
                (Some(path), *wanted),
                "row {number} as a file"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_content() {
        let (_, json) = sample();
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().display().to_string();
        let cut = json.split_at(json.len() / 2).0;
        let rows = [
            ("", "empty"),
            (" \n", "empty"),
            ("/no/such/file.json", "neither a path"),
            ("hunter2 hunter2", "neither a path"),
            (folder.as_str(), "is a folder"),
            ("{\"hunter2\":", "not the expected JSON"),
            (cut, "not the expected JSON"),
        ];
        for (text, wanted) in rows {
            let error = read_session(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
            assert!(
                !error.contains("hunter2") && !error.contains("verifier\""),
                "{error}"
            );
        }
        let twice_cut = base64(&base64(cut));
        assert!(
            read_session(&twice_cut)
                .unwrap_err()
                .to_string()
                .starts_with("base64, twice: ")
        );
        let three = base64(&base64(&base64(&json)));
        assert!(matches!(read_session(&three), Err(SessionError::NoForm)));
    }

    #[test]
    fn the_vendors_file_is_recognised() {
        let vendor = r#"{"verifier":{"salt":"c2FsdA","localHash":"aGFzaA"},"encCredentials":{"kid":"localauthv2keykid",
            "enc":"A256GCM","cty":"b5+jwk+json","iv":"aXY","data":"ZGF0YQ"},"version":"2","deviceUuid":"aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "uniqueKey":{"alg":"A256GCM","ext":true,"k":"aw","key_ops":["encrypt","decrypt"],"kty":"oct","kid":"aaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#;
        let error = read_session(vendor).unwrap_err();
        assert!(
            error.to_string().contains("vendor's Connect server"),
            "{error}"
        );
    }
}
