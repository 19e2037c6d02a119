//! The core as machine code, compiled once (seconds) and kept (milliseconds).

use std::{fs::File, io, path::Path};

use sekisho_machine_code::MachineCode;
use wasmtime::{Engine, Module};

use super::{CoreError, CoreFile};

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
    let compatibility = engine.precompile_compatibility_hash();
    let kept = MachineCode::new(directory, core.digest().as_bytes(), &compatibility);
    if let Some(module) = take(engine, &kept) {
        return Ok(module);
    }
    let module = compile()?;
    let written = module
        .serialize()
        .map_err(io::Error::other)
        .and_then(|code| kept.keep(&code));
    if let Err(error) = written {
        tracing::debug!(kind = ?error.kind(), "the compiled core is not kept");
        return Ok(module);
    }
    // Mapped from the file it needs half of the memory.
    Ok(take(engine, &kept).unwrap_or(module))
}

fn take(engine: &Engine, kept: &MachineCode) -> Option<Module> {
    let file = kept.open()?;
    dangerous::deserialize(engine, file).ok()
}

/// The only unsafe act of this crate.
mod dangerous {
    #![allow(
        unsafe_code,
        reason = "machine code cannot be checked, only its origin can: `MachineCode::open` did"
    )]
    use super::{Engine, File, Module};

    /// Takes a file that [`super::MachineCode::open`] vouches for as machine code.
    pub(super) fn deserialize(engine: &Engine, file: File) -> wasmtime::Result<Module> {
        // SAFETY: the file holds what `Module::serialize` gave this user's earlier process: owner, mode and hash were
        // checked on this very handle, nobody else may write it, we only ever replace it by renaming, and wasmtime
        // itself refuses what another version or configuration made.
        unsafe { Module::deserialize_open_file(engine, file) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_once_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let core = CoreFile::dangerous_any(b"\0asm\x01\0\0\0".to_vec());
        load(&engine, &core, Some(folder.path())).unwrap();
        let compatibility = engine.precompile_compatibility_hash();
        let kept = MachineCode::new(folder.path(), core.digest().as_bytes(), &compatibility);
        assert!(take(&engine, &kept).is_some());
        kept.keep(b"no machine code").unwrap();
        assert!(take(&engine, &kept).is_none());
        load(&engine, &core, Some(folder.path())).unwrap();
        assert!(take(&engine, &kept).is_some(), "made anew");
    }
}
