//! The vendor's SDK core: a wasm module, MIT licensed, byte for byte as published with the Go SDK. It is not ours and
//! not in our repository; [`CoreFile`] takes one version by its digest and nothing else.
//!
//! It runs as a plain module with the host functions of op-account.md §A.2: random bytes, the time, and requests
//! through our [`Guard`]. It has no file, no socket, no environment. Memory and time are limited. A trap poisons an
//! instance (op-account.md §A.3), so [`Instance::is_spent`] says when to make a fresh one.

mod blocks;
mod compiled;
mod file;
mod imports;
mod instance;
#[cfg(test)]
mod sandbox_tests;

use std::{path::Path, sync::Arc, thread, time::Duration};

pub use file::{CORE_VERSION, CoreFile, CoreFileError, SDK_VERSION, fetch};
pub use instance::{CallError, Instance};
use wasmtime::{Config, Engine, InstancePre, Linker, Module};

use crate::net::Guard;
use instance::HostState;

/// How long the core may compute in one stretch; waiting for answers does not count.
const STRETCH: Duration = Duration::from_secs(60);
/// The engine's clock.
const TICK: Duration = Duration::from_millis(500);

/// Why the core cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The file.
    #[error(transparent)]
    File(#[from] CoreFileError),
    /// It wants something that this program does not know.
    #[error(
        "the core asks for '{0}', which this program does not know: it is of another version; take {CORE_VERSION} or update sekisho"
    )]
    UnknownImport(String),
    /// It lacks something.
    #[error("the core has no '{0}': it is of another version; take {CORE_VERSION}")]
    MissingExport(&'static str),
    /// It is no wasm module, or the system gives no memory.
    #[error("the core cannot be compiled or started: {0}")]
    Engine(String),
}

impl CoreError {
    /// wasmtime's error as one line: it speaks of the module, never of what runs in it.
    fn engine(error: &wasmtime::Error) -> Self {
        Self::Engine(error.to_string())
    }
}

/// The core, compiled. Cheap to make instances of.
pub struct Core {
    engine: Engine,
    ready: InstancePre<HostState>,
    /// Ticks that it may compute in one stretch.
    stretch: u64,
}

impl Core {
    /// Compiles the core, or takes what an earlier run compiled and left in `cache`.
    pub fn load(file: &CoreFile, cache: Option<&Path>) -> Result<Self, CoreError> {
        Self::load_with(file, cache, STRETCH)
    }

    fn load_with(
        file: &CoreFile,
        cache: Option<&Path>,
        stretch: Duration,
    ) -> Result<Self, CoreError> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // What the core does in an error names functions, never data (op-account.md §A.1).
        config.wasm_backtrace_max_frames(std::num::NonZero::new(64));
        let engine = Engine::new(&config).map_err(|error| CoreError::engine(&error))?;
        let module = compiled::load(&engine, file, cache)?;
        imports::check(&module)?;
        let linker = imports::linker(&engine)?;
        let ready = prepare(&linker, &module)?;
        tick(&engine);
        let stretch = ticks(stretch);
        Ok(Self {
            engine,
            ready,
            stretch,
        })
    }

    /// A fresh instance that may have so many bytes of linear memory.
    pub fn instantiate(&self, guard: Arc<Guard>, memory: usize) -> Result<Instance, CoreError> {
        Instance::new(&self.engine, &self.ready, guard, memory, self.stretch)
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core(…)")
    }
}

fn prepare(
    linker: &Linker<HostState>,
    module: &Module,
) -> Result<InstancePre<HostState>, CoreError> {
    linker
        .instantiate_pre(module)
        .map_err(|error| CoreError::engine(&error))
}

/// Moves the engine's clock as long as the engine is there.
fn tick(engine: &Engine) {
    let weak = engine.weak();
    let ticking = thread::Builder::new().name("sekisho-bridge-clock".into());
    let ticking = ticking.spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
    // Without it nothing would ever stop a core that runs away.
    ticking.expect("the system gives a thread at start");
}

/// Ticks that make a time, one at least.
fn ticks(time: Duration) -> u64 {
    let ticks = time.as_millis() / TICK.as_millis();
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}
