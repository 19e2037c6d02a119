//! `sekisho up`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use sekisho_account::Operator;
use sekisho_host::engine::EngineKind;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Session, bridge,
    duration::{Seconds, parse_listen},
    edge::LowFeed,
    failure::{Done, Failure},
    output,
    watching::{self, LowWatching},
};
use crate::up::{self, FirstRun, Lock, Place, Prepared, Serving};

/// The manual's own line.
const CURL: &str = "curl -H \"Accept: application/json\" -H \"Authorization: Bearer $OP_CONNECT_TOKEN\" $OP_CONNECT_HOST/v1/vaults";

#[derive(Args)]
#[command(
    after_help = "The first run makes an account, a Connect server, a vault \"Demo\" with samples, and a token for it.

Examples:\n  sekisho up\n  sekisho up --listen 127.0.0.1:9090 --data-dir ./data --no-demo"
)]
pub(super) struct LowUp {
    /// Where to serve; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// What answers requests: each in a sandbox, or all in this process.
    #[arg(long, value_parser = watching::engine(), default_value = "component")]
    engine: EngineKind,
    /// On a first run, make no samples and no token.
    #[arg(long)]
    no_demo: bool,
    /// How long to serve without contact to the account.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    max_stale: Seconds,
    /// Largest file inlined in an answer, in KB; larger ones are answered 413.
    #[arg(
        long,
        value_name = "KB",
        env = "OP_MAX_INLINE_FILE_SIZE_KB",
        default_value_t = 100
    )]
    max_inline: u32,
    /// Feed edges that run elsewhere, under /edge/v1/ beside the API: `read`, or `write` to take their clients' writes too.
    #[arg(long, value_name = "HOW", env = "SEKISHO_FEED", value_enum)]
    feed: Option<LowFeed>,
    #[command(flatten)]
    watching: LowWatching,
    /// Serve the vaults of a 1Password account: mirror what the service account of OP_SERVICE_ACCOUNT_TOKEN may see.
    #[arg(long)]
    bridge: bool,
    #[command(flatten, next_help_heading = "With --bridge")]
    source: bridge::LowSource,
}

impl LowUp {
    pub(super) fn run(self, session: &Session) -> Done {
        let listen = parse_listen("--listen", &self.listen)?;
        let metrics = self.watching.metrics()?;
        self.watching.start_log()?;
        let place = session.place()?;
        let lock = Lock::take(place)?;
        let mut prepared = up::prepare(
            place,
            FirstRun {
                demo: !self.no_demo && !self.bridge,
            },
            &lock,
        )?;
        let bridge = self.bridge.then_some(self.source);
        let bridge = bridge.map(|source| start_bridge(session, place, &mut prepared, source));
        let bridge = bridge.transpose()?;
        let serving = Serving {
            listen,
            engine: self.engine,
            max_stale: self.max_stale.0,
            max_inline: u64::from(self.max_inline) * 1024,
            replica: place.replica(),
            metrics,
            dependencies: bridge
                .iter()
                .map(bridge::RunningBridge::dependency)
                .collect(),
            feed: LowFeed::decide(self.feed, &prepared.credentials),
        };
        let done = runtime()?.block_on(until_stopped(session, place, &prepared, serving));
        // After the host: a client's write that is under way is done first.
        drop(bridge);
        done
    }
}

/// Mirrors once before anything is served, so that the first client finds something.
fn start_bridge(
    session: &Session,
    place: &Place,
    prepared: &mut Prepared,
    source: bridge::LowSource,
) -> Result<bridge::RunningBridge, Failure> {
    let operator = || -> Result<Operator, Failure> {
        let account = Box::new(prepared.account.clone());
        Ok(Operator::new(session.identity()?, account))
    };
    let (ours, its) = (operator()?, operator()?);
    let writes = source.writes();
    let running = source.start(place, its)?;
    output::remark("mirroring 1Password …");
    if let Err(why) = running.first_poll() {
        output::remark(&format!("not mirrored yet: {why}"));
    }
    up::grant(place, prepared, &ours, writes)?;
    Ok(running)
}

/// What servers run on.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| {
        Failure::new(
            format!("no threads can be started: {}", error.kind()),
            "check the limits of this user",
        )
    })
}

async fn until_stopped(
    session: &Session,
    place: &Place,
    prepared: &Prepared,
    serving: Serving,
) -> Done {
    let mut stop = Stop::listen()?;
    let host = up::serve(prepared, serving).await?;
    print(session, place, prepared, host.addr())?;
    stop.wait().await;
    host.shutdown().await;
    Ok(())
}

fn print(session: &Session, place: &Place, prepared: &Prepared, addr: SocketAddr) -> Done {
    let host = format!("http://{}", reachable(addr));
    let json = || {
        json!({
            "host": host,
            "token_file": prepared.token.as_ref().map(|_| place.token()),
            "credentials_file": place.credentials(),
            "data_dir": place.dir(),
            "server": { "id": prepared.credentials.environment(), "name": prepared.credentials.name() },
            "first_run": prepared.is_first,
        })
    };
    session.print(json, || {
        output::line(&format!("export OP_CONNECT_HOST={host}"))?;
        match &prepared.token {
            // EXPOSE: to be pasted; it lies in a file beside.
            Some(token) => output::line(&format!("export OP_CONNECT_TOKEN={}", token.expose()))?,
            None => output::line("export OP_CONNECT_TOKEN=$(sekisho connect token create NAME --server default --vault VAULT)")?,
        }
        output::line(CURL)
    })
}

/// The address by which a client on this machine gets there.
pub(super) const fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

fn received(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| {
        Failure::new(
            format!("signals cannot be received: {}", error.kind()),
            "report this as a bug",
        )
    })
}

/// Ctrl-C, and what a service manager sends.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: received(SignalKind::interrupt())?,
            terminate: received(SignalKind::terminate())?,
        })
    }

    /// What asks a server to read its files again.
    pub(super) fn hangup() -> Result<Signal, Failure> {
        received(SignalKind::hangup())
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
