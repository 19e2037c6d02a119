//! What the cases put between the edge component and a runtime that is not ours: the time and the random bytes that all
//! other carriers of cases give. The component's own bytes stay what they are; only two of its imports are filled here.
//!
//! `/frozen/now` holds the time in milliseconds. How much was drawn stands in `/frozen/drawn`, because a runtime may take
//! a fresh instance for each request.

mod bindings;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the file is of the tests' own crate, which uses the rest of it"
)]
#[path = "../../src/rng.rs"]
mod rng;

use std::fs;

use bindings::exports::wasi::{
    clocks::wall_clock::{self, Datetime},
    random::random,
};
use rand_core::TryRng;

const NOW: &str = "/frozen/now";
const DRAWN: &str = "/frozen/drawn";

struct Frozen;

fn number(path: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

impl wall_clock::Guest for Frozen {
    fn now() -> Datetime {
        let millis = number(NOW);
        Datetime {
            seconds: millis / 1000,
            nanoseconds: (millis % 1000) as u32 * 1_000_000,
        }
    }

    fn resolution() -> Datetime {
        Datetime {
            seconds: 0,
            nanoseconds: 1_000_000,
        }
    }
}

impl random::Guest for Frozen {
    fn get_random_bytes(length: u64) -> Vec<u8> {
        let mut rng = rng::labelled_from("native carrier", number(DRAWN));
        let mut bytes = vec![0; length as usize];
        let Ok(()) = rng.try_fill_bytes(&mut bytes);
        // Without it the next draw would repeat this one, and a case would say so.
        let _ = fs::write(DRAWN, rng.drawn().to_string());
        bytes
    }

    fn get_random_u64() -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&Self::get_random_bytes(8));
        u64::from_be_bytes(bytes)
    }
}
