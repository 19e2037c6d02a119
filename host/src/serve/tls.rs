//! TLS from files that may be changed while the server runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use sekisho_account::http::server::{TlsError, tls_config};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use zeroize::Zeroizing;

/// A certificate and its key. Clones are the same one.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    cert: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
}

/// Why there is no TLS. What is in the files is not told.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file cannot be read.
    #[error("{}: {}", .0.display(), .1.kind())]
    Read(PathBuf, io::Error),
    /// They are not what they should be.
    #[error(transparent)]
    Content(#[from] TlsError),
}

impl Tls {
    /// From PEM files: the chain of certificates, the server's first; and its key.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsFileError> {
        let config = ArcSwap::new(read(cert, key)?);
        let (cert, key) = (cert.to_path_buf(), key.to_path_buf());
        Ok(Self(Arc::new(Inner { cert, key, config })))
    }

    /// Reads the files again. Connections that are there go on as they began; if the files are no good, new ones go on
    /// with what there was.
    pub fn reload(&self) -> Result<(), TlsFileError> {
        let config = read(&self.0.cert, &self.0.key)?;
        self.0.config.store(config);
        Ok(())
    }

    /// The files.
    pub fn files(&self) -> [&Path; 2] {
        [&self.0.cert, &self.0.key]
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.config.load_full())
    }
}

fn read(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsFileError> {
    let bytes = |path: &Path| {
        let bytes = fs::read(path).map(Zeroizing::new);
        bytes.map_err(|error| TlsFileError::Read(path.to_path_buf(), error))
    };
    Ok(tls_config(&bytes(cert)?, &bytes(key)?)?)
}
