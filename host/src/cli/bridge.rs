//! `sekisho bridge …`: a 1Password account behind this one.

mod page;
mod status;

use std::{
    fs,
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use clap::{Args, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};
use sekisho_account::{Operator, clock};
use sekisho_bridge::{
    budget::Plan,
    client::{SdkConfig, SdkCore, ServiceToken},
    mirror::{Mirror, MirrorConfig},
    net::{Guard, Hosts, HttpTransport, Meter},
    report::{self, Watched},
    runner,
    state::StateDir,
    vendor::{self, Core, CoreError, CoreFile, CoreFileError},
};
use sekisho_host::dependency::{Dependency, DependencyState};
use zeroize::Zeroizing;

use self::status::LowStatus;
use super::{
    Session,
    duration::parse_listen,
    failure::{Done, Failure},
    log, output, up,
};
use crate::up::Place;

/// Where a token is looked for that no flag names.
const TOKEN: &str = "OP_SERVICE_ACCOUNT_TOKEN";
/// Longest file a token is read from.
const MAX_TOKEN: u64 = 64 * 1024;

#[derive(Subcommand)]
#[command(after_help = "Examples:
  sekisho bridge fetch-core
  OP_SERVICE_ACCOUNT_TOKEN=ops_… sekisho bridge run --plan teams
  sekisho bridge status")]
pub(super) enum LowBridge {
    /// Mirror a 1Password account into this one until stopped.
    Run(LowRun),
    /// What the bridge in this data directory does.
    Status(LowStatus),
    /// Ask the bridge in this data directory for a poll now.
    Poke,
    /// Get the vendor's SDK core, the one version that is taken.
    FetchCore(LowFetch),
}

/// What a bridge needs, however it is started.
#[derive(Args)]
pub(super) struct LowSource {
    /// The vendor's SDK core [env: SEKISHO_OP_CORE] [default: what `bridge fetch-core` left in the data directory]
    #[arg(long, value_name = "FILE")]
    core: Option<PathBuf>,
    /// The 1Password plan: families, teams, business, or the requests a day that may be used.
    #[arg(long, value_name = "PLAN", env = "SEKISHO_BRIDGE_PLAN", default_value = "families", value_parser = parse_plan)]
    plan: Plan,
    /// Seconds between polls [default: by the plan]
    #[arg(long, value_name = "SECONDS", env = "SEKISHO_BRIDGE_INTERVAL", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    interval: Option<u64>,
    /// Let clients write: their writes are done in 1Password before they are answered.
    #[arg(long)]
    write: bool,
    /// Read the service account token from here, `-` = standard input [default: OP_SERVICE_ACCOUNT_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Largest file that is mirrored, in MB.
    #[arg(long, value_name = "MB", default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=50))]
    max_file: u64,
    /// Take the core whatever its digest is: to try a newer one.
    #[arg(long, hide = true)]
    dangerous_core: bool,
    /// Take the token's word for where 1Password is, if that is this machine: for tests.
    #[cfg(debug_assertions)]
    #[arg(long, hide = true)]
    dangerous_loopback: bool,
}

#[derive(Args)]
pub(super) struct LowRun {
    #[command(flatten)]
    source: LowSource,
    /// Serve /health and /metrics here; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", env = "SEKISHO_BRIDGE_LISTEN")]
    listen: Option<String>,
    /// What is logged: error, warn, info, debug, trace [env: OP_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Args)]
pub(super) struct LowFetch {
    /// A file or an https URL [default: Go's module cache, else the vendor's repository]
    #[arg(value_name = "FROM")]
    from: Option<String>,
}

fn parse_plan(word: &str) -> Result<Plan, String> {
    Plan::parse(word)
        .ok_or_else(|| "name families, teams, business, or a number from 50 to 1000000".to_owned())
}

impl LowBridge {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Run(low) => low.run(session),
            Self::Status(low) => low.run(session),
            Self::Poke => poke(session),
            Self::FetchCore(low) => low.run(session),
        }
    }
}

