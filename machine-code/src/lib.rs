//! Machine code made of wasm, compiled once (seconds) and kept (milliseconds).
//!
//! Machine code is trusted like our own binary. It is taken back only from a file that belongs to us, that nobody else
//! may read or write, and whose hash lies beside it: `<name>.cwasm` and `<name>.sha256`, where the name is a hash of the
//! wasm and of all that decides what machine code is made of it. It is hashed and used through one open file, so nothing
//! can be put in its place in between. To run it is `unsafe`, and for the caller.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        reason = "a test that panics is a test that fails"
    )
)]

use std::{
    fs::{self, File},
    hash::{Hash, Hasher},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Where the machine code of one wasm file lies, or is to lie.
#[derive(Debug, Clone)]
pub struct MachineCode {
    code: PathBuf,
    sum: PathBuf,
}

impl MachineCode {
    /// In this directory; `wasm` is the file's content or its digest, `compatibility` what a compiler makes of it
    /// depends on (wasmtime: `Engine::precompile_compatibility_hash`).
    pub fn new(directory: &Path, wasm: &[u8], compatibility: &impl Hash) -> Self {
        let mut hash = HashInto(Sha256::new_with_prefix(wasm));
        compatibility.hash(&mut hash);
        let name = hex(&hash.0.finalize());
        Self {
            code: directory.join(format!("{name}.cwasm")),
            sum: directory.join(format!("{name}.sha256")),
        }
    }

    /// The file, at its start, if it is ours and whole.
    pub fn open(&self) -> Option<File> {
        let (mut file, expected) = self.open_own()?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = file.read(&mut buffer).ok()?;
            match buffer.get(..length) {
                None | Some([]) => break,
                Some(read) => hash.update(read),
            }
        }
        (hex(&hash.finalize()) == expected).then_some(())?;
        file.rewind().ok()?;
        Some(file)
    }

    /// Its content, if it is ours and whole.
    pub fn read(&self) -> Option<Vec<u8>> {
        let (mut file, expected) = self.open_own()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        (hex(&Sha256::digest(&bytes)) == expected).then_some(bytes)
    }

    /// Keeps it, in place of what another version left. The directory is made if it is not there, for us alone.
    pub fn keep(&self, code: &[u8]) -> io::Result<()> {
        if let Some(directory) = self.code.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
            remove_older(directory)?;
        }
        write_whole(&self.code, code)?;
        write_whole(&self.sum, hex(&Sha256::digest(code)).as_bytes())
    }

    fn open_own(&self) -> Option<(File, String)> {
        let mut expected = String::new();
        open_if_own(&self.sum)?
            .take(64)
            .read_to_string(&mut expected)
            .ok()?;
        Some((open_if_own(&self.code)?, expected))
    }
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

struct HashInto(Sha256);

impl Hasher for HashInto {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
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
    fn it_is_taken_only_when_it_is_ours_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("cache");
        let kept = MachineCode::new(&directory, b"wasm", &1);
        let taken = || (kept.open().is_some(), kept.read().is_some());
        assert_eq!(taken(), (false, false), "it is not there");
        kept.keep(b"code").unwrap();
        assert_eq!(taken(), (true, true));
        assert_eq!(kept.read().unwrap(), b"code");
        let mut bytes = Vec::new();
        kept.open().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"code");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&kept.code)), (0o700, 0o600));

        for mode in [0o620, 0o640] {
            fs::set_permissions(&kept.code, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(taken(), (false, false), "others may use it");
        }
        fs::set_permissions(&kept.code, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&kept.code, b"tampered").unwrap();
        assert_eq!(taken(), (false, false), "the hash differs");
        kept.keep(b"code").unwrap();
        assert_eq!(taken(), (true, true), "made anew");

        let aside = folder.path().join("aside");
        fs::rename(&kept.code, &aside).unwrap();
        symlink(&aside, &kept.code).unwrap();
        assert_eq!(taken(), (false, false), "a link");
    }

    #[test]
    fn another_wasm_or_another_compiler_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let kept = MachineCode::new(folder.path(), b"wasm", &1);
        kept.keep(b"code").unwrap();
        for other in [
            MachineCode::new(folder.path(), b"other", &1),
            MachineCode::new(folder.path(), b"wasm", &2),
        ] {
            assert!(other.read().is_none());
        }
        let other = MachineCode::new(folder.path(), b"other", &1);
        other.keep(b"more").unwrap();
        assert!(kept.read().is_none(), "the older one goes");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
