//! What the environment says (`wasmtime serve --env NAME=VALUE`).

use std::time::Duration;

use sekisho_core::published::EdgeKeys;

use crate::http::Address;

/// Bytes of sealed objects that an instance keeps at most.
const CACHE: usize = 512 * 1024;

/// How long a pointer is as good as new where nobody writes through this edge. A revocation is seen that much later at
/// most.
const FRESH: Duration = Duration::from_millis(500);

/// Decided settings.
pub(crate) struct Settings {
    /// `SEKISHO_FEED_URL`
    pub(crate) feed: Address,
    /// `SEKISHO_WRITE_URL`; `None` = this edge only reads.
    pub(crate) write: Option<Address>,
    /// `SEKISHO_EDGE_KEYS`
    pub(crate) keys: EdgeKeys,
    /// `SEKISHO_EDGE_CACHE_KB`
    pub(crate) cache: usize,
    /// `SEKISHO_USAGE_BATCH`: accesses that are noted before the host is told of them.
    pub(crate) batch: usize,
    /// `SEKISHO_TRUST_PEER`
    pub(crate) trusts_peers: bool,
}

impl Settings {
    /// How long a pointer is used for further requests. A write may have come through another instance, and is read by
    /// the next request whichever instance answers it: where there are writes, each request asks.
    pub(crate) fn fresh(&self) -> Duration {
        if self.write.is_some() {
            Duration::ZERO
        } else {
            FRESH
        }
    }

    pub(crate) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, &'static str> {
        let given = |name| variable(name).filter(|text| !text.trim().is_empty());
        let address = |text: String| Address::parse(text.trim());
        let feed = given("SEKISHO_FEED_URL").ok_or(
            "SEKISHO_FEED_URL is not set: --env SEKISHO_FEED_URL=http://HOST:PORT of a `sekisho serve --feed read`",
        )?;
        let keys = given("SEKISHO_EDGE_KEYS").ok_or(
            "SEKISHO_EDGE_KEYS is not set: --env SEKISHO_EDGE_KEYS, with what `sekisho edge keys` prints",
        )?;
        let number = |name, otherwise: usize| match given(name) {
            Some(text) => text.trim().parse().ok(),
            None => Some(otherwise),
        };
        Ok(Self {
            feed: address(feed)
                .ok_or("SEKISHO_FEED_URL is no address: http://HOST:PORT or https://HOST:PORT")?,
            write: given("SEKISHO_WRITE_URL")
                .map(|text| address(text).ok_or("SEKISHO_WRITE_URL is no address: http://HOST:PORT or https://HOST:PORT"))
                .transpose()?,
            keys: EdgeKeys::parse(&keys).map_err(|_| {
                "SEKISHO_EDGE_KEYS is damaged: it is one line, as `sekisho edge keys` prints it"
            })?,
            cache: number("SEKISHO_EDGE_CACHE_KB", CACHE / 1024)
                .ok_or("SEKISHO_EDGE_CACHE_KB is no number")?
                .saturating_mul(1024),
            batch: number("SEKISHO_USAGE_BATCH", 1)
                .ok_or("SEKISHO_USAGE_BATCH is no number")?
                .clamp(1, 256),
            trusts_peers: given("SEKISHO_TRUST_PEER").is_some_and(|text| text.trim() == "1"),
        })
    }
}
