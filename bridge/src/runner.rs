//! A mirror at work: polls when they are due or asked for, clients' writes in between, until it is stopped.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use sekisho_core::time::Timestamp;

use crate::{
    OpError,
    budget::Hold,
    client::OpClient,
    mirror::{Mirror, MirrorError, Polled},
    state::StateDir,
};

/// How long one look at pokes, parked writes and the end lasts.
const LOOK: Duration = Duration::from_millis(500);
/// The same in milliseconds, where the account does the waiting.
const WAIT_FOR_WRITES: u32 = 2_000;
/// Seconds after a poll before a poke may ask for another.
const POKE_GAP: u64 = 10;
/// Seconds after a first failure before the next poll; doubled with each further one.
const FIRST_RETRY: u64 = 15;
/// Longest such wait.
const LAST_RETRY: u64 = 1_800;

/// Told after each poll.
pub type Told<'a> = &'a mut dyn FnMut(&Result<Polled, MirrorError>);

/// Mirrors until `stop` is set.
pub fn run<C: OpClient>(mirror: &mut Mirror<C>, dir: &StateDir, stop: &AtomicBool, told: Told<'_>) {
    let mut pace = Pace {
        poked: dir.poked(),
        failures: 0,
        not_before: Timestamp::from_millis(0),
    };
    while !stop.load(Ordering::Relaxed) {
        if pace.is_due(mirror, dir) {
            let result = mirror.poll();
            log(&result);
            pace.note(mirror, &result);
            told(&result);
            continue;
        }
        if !mirror.writes() {
            thread::sleep(LOOK);
        } else if let Err(error) = mirror.write_through(WAIT_FOR_WRITES) {
            if !matches!(error, MirrorError::Stopped) {
                tracing::warn!(%error, "clients' writes are not done");
            }
            thread::sleep(LOOK);
        }
    }
}

struct Pace {
    poked: Option<std::time::SystemTime>,
    failures: u32,
    not_before: Timestamp,
}

impl Pace {
    fn is_due<C: OpClient>(&mut self, mirror: &Mirror<C>, dir: &StateDir) -> bool {
        let now = mirror.now();
        if now < self.not_before || mirror.budget().may_poll(now).is_err() {
            return false;
        }
        if mirror.next_poll() <= now {
            return true;
        }
        let poked = dir.poked();
        let gap = now.seconds() >= mirror.budget().last_poll().seconds() + POKE_GAP;
        if poked == self.poked || !gap {
            return false;
        }
        self.poked = poked;
        tracing::info!("asked for a poll");
        true
    }

    fn note<C: OpClient>(&mut self, mirror: &Mirror<C>, result: &Result<Polled, MirrorError>) {
        match result {
            Ok(_) | Err(MirrorError::Stopped | MirrorError::Hold(_)) => self.failures = 0,
            Err(_) => {
                self.failures += 1;
                let doubled = FIRST_RETRY.checked_shl(self.failures - 1);
                let wait = doubled.unwrap_or(LAST_RETRY).min(LAST_RETRY);
                self.not_before = mirror.now().plus_seconds(wait);
            }
        }
    }
}

fn log(result: &Result<Polled, MirrorError>) {
    match result {
        Ok(polled) if *polled == Polled::default() => tracing::debug!("nothing changed"),
        Ok(polled) => tracing::info!(
            written = polled.written,
            dropped = polled.dropped,
            vaults = polled.vaults,
            "mirrored"
        ),
        Err(MirrorError::Stopped) => {}
        Err(error @ (MirrorError::Hold(Hold::Token) | MirrorError::Op(OpError::Auth))) => {
            tracing::error!(%error, "not mirrored");
        }
        Err(error) => tracing::warn!(%error, "not mirrored"),
    }
}
