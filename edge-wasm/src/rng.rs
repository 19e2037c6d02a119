//! The runtime's random source as core wants it.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

use crate::bindings::wasi::random::random;

/// `wasi:random/random`, which is fit for keys by its contract.
pub(crate) struct HostRandom;

impl TryRng for HostRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&random::get_random_bytes(out.len() as u64));
        Ok(())
    }
}

impl TryCryptoRng for HostRandom {}