impl LowRun {
    fn run(self, session: &Session) -> Done {
        log::start(self.log_level.as_deref())?;
        let listen = self
            .listen
            .as_deref()
            .map(|text| parse_listen("--listen", text))
            .transpose()?;
        let operator = session.operator()?;
        let place = session.place()?;
        let mut bridge = self.source.start(place, operator)?;
        let beside = bridge.dependency();
        let stopped = up::runtime()?.block_on(async {
            let mut stop = up::Stop::listen()?;
            match listen {
                Some(address) => tokio::select! {
                    failed = page::serve(address, beside) => failed,
                    () = stop.wait() => Ok(()),
                },
                None => {
                    stop.wait().await;
                    Ok(())
                }
            }
        });
        bridge.stop();
        stopped
    }
}

/// A bridge in a thread of its own.
pub(super) struct RunningBridge {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    /// Told after each poll.
    polled: Receiver<Result<(), String>>,
    watched: Watched,
}

impl RunningBridge {
    /// Waits for the end of the next poll; `Err` says why it failed.
    pub(super) fn first_poll(&self) -> Result<(), String> {
        self.polled
            .recv()
            .unwrap_or_else(|_| Err("the bridge ended".to_owned()))
    }

    /// How it is, for `/health` and `/metrics`.
    pub(super) fn dependency(&self) -> Arc<dyn Dependency> {
        Arc::new(Beside(self.watched.clone()))
    }

    /// Ends after what it is just doing.
    pub(super) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The bridge as hosts show it.
struct Beside(Watched);

impl Dependency for Beside {
    fn service(&self) -> &'static str {
        "bridge"
    }

    fn state(&self) -> DependencyState {
        let (summary, now) = (self.0.summary(), clock::now());
        let status = match summary.report.last_success {
            0 => "NOT_SYNCED",
            _ if report::is_well(&summary.report, now) => "ACTIVE",
            _ => "STALE",
        };
        let message = summary.line(now);
        DependencyState { status, message }
    }

    fn metrics(&self) -> String {
        report::metrics(&self.0.summary(), clock::now())
    }
}

impl Drop for RunningBridge {
    fn drop(&mut self) {
        self.stop();
    }
}

impl LowSource {
    /// Whether clients may write.
    pub(super) const fn writes(&self) -> bool {
        self.write
    }

    /// Starts mirroring into the account that the operator reaches.
    pub(super) fn start(self, place: &Place, operator: Operator) -> Result<RunningBridge, Failure> {
        leave_no_core();
        let dir = open(place)?;
        let lock = dir.lock().map_err(|_| {
            Failure::new(
                "another bridge runs on this data directory",
                "stop it first; `sekisho bridge poke` asks it for a poll",
            )
        })?;
        let token = self.token()?;
        let core = self.core(&dir)?;
        let mut plan = self.plan;
        plan.interval = self.interval.unwrap_or(plan.interval);
        let transport = Arc::new(HttpTransport::default());
        let guard = Guard::new(self.hosts(), transport, Arc::new(Meter::default()));
        let mark = token.mark();
        let client = SdkCore::new(SdkConfig {
            core: Arc::new(core),
            guard: Arc::new(guard),
            token,
            max_file: self.max_file * 1024 * 1024,
            pause: None,
        });
        let stop = Arc::new(AtomicBool::new(false));
        let mut mirror = Mirror::new(MirrorConfig {
            client,
            operator: Arc::new(operator),
            dir: dir.clone(),
            plan,
            token_mark: mark,
            now: Box::new(clock::now),
            writes: self.write,
            stop: Arc::clone(&stop),
        });
        let watched = mirror.watched();
        let (tell, polled) = sync_channel(1);
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new().name("sekisho-bridge".into());
        let thread = thread.spawn(move || {
            let _lock = lock;
            runner::run(&mut mirror, &dir, &stopping, &mut |result| {
                let told = result.as_ref().map(drop).map_err(ToString::to_string);
                // Nobody need listen.
                let _ = tell.try_send(told);
            });
        });
        let thread = thread.map_err(|error| {
            Failure::new(
                format!("no thread can be started: {}", error.kind()),
                "check the limits of this user",
            )
        })?;
        Ok(RunningBridge {
            stop,
            thread: Some(thread),
            polled,
            watched,
        })
    }

