//! `sekisho edge publish`.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Args;
use sekisho_core::published::EdgeKeys;
use sekisho_host::{
    clock::{Clock, SystemClock},
    edge::publish::{
        Directory, Outcome, PublishError, Publisher, Publishing, RemoteStore, Source, Store, Sync,
        Terms,
    },
    live::Live,
    sync::Pace,
};
use serde_json::json;

use crate::cli::{
    duration::Seconds,
    failure::{Done, Failure},
    log, output,
    serving::{Identity, Variables, data_dir},
    session::Session,
    up::{Stop, runtime},
};

/// Beside two intervals: what a tick and its publishing may take, and clocks may differ by.
const CONTACT_MARGIN: u64 = 5;
/// Between two looks at whether what nothing names may go.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Args)]
#[command(
    after_help = "What is published is sealed: it opens with a token, nowhere else. A folder is what
`sekisho edge build --runtime bundle` takes; a URL is that of an edge with a publish endpoint
(docs/edge-spin.md). Only what changed is sent, the pointer to it last, and what nothing needs any
more goes a few seconds later. One publisher to a store.

Examples:
  sekisho edge publish --credentials 1password-credentials.json --to ./published
  OP_SESSION=1password-credentials.json sekisho edge publish --to https://secrets.example.com --watch"
)]
pub(in crate::cli) struct LowPublish {
    /// A folder, or the URL of an edge.
    #[arg(long, value_name = "DIR|URL")]
    to: String,
    /// Go on: publish each change as it comes.
    #[arg(long)]
    watch: bool,
    /// The credentials file: a path, or what OP_SESSION may hold [env: OP_SESSION] [default: ~/.op/1password-credentials.json]
    #[arg(long, value_name = "FILE")]
    credentials: Option<String>,
    /// PEM of the CA to trust at the edge's URL, if it is a private one.
    #[arg(long, value_name = "FILE")]
    edge_ca: Option<PathBuf>,
    /// How long the edge serves what was published when nothing newer comes.
    #[arg(long, value_name = "DURATION", env = "SEKISHO_MAX_STALE", default_value = "24h", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    max_stale: Seconds,
    /// Largest file inlined in an answer, in KB; larger ones are answered 413.
    #[arg(
        long,
        value_name = "KB",
        env = "OP_MAX_INLINE_FILE_SIZE_KB",
        default_value_t = 100
    )]
    max_inline: u32,
    /// With --watch, how often the account is asked when it does not push.
    #[arg(long, value_name = "DURATION", env = "SEKISHO_INTERVAL", default_value = "15s", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    interval: Seconds,
    /// Put everything anew, whatever the store holds, be it damaged, newer or published with other credentials.
    #[arg(long)]
    replace: bool,
    /// What is logged: error, warn, info, debug, trace [env: OP_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl LowPublish {
    pub(in crate::cli) fn run(self, session: &Session) -> Done {
        log::start(self.log_level.as_deref())?;
        if !self.watch && self.max_stale.0 == 0 {
            return Err(Failure::usage(
                "what is published once is old at once, and --max-stale 0 refuses it",
                "publish with --watch, or say for how long it may be served: --max-stale 1h",
            ));
        }
        let variables = Variables::read(&|name| env::var_os(name))?;
        let identity = Identity::find(self.credentials.as_deref(), None, &variables, session)?;
        let credentials = identity.credentials.clone();
        let device = identity.device()?;
        let place = LowPlace {
            publish: Some(self.to.clone()),
            publish_ca: self.edge_ca.clone(),
        };
        let publisher = place.publisher(&identity, self.terms())?;
        let sync = Sync::new(Source {
            credentials,
            device,
            data_dir: Some(data_dir(&variables, &identity, session)),
            pace: Pace {
                interval: Duration::from_secs(self.interval.0.max(1)),
                ..Pace::default()
            },
        });
        let Some(publisher) = publisher else {
            return Ok(());
        };
        let publisher = publisher.replacing(self.replace);
        if self.watch {
            self.follow(session, sync, publisher)
        } else {
            once(session, sync, publisher)
        }
    }

    fn terms(&self) -> Terms {
        let in_contact = if self.watch {
            self.interval.0.max(1) * 2 + CONTACT_MARGIN
        } else {
            0
        };
        Terms {
            max_stale: self.max_stale.0.max(in_contact),
            max_inline: u64::from(self.max_inline) * 1024,
        }
    }

    fn follow(&self, session: &Session, sync: Sync, publisher: Publisher<Box<dyn Store>>) -> Done {
        let (live, _syncing) = sync.start().map_err(refused)?;
        let publishing = follow(live, publisher)?;
        session.print(
            || json!({ "publishing": self.to }),
            || output::line(&format!("publishing to {}", self.to)),
        )?;
        let stopped = async {
            Stop::listen()?.wait().await;
            Ok(())
        };
        let result = runtime()?.block_on(stopped);
        drop(publishing);
        result
    }
}

