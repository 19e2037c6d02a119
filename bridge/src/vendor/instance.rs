//! One instance of the core and the calls into it.

use std::sync::Arc;

use wasmtime::{Engine, InstancePre, Store, StoreLimits, StoreLimitsBuilder, Trap, TypedFunc};
use zeroize::Zeroizing;

use super::{
    CoreError,
    blocks::{BadAccess, Blocks},
};
use crate::net::Guard;

/// Most bytes of blocks for each byte of linear memory: a file comes back as a list of numbers, four bytes for each.
const BLOCKS_PER_MEMORY: usize = 1;
/// Longest error text that is read.
const MAX_ERROR: u64 = 64 * 1024;
/// After a call that needed this much, the instance is not used again: its memory never shrinks.
const LARGE: usize = 16 * 1024 * 1024;

/// What the host functions work on.
pub(super) struct HostState {
    pub(super) input: Zeroizing<Vec<u8>>,
    pub(super) output: Option<(u64, u64)>,
    pub(super) error: u64,
    pub(super) blocks: Blocks,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) guard: Arc<Guard>,
    /// Ticks that may pass between two answers.
    pub(super) stretch: u64,
    limits: StoreLimits,
}

impl HostState {
    pub(super) fn load_input<const N: usize>(&self, at: u64) -> wasmtime::Result<[u8; N]> {
        let start = usize::try_from(at)?;
        let bytes = start
            .checked_add(N)
            .and_then(|end| self.input.get(start..end))
            .ok_or(BadAccess)?;
        Ok(bytes.try_into()?)
    }
}

/// Milliseconds since 1970.
pub(super) fn now_millis() -> u64 {
    sekisho_account::clock::now().millis()
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The core says why. The text may name what was asked for; it is for the caller to judge, not for a log.
    #[error("the core refuses")]
    Refused(Zeroizing<String>),
    /// It trapped. The instance must not be used again.
    #[error("the core trapped: {0}")]
    Trapped(String),
    /// It trapped before.
    #[error("the instance is spent")]
    Spent,
}

/// A core at work. Calls are one after the other and block.
pub struct Instance {
    store: Store<HostState>,
    init_client: TypedFunc<(), u32>,
    invoke: TypedFunc<(), u32>,
    release_client: TypedFunc<(), u32>,
    memory: wasmtime::Memory,
    trapped: bool,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("trapped", &self.trapped)
            .finish_non_exhaustive()
    }
}

impl Instance {
    pub(super) fn new(
        engine: &Engine,
        ready: &InstancePre<HostState>,
        guard: Arc<Guard>,
        memory: usize,
        stretch: u64,
    ) -> Result<Self, CoreError> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(memory)
            .memories(1)
            .tables(4)
            .instances(1)
            .trap_on_grow_failure(true)
            .build();
        let state = HostState {
            input: Zeroizing::default(),
            output: None,
            error: 0,
            blocks: Blocks::new(memory.saturating_mul(BLOCKS_PER_MEMORY)),
            status: 0,
            headers: Vec::new(),
            guard,
            stretch,
            limits,
        };
        let failed = |error: wasmtime::Error| CoreError::engine(&error);
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(stretch);
        let instance = ready.instantiate(&mut store).map_err(failed)?;
        let mut export = |name| {
            instance
                .get_typed_func::<(), u32>(&mut store, name)
                .map_err(failed)
        };
        let (init_client, invoke) = (export("init_client")?, export("invoke")?);
        let release_client = export("release_client")?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or(CoreError::MissingExport("memory"))?;
        Ok(Self {
            store,
            init_client,
            invoke,
            release_client,
            memory,
            trapped: false,
        })
    }

    /// Signs in. The input is JSON; the result is the client's number.
    pub fn init_client(
        &mut self,
        input: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let function = self.init_client.clone();
        self.call(&function, input)
    }

    /// Calls a method. The input is JSON; the result is JSON or nothing.
    pub fn invoke(&mut self, input: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let function = self.invoke.clone();
        self.call(&function, input)
    }

    /// Forgets a client.
    pub fn release_client(&mut self, input: Zeroizing<Vec<u8>>) -> Result<(), CallError> {
        let function = self.release_client.clone();
        self.call(&function, input).map(drop)
    }

    /// Whether a fresh instance must take its place: it trapped, or needed so much memory that it never gives back.
    pub fn is_spent(&self) -> bool {
        self.trapped
            || self.memory.data_size(&self.store) > LARGE
            || self.store.data().blocks.peak() > LARGE
    }

    fn call(
        &mut self,
        function: &TypedFunc<(), u32>,
        input: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        if self.trapped {
            return Err(CallError::Spent);
        }
        let state = self.store.data_mut();
        state.blocks.clear();
        (state.input, state.output, state.error) = (input, None, 0);
        let stretch = state.stretch;
        self.store.set_epoch_deadline(stretch);
        let called = function.call(&mut self.store, ());
        let state = self.store.data_mut();
        state.input = Zeroizing::default();
        let result = match called {
            Ok(_) => outcome(state),
            Err(error) => {
                self.trapped = true;
                Err(CallError::Trapped(what_trapped(&error)))
            }
        };
        state.blocks.clear();
        result
    }
}

fn outcome(state: &HostState) -> Result<Zeroizing<Vec<u8>>, CallError> {
    let broken = |_| CallError::Trapped("its result lies outside of its blocks".into());
    if state.error != 0 {
        let length = state.blocks.length(state.error).min(MAX_ERROR);
        let text = state.blocks.slice(state.error, length).map_err(broken)?;
        let text = String::from_utf8_lossy(text).into_owned();
        return Err(CallError::Refused(Zeroizing::new(text)));
    }
    match state.output {
        None => Ok(Zeroizing::default()),
        Some((offset, length)) => {
            let bytes = state.blocks.slice(offset, length).map_err(broken)?;
            Ok(Zeroizing::new(bytes.to_vec()))
        }
    }
}

/// The kind of trap, and the innermost functions that have names; neither holds data.
fn what_trapped(error: &wasmtime::Error) -> String {
    let kind = match (
        error.downcast_ref::<Trap>(),
        error.downcast_ref::<BadAccess>(),
    ) {
        (Some(trap), _) => trap.to_string(),
        (None, Some(bad)) => bad.to_string(),
        (None, None) => "a host function failed, or memory ran out".to_owned(),
    };
    let frames = error.downcast_ref::<wasmtime::WasmBacktrace>();
    let names = frames
        .into_iter()
        .flat_map(wasmtime::WasmBacktrace::frames)
        .filter_map(|frame| frame.func_name())
        .filter(|name| name.contains("op_"))
        .take(3);
    let names: Vec<String> = names.map(demangled).collect();
    if names.is_empty() {
        kind
    } else {
        format!("{kind} in {}", names.join(" < "))
    }
}

/// Letters, digits and what Rust's paths have; enough to recognise a function.
fn demangled(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
        .take(120)
        .collect()
}
