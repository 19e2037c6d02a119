//! Opening a file that may be missing, damaged or another program's.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    StoreError,
    schema::{self, Schema},
};

/// Damaged files that are kept to be looked at.
const MOST_ASIDE: u32 = 4;
/// How long another process may take to open or move a file.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Opens or makes a file. One that is damaged is moved aside first; what else is wrong is told.
pub(super) fn open(path: &Path, schema: Schema) -> Result<Connection, StoreError> {
    make_directory(path)?;
    let _lock = lock(path)?;
    match open_as_it_is(path, schema) {
        Err(StoreError::Damaged(why)) => {
            let aside = move_it_aside(path)?;
            tracing::warn!(why, aside = %aside.display(), "a damaged file was moved aside");
            open_as_it_is(path, schema)
        }
        other => other,
    }
}

fn open_as_it_is(path: &Path, schema: Schema) -> Result<Connection, StoreError> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    schema::prepare(&mut connection, schema)?;
    Ok(connection)
}

fn make_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        None => Ok(()),
        // Whose it is and who else may look into it is not our business if it is there: containers get it from others.
        Some(directory) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory),
    }
}

/// Makes the file before SQLite does, readable by us alone; SQLite gives its journals the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// Gives a file, with its journals, a name `<file>.damaged-<n>`; unless another process was first and it is no longer
/// this one.
pub(super) fn move_aside(path: &Path, file: (u64, u64)) -> Result<Option<PathBuf>, StoreError> {
    let _lock = lock(path)?;
    if number_of(path).is_some_and(|found| found != file) {
        return Ok(None);
    }
    Ok(Some(move_it_aside(path)?))
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// One process at a time opens or moves a file: a journal that one has just made must not be taken for the old file's
/// by another. The lock goes with the handle, or with the process.
fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(named(path, ".lock"))?;
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

fn move_it_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = (1..=MOST_ASIDE)
        .map(|n| named(path, &format!(".damaged-{n}")))
        .find(|aside| !aside.exists())
        // They are all there: a disk that goes on failing must not be filled with them.
        .unwrap_or_else(|| named(path, &format!(".damaged-{MOST_ASIDE}")));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        moved => moved?,
    }
    // Journals belong to the file by name: left behind, they would be taken for the new file's.
    for journal in ["-wal", "-shm"] {
        match fs::remove_file(named(path, journal)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

fn number_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
