//! The files of one process, in a folder of its own below the one that all share.
//!
//! The folder's lock says whether its process lives: who gets the lock of another's takes its files over. So any number
//! of processes share the parent folder, and what a killed one left is sent by the next. A lock counts only as long as
//! its file is the one that bears the name: who takes a folder over removes it, and others may have it open still.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    AT_ONCE, fold,
    segment::{Content, FULL, OPEN, PART, REFUSED, SENT, Segment},
};

const LOCK: &str = "lock";
/// Files that the account refused and that are kept to be looked at.
const MOST_REFUSED: usize = 4;
/// Bytes that a report in a file has, more or less.
const LINE: u64 = 256;

/// Where one process keeps its notes.
pub(super) struct Folder {
    /// Shared with other processes.
    parent: PathBuf,
    path: PathBuf,
    name: String,
    budget: u64,
    number: AtomicU64,
    /// Held as long as the process lives.
    _lock: File,
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) path: PathBuf,
    pub(super) is_sent: bool,
}

impl Folder {
    pub(super) fn open(parent: &Path, name: &str, budget: u64) -> io::Result<Self> {
        let path = parent.join(name);
        Ok(Self {
            parent: parent.to_path_buf(),
            _lock: claim(&path)?,
            path,
            name: name.to_owned(),
            budget,
            number: AtomicU64::new(0),
        })
    }

    /// Bytes that all files may have.
    pub(super) const fn budget(&self) -> u64 {
        self.budget
    }

