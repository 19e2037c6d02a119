//! The runtime's random source as core wants it.

use std::{cell::RefCell, convert::Infallible};

use rand_core::{TryCryptoRng, TryRng};

use crate::bindings::wasi::random::random;

/// Bytes that are drawn ahead in one call.
const AHEAD: usize = 256;

thread_local! {
    /// None before the first of them, which may well be the instance's only ones.
    static DRAWN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// `wasi:random/random`, which is fit for keys by its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostRandom {
    /// Drawn when it is wanted.
    Fresh,
    /// Drawn ahead where an instance answers many requests, because a call costs more than the bytes do. It lies in the
    /// instance's memory meanwhile: for the ids of requests, which are no secret.
    Ahead,
}

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
        match self {
            Self::Fresh => out.copy_from_slice(&draw(out.len())),
            Self::Ahead => DRAWN.with_borrow_mut(|drawn| take(drawn, out)),
        }
        Ok(())
    }
}

impl TryCryptoRng for HostRandom {}

fn draw(count: usize) -> Vec<u8> {
    random::get_random_bytes(count as u64)
}

fn take(drawn: &mut Option<Vec<u8>>, out: &mut [u8]) {
    let ahead = if drawn.is_some() { AHEAD } else { 0 };
    let held = drawn.get_or_insert_default();
    if held.len() < out.len() {
        *held = draw(ahead.max(out.len()));
    }
    let taken = held.drain(held.len().saturating_sub(out.len())..);
    out.iter_mut().zip(taken).for_each(|(to, from)| *to = from);
}
