//! What leaves this process towards the vendor, and what comes back. The core connects to wherever its token says, so
//! the [`Guard`] here is the only thing that decides where a request may go.

mod guard;
mod http;
mod meter;

pub use guard::{Guard, GuardError, Hosts};
pub use http::HttpTransport;
pub use meter::{Allowance, Kind, Limited, Meter, MeterReading};
use zeroize::Zeroizing;

/// Longest answer that is taken, in bytes.
pub const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Longest request body that is sent, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// A request that the core wants to make.
pub struct Outgoing {
    /// The method, upper case.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Headers, complete but for `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body, raw.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// What came back.
pub struct Incoming {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, raw.
    pub body: Zeroizing<Vec<u8>>,
}

impl Incoming {
    /// What the core is told when the service cannot be reached: an answer, never an error (op-account.md §A.3).
    pub fn unavailable() -> Self {
        Self {
            status: 503,
            headers: Vec::new(),
            body: Zeroizing::default(),
        }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A request did not come through: nothing is known of what the service made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection, or it broke.
    #[error("the service cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("the service did not answer in time")]
    Late,
    /// The answer is longer than [`MAX_ANSWER`], or its body is cut.
    #[error("the service's answer is cut or too long")]
    Broken,
}

/// Carries requests that the [`Guard`] lets through.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for the whole answer. Redirects are answers.
    fn send(&self, request: &Outgoing) -> Result<Incoming, TransportError>;
}
