//! Everything put together: [`Host::start`].

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};

use sekisho_core::{records::SigningKeyRecord, sync::Trust};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    activity::Activity,
    clock::{Clock, SystemClock},
    dependency::Dependency,
    edge::{Feed, FeedConfig},
    engine::{
        Backing, ComponentEngine, Engine, EngineError, EngineKind, KeptAnswers, NativeEngine,
        Prepared, Sandbox, Settings,
    },
    health::Health,
    live::Live,
    metrics::{Counted, Metrics, MetricsAccess},
    random::{Random, SystemRandom},
    serve::{Face, Limits, ServeConfig, Server, Tls},
    store::{ChunkStore, Replica, StoreError},
    sync::{
        Breaker, Chunks, Habit, IDLE_WRITE, Pace, Parts, SyncCore, Ticker, Upstream, UsageQueue,
        UsageReporter, Wake, Writer, watch,
    },
};

/// Bytes of file contents kept on disk.
const CHUNK_BUDGET: u64 = 512 * 1024 * 1024;
/// What a tick may take, and clocks may differ by.
const CONTACT_MARGIN: Duration = Duration::from_secs(5);
/// How long a write stands in line for its vault.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// What a process does of a host's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// All of it.
    #[default]
    Serve,
    /// It keeps the replica equal to the account, and answers probes.
    Sync,
    /// It serves what another process keeps in the replica. Clients' writes it brings to the account itself.
    Api,
}

/// What a host is made of.
pub struct HostConfig {
    /// What it does.
    pub role: Role,
    /// Where to serve; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What answers.
    pub engine: EngineKind,
    /// The component; `None` = the one built in.
    pub component: Option<Vec<u8>>,
    /// What a guest may use.
    pub sandbox: Sandbox,
    /// Where the replica lies; `None` = nowhere, everything is fetched at each start.
    pub data_dir: Option<PathBuf>,
    /// Where the data comes from.
    pub upstream: Arc<dyn Upstream>,
    /// Whom to believe.
    pub trust: Trust,
    /// What tokens are verified with, from the credentials file.
    pub signing_keys: Vec<SigningKeyRecord>,
    /// Seconds during which a head may be served after it was issued; 0 = only in contact with the account.
    pub max_stale: u64,
    /// Largest file content inlined in an answer, in bytes.
    pub max_inline: u64,
    /// Answers that are kept in memory, some KB each, sealed for the bearers that got them; 0: none.
    pub kept: usize,
    /// Bytes on disk of accesses that the account has not taken yet; beyond that the oldest are added up.
    pub usage_budget: u64,
    /// The waits of the sync core.
    pub pace: Pace,
    /// What a client may cost.
    pub limits: Limits,
    /// The API is served under TLS; `None` = plain HTTP. Metrics on a listener of their own are plain.
    pub tls: Option<Tls>,
    /// Whether edges elsewhere are fed beside the API, and how; `None` = they are not.
    pub feed: Option<FeedConfig>,
    /// Who gets to see the metrics.
    pub metrics: MetricsAccess,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// What else is shown in `/health` and `/metrics`.
    pub dependencies: Vec<Arc<dyn Dependency>>,
}

