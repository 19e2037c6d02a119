//! Each primitive by our name: [`sekisho_cipher`], and random bytes for tests.

pub use sekisho_cipher::OpenError;
pub(crate) use sekisho_cipher::{aead, hash, hpke, kdf, signature};

#[cfg(test)]
pub(crate) use test::test_rng;

#[cfg(test)]
mod test {
    use core::convert::Infallible;

    use rand_core::{TryCryptoRng, TryRng};

    use super::hash::sha256;

    /// Reproducible bytes for tests: SHA-256 of a counter.
    pub(crate) struct TestRng(u64);

    pub(crate) fn test_rng(seed: u32) -> TestRng {
        TestRng(u64::from(seed) << 32)
    }

    impl TryRng for TestRng {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            self.try_next_u64().map(|word| word as u32)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            let mut word = [0; 8];
            self.try_fill_bytes(&mut word)?;
            Ok(u64::from_be_bytes(word))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            for chunk in out.chunks_mut(32) {
                self.0 += 1;
                let block = sha256(&[&self.0.to_be_bytes()]);
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
            Ok(())
        }
    }

    impl TryCryptoRng for TestRng {}
}
