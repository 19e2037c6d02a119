//! The component as machine code, compiled once and kept beside the data.
//!
//! Compiling takes longer than everything else at start, so its result is kept as `<name>.cwasm`: the name is a hash
//! of the component and of all that decides what machine code is made of it (wasmtime's version, its settings, this
//! processor). Machine code is trusted like our own binary, hence it is taken only from a file that belongs to us,
//! that nobody else may write, and whose hash lies beside it. Where nothing can be written, it is compiled each time.

use std::{
    fs,
    hash::{Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use super::compiler;

/// The component, from the directory if it is there, else compiled and left there.
pub(super) fn load(
    engine: &Engine,
    wasm: &[u8],
    directory: Option<&Path>,
) -> wasmtime::Result<Component> {
    let Some(directory) = directory else {
        return compile(engine, wasm).map(|(component, _)| component);
    };
    let name = name(engine, wasm);
    let code = directory.join(format!("{name}.cwasm"));
    let sum = directory.join(format!("{name}.sha256"));
    if let Some(bytes) = read_own(&code, &sum)
        && let Ok(component) = dangerous::deserialize(engine, &bytes)
    {
        return Ok(component);
    }
    let (component, bytes) = compile(engine, wasm)?;
    let kept = bytes
        .map_or_else(|| component.serialize(), Ok)
        .map_err(io::Error::other)
        .and_then(|bytes| keep(directory, &code, &sum, &bytes));
    if let Err(error) = kept {
        tracing::debug!(kind = ?error.kind(), "the compiled component is not kept");
    }
    Ok(component)
}

/// Compiles it in a child of this program, else here; the machine code comes along where it is at hand.
fn compile(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<(Component, Option<Vec<u8>>)> {
    if let Some(code) = compiler::compiled_elsewhere(wasm)
        && let Ok(component) = from_own_child(engine, &code)
    {
        return Ok((component, Some(code)));
    }
    Ok((Component::from_binary(engine, wasm)?, None))
}

/// Machine code that a child of this program gave us a moment ago, by a pipe that nobody else holds.
pub(super) fn from_own_child(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    dangerous::deserialize(engine, code)
}

/// The only unsafe act of this crate.
mod dangerous {
    #![allow(
        unsafe_code,
        reason = "machine code cannot be checked, only its origin can: `read_own` did, or it is our own child's"
    )]
    use super::{Component, Engine};

    /// Takes bytes as machine code that [`super::read_own`] vouches for, or that came from our own child.
    pub(super) fn deserialize(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what wasmtime gave this program: an earlier process of this user (owner, mode and hash
        // of the file were checked) or a child of this one. wasmtime itself refuses what another version or
        // configuration made.
        unsafe { Component::deserialize(engine, bytes) }
    }
}

fn name(engine: &Engine, wasm: &[u8]) -> String {
    let mut hash = HashInto(Sha256::new_with_prefix(wasm));
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_own(code: &Path, sum: &Path) -> Option<Vec<u8>> {
    let (bytes, expected) = (read_if_own(code)?, read_if_own(sum)?);
    (hex(&Sha256::digest(&bytes)).as_bytes() == expected).then_some(bytes)
}

/// A file's content, if it is a plain file, ours, and writable by nobody else.
fn read_if_own(path: &Path) -> Option<Vec<u8>> {
    // A link could point anywhere, so what the name itself is counts.
    let metadata = fs::symlink_metadata(path).ok()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_file() && ours && metadata.mode() & 0o077 == 0 {
        fs::read(path).ok()
    } else {
        None
    }
}

fn keep(directory: &Path, code: &Path, sum: &Path, bytes: &[u8]) -> io::Result<()> {
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
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cached(directory: &Path) -> std::path::PathBuf {
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|ending| ending == "cwasm"))
            .unwrap()
    }

    #[test]
    fn machine_code_is_kept_and_taken_only_when_it_is_ours_and_whole() {
        let engine = Engine::default();
        let directory = tempfile::tempdir().unwrap();
        let wasm = b"(component)";
        load(&engine, &wat(wasm), Some(directory.path())).unwrap();
        let code = cached(directory.path());
        let sum = code.with_extension("sha256");
        assert!(read_own(&code, &sum).is_some());

        fs::set_permissions(&code, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(read_own(&code, &sum).is_none(), "others may write it");
        fs::set_permissions(&code, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&code, b"tampered").unwrap();
        assert!(read_own(&code, &sum).is_none(), "the hash differs");
        load(&engine, &wat(wasm), Some(directory.path())).unwrap();
        assert!(read_own(&code, &sum).is_some(), "made anew");
    }

    /// The empty component, in binary.
    fn wat(_: &[u8]) -> Vec<u8> {
        b"\0asm\x0d\0\x01\0".to_vec()
    }
}