impl HostConfig {
    /// Port 8080 of this machine alone, the component engine, no replica, and otherwise what `sekisho serve` does
    /// without being told.
    pub fn new(
        upstream: Arc<dyn Upstream>,
        trust: Trust,
        signing_keys: Vec<SigningKeyRecord>,
    ) -> Self {
        Self {
            role: Role::default(),
            listen: ([127, 0, 0, 1], 8080).into(),
            engine: EngineKind::default(),
            component: None,
            sandbox: Sandbox::default(),
            data_dir: None,
            upstream,
            trust,
            signing_keys,
            max_stale: 86_400,
            max_inline: 100 * 1024,
            kept: 1024,
            usage_budget: 64 * 1024 * 1024,
            pace: Pace::default(),
            limits: Limits::default(),
            tls: None,
            feed: None,
            metrics: MetricsAccess::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            dependencies: Vec::new(),
        }
    }
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The replica cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The component cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Roles that share a folder are started without one.
    #[error("sync and api share a data folder, and none was named: --data-dir DIR")]
    NoFolder,
    /// The system gives no threads.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}

/// Starts hosts.
pub struct Host;

impl Host {
    /// Loads what is held, begins to synchronise, and serves. It must be called on a tokio runtime.
    pub async fn start(mut config: HostConfig) -> Result<RunningHost, StartError> {
        let metrics = Arc::new(Metrics::default());
        let counted = Arc::new(Counted::new(config.upstream, Arc::clone(&metrics)));
        config.upstream = Arc::new(Breaker::new(counted, Arc::clone(&metrics)));
        let health = Arc::new(Health::default());
        let engines = Engines::prepare(&config)?;
        let (habit, wake) = habit(&config)?;
        let core = load(&config, &health);
        let (live, events) = (Arc::clone(core.live()), Arc::clone(core.events()));
        let random = Arc::new(SystemRandom);
        let ticker =
            Ticker::start(core, habit, wake, config.pace, random).map_err(StartError::Thread)?;
        let outbox = config.data_dir.as_deref().map(|dir| dir.join("usage"));
        let usage = UsageQueue::open(outbox.as_deref(), config.usage_budget, &SystemRandom);
        let upstream = Arc::clone(&config.upstream);
        let reporter = UsageReporter::start(usage.clone(), upstream).map_err(StartError::Thread)?;
        let writer = Writer::new(
            Arc::clone(&config.upstream),
            ticker.ticks(),
            Arc::clone(&live),
            WRITE_PATIENCE,
        );
        let backing = Arc::new(Backing {
            live,
            settings: Settings {
                max_stale: config.max_stale.max(in_contact(&config)),
                max_inline: config.max_inline,
            },
            writer,
            chunks: Arc::new(chunks(&config)),
            usage,
            activity: Activity::default(),
            kept: KeptAnswers::new(config.kept),
            events,
            metrics,
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
            dependencies: config.dependencies.clone(),
            runtime: tokio::runtime::Handle::current(),
        });
        let engine = Arc::new(engines.ready(Arc::clone(&backing))?);
        let feed = config.feed.clone().map(|feed| {
            let body_time = config.limits.body_time;
            Arc::new(Feed::new(feed, Arc::clone(&backing), body_time))
        });
        let front = Front {
            config: &config,
            feed: &feed,
            engine: &engine,
            health: &health,
        };
        let face = match (config.role, config.metrics.listen) {
            (Role::Sync, _) => Face::Status,
            (_, None) => Face::Everything,
            (_, Some(_)) => Face::Api,
        };
        let (addr, api) = front.listen(config.listen, face).await?;
        let mut serving = vec![api];
        let mut metrics_addr = None;
        if let Some(listen_at) = config.metrics.listen {
            let (addr, metrics) = front.listen(listen_at, Face::Metrics).await?;
            tracing::info!(%addr, "serving metrics");
            metrics_addr = Some(addr);
            serving.push(metrics);
        }
        tracing::info!(%addr, engine = %config.engine, "serving");
        Ok(RunningHost {
            addr,
            metrics_addr,
            health,
            live: Arc::clone(&backing.live),
            serving,
            threads: Threads { ticker, reporter },
        })
    }
}

/// A server, and what stops it when it goes.
type Serving = (oneshot::Sender<()>, JoinHandle<()>);

/// What all listeners share.
struct Front<'a> {
    config: &'a HostConfig,
    feed: &'a Option<Arc<Feed>>,
    engine: &'a Arc<Engine>,
    health: &'a Arc<Health>,
}

impl Front<'_> {
    async fn listen(
        &self,
        listen: SocketAddr,
        face: Face,
    ) -> Result<(SocketAddr, Serving), StartError> {
        let refused = |error| StartError::Listen(listen, error);
        let server = Server::bind(ServeConfig {
            listen,
            limits: self.config.limits.clone(),
            engine: Arc::clone(self.engine),
            health: Arc::clone(self.health),
            face,
            feed: self
                .feed
                .clone()
                .filter(|_| matches!(face, Face::Everything | Face::Api)),
            metrics_token: self.config.metrics.token.clone(),
            tls: self.config.tls.clone().filter(|_| face != Face::Metrics),
        });
        let server = server.await.map_err(refused)?;
        let addr = server.local_addr().map_err(refused)?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async {
            // Dropped without a word means the same.
            let _ = stopped.await;
        }));
        Ok((addr, (stop, serving)))
    }
}

