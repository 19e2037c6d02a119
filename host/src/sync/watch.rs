//! What wakes a process that follows a replica: another one wrote to it, or put a new one in its place.
//!
//! There is no bus and no list of peers: the folder is all that the processes share (connect-contract.md §6.2a).
//! SQLite's `data_version` is a word in shared memory, so to look often costs next to nothing; what tells of changes
//! in folders (inotify) would not work on every volume.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::Wake;
use crate::store::Replica;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at which file it is, and two tries to open it.
const REOPEN: Duration = Duration::from_millis(500);

/// Watches the replica in a folder.
pub(crate) fn watch(directory: PathBuf) -> Wake {
    let mut watched: Option<Watched> = None;
    Box::new(move |timeout| {
        let end = Instant::now() + timeout;
        loop {
            if let Some(seen) = &mut watched {
                match seen.look() {
                    Some(false) => {}
                    Some(true) => return true,
                    None => watched = None,
                }
            }
            if watched.is_none() {
                watched = Watched::open(&directory);
                if watched.is_some() {
                    return true;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let pause = if watched.is_some() { LOOK } else { REOPEN };
            thread::sleep(left.min(pause));
        }
    })
}

struct Watched {
    replica: Replica,
    seen: i64,
    checked: Instant,
}

impl Watched {
    fn open(directory: &std::path::Path) -> Option<Self> {
        let replica = Replica::open(directory).ok()?;
        let seen = replica.data_version().ok()?;
        let checked = Instant::now();
        Some(Self {
            replica,
            seen,
            checked,
        })
    }

    /// Whether there is something new; `None` = it is no longer the file to look at.
    fn look(&mut self) -> Option<bool> {
        if self.checked.elapsed() >= REOPEN {
            self.checked = Instant::now();
            if self.replica.is_replaced() {
                return None;
            }
        }
        let at = self.replica.data_version().ok()?;
        Some(std::mem::replace(&mut self.seen, at) != at)
    }
}
