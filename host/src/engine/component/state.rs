//! What one guest may see of the world, and no more: requests and answers, a clock, random bytes, sealed records.
//!
//! There is no environment, no argument, no file, no socket and no outgoing request: the last three are not even
//! linked. What a guest prints is swallowed, because it could be a secret.

use std::time::Duration;

use wasmtime::{
    StoreLimits, StoreLimitsBuilder,
    component::{HasData, ResourceTable},
};
use wasmtime_wasi::{
    cli::{WasiCliCtx, WasiCliCtxView, WasiCliView},
    p2::bindings::{
        clocks::wall_clock,
        random::{insecure_seed, random},
    },
};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView,
    WasiHttpHooks, WasiHttpView,
};

use super::Sandbox;
use crate::engine::link::Link;

/// A guest's own state; it lives as long as its instance, that is for one request.
pub(super) struct State {
    pub(super) table: ResourceTable,
    pub(super) link: Link,
    pub(super) limits: StoreLimits,
    /// Ticks of the epoch that the guest may still run for.
    pub(super) ticks: u64,
    http: WasiHttpCtx,
    policy: Policy,
    cli: WasiCliCtx,
}

impl State {
    pub(super) fn new(link: Link, sandbox: &Sandbox) -> Self {
        Self {
            table: ResourceTable::new(),
            link,
            limits: StoreLimitsBuilder::new()
                .memory_size(sandbox.memory)
                .build(),
            ticks: sandbox.ticks(),
            http: WasiHttpCtx::new(),
            policy: Policy,
            cli: WasiCliCtx::default(),
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.policy,
        }
    }
}

impl WasiCliView for State {
    fn cli(&mut self) -> WasiCliCtxView<'_> {
        WasiCliCtxView {
            ctx: &mut self.cli,
            table: &mut self.table,
        }
    }
}

/// Largest piece of a body that a guest may hand over at once; two may be on their way.
const PIECE: usize = 256 * 1024;

struct Policy;

impl WasiHttpHooks for Policy {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        PIECE
    }
}

type Sending = Box<
    dyn Future<
            Output = Result<
                (
                    http::Response<WasiBody>,
                    Box<dyn Future<Output = Result<(), Error>> + Send>,
                ),
                Error,
            >,
        > + Send,
>;

/// The host's clock and random source, as WASI names them.
pub(super) struct Surroundings<'a>(&'a Link);

impl HasData for Surroundings<'static> {
    type Data<'a> = Surroundings<'a>;
}

pub(super) fn surroundings(state: &mut State) -> Surroundings<'_> {
    Surroundings(&state.link)
}

impl wall_clock::Host for Surroundings<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(Duration::from_millis(self.0.now().millis())))
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(datetime(Duration::from_millis(1)))
    }
}

fn datetime(time: Duration) -> wall_clock::Datetime {
    wall_clock::Datetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

/// Most random bytes given in one call: keys and nonces are short, and a guest must not make the host allocate.
const MOST_RANDOM: u64 = 64 * 1024;

impl random::Host for Surroundings<'_> {
    fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > MOST_RANDOM {
            wasmtime::bail!("the guest asks for {length} random bytes at once");
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        self.0.backing().random.fill(&mut bytes);
        Ok(bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        let mut bytes = [0; 8];
        self.0.backing().random.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
}

impl insecure_seed::Host for Surroundings<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        use random::Host as _;
        Ok((self.get_random_u64()?, self.get_random_u64()?))
    }
}
