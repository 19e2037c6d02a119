//! The limits of a guest, and what it is linked with.

use std::{thread, time::Duration};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{HasSelf, Linker},
};
use wasmtime_wasi::{
    cli::{WasiCli, WasiCliView as _},
    p2::bindings::{cli, clocks::wall_clock, random},
};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _, p2::bindings::http};

use super::{
    bindings,
    state::{State, Surroundings, surroundings},
};
use crate::engine::link::Link;

/// How often the epoch moves on: a guest that runs yields then, and is asked how long it has run.
const TICK: Duration = Duration::from_millis(10);

/// What a guest may use.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// Bytes of memory.
    pub memory: usize,
    /// Time on a processor.
    pub cpu: Duration,
    /// Guests at once.
    pub instances: u32,
    /// How long a request waits for a place among them.
    pub patience: Duration,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            memory: 64 * 1024 * 1024,
            cpu: Duration::from_secs(5),
            instances: 128,
            patience: Duration::from_secs(2),
        }
    }
}

impl Sandbox {
    pub(super) fn ticks(&self) -> u64 {
        (self.cpu.as_millis() / TICK.as_millis()) as u64
    }

    /// An engine with a pool of places made beforehand; where the system does not give that much address space, one
    /// without (measured: it answers a fifth fewer requests).
    pub(super) fn engine(&self) -> wasmtime::Result<Engine> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        // A backtrace is never shown, for it could not be told from content.
        config.wasm_backtrace_max_frames(None);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        Engine::new(&config).or_else(|_| {
            tracing::warn!("no address space for a pool of sandboxes: going on without");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)
        })
    }

    fn pool(&self) -> PoolingAllocationConfig {
        // A component of wasm32-wasip2 is one module with a memory, and small modules that tie it to its imports.
        const CORE_INSTANCES: u32 = 8;
        const KEPT: usize = 256 * 1024;
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.instances)
            .total_core_instances(self.instances * CORE_INSTANCES)
            .total_memories(self.instances)
            .total_tables(self.instances * CORE_INSTANCES)
            .total_stacks(self.instances)
            .max_memory_size(self.memory)
            // Places that keep their pages; more than a few are used at once only under load.
            .max_unused_warm_slots(16)
            // What a guest wrote is overwritten rather than unmapped, where the kernel can tell what that was: no
            // fault for each page in the next request, no flush of other processors' address caches.
            .pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(KEPT)
            .table_keep_resident(KEPT);
        pool
    }
}

/// Everything that a guest may import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi_io(l)?;
    http::types::add_to_linker::<_, WasiHttp>(l, &Default::default(), State::http)?;
    wall_clock::add_to_linker::<_, Surroundings<'static>>(l, surroundings)?;
    random::random::add_to_linker::<_, Surroundings<'static>>(l, surroundings)?;
    random::insecure_seed::add_to_linker::<_, Surroundings<'static>>(l, surroundings)?;
    standard_library(l)?;
    bindings::records::add_to_linker::<_, HasSelf<Link>>(l, link)?;
    bindings::usage::add_to_linker::<_, HasSelf<Link>>(l, link)?;
    bindings::request::add_to_linker::<_, HasSelf<Link>>(l, link)?;
    Ok(linker)
}

fn link(state: &mut State) -> &mut Link {
    &mut state.link
}

fn wasmtime_wasi_io(l: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::p2::bindings::io;
    fn table(state: &mut State) -> &mut ResourceTable {
        &mut state.table
    }
    io::error::add_to_linker::<_, HasSelf<ResourceTable>>(l, table)?;
    io::poll::add_to_linker::<_, HasSelf<ResourceTable>>(l, table)?;
    io::streams::add_to_linker::<_, HasSelf<ResourceTable>>(l, table)
}

/// What Rust's standard library imports whether used or not: an empty environment, and streams that lead nowhere.
fn standard_library(l: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)
}

/// Moves the epoch on until the engine is gone.
pub(super) fn start_ticking(engine: &Engine) {
    let engine = engine.weak();
    let ticker = thread::Builder::new().name("sekisho-epoch".to_owned());
    let started = ticker.spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
    if started.is_err() {
        tracing::warn!("no thread for the epoch: a guest's time is not limited");
    }
}
