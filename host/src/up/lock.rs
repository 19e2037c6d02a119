//! One `up` for one data directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
};

use super::{Place, private};
use crate::cli::Failure;

/// Held until it is dropped, or the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the place, which is made if it is not there.
    pub(crate) fn take(place: &Place) -> Result<Self, Failure> {
        private::make_dir(place.dir())?;
        let path = place.lock();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = file.map_err(|error| Failure::io(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&mut file, place)),
            Err(TryLockError::Error(error)) => return Err(Failure::io(&path, &error)),
        }
        // Who holds it is told only to people: that it cannot be written hurts nobody.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn held(file: &mut File, place: &Place) -> Failure {
    let mut text = String::new();
    let _ = file.take(32).read_to_string(&mut text);
    let process = match text.trim().parse::<u32>() {
        Ok(process) => format!(" (process {process})"),
        Err(_) => String::new(),
    };
    Failure::new(
        format!(
            "another `sekisho up`{process} runs on {}",
            place.dir().display()
        ),
        "stop it, or give this one another directory: --data-dir DIR",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_refused_until_the_first_goes() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path().join("new"));
        let first = Lock::take(&place).unwrap();
        let refused = Lock::take(&place).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("(process {})", std::process::id())),
            "{refused}"
        );
        drop(first);
        assert!(Lock::take(&place).is_ok());
    }
}
