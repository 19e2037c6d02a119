//! A folder that `sekisho edge publish --to DIR` wrote, to be read: `pointer`, and `objects/ab/cdef…`.

use std::{fs, path::PathBuf};

use sekisho_core::{
    published::{Digest, Objects},
    records::Fault,
};

/// A published set in a folder.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// At this place; whether anything is there shows when it is read.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Objects for Folder {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        fs::read(self.0.join("pointer")).map_err(|_| Fault::NotSynchronised)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let name = name.to_string();
        let (folder, file) = name.split_at_checked(2).ok_or(Fault::Unavailable)?;
        fs::read(self.0.join("objects").join(folder).join(file)).map_err(|_| Fault::Unavailable)
    }
}
