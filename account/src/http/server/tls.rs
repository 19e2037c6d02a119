//! TLS from PEM: TLS 1.2 and 1.3 by rustls with ring.

use std::sync::Arc;

use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

/// Why there is no TLS. What was in the files is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No certificate in it.
    #[error("the TLS certificate is not PEM: it begins with -----BEGIN CERTIFICATE-----")]
    Certificate,
    /// No private key in it.
    #[error("the TLS key is not PEM: it begins with -----BEGIN PRIVATE KEY-----")]
    Key,
    /// They do not belong together, or are of a kind that is not known.
    #[error(
        "the TLS certificate and key do not fit together: check that both are of the same host"
    )]
    Unfit,
}

/// From a chain of certificates, the server's first, and its key.
pub fn tls_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    config(chain, key, None)
}

/// The same, for clients alone that show a certificate of this CA.
pub fn tls_config_for(chain: &[u8], key: &[u8], ca: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|_| TlsError::Certificate)?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| TlsError::Certificate)?;
    config(chain, key, Some(verifier))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::Certificate);
    }
    Ok(chain)
}

fn config(
    chain: &[u8],
    key: &[u8],
    clients: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| TlsError::Unfit)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(verifier),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|_| TlsError::Unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
