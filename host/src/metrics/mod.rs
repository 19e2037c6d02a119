//! What is counted, for `GET /metrics`.
//!
//! Every label's value comes from a fixed set in this program: route templates, methods, statuses, codes. An id, a
//! title or a token can therefore not get into it (invariant 7), and no client can make it grow.

mod text;
mod upstream;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, StatusCode};
use sekisho_core::{rest::Verdict, secret::SecretText};

pub(crate) use self::{text::render, upstream::Counted};

/// Prometheus' text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who gets to see the metrics. By default everybody on the API's own listener does, as with 1Password Connect.
#[derive(Debug, Clone, Default)]
pub struct MetricsAccess {
    /// Only who brings this bearer.
    pub token: Option<SecretText>,
    /// Only on this listener of their own, where nothing else is served; port 0 takes a free one.
    pub listen: Option<SocketAddr>,
}

/// Upper ends of the latency histogram, in microseconds.
const BUCKETS: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

const VERDICTS: [(Verdict, &str); 9] = [
    (Verdict::Accepted, "accepted"),
    (Verdict::Missing, "token_missing"),
    (Verdict::Malformed, "token_malformed"),
    (Verdict::Forged, "token_invalid"),
    (Verdict::OtherServer, "token_other_server"),
    (Verdict::NotSynchronised, "token_not_synchronised"),
    (Verdict::Revoked, "token_revoked"),
    (Verdict::Expired, "token_expired"),
    (Verdict::Unavailable, "unavailable"),
];

/// Method and route template.
type Key = (&'static str, &'static str);

/// The counters. Gauges are read when they are asked for.
#[derive(Debug, Default)]
pub struct Metrics {
    routes: RwLock<BTreeMap<Key, Arc<Series>>>,
    verdicts: [AtomicU64; VERDICTS.len()],
    calls: upstream::Calls,
    /// Calls that were not made because the last ones failed.
    not_asked: AtomicU64,
    /// Whether they are not made now.
    spares: AtomicBool,
    /// Requests that met an answer that was kept.
    kept: AtomicU64,
}

/// One method of one route.
#[derive(Debug)]
struct Series {
    /// By status, from 100.
    statuses: Box<[AtomicU64]>,
    /// By the first of [`BUCKETS`] that holds it; the last is for what none does.
    times: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            statuses: (100..600).map(|_| AtomicU64::new(0)).collect(),
            times: Default::default(),
            micros: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        let series = self.series((word(method), route));
        if let Some(count) = series
            .statuses
            .get(usize::from(status.as_u16()).wrapping_sub(100))
        {
            add(count, 1);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < micros);
        if let Some(count) = series.times.get(bucket) {
            add(count, 1);
        }
        add(&series.micros, micros);
    }

    pub(crate) fn checked(&self, verdict: Verdict) {
        let known = VERDICTS
            .iter()
            .zip(&self.verdicts)
            .find(|((known, _), _)| *known == verdict);
        if let Some((_, count)) = known {
            add(count, 1);
        }
    }

    pub(crate) fn not_asked(&self) {
        add(&self.not_asked, 1);
    }

    pub(crate) fn met_kept(&self) {
        add(&self.kept, 1);
    }

    pub(crate) fn spares(&self, spares: bool) {
        self.spares.store(spares, Ordering::Relaxed);
    }

    fn series(&self, key: Key) -> Arc<Series> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&key) {
            return Arc::clone(series);
        }
        drop(known);
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_default())
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Anyone can make up a method.
fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}
