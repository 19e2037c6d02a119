//! The host functions of op-account.md §A.2, and the check that the core asks for no others.

use wasmtime::{AsContextMut, Caller, Engine, ExternType, Linker, Module};
use zeroize::Zeroizing;

use super::{
    CoreError,
    instance::{HostState, now_millis},
};
use crate::net::Outgoing;

/// Everything the core may ask for, with its type as wasm writes it: parameters, then results.
const IMPORTS: [(&str, &str, &str); 20] = [
    (ENV, "input_length", ":I"),
    (ENV, "input_load_u8", "I:i"),
    (ENV, "input_load_u64", "I:I"),
    (ENV, "alloc", "I:I"),
    (ENV, "free", "I:"),
    (ENV, "length", "I:I"),
    (ENV, "length_unsafe", "I:I"),
    (ENV, "load_u8", "I:i"),
    (ENV, "load_u64", "I:I"),
    (ENV, "store_u8", "Ii:"),
    (ENV, "store_u64", "II:"),
    (ENV, "output_set", "II:"),
    (ENV, "error_set", "I:"),
    (ENV, "http_request", "II:I"),
    (ENV, "http_status_code", ":i"),
    (ENV, "http_headers", ":I"),
    ("op-extism-core", "random_fill_imported", "i:I"),
    ("op-now", "unix_time_milliseconds_imported", ":I"),
    ("zxcvbn", "unix_time_milliseconds_imported", ":I"),
    ("op-time", "utc_offset_seconds", ":I"),
];
const ENV: &str = "extism:host/env";

/// Exports that are called or looked into.
const EXPORTS: [&str; 4] = ["memory", "init_client", "invoke", "release_client"];

/// Most random bytes at once.
const MAX_RANDOM: i32 = 1 << 20;

/// Asserts both lists: a core of another version is refused with a sentence and not at its first call.
pub(super) fn check(module: &Module) -> Result<(), CoreError> {
    for import in module.imports() {
        let known = IMPORTS.iter().any(|(from, name, kind)| {
            *from == import.module() && *name == import.name() && *kind == spell(&import.ty())
        });
        if !known {
            let name = format!("{}.{}", import.module(), import.name());
            return Err(CoreError::UnknownImport(name));
        }
    }
    for name in EXPORTS {
        if module.get_export(name).is_none() {
            return Err(CoreError::MissingExport(name));
        }
    }
    Ok(())
}

fn spell(kind: &ExternType) -> String {
    let ExternType::Func(function) = kind else {
        return String::new();
    };
    let letter = |kind: wasmtime::ValType| match kind {
        wasmtime::ValType::I32 => 'i',
        wasmtime::ValType::I64 => 'I',
        _ => '?',
    };
    let params: String = function.params().map(letter).collect();
    let results: String = function.results().map(letter).collect();
    format!("{params}:{results}")
}

/// What the core is linked to.
pub(super) fn linker(engine: &Engine) -> Result<Linker<HostState>, CoreError> {
    let mut linker = Linker::new(engine);
    blocks(&mut linker)
        .and_then(|()| results(&mut linker))
        .and_then(|()| requests(&mut linker))
        .and_then(|()| surroundings(&mut linker))
        .map_err(|error| CoreError::engine(&error))?;
    Ok(linker)
}

type Host<'a> = Caller<'a, HostState>;

fn blocks(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(ENV, "input_length", |host: Host<'_>| {
        host.data().input.len() as u64
    })?;
    linker.func_wrap(ENV, "input_load_u8", |host: Host<'_>, at: u64| {
        host.data()
            .load_input::<1>(at)
            .map(|[byte]| u32::from(byte))
    })?;
    linker.func_wrap(ENV, "input_load_u64", |host: Host<'_>, at: u64| {
        host.data().load_input::<8>(at).map(u64::from_le_bytes)
    })?;
    linker.func_wrap(ENV, "alloc", |mut host: Host<'_>, length: u64| {
        Ok(host.data_mut().blocks.alloc(length)?)
    })?;
    linker.func_wrap(ENV, "free", |mut host: Host<'_>, handle: u64| {
        host.data_mut().blocks.free(handle);
    })?;
    for name in ["length", "length_unsafe"] {
        linker.func_wrap(ENV, name, |host: Host<'_>, handle: u64| {
            host.data().blocks.length(handle)
        })?;
    }
    linker.func_wrap(ENV, "load_u8", |host: Host<'_>, at: u64| {
        let [byte] = host.data().blocks.load::<1>(at)?;
        Ok(u32::from(byte))
    })?;
    linker.func_wrap(ENV, "load_u64", |host: Host<'_>, at: u64| {
        Ok(u64::from_le_bytes(host.data().blocks.load(at)?))
    })?;
    linker.func_wrap(ENV, "store_u8", |mut host: Host<'_>, at: u64, byte: u32| {
        let byte = byte.to_le_bytes();
        Ok(host.data_mut().blocks.store(at, [byte[0]])?)
    })?;
    linker.func_wrap(
        ENV,
        "store_u64",
        |mut host: Host<'_>, at: u64, word: u64| {
            Ok(host.data_mut().blocks.store(at, word.to_le_bytes())?)
        },
    )?;
    Ok(())
}

