//! The core as machine code, compiled once (seconds) and kept (milliseconds).
//!
//! Machine code is trusted like our own binary. It is taken only from a file that belongs to us, that nobody else may
//! read or write, and whose hash lies beside it; it is named by the core's digest and by all that decides what machine
//! code is made of it. It is hashed and mapped through one open file, so nothing can be put in its place in between.

use std::{
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use super::{CoreError, CoreFile, file::hex};

/// The module, from the directory if it is there, else compiled and left there.
pub(super) fn load(
    engine: &Engine,
    core: &CoreFile,
    directory: Option<&Path>,
) -> Result<Module, CoreError> {
    let compile = || Module::from_binary(engine, core.bytes()).map_err(|e| CoreError::engine(&e));
    let Some(directory) = directory else {
        return compile();
    };
    let name = name(engine, core);
    let code = directory.join(format!("{name}.cwasm"));
    let sum = directory.join(format!("{name}.sha256"));
    if let Some(file) = open_own(&code, &sum)
        && let Ok(module) = dangerous::deserialize(engine, file)
    {
        return Ok(module);
    }
    let module = compile()?;
    let kept = module
        .serialize()
        .map_err(io::Error::other)
        .and_then(|bytes| keep(directory, &code, &sum, &bytes));
    if let Err(error) = kept {
        tracing::debug!(kind = ?error.kind(), "the compiled core is not kept");
        return Ok(module);
    }
    // Mapped from the file it needs half of the memory.
    let mapped = open_own(&code, &sum).and_then(|file| dangerous::deserialize(engine, file).ok());
    Ok(mapped.unwrap_or(module))
}

/// The only unsafe act of this crate.
mod dangerous {
    #![allow(
        unsafe_code,
        reason = "machine code cannot be checked, only its origin can: `open_own` did"
    )]
    use super::{Engine, File, Module};

    /// Takes a file that [`super::open_own`] vouches for as machine code.
    pub(super) fn deserialize(engine: &Engine, file: File) -> wasmtime::Result<Module> {
        // SAFETY: the file holds what `Module::serialize` gave this user's earlier process: owner, mode and hash were
        // checked on this very handle, nobody else may write it, we only ever replace it by renaming, and wasmtime
        // itself refuses what another version or configuration made.
        unsafe { Module::deserialize_open_file(engine, file) }
    }
}

fn name(engine: &Engine, core: &CoreFile) -> String {
    let mut hash = HashInto(Sha256::new_with_prefix(core.digest()));
    engine.precompile_compatibility_hash().hash(&mut hash);
    hex(&hash.0.finalize())
}

struct HashInto(Sha256);

impl Hasher for HashInto {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The machine code's file, at its start, if both files are ours and the hash fits.
fn open_own(code: &Path, sum: &Path) -> Option<File> {
    let mut expected = String::new();
    open_if_own(sum)?
        .take(64)
        .read_to_string(&mut expected)
        .ok()?;
    let mut file = open_if_own(code)?;
    (hash(&mut file).ok()? == expected).then_some(())?;
    file.rewind().ok()?;
    Some(file)
}

/// A plain file of ours that nobody else may read or write; links are not followed.
fn open_if_own(path: &Path) -> Option<File> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .ok()?;
    let metadata = file.metadata().ok()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    (metadata.is_file() && ours && metadata.mode() & 0o077 == 0).then_some(file)
}

fn hash(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(hex(&hash.finalize()));
        };
        hash.update(read);
    }
}

fn keep(directory: &Path, code: &Path, sum: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    remove_older(directory)?;
    write_whole(code, bytes)?;
    write_whole(sum, hex(&Sha256::digest(bytes)).as_bytes())
}

/// What another version left is of no use to this one.
fn remove_older(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let kept = path
            .extension()
            .is_some_and(|ending| ending == "cwasm" || ending == "sha256");
        if kept {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Under another name first: nobody ever sees half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    // Left by a process of the same number that died.
    let _ = fs::remove_file(&part);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn machine_code_is_kept_and_taken_only_when_it_is_ours_and_whole() {
        let engine = Engine::default();
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("cache");
        let core = CoreFile::dangerous_any(b"\0asm\x01\0\0\0".to_vec());
        load(&engine, &core, Some(&directory)).unwrap();
        let find = |ending: &str| {
            fs::read_dir(&directory)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.extension().is_some_and(|found| found == ending))
                .unwrap()
        };
        let (code, sum) = (find("cwasm"), find("sha256"));
        assert_eq!(
            fs::metadata(&code).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(open_own(&code, &sum).is_some());

        fs::set_permissions(&code, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(open_own(&code, &sum).is_none(), "others may read it");
        fs::set_permissions(&code, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&code, b"tampered").unwrap();
        assert!(open_own(&code, &sum).is_none(), "the hash differs");
        load(&engine, &core, Some(&directory)).unwrap();
        assert!(open_own(&code, &sum).is_some(), "made anew");

        let aside = folder.path().join("aside");
        fs::rename(&code, &aside).unwrap();
        symlink(&aside, &code).unwrap();
        assert!(open_own(&code, &sum).is_none(), "a link");
    }
}
