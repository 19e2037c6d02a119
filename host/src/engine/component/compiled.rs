//! The component as machine code, compiled once and kept beside the data: compiling takes longer than everything else at
//! start. Where nothing can be written, it is compiled each time.

use std::{io, path::Path};

use sekisho_machine_code::MachineCode;
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
    let kept = MachineCode::new(directory, wasm, &engine.precompile_compatibility_hash());
    if let Some(component) = take(engine, &kept) {
        return Ok(component);
    }
    let (component, code) = compile(engine, wasm)?;
    let written = code
        .map_or_else(|| component.serialize(), Ok)
        .map_err(io::Error::other)
        .and_then(|code| kept.keep(&code));
    if let Err(error) = written {
        tracing::debug!(kind = ?error.kind(), "the compiled component is not kept");
    }
    Ok(component)
}

fn take(engine: &Engine, kept: &MachineCode) -> Option<Component> {
    let code = kept.read()?;
    dangerous::deserialize(engine, &code).ok()
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
        reason = "machine code cannot be checked, only its origin can: `MachineCode::read` did, or it is our own child's"
    )]
    use super::{Component, Engine};

    /// Takes bytes as machine code that [`super::MachineCode::read`] vouches for, or that came from our own child.
    pub(super) fn deserialize(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are what wasmtime gave this program: an earlier process of this user (owner, mode and hash
        // of the file were checked) or a child of this one. wasmtime itself refuses what another version or
        // configuration made.
        unsafe { Component::deserialize(engine, bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compiled_once_is_taken() {
        /// The empty component.
        const WASM: &[u8] = b"\0asm\x0d\0\x01\0";
        let engine = Engine::default();
        let directory = tempfile::tempdir().unwrap();
        load(&engine, WASM, Some(directory.path())).unwrap();
        let compatibility = engine.precompile_compatibility_hash();
        let kept = MachineCode::new(directory.path(), WASM, &compatibility);
        assert!(take(&engine, &kept).is_some());
        kept.keep(b"no machine code").unwrap();
        assert!(take(&engine, &kept).is_none());
        load(&engine, WASM, Some(directory.path())).unwrap();
        assert!(take(&engine, &kept).is_some(), "made anew");
    }
}
