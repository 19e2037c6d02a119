//! `sekisho serve`, `sync` and `api`: a host for an account that is elsewhere, in one process or in two roles.

mod go_duration;
mod identity;
mod reload;
mod variables;

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use sekisho_host::{
    Host, HostConfig, Role, RunningHost, StartError,
    edge::publish::{Publisher, Store, Terms},
    engine::EngineKind,
    serve::{Limits, Tls},
    sync::{AccountUpstream, Pace},
};
use serde_json::json;

use self::reload::Reload;
pub(super) use self::{identity::Identity, variables::Variables};
use super::{
    Session,
    duration::{Seconds, parse_listen},
    edge::{LowFeed, LowPlace, follow},
    failure::{Done, Failure},
    output,
    up::{Stop, reachable, runtime},
    watching::{self, LowWatching},
};

#[derive(Args)]
#[command(
    after_help = "The account is where the credentials file says, or SEKISHO_ACCOUNT_URL, or --account. Variables of 1Password Connect
(OP_SESSION, OP_HTTP_PORT, OP_LOG_LEVEL, XDG_DATA_HOME, …) mean here what they mean there. The data folder is --data-dir,
SEKISHO_DATA_DIR, or as there $XDG_DATA_HOME/.op/data or ~/.op/data. Files that change are read again, at once on SIGHUP.

Examples:\n  OP_SESSION=1password-credentials.json sekisho serve\n  sekisho serve --credentials /run/secrets/op-session --listen :8080"
)]
pub(super) struct LowServe {
    #[command(flatten)]
    low: LowServing,
}

#[derive(Args)]
struct LowServing {
    /// The credentials file: a path, or what OP_SESSION may hold [env: OP_SESSION] [default: ~/.op/1password-credentials.json]
    #[arg(long, value_name = "FILE")]
    credentials: Option<String>,
    /// Where to serve; port 0 takes a free one [env: OP_HTTP_PORT, OP_HTTPS_PORT] [default: every address, port 8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// PEM of a certificate to show to an account that asks for one.
    #[arg(
        long,
        value_name = "FILE",
        env = "SEKISHO_ACCOUNT_CERT",
        requires = "account_key"
    )]
    account_cert: Option<PathBuf>,
    /// PEM of that certificate's private key.
    #[arg(
        long,
        value_name = "FILE",
        env = "SEKISHO_ACCOUNT_KEY",
        requires = "account_cert"
    )]
    account_key: Option<PathBuf>,
    /// PEM of the certificate and those it hangs on: then the API is served under TLS, on port 8443 if nothing else is
    /// said [env: OP_TLS_CERT_FILE]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM of the certificate's private key [env: OP_TLS_KEY_FILE]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// What answers requests: each in a sandbox, or all in this process.
    #[arg(long, value_parser = watching::engine(), default_value = "component")]
    engine: EngineKind,
    /// How long to serve without contact to the account; 0 = not at all.
    #[arg(long, value_name = "DURATION", env = "SEKISHO_MAX_STALE", default_value = "24h", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    max_stale: Seconds,
    /// How often the account is asked when it does not push.
    #[arg(long, value_name = "DURATION", env = "SEKISHO_INTERVAL", default_value = "15s", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    interval: Seconds,
    /// Largest file inlined in an answer, in KB; larger ones are answered 413.
    #[arg(
        long,
        value_name = "KB",
        env = "OP_MAX_INLINE_FILE_SIZE_KB",
        default_value_t = 100
    )]
    max_inline: u32,
    /// Megabytes of disk for accesses that the account has not taken yet; beyond that the oldest are added up.
    #[arg(
        long,
        value_name = "MB",
        env = "SEKISHO_USAGE_LIMIT",
        default_value_t = 64
    )]
    usage_limit: u32,
    /// Feed edges that run elsewhere, under /edge/v1/ beside the API: `read`, or `write` to take their clients' writes too.
    #[arg(long, value_name = "HOW", env = "SEKISHO_FEED", value_enum)]
    feed: Option<LowFeed>,
    #[command(flatten)]
    place: LowPlace,
    #[command(flatten)]
    watching: LowWatching,
}

#[derive(Args)]
#[command(
    after_help = "It keeps the data folder equal to the account, for any number of `sekisho api` on the same folder, and answers
/heartbeat, /health, /ready and /metrics.

Examples:\n  OP_SESSION=1password-credentials.json OP_HTTP_PORT=8081 sekisho sync"
)]
pub(super) struct LowSync {
    #[command(flatten)]
    low: LowServing,
}

#[derive(Args)]
#[command(
    after_help = "It serves what `sekisho sync` keeps in the data folder, and brings clients' writes to the account itself. The two share
the folder and the credentials file, nothing else, and may be started in any order.

Examples:\n  OP_SESSION=1password-credentials.json sekisho api"
)]
pub(super) struct LowApi {
    #[command(flatten)]
    low: LowServing,
}

impl LowServe {
    pub(super) fn run(self, session: &Session) -> Done {
        self.low.run(Role::Serve, session)
    }
}

impl LowSync {
    pub(super) fn run(self, session: &Session) -> Done {
        self.low.run(Role::Sync, session)
    }
}

impl LowApi {
    pub(super) fn run(self, session: &Session) -> Done {
        self.low.run(Role::Api, session)
    }
}

