//! A folder as the store: `pointer`, and `objects/ab/cdef…`, one file for each object.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sekisho_core::{
    published::{Digest, MAX_OBJECT, Objects},
    records::Fault,
};

use super::{PublishError, Store};

/// What is not finished has a name of this ending.
const UNFINISHED: &str = "new";

/// A folder. It can be read by any number of processes while one writes.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    /// Held while we publish; `None` = we only read.
    _lock: Option<File>,
}

impl Directory {
    /// To be read.
    pub fn open(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            _lock: None,
        }
    }

    /// To be published to. The folder is made if it is missing; one publisher at a time has it.
    pub fn take(root: &Path) -> Result<Self, PublishError> {
        let objects = root.join("objects");
        fs::create_dir_all(&objects).map_err(failed(&objects))?;
        let path = root.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PublishError::Taken(root.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&path)(error)),
        }
        Ok(Self {
            root: root.to_owned(),
            _lock: Some(lock),
        })
    }

    fn place(&self, name: &Digest) -> PathBuf {
        let text = name.to_string();
        let (folder, file) = text.split_at(2);
        self.root.join("objects").join(folder).join(file)
    }

    /// Writes a file whole or not at all: under another name first.
    fn write(path: &Path, bytes: &[u8], must_last: bool) -> Result<(), PublishError> {
        let unfinished = path.with_extension(UNFINISHED);
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            if must_last {
                file.sync_all()?;
            }
            fs::rename(&unfinished, path)
        };
        write().map_err(failed(path))
    }

    fn each(&self, mut visit: impl FnMut(&Path, Option<Digest>)) -> Result<(), PublishError> {
        let objects = self.root.join("objects");
        for folder in fs::read_dir(&objects).map_err(failed(&objects))? {
            let folder = folder.map_err(failed(&objects))?.path();
            let first = folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            for file in fs::read_dir(&folder).map_err(failed(&folder))? {
                let file = file.map_err(failed(&folder))?;
                let name = file.file_name().to_string_lossy().into_owned();
                visit(&file.path(), Digest::parse(&format!("{first}{name}")));
            }
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PublishError {
    let path = path.display().to_string();
    |error| PublishError::File { path, error }
}

/// A file that may not be there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, PublishError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

impl Store for Directory {
    fn names(&mut self) -> Result<BTreeSet<Digest>, PublishError> {
        let (mut names, mut unfinished) = (BTreeSet::new(), Vec::new());
        self.each(|path, name| match name {
            Some(name) => drop(names.insert(name)),
            // A killed run's. We hold the lock, so nobody is writing it.
            None if path.extension().is_some_and(|ending| ending == UNFINISHED) => {
                unfinished.push(path.to_owned());
            }
            None => {}
        })?;
        for path in unfinished {
            fs::remove_file(&path).map_err(failed(&path))?;
        }
        Ok(names)
    }

    fn pointer(&mut self) -> Result<Option<Vec<u8>>, PublishError> {
        read(&self.root.join("pointer"))
    }

    fn object(&mut self, name: &Digest) -> Result<Option<Vec<u8>>, PublishError> {
        read(&self.place(name))
    }

    fn put(&mut self, objects: &[Vec<u8>]) -> Result<(), PublishError> {
        for bytes in objects {
            let path = self.place(&Digest::of(bytes));
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(failed(folder))?;
            }
            Self::write(&path, bytes, false)?;
        }
        Ok(())
    }

    fn point(&mut self, pointer: &[u8]) -> Result<(), PublishError> {
        // One call for all objects: one for each would take minutes on a disk that turns.
        let root = File::open(&self.root).map_err(failed(&self.root))?;
        rustix::fs::syncfs(&root).map_err(|error| failed(&self.root)(error.into()))?;
        Self::write(&self.root.join("pointer"), pointer, true)
    }

    fn remove(&mut self, names: &[Digest]) -> Result<(), PublishError> {
        for name in names {
            let path = self.place(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Objects for Directory {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        let found = read(&self.root.join("pointer")).map_err(|_| Fault::Unavailable)?;
        found.ok_or(Fault::NotSynchronised)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        let path = self.place(name);
        let size = fs::metadata(&path).map_err(|_| Fault::Unavailable)?.len();
        if size > MAX_OBJECT as u64 {
            return Err(Fault::Unavailable);
        }
        fs::read(&path).map_err(|_| Fault::Unavailable)
    }
}
