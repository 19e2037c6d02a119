//! Files and directories for their owner alone.

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path};

use sekisho_account::private_file;

use crate::cli::Failure;

/// Makes a directory, mode 0700, unless it is there.
pub(crate) fn make_dir(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::io(path, &error))
}

/// Writes a file, mode 0600: all of it or nothing, whenever the process dies.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(private_file::replace(path, bytes)?)
}