    #[cfg(debug_assertions)]
    const fn hosts(&self) -> Hosts {
        if self.dangerous_loopback {
            Hosts::DangerousLoopback
        } else {
            Hosts::Vendor
        }
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "the same call in both builds")]
    const fn hosts(&self) -> Hosts {
        Hosts::Vendor
    }

    fn token(&self) -> Result<ServiceToken, Failure> {
        let text = match &self.token_file {
            Some(path) => read_token(path)?,
            None => Zeroizing::new(std::env::var(TOKEN).unwrap_or_default()),
        };
        if text.trim().is_empty() {
            return Err(Failure::usage(
                "there is no service account token",
                "set OP_SERVICE_ACCOUNT_TOKEN, or name a file: --token-file FILE (`-` = standard input)",
            ));
        }
        ServiceToken::parse(&text).ok_or_else(|| {
            Failure::usage(
                "this is no service account token of 1Password: those begin with ops_",
                "make one on 1Password.com under Developer, Service accounts, and copy all of it",
            )
        })
    }

    fn core(&self, dir: &StateDir) -> Result<Core, Failure> {
        let set = || std::env::var_os("SEKISHO_OP_CORE").filter(|path| !path.is_empty());
        let path = self.core.clone().or_else(|| set().map(PathBuf::from));
        let path = path.unwrap_or_else(|| dir.core_file());
        let file = if self.dangerous_core {
            let bytes = fs::read(&path).map_err(|error| Failure::io(&path, &error))?;
            CoreFile::dangerous_any(bytes)
        } else {
            CoreFile::read(&path)?
        };
        Ok(Core::load(&file, Some(&dir.cache()))?)
    }
}

/// A process that dies leaves no image of its memory behind: the token and plaintext are in it.
fn leave_no_core() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "a crash may leave an image of the memory behind");
    }
}

fn read_token(path: &std::path::Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(MAX_TOKEN).read_to_string(&mut text)
    } else {
        let file = fs::File::open(path).map_err(|error| Failure::io(path, &error))?;
        file.take(MAX_TOKEN).read_to_string(&mut text)
    };
    read.map_err(|error| Failure::io(path, &error))?;
    Ok(text)
}

fn open(place: &Place) -> Result<StateDir, Failure> {
    let path = place.bridge();
    StateDir::open(&path).map_err(|error| Failure::io(&path, &error))
}

fn find(session: &Session) -> Result<StateDir, Failure> {
    let place = session.place()?;
    StateDir::find(&place.bridge()).ok_or_else(|| {
        Failure::new(
            format!("no bridge ever ran on {}", place.dir().display()),
            "start one: sekisho bridge run, or sekisho up --bridge",
        )
    })
}

fn poke(session: &Session) -> Done {
    let dir = find(session)?;
    dir.poke().map_err(|error| {
        Failure::new(
            format!("the bridge cannot be asked: {}", error.kind()),
            "check the permissions of the data directory",
        )
    })
}

impl LowFetch {
    fn run(self, session: &Session) -> Done {
        let place = session.place()?;
        crate::up::make_private_dir(place.dir())?;
        let dir = open(place)?;
        let core = vendor::fetch(self.from.as_deref())?;
        let path = dir.core_file();
        dir.replace(&path, core.bytes())
            .map_err(|error| Failure::io(&path, &error))?;
        // Here and not at the first start, where its memory would stay.
        Core::load(&core, Some(&dir.cache()))?;
        session.print(
            || serde_json::json!({ "core": path, "version": vendor::CORE_VERSION, "sha256": core.digest() }),
            || {
                output::line(&format!(
                    "{}: version {}, SHA-256 {}",
                    path.display(),
                    vendor::CORE_VERSION,
                    core.digest()
                ))
            },
        )
    }
}

impl From<CoreFileError> for Failure {
    fn from(error: CoreFileError) -> Self {
        Self::of_line(&error.to_string(), "; ")
    }
}

impl From<CoreError> for Failure {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::File(error) => error.into(),
            error => Self::of_line(&error.to_string(), ": "),
        }
    }
}