    /// A new file. Names sort by age within the process; what was taken over sorts first.
    pub(super) fn begin(&mut self) -> io::Result<Segment> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let stem = format!("{number:012}-{}", self.name);
        match Segment::begin(&self.path, &stem, OPEN) {
            // Somebody emptied the data folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self._lock = claim(&self.path)?;
                Segment::begin(&self.path, &stem, OPEN)
            }
            begun => begun,
        }
    }

    /// Takes over what processes left that are no more. Says which files came.
    pub(super) fn adopt(&self) -> io::Result<Vec<PathBuf>> {
        let mut adopted = Vec::new();
        for entry in fs::read_dir(&self.parent)? {
            let other = entry?.path();
            if other == self.path || !other.is_dir() {
                continue;
            }
            // One that cannot be taken over must not keep the others from it; there is a next time.
            if let Err(error) = self.adopt_one(&other, &mut adopted) {
                tracing::debug!(kind = ?error.kind(), "a folder of usage is not taken over");
            }
        }
        Ok(adopted)
    }

    fn adopt_one(&self, other: &Path, adopted: &mut Vec<PathBuf>) -> io::Result<()> {
        let lock = lock_file(other)?;
        match lock.try_lock() {
            Ok(()) if is_current(&lock, other)? => self.take_over(other, adopted),
            // Another took it over in between.
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn take_over(&self, other: &Path, adopted: &mut Vec<PathBuf>) -> io::Result<()> {
        for file in files(other)? {
            let (Some(stem), Some(ending)) = (file.file_stem(), ending(&file)) else {
                continue;
            };
            if ending == PART {
                fs::remove_file(&file)?;
                continue;
            }
            // Nobody writes to it any more.
            let ending = if ending == OPEN { FULL } else { ending };
            if [FULL, SENT, REFUSED].contains(&ending) {
                let to = self.path.join(stem).with_extension(ending);
                fs::rename(&file, &to)?;
                adopted.push(to);
            }
        }
        fs::remove_file(other.join(LOCK))?;
        fs::remove_dir(other)
    }

    /// Files to be sent: those that were offered already, then the others by age.
    pub(super) fn waiting(&self) -> io::Result<Vec<Waiting>> {
        let mut waiting: Vec<_> = files(&self.path)?
            .into_iter()
            .filter_map(|path| {
                let is_sent = match ending(&path)? {
                    SENT => true,
                    FULL => false,
                    _ => return None,
                };
                Some(Waiting { path, is_sent })
            })
            .collect();
        waiting.sort_by(|a, b| (!a.is_sent, &a.path).cmp(&(!b.is_sent, &b.path)));
        // A file that stands in for others is whole: what is left of them must not count beside it.
        let mut replaced = BTreeSet::new();
        for file in waiting
            .iter()
            .filter(|file| file.path.to_string_lossy().contains("-sum-"))
        {
            replaced.extend(Content::sources(&file.path)?);
        }
        if !replaced.is_empty() {
            waiting.retain(|file| {
                let name = file.path.file_name().map(|name| name.to_string_lossy());
                let is_replaced = name.is_some_and(|name| replaced.contains(&*name));
                // Also when it cannot be removed: it is not offered.
                !(is_replaced && {
                    let _ = fs::remove_file(&file.path);
                    true
                })
            });
        }
        Ok(waiting)
    }

    /// Marks a file as offered, before it is.
    pub(super) fn offer(&self, file: &Waiting) -> io::Result<PathBuf> {
        if file.is_sent {
            return Ok(file.path.clone());
        }
        let to = file.path.with_extension(SENT);
        fs::rename(&file.path, &to)?;
        Ok(to)
    }

    /// Puts a file away that the account will not take.
    pub(super) fn refuse(&self, path: &Path) -> io::Result<()> {
        fs::rename(path, path.with_extension(REFUSED))?;
        let mut refused: Vec<_> = files(&self.path)?
            .into_iter()
            .filter(|path| ending(path) == Some(REFUSED))
            .collect();
        refused.sort();
        let many = refused.len().saturating_sub(MOST_REFUSED);
        for path in refused.into_iter().take(many) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Adds the oldest up when all together are too large. Those that were offered stay as they are, for the account
    /// may have counted them. Says how many files became one.
    pub(super) fn shrink(&self) -> io::Result<usize> {
        let waiting = self.waiting()?;
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let total: u64 = waiting.iter().map(|file| size(&file.path)).sum();
        if total <= self.budget {
            return Ok(0);
        }
        let (mut sources, mut taken) = (Vec::new(), 0);
        for file in waiting.into_iter().filter(|file| !file.is_sent) {
            if taken > total.saturating_sub(self.budget / 2) {
                break;
            }
            taken += size(&file.path);
            sources.push(file.path);
        }
        if sources.len() > 1 || taken > self.budget / 2 {
            self.sum_up(&sources)?;
        }
        Ok(sources.len())
    }

    fn sum_up(&self, sources: &[PathBuf]) -> io::Result<()> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.s{number}", self.name);
        let most = usize::try_from(self.budget / 4 / LINE).unwrap_or(usize::MAX);
        let mut reports = Vec::new();
        for source in sources {
            reports.extend(Content::read(source)?.reports);
            // Now and not at the end: all of them at once may be many times the budget of memory.
            reports = fold::fold(reports, most, &name);
        }
        // It sorts where the first of them did, and tells at a glance that it has sources.
        let stem = format!("000000000000-sum-{number:012}-{}", self.name);
        let mut sum = Segment::begin(&self.path, &stem, PART)?;
        let names = sources
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        sum.replace(names.collect())?;
        for part in reports.chunks(AT_ONCE) {
            sum.append(part)?;
        }
        // Whole on disk before anything of the sources goes; from its name on they count no more.
        sum.handle()?.sync_all()?;
        sum.close()?;
        for source in sources {
            fs::remove_file(source)?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    /// An empty folder is of no use to anyone; of one with files only the lock is let go.
    fn drop(&mut self) {
        let is_empty = files(&self.path).is_ok_and(|files| files.is_empty());
        if is_empty {
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock_file(folder: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(folder.join(LOCK))
}

/// Makes a folder if it is not there, and locks it.
fn claim(folder: &Path) -> io::Result<File> {
    loop {
        make(folder)?;
        let lock = match lock_file(folder) {
            // Before it was locked it looked like a dead process's.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        lock.lock()?;
        if is_current(&lock, folder)? {
            return Ok(lock);
        }
    }
}

/// Whether this is the lock that the folder has now.
fn is_current(lock: &File, folder: &Path) -> io::Result<bool> {
    let ours = lock.metadata()?;
    match fs::metadata(folder.join(LOCK)) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// All but the lock.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name != LOCK) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn ending(path: &Path) -> Option<&str> {
    path.extension()?.to_str()
}

#[cfg(test)]
mod tests {
    use sekisho_account::random::SystemRng;
    use sekisho_core::{
        id::{ItemId, TokenId, VaultId},
        rest::{Action, UsageEvent},
        time::Timestamp,
    };

    use super::*;
    use crate::sync::UsageReport;

    fn reports(many: usize) -> Vec<UsageReport> {
        let rng = &mut SystemRng;
        let (token, vault) = (TokenId::generate(rng), VaultId::generate(rng));
        let items: Vec<_> = (0..10).map(|_| ItemId::generate(rng)).collect();
        let event = |n: usize| UsageEvent {
            token,
            action: Action::Read,
            allowed: true,
            vault,
            item: items.get(n % items.len()).copied(),
            item_version: None,
            at: Timestamp::from_seconds(n as u64),
            caller: Default::default(),
        };
        let named = (0..many).map(|n| UsageReport::new(format!("e.{n}"), event(n)));
        named.collect()
    }

    fn fill(folder: &mut Folder, reports: &[UsageReport], files: usize) {
        for part in reports.chunks(reports.len() / files) {
            let mut segment = folder.begin().unwrap();
            segment.append(part).unwrap();
            segment.close().unwrap();
        }
    }

    fn count(folder: &Folder) -> u64 {
        let waiting = folder.waiting().unwrap();
        let contents = waiting
            .iter()
            .map(|file| Content::read(&file.path).unwrap());
        contents
            .flat_map(|content| content.reports)
            .map(|report| report.times().count)
            .sum()
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over_and_what_a_live_one_has_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut dead = Folder::open(dir.path(), "dead", 1 << 20).unwrap();
        fill(&mut dead, &reports(20), 2);
        let mut open = dead.begin().unwrap();
        open.append(&reports(1)).unwrap();
        fs::write(dead.path.join("x.part"), "half a sum").unwrap();
        let ours = Folder::open(dir.path(), "ours", 1 << 20).unwrap();
        assert!(ours.adopt().unwrap().is_empty());
        drop((dead, open));
        assert_eq!(ours.adopt().unwrap().len(), 3);
        assert_eq!(count(&ours), 21);
        assert!(!dir.path().join("dead").exists());
        assert!(ours.adopt().unwrap().is_empty());
    }

    #[test]
    fn a_lock_that_is_no_longer_the_folders_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        make(&other).unwrap();
        let opened_before = lock_file(&other).unwrap();
        fs::remove_file(other.join(LOCK)).unwrap();
        let theirs = claim(&other).unwrap();
        assert!(is_current(&theirs, &other).unwrap());
        opened_before.try_lock().unwrap();
        assert!(!is_current(&opened_before, &other).unwrap());
    }

    /// Many begin while many look for what the dead left: no living one's file is taken from it.
    #[test]
    fn who_begins_is_never_taken_for_dead() {
        const BEGUN: usize = 200;
        let dir = tempfile::tempdir().unwrap();
        let all = reports(BEGUN);
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let (dir, is_over) = (dir.path(), &is_over);
        std::thread::scope(|scope| {
            for name in ["first", "second", "third"] {
                scope.spawn(move || {
                    let heir = Folder::open(dir, name, 1 << 20).unwrap();
                    while !is_over.load(Ordering::Relaxed) {
                        heir.adopt().unwrap();
                    }
                });
            }
            let begun = all.iter().enumerate().try_for_each(|(n, report)| {
                let mut folder = Folder::open(dir, &format!("p{n}"), 1 << 20)?;
                let mut segment = folder.begin()?;
                std::thread::yield_now();
                segment.append(std::slice::from_ref(report))?;
                segment.close()
            });
            is_over.store(true, Ordering::Relaxed);
            begun.unwrap();
        });
        let last = Folder::open(dir, "last", 1 << 20).unwrap();
        last.adopt().unwrap();
        assert_eq!(count(&last), BEGUN as u64);
    }

    #[test]
    fn a_torn_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), "a", 1 << 20).unwrap();
        fill(&mut folder, &reports(3), 1);
        let path = folder.waiting().unwrap().remove(0).path;
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 10);
        bytes[12] ^= 1;
        fs::write(&path, bytes).unwrap();
        let content = Content::read(&path).unwrap();
        assert_eq!((content.reports.len(), content.spoilt), (1, 2));
        assert_eq!(content.reports[0].id, "e.1");
    }

    #[test]
    fn too_much_becomes_less_and_every_count_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), "a", 100_000).unwrap();
        fill(&mut folder, &reports(2000), 20);
        // The first was offered to the account: it may have been counted, so it stays as it is.
        let first = folder.waiting().unwrap().remove(0);
        let offered = folder.offer(&first).unwrap();
        let before = fs::read(&offered).unwrap();
        assert!(folder.shrink().unwrap() > 1);
        assert_eq!(fs::read(&offered).unwrap(), before);
        assert_eq!(count(&folder), 2000);
        let size: u64 = files(&folder.path)
            .unwrap()
            .iter()
            .map(|f| fs::metadata(f).unwrap().len())
            .sum();
        assert!(size <= 100_000, "{size}");
        assert_eq!(folder.shrink().unwrap(), 0);
    }

    #[test]
    fn a_kill_between_sum_and_sources_counts_nothing_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(dir.path(), "a", 1 << 20).unwrap();
        fill(&mut folder, &reports(100), 5);
        let sources: Vec<_> = folder
            .waiting()
            .unwrap()
            .into_iter()
            .map(|file| file.path)
            .collect();
        let kept: Vec<_> = sources.iter().map(|path| fs::read(path).unwrap()).collect();
        folder.sum_up(&sources).unwrap();
        // The kill came after the third was removed.
        for (path, bytes) in sources.iter().zip(kept).skip(3) {
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(count(&folder), 100);
        assert_eq!(folder.waiting().unwrap().len(), 1);
    }
}
