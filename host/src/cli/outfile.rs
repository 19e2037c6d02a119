//! Files that secrets are written to: for their owner alone unless another mode is asked for, whole or not at all.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    failure::{Done, Failure},
    output,
};

#[derive(Args)]
pub(super) struct LowOutFile {
    /// Write to a file instead of stdout.
    #[arg(short, long, value_name = "FILE")]
    out_file: Option<PathBuf>,
    /// The file's mode.
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = parse_mode)]
    file_mode: u32,
    /// Overwrite the file without asking.
    #[arg(short, long)]
    force: bool,
}

fn parse_mode(text: &str) -> Result<u32, &'static str> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| *mode <= 0o777)
        .ok_or("a mode has octal digits, such as 0600 or 0644")
}

impl LowOutFile {
    /// Before any secret is fetched: whether it may be written at all.
    pub(super) fn check(&self) -> Done {
        let Some(path) = self.out_file.as_deref().filter(|path| path.is_file()) else {
            return Ok(());
        };
        if self.force {
            return Ok(());
        }
        match output::confirm(&format!("{} exists already. Overwrite it?", path.display())) {
            Some(true) => Ok(()),
            _ => Err(Failure::new(
                format!("{} exists already", path.display()),
                "name another file, or overwrite it with --force",
            )),
        }
    }

    /// To the file, or to stdout.
    pub(super) fn write(&self, bytes: &[u8]) -> Done {
        match &self.out_file {
            None => output::bytes(bytes),
            Some(path) => self
                .put(path, bytes)
                .map_err(|error| Failure::io(path, &error)),
        }
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        // A pipe or a terminal is written to, not replaced; of a link, what it leads to.
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if path.exists() && !path.is_file() {
            return OpenOptions::new().write(true).open(path)?.write_all(bytes);
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        let written = self
            .put_new(&beside, bytes)
            .and_then(|()| fs::rename(&beside, path));
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn put_new(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(self.file_mode)
            .open(path)?;
        file.set_permissions(Permissions::from_mode(self.file_mode))?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}