/// Where a server publishes what it serves.
#[derive(Args)]
pub(in crate::cli) struct LowPlace {
    /// Publish what is served, and each change of it, to this folder or to the edge at this URL (see `sekisho edge publish`).
    #[arg(long, value_name = "DIR|URL", env = "SEKISHO_PUBLISH")]
    publish: Option<String>,
    /// PEM of the CA to trust at that URL, if it is a private one.
    #[arg(long, value_name = "FILE", requires = "publish")]
    publish_ca: Option<PathBuf>,
}

impl LowPlace {
    /// What publishes there; `None` = nothing is to be published.
    pub(in crate::cli) fn publisher(
        &self,
        identity: &Identity,
        terms: Terms,
    ) -> Result<Option<Publisher<Box<dyn Store>>>, Failure> {
        let Some(to) = self.publish.as_deref().filter(|to| !to.is_empty()) else {
            return Ok(None);
        };
        let credentials = &identity.credentials;
        let keys = EdgeKeys::derive(credentials.trust(), credentials.device());
        let store: Box<dyn Store> = if to.contains("://") {
            let read = |path: &PathBuf| {
                std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error))
            };
            let ca = self.publish_ca.as_ref().map(read).transpose()?;
            Box::new(RemoteStore::new(to, ca.as_deref(), &keys).map_err(refused)?)
        } else {
            Box::new(Directory::take(Path::new(to)).map_err(refused)?)
        };
        let contents = Box::new(identity.device()?);
        Ok(Some(Publisher::new(store, contents, keys, terms)))
    }
}

/// Publishes each change of what a host serves.
pub(in crate::cli) fn follow(
    live: Arc<Live>,
    publisher: Publisher<Box<dyn Store>>,
) -> Result<Publishing, Failure> {
    Publishing::start(live, publisher).map_err(refused)
}

fn once(session: &Session, mut sync: Sync, mut publisher: Publisher<Box<dyn Store>>) -> Done {
    let live = sync.once().map_err(refused)?;
    let outcome = publish(&live, &mut publisher).map_err(refused)?;
    // Who reads the set before is given the time to end.
    while publisher.sweep().map_err(refused)? > 0 {
        thread::sleep(LOOK);
    }
    publisher.collect().map_err(refused)?;
    let version = live.snapshot().head().map_or(0, |head| head.version);
    session.print(
        || {
            json!({
                "version": version,
                "objects": outcome.objects,
                "put": outcome.put,
                "bytes": outcome.bytes,
                "pointed": outcome.pointed,
            })
        },
        || {
            output::line(&format!(
                "published version {version}: {} objects, {} of them new ({} bytes)",
                outcome.objects, outcome.put, outcome.bytes
            ))
        },
    )
}

fn publish(
    live: &Live,
    publisher: &mut Publisher<Box<dyn Store>>,
) -> Result<Outcome, PublishError> {
    publisher.publish(&live.snapshot(), &live.signing_keys(), SystemClock.now())
}

fn refused(error: PublishError) -> Failure {
    Failure::of_line(&error.to_string(), ": ")
}
