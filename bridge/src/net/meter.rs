//! Counts requests where they leave, and keeps what the service says about limits: the core throws both away
//! (op-account.md §E.3).

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{GuardError, Incoming};

/// Longest start of a 429's body that is looked at.
const LOOKED_AT: usize = 4096;

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It changes nothing upstream.
    Read,
    /// It does.
    Write,
    /// It belongs to signing in. Counted towards the day as well: users report that failed ones are (op-account.md §E.4).
    SignIn,
}

impl Kind {
    /// By method and path. A POST for a batch of items only reads.
    fn of(method: &str, path: &str) -> Self {
        if path.starts_with("/api/v2/auth")
            || path.starts_with("/api/v3/auth")
            || path.starts_with("/api/v1/auth")
            || path.starts_with("/api/v1/device")
        {
            Self::SignIn
        } else if method == "GET" || path.ends_with("/items/batch") {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// How many requests may still be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// As many as it takes.
    Unlimited,
    /// So many; then every further one is answered 503 here.
    Requests(u32),
}

/// What was sent since the meter was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeterReading {
    /// Requests that read.
    pub reads: u64,
    /// Requests that write.
    pub writes: u64,
    /// Requests of sign-ins.
    pub sign_ins: u64,
    /// Those of all that got no answer.
    pub failed: u64,
}

impl MeterReading {
    /// All requests.
    pub const fn total(&self) -> u64 {
        self.reads + self.writes + self.sign_ins
    }

    /// What came after an earlier reading.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            reads: self.reads.saturating_sub(earlier.reads),
            writes: self.writes.saturating_sub(earlier.writes),
            sign_ins: self.sign_ins.saturating_sub(earlier.sign_ins),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }
}

/// The service said 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds it asks to wait, if it says.
    pub retry_after: Option<u64>,
}

#[derive(Debug)]
struct State {
    reading: MeterReading,
    allowance: Allowance,
    limited: Option<Limited>,
    refused: Option<GuardError>,
}

/// Shared by the guard, which writes, and the planner, which reads.
#[derive(Debug)]
pub struct Meter(Mutex<State>);

impl Default for Meter {
    fn default() -> Self {
        Self(Mutex::new(State {
            reading: MeterReading::default(),
            allowance: Allowance::Unlimited,
            limited: None,
            refused: None,
        }))
    }
}

impl Meter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was sent so far.
    pub fn reading(&self) -> MeterReading {
        self.state().reading
    }

    /// Sets how many requests may still be sent.
    pub fn allow(&self, allowance: Allowance) {
        self.state().allowance = allowance;
    }

    /// What the service last said about its limits; told once.
    pub fn take_limited(&self) -> Option<Limited> {
        self.state().limited.take()
    }

    /// Why the guard last refused a request; told once.
    pub fn take_refusal(&self) -> Option<GuardError> {
        self.state().refused.take()
    }

    pub(super) fn refuse(&self, error: GuardError) {
        self.state().refused = Some(error);
    }

    /// Counts a request that is about to be sent; `false` = it may not be.
    pub(super) fn take(&self, method: &str, path: &str) -> bool {
        let mut state = self.state();
        if let Allowance::Requests(left) = state.allowance {
            let Some(left) = left.checked_sub(1) else {
                return false;
            };
            state.allowance = Allowance::Requests(left);
        }
        match Kind::of(method, path) {
            Kind::Read => state.reading.reads += 1,
            Kind::Write => state.reading.writes += 1,
            Kind::SignIn => state.reading.sign_ins += 1,
        }
        true
    }

    pub(super) fn answered(&self, answer: &Incoming) {
        if answer.status == 429 {
            let retry_after = retry_after(answer);
            self.state().limited = Some(Limited { retry_after });
        }
    }

    pub(super) fn failed(&self) {
        self.state().reading.failed += 1;
    }
}

/// `Retry-After` in seconds, else what the text says: "Please retry in 59 minutes".
fn retry_after(answer: &Incoming) -> Option<u64> {
    let header = answer
        .header("retry-after")
        .and_then(|text| text.trim().parse().ok());
    let start = answer.body.get(..answer.body.len().min(LOOKED_AT))?;
    header.or_else(|| in_words(&String::from_utf8_lossy(start)))
}

fn in_words(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("retry in ")?;
    let mut words = rest.split_ascii_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let unit = words.next()?;
    let factor = match unit {
        unit if unit.starts_with("second") => 1,
        unit if unit.starts_with("minute") => 60,
        unit if unit.starts_with("hour") => 3600,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn limited(header: Option<&str>, body: &str) -> Option<u64> {
        let answer = Incoming {
            status: 429,
            headers: header
                .map(|value| ("retry-after".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: Zeroizing::new(body.into()),
        };
        let meter = Meter::default();
        meter.answered(&answer);
        meter.take_limited().unwrap().retry_after
    }

    #[test]
    fn waits_are_read_where_they_stand() {
        assert_eq!(limited(Some("120"), ""), Some(120));
        assert_eq!(
            limited(None, "Please retry in 59 minutes or try"),
            Some(3540)
        );
        assert_eq!(limited(None, "retry in 2 hours"), Some(7200));
        assert_eq!(limited(Some("Sun, 06 Nov"), "retry in soon"), None);
    }

    #[test]
    fn kinds_and_the_allowance() {
        let meter = Meter::default();
        meter.allow(Allowance::Requests(3));
        assert!(meter.take("POST", "/api/v3/auth/start"));
        assert!(meter.take("POST", "/api/v3/vault/x/items/batch"));
        assert!(meter.take("PATCH", "/api/v3/vault/x/1/items"));
        assert!(!meter.take("GET", "/api/v1/vaults"), "used up");
        let reading = meter.reading();
        assert_eq!((reading.sign_ins, reading.reads, reading.writes), (1, 1, 1));
        assert_eq!(reading.total(), 3);
    }
}
