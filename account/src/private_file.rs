//! Files that only their owner may read: mode 0600 from the first byte, whatever the umask.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::FileError;

/// Creates an empty private file; one that exists is refused.
pub(crate) fn create(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists(path.to_path_buf()),
        _ => FileError::io(path, &error),
    })?;
    // A umask can take rights from the owner too.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(|error| FileError::io(path, &error))?;
    Ok(file)
}

/// Writes a private file that is new.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = create(path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| {
            // Best effort: half a file is worse than none, and the first error is the one to tell.
            let _ = fs::remove_file(path);
            FileError::io(path, &error)
        })
}

/// Writes a private file over what is there: the old one or the new one, never a mixture.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = Path::new(&beside);
    // Left by a process of the same number that died.
    let _ = fs::remove_file(beside);
    write_new(beside, bytes)?;
    fs::rename(beside, path).map_err(|error| {
        let _ = fs::remove_file(beside);
        FileError::io(path, &error)
    })
}

/// Reads a file whole.
pub(crate) fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
    fs::read(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| FileError::io(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn private_and_never_overwritten_unasked() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_new(&path, b"one").unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            write_new(&path, b"two"),
            Err(FileError::Exists(path.clone()))
        );
        assert_eq!(read(&path).unwrap().as_slice(), b"one");
        replace(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
