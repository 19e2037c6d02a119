//! How long to wait before the next tick: never in step with others.

use std::time::Duration;

use crate::random::Random;

/// The waits of the sync core.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between ticks when nobody wakes it; the head's date stays young by it.
    pub interval: Duration,
    /// After the first failure; doubled with each further one.
    pub first_retry: Duration,
    /// Longest wait after a failure.
    pub last_retry: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            first_retry: Duration::from_millis(500),
            last_retry: Duration::from_secs(60),
        }
    }
}

impl Pace {
    /// The wait after so many failures in a row, between a half and one and a half of what is meant.
    pub(super) fn after(&self, failures: u32, random: &dyn Random) -> Duration {
        let meant = match failures.checked_sub(1) {
            None => self.interval,
            Some(more) => self
                .first_retry
                .saturating_mul(1u32.checked_shl(more).unwrap_or(u32::MAX))
                .min(self.last_retry),
        };
        let mut byte = [0];
        random.fill(&mut byte);
        meant / 2 + meant.mul_f64(f64::from(byte[0]) / 255.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Half;

    impl Random for Half {
        fn fill(&self, out: &mut [u8]) {
            out.fill(127);
        }
    }

    #[test]
    fn retries_grow_to_a_limit() {
        let pace = Pace::default();
        let waits: Vec<_> = [0, 1, 2, 3, 40]
            .map(|failures| pace.after(failures, &Half).as_millis())
            .to_vec();
        assert_eq!(waits, [14_970, 499, 998, 1_996, 59_882]);
    }
}