fn results(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "output_set",
        |mut host: Host<'_>, offset: u64, length: u64| {
            host.data_mut().output = Some((offset, length));
        },
    )?;
    linker.func_wrap(ENV, "error_set", |mut host: Host<'_>, handle: u64| {
        host.data_mut().error = handle;
    })?;
    Ok(())
}

fn requests(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        ENV,
        "http_request",
        |mut host: Host<'_>, request: u64, body: u64| {
            let handle = http_request(host.data_mut(), request, body)?;
            // Waiting for an answer is not computing.
            let stretch = host.data().stretch;
            host.as_context_mut().set_epoch_deadline(stretch);
            Ok(handle)
        },
    )?;
    linker.func_wrap(ENV, "http_status_code", |host: Host<'_>| {
        u32::from(host.data().status)
    })?;
    linker.func_wrap(ENV, "http_headers", |mut host: Host<'_>| {
        let state = host.data_mut();
        let headers: serde_json::Map<String, serde_json::Value> = state
            .headers
            .drain(..)
            .map(|(name, value)| (name, value.into()))
            .collect();
        let json = serde_json::to_vec(&headers)?;
        Ok(state.blocks.put(&json)?)
    })?;
    Ok(())
}

/// One request. It owns both blocks; what is wrong with them is the core's fault and traps.
fn http_request(state: &mut HostState, request: u64, body: u64) -> wasmtime::Result<u64> {
    #[derive(serde::Deserialize)]
    struct Raw {
        url: String,
        method: String,
        #[serde(default)]
        headers: std::collections::BTreeMap<String, String>,
    }
    let bytes = state.blocks.block(request)?;
    // serde's error would repeat what it read.
    let raw: Raw = serde_json::from_slice(bytes)
        .map_err(|_| wasmtime::Error::msg("the core's request is not the JSON it should be"))?;
    let bytes = match body {
        0 => Zeroizing::default(),
        body => Zeroizing::new(state.blocks.block(body)?.to_vec()),
    };
    state.blocks.free(request);
    state.blocks.free(body);
    let answer = state.guard.send(&Outgoing {
        method: raw.method.to_ascii_uppercase(),
        url: raw.url,
        headers: raw.headers.into_iter().collect(),
        body: bytes,
    });
    state.status = answer.status;
    state.headers = answer.headers;
    Ok(state.blocks.put(&answer.body)?)
}

fn surroundings(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "op-extism-core",
        "random_fill_imported",
        |mut host: Host<'_>, count: i32| {
            let count = usize::try_from(count.clamp(0, MAX_RANDOM))?;
            let mut bytes = Zeroizing::new(vec![0; count]);
            getrandom::fill(&mut bytes)
                .map_err(|_| wasmtime::Error::msg("the system gives no random bytes"))?;
            Ok(host.data_mut().blocks.put(&bytes)?)
        },
    )?;
    for module in ["op-now", "zxcvbn"] {
        linker.func_wrap(module, "unix_time_milliseconds_imported", now_millis)?;
    }
    // UTC: with any other offset, dates at midnight shift by a day (op-account.md §A.2).
    linker.func_wrap("op-time", "utc_offset_seconds", || 0u64)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(imports: &[(&str, &str)]) -> Module {
        // One type () -> (), then the imports as functions of it.
        let name = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
        let mut section = vec![imports.len() as u8];
        for (from, what) in imports {
            section.extend(name(from));
            section.extend(name(what));
            section.extend([0, 0]);
        }
        let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
        wasm.push(section.len() as u8);
        wasm.extend(section);
        Module::from_binary(&Engine::default(), &wasm).unwrap()
    }

    #[test]
    fn other_imports_and_other_types_are_refused() {
        let refused = |imports| match check(&module(imports)) {
            Err(CoreError::UnknownImport(name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused(&[(ENV, "config_get")]),
            "extism:host/env.config_get"
        );
        assert_eq!(refused(&[(ENV, "alloc")]), "extism:host/env.alloc");
        assert!(matches!(
            check(&module(&[])),
            Err(CoreError::MissingExport("memory"))
        ));
    }
}