/// How the sync core ticks, and what wakes it. Roles that share a folder cannot do without it.
fn habit(config: &HostConfig) -> Result<(Habit, Wake), StartError> {
    let upstream = Arc::clone(&config.upstream);
    let ask: Wake = Box::new(move |timeout| upstream.wait(timeout));
    if config.role == Role::Serve {
        return Ok((Habit::Ask, ask));
    }
    let directory = config.data_dir.clone().ok_or(StartError::NoFolder)?;
    drop(Replica::open(&directory)?);
    Ok(match config.role {
        Role::Api => (Habit::Follow, watch(directory)),
        Role::Serve | Role::Sync => (Habit::Ask, ask),
    })
}

/// Seconds for which a head is as good as contact: two ticks may pass, and who follows hears of a head that changed in
/// nothing but its date only when it is written.
fn in_contact(config: &HostConfig) -> u64 {
    let ticks = config.pace.interval * 2 + CONTACT_MARGIN;
    let writes = match config.role {
        Role::Api => IDLE_WRITE,
        Role::Serve | Role::Sync => Duration::ZERO,
    };
    (ticks + writes).as_secs()
}

fn load(config: &HostConfig, health: &Arc<Health>) -> SyncCore {
    SyncCore::load(Parts {
        upstream: Arc::clone(&config.upstream),
        trust: config.trust,
        directory: config.data_dir.clone(),
        health: Arc::clone(health),
        clock: Arc::clone(&config.clock),
        signing_keys: config.signing_keys.clone(),
        streams: config.limits.event_streams,
    })
}

fn chunks(config: &HostConfig) -> Chunks {
    let store = config.data_dir.as_deref().and_then(|directory| {
        ChunkStore::open(directory, CHUNK_BUDGET)
            .inspect_err(|error| tracing::warn!(%error, "contents of files are not kept"))
            .ok()
    });
    Chunks::new(store, Arc::clone(&config.upstream))
}

/// The engine in the making, on a thread of its own: the replica is read meanwhile.
struct Engines(Option<thread::JoinHandle<Result<Prepared, EngineError>>>);

impl Engines {
    fn prepare(config: &HostConfig) -> Result<Self, StartError> {
        if config.engine == EngineKind::Native || config.role == Role::Sync {
            return Ok(Self(None));
        }
        let (given, sandbox) = (config.component.clone(), config.sandbox.clone());
        let directory = config.data_dir.clone();
        let prepare = move || {
            let wasm = given.as_deref().unwrap_or(sekisho_edge_artifact::WASM);
            Prepared::new(wasm, sandbox, directory.as_deref())
        };
        let thread = thread::Builder::new().name("sekisho-prepare".to_owned());
        let thread = thread.spawn(prepare).map_err(StartError::Thread)?;
        Ok(Self(Some(thread)))
    }

    fn ready(self, backing: Arc<Backing>) -> Result<Engine, EngineError> {
        let Some(thread) = self.0 else {
            return Ok(Engine::Native(NativeEngine::new(backing)));
        };
        let prepared = thread
            .join()
            .map_err(|_| EngineError("it was given up".to_owned()))??;
        let engine = ComponentEngine::of(prepared, backing);
        Ok(Engine::Component(Box::new(engine)))
    }
}

/// A host at work.
pub struct RunningHost {
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    health: Arc<Health>,
    live: Arc<Live>,
    serving: Vec<Serving>,
    threads: Threads,
}

impl RunningHost {
    /// Where it serves.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it serves metrics, if not beside the API.
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// How its synchronisation is.
    pub const fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// What it serves.
    pub const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Verifies tokens with these keys of a changed credentials file from now on, and those that follow them.
    pub fn believe(&self, signing_keys: Vec<SigningKeyRecord>) {
        self.threads.ticker.believe(signing_keys);
    }

    /// Ends requests under way, sends the usage noted, and stops.
    pub async fn shutdown(self) {
        let (stops, serving): (Vec<_>, Vec<_>) = self.serving.into_iter().unzip();
        drop(stops);
        for serving in serving {
            let _ = serving.await;
        }
        let threads = self.threads;
        // They may be in the middle of a call to the account.
        let _ = tokio::task::spawn_blocking(move || drop(threads)).await;
    }
}

/// Stops them when it goes.
struct Threads {
    ticker: Ticker,
    reporter: UsageReporter,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.ticker.stop();
        self.reporter.stop();
    }
}
