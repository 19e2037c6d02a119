//! Reproducible bytes: SHA-256 of a label and a counter. Never for keys that matter.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

/// The same label gives the same bytes, whatever was drawn from others.
#[derive(Debug, Clone)]
pub struct LabelledRng {
    label: String,
    counter: u64,
}

/// The bytes of a label.
pub fn labelled(label: &str) -> LabelledRng {
    labelled_from(label, 0)
}

/// The bytes of a label from where [`LabelledRng::drawn`] was.
pub fn labelled_from(label: &str, drawn: u64) -> LabelledRng {
    LabelledRng {
        label: label.to_owned(),
        counter: drawn,
    }
}

impl LabelledRng {
    /// How many pieces were drawn.
    pub const fn drawn(&self) -> u64 {
        self.counter
    }
}

impl TryRng for LabelledRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_be_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_be_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            self.counter += 1;
            let mut hasher = Sha256::new();
            hasher.update(self.label.as_bytes());
            hasher.update(self.counter.to_be_bytes());
            chunk.copy_from_slice(&hasher.finalize()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for LabelledRng {}
