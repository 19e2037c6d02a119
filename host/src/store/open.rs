//! Opening a file that may be missing, damaged or another program's.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    StoreError,
    schema::{self, Schema},
};

/// Opens or makes a file. One that is damaged is moved aside first; what else is wrong is told.
pub(super) fn open(path: &Path, schema: Schema) -> Result<Connection, StoreError> {
    match open_as_it_is(path, schema) {
        Err(StoreError::Damaged(why)) => {
            let aside = move_aside(path)?;
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

/// Makes the file before SQLite does, readable by us alone; SQLite gives its journals the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// Gives a file, with its journals, the first free name `<file>.damaged-<n>`.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let named = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = (1..)
        .map(|n: u32| named(&format!(".damaged-{n}")))
        .find(|aside| !aside.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    // Journals belong to the file by name: left behind, they would be taken for the new file's.
    for journal in ["-wal", "-shm"] {
        match fs::remove_file(named(journal)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