impl LowServing {
    fn run(self, role: Role, session: &Session) -> Done {
        self.watching.start_log()?;
        let variables = Variables::read(&|name| env::var_os(name))?;
        for note in &variables.notes {
            tracing::info!("{note}");
        }
        let shown = self.account_cert.clone().zip(self.account_key.clone());
        let shown = shown.map(|(cert, key)| [cert, key]);
        let identity = Identity::find(self.credentials.as_deref(), shown, &variables, session)?;
        let upstream = Arc::new(AccountUpstream::new(identity.device()?));
        let tls = self.tls(role, &variables)?;
        let data_dir = data_dir(&variables, &identity, session);
        let config = HostConfig {
            role,
            data_dir: Some(data_dir),
            tls: tls.clone(),
            ..self.config(&variables, &identity, Arc::clone(&upstream), tls.is_some())?
        };
        let terms = Terms {
            // An edge hears of a date alone with the next tick.
            max_stale: config.max_stale.max(self.interval.0 * 2 + 5),
            max_inline: config.max_inline,
        };
        let publisher = self.place.publisher(&identity, terms)?;
        let running = until_stopped(session, identity, upstream, config, publisher);
        runtime()?.block_on(running)
    }

    /// By flag or variable. `sync` has none: probes ask it in plain HTTP.
    fn tls(&self, role: Role, variables: &Variables) -> Result<Option<Tls>, Failure> {
        let cert = self.tls_cert.as_ref().or(variables.tls_cert.as_ref());
        let key = self.tls_key.as_ref().or(variables.tls_key.as_ref());
        match (cert, key) {
            _ if role == Role::Sync => Ok(None),
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Tls::load(cert, key).map(Some).map_err(|error| {
                Failure::new(
                    error.to_string(),
                    "check OP_TLS_CERT_FILE and OP_TLS_KEY_FILE (--tls-cert, --tls-key)",
                )
            }),
            _ => Err(Failure::usage(
                "TLS takes a certificate and a key, and one of them is missing",
                "give both OP_TLS_CERT_FILE and OP_TLS_KEY_FILE",
            )),
        }
    }

    fn config(
        &self,
        variables: &Variables,
        identity: &Identity,
        upstream: Arc<AccountUpstream>,
        with_tls: bool,
    ) -> Result<HostConfig, Failure> {
        let listen = match &self.listen {
            Some(text) => parse_listen("--listen", text)?,
            None => variables.listen(with_tls),
        };
        let credentials = &identity.credentials;
        Ok(HostConfig {
            listen,
            engine: self.engine,
            max_stale: self.max_stale.0,
            max_inline: u64::from(self.max_inline) * 1024,
            usage_budget: u64::from(self.usage_limit.max(1)) * 1024 * 1024,
            pace: Pace {
                interval: Duration::from_secs(self.interval.0.max(1)),
                ..Pace::default()
            },
            limits: Limits {
                sync_time: variables.sync_timeout,
                ..Limits::default()
            },
            metrics: self.watching.metrics()?,
            feed: LowFeed::decide(self.feed, credentials),
            ..HostConfig::new(
                upstream,
                credentials.trust(),
                credentials.signing_keys().to_vec(),
            )
        })
    }
}

/// Ours within the vendor's, which holds other files and may hold other servers: these are left as they are.
pub(super) fn data_dir(variables: &Variables, identity: &Identity, session: &Session) -> PathBuf {
    let dir = session.given_dir.clone();
    let dir = dir.unwrap_or_else(|| variables.data_dir());
    let server = identity.credentials.environment();
    dir.join("sekisho")
        .join(server.as_str().to_ascii_lowercase())
}

async fn until_stopped(
    session: &Session,
    identity: Identity,
    upstream: Arc<AccountUpstream>,
    config: HostConfig,
    publisher: Option<Publisher<Box<dyn Store>>>,
) -> Done {
    let mut stop = Stop::listen()?;
    let hangup = Stop::hangup()?;
    let tls = config.tls.clone();
    let host = start(config).await?;
    let publishing = publisher.map(|publisher| follow(Arc::clone(host.live()), publisher));
    let publishing = publishing.transpose()?;
    print(session, &identity, host.addr(), tls.is_some())?;
    let reload = Reload::new(identity, upstream, tls, hangup);
    tokio::select! {
        () = stop.wait() => {}
        () = reload.watch(&host) => {}
    }
    tracing::info!("stopping");
    // It may be in the middle of a call to the store.
    let _ = tokio::task::spawn_blocking(move || drop(publishing)).await;
    host.shutdown().await;
    Ok(())
}

/// On every address; where the system has no IPv6, on every one of IPv4.
async fn start(config: HostConfig) -> Result<RunningHost, StartError> {
    let mut config = config;
    if config.listen.ip().is_unspecified() && config.listen.is_ipv6() {
        let probe = std::net::TcpListener::bind(config.listen);
        let no_ipv6 = probe.is_err_and(|error| error.kind() != std::io::ErrorKind::AddrInUse);
        if no_ipv6 {
            config.listen = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), config.listen.port());
        }
    }
    Host::start(config).await
}

fn print(session: &Session, identity: &Identity, addr: SocketAddr, with_tls: bool) -> Done {
    let scheme = if with_tls { "https" } else { "http" };
    let host = format!("{scheme}://{}", reachable(addr));
    let credentials = &identity.credentials;
    session.print(
        || {
            json!({
                "host": host,
                "server": { "id": credentials.environment(), "name": credentials.name() },
            })
        },
        || output::line(&format!("export OP_CONNECT_HOST={host}")),
    )
}
