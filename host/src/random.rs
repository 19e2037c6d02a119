//! Random bytes, taken in one place and given to everything else (invariant 1).

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// Gives random bytes fit for keys. Tests bring one that repeats itself.
pub trait Random: Send + Sync {
    /// Fills all of it.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) {
        // Without randomness no nonce can be had, and to go on without would give keys away.
        if getrandom::fill(out).is_err() {
            std::process::abort();
        }
    }
}

/// A [`Random`] as core wants it.
pub(crate) struct CoreRng<'a>(pub(crate) &'a dyn Random);

impl TryRng for CoreRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for CoreRng<'_> {}
