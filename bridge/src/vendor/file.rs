//! The core's file: one version, known by its digest.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig, TlsProvider},
};

/// The version of the vendor's Go SDK whose core is taken.
pub const CORE_VERSION: &str = "0.4.1";
/// What that version calls itself towards the service (`X-AgileBits-Client`).
pub const SDK_VERSION: &str = "0040101";

/// SHA-256 of `internal/wasm/core.wasm` in that version.
const SHA256: &str = "23d115f4ac7519b48172df3e8615945572dbda7033d51b44c9490fd533ae0f23";
/// The vendor's public repository.
const VENDOR: &str =
    "https://raw.githubusercontent.com/1Password/onepassword-sdk-go/v0.4.1/internal/wasm/core.wasm";
/// The Go module, and where in it the core lies.
const MODULE: &str = "github.com/1password/onepassword-sdk-go@v0.4.1";
const IN_MODULE: &str = "internal/wasm/core.wasm";
/// A core is a tenth of this.
const MAX_CORE: u64 = 100 * 1024 * 1024;

/// Why a file is not taken for the core.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreFileError {
    /// It cannot be read or written.
    #[error("{}: {kind}: check the path; `sekisho bridge fetch-core` gets the core", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// It is another file.
    #[error(
        "{0} is not the core of version {CORE_VERSION}: its SHA-256 is {1}, not {SHA256}; get it with `sekisho bridge fetch-core`"
    )]
    OtherDigest(String, String),
    /// It could not be fetched.
    #[error(
        "the core could not be fetched from {0}: {1}; fetch it elsewhere and name the file: `sekisho bridge fetch-core FILE`"
    )]
    Fetch(String, String),
}

/// The core's bytes, checked.
pub struct CoreFile {
    bytes: Vec<u8>,
    digest: String,
}

impl std::fmt::Debug for CoreFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoreFile")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl CoreFile {
    /// Reads a file and checks that it is the one version.
    pub fn read(path: &Path) -> Result<Self, CoreFileError> {
        let bytes = read_bounded(path)?;
        Self::check(bytes, &path.display().to_string())
    }

    /// Takes bytes that are the one version.
    pub fn check(bytes: Vec<u8>, from: &str) -> Result<Self, CoreFileError> {
        let digest = hex(&Sha256::digest(&bytes));
        if digest == SHA256 {
            Ok(Self { bytes, digest })
        } else {
            Err(CoreFileError::OtherDigest(from.to_owned(), digest))
        }
    }

    /// Takes whatever it is: another core, on the administrator's own account, or a test's module.
    pub fn dangerous_any(bytes: Vec<u8>) -> Self {
        let digest = hex(&Sha256::digest(&bytes));
        Self { bytes, digest }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of them, in lower-case hex.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Gets the core: from a file or an https URL, else from Go's module cache, else from the vendor's repository.
pub fn fetch(from: Option<&str>) -> Result<CoreFile, CoreFileError> {
    match from {
        Some(url) if url.starts_with("https://") => download(url),
        Some(path) => CoreFile::read(Path::new(path)),
        None => match of_go() {
            Some(core) => Ok(core),
            None => download(VENDOR),
        },
    }
}

/// What the `go` program has in its module cache, or gets there. Go checks the module's sum, we the file's digest.
fn of_go() -> Option<CoreFile> {
    let go = Command::new("go")
        .args(["mod", "download", "-json", MODULE])
        .current_dir(std::env::temp_dir())
        .output()
        .ok()?;
    let told: serde_json::Value = serde_json::from_slice(&go.stdout).ok()?;
    let module = Path::new(told.get("Dir")?.as_str()?);
    CoreFile::read(&module.join(IN_MODULE)).ok()
}

fn download(url: &str) -> Result<CoreFile, CoreFileError> {
    let failed = |why: String| CoreFileError::Fetch(url.to_owned(), why);
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::WebPki);
    let agent = Agent::config_builder()
        .tls_config(tls.build())
        .https_only(true)
        .max_redirects(3)
        .timeout_global(Some(Duration::from_secs(300)))
        .build()
        .new_agent();
    let answer = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    let mut body = answer.into_body();
    let read = body.as_reader().take(MAX_CORE + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.kind().to_string()))?;
    CoreFile::check(bytes, url)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, CoreFileError> {
    let refused = |error: io::Error| CoreFileError::Io {
        path: path.to_path_buf(),
        kind: error.kind(),
    };
    let mut bytes = Vec::new();
    fs::File::open(path)
        .map_err(refused)?
        .take(MAX_CORE)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_is_refused_with_both_digests() {
        let error = CoreFile::check(b"\0asm".to_vec(), "x.wasm").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("x.wasm") && text.contains(SHA256), "{text}");
    }
}
