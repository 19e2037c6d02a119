//! The whole Connect REST API as one function: [`answer`].
//!
//! A carrier (native server or component) brings the request and the [`Ports`], and carries the [`Response`] away.
//! Everything that decides is in between, so the same exchange gives the same bytes on every runtime (invariant 8).

use alloc::vec::Vec;

use http::{Request, Response as HttpResponse, StatusCode};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    id::{ItemId, TokenId, VaultId},
    records::{Fault, Records},
    time::Timestamp,
};

/// The Connect release whose API is answered: header `1Password-Connect-Version` (connect-contract.md §0.2 no. 6).
pub const CONNECT_VERSION: &str = "1.8.2";

/// Largest request body taken, in bytes; a larger one is answered 413.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// What the API needs of its surroundings.
pub struct Ports<'a> {
    /// Sealed records, one consistent set for the request.
    pub records: &'a dyn Records,
    /// Where accesses are noted.
    pub usage: &'a dyn Usage,
    /// The time of the request.
    pub now: Timestamp,
    /// Random bytes fit for keys.
    pub rng: &'a mut dyn CryptoRng,
}

/// Takes notes of accesses: metadata only, never contents (the WIT interface `sekisho:vault/usage`).
pub trait Usage {
    /// Notes one access. It must not fail and not wait.
    fn note(&self, event: UsageEvent);
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// An item or file was shown.
    Read,
    /// An item was made.
    Create,
    /// An item was changed.
    Update,
    /// An item was removed.
    Delete,
}

/// One access (connect-contract.md §2.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// The token used.
    pub token: TokenId,
    /// What was done.
    pub action: Action,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The vault.
    pub vault: VaultId,
    /// The item, where one was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// Its version, where it was shown or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_version: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// An answer's body: pulled piece by piece, so that a large file never sits whole in memory.
#[derive(Debug)]
pub struct Body {
    full: Option<Zeroizing<Vec<u8>>>,
}

impl Body {
    /// A body that is all there.
    pub const fn full(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { full: Some(bytes) }
    }

    /// The next piece; `None` at the end. Pieces wipe themselves when dropped.
    pub fn next_chunk(
        &mut self,
        records: &dyn Records,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let _ = records;
        Ok(self.full.take())
    }
}

/// An answer.
pub type Response = HttpResponse<Body>;

/// Answers one request. Never panics, never fails: every refusal is an answer too.
pub fn answer(request: &Request<Vec<u8>>, ports: &mut Ports<'_>) -> Response {
    let _ = (request, ports.now);
    let mut response = HttpResponse::new(Body::full(Zeroizing::new(Vec::new())));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
