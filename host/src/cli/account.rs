//! `sekisho account`: the record of truth alone.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use sekisho_account::{
    Account, KeyFile, NewUser, clock,
    http::server::{Options, serve, tls_config, tls_config_for},
    protocol::AuditEntry,
    random::SystemRng,
};
use sekisho_core::{id::UserId, key::OperatorKey};
use serde_json::json;

use super::{
    Session,
    duration::parse_listen,
    failure::{Done, Failure},
    output,
    session::Lock,
    up::Stop,
};

#[derive(Subcommand)]
pub(super) enum LowAccount {
    /// Make an account, and the key of its owner beside it.
    #[command(
        after_help = "Examples:\n  sekisho account init --name Example --data-dir /var/lib/sekisho"
    )]
    Init {
        /// The account's name.
        #[arg(long, default_value = "Sekisho")]
        name: String,
        /// Its owner's name.
        #[arg(long, default_value = "owner")]
        owner: String,
        #[command(flatten)]
        lock: Lock,
    },
    /// Show what was changed in the account: who, what, when, from where; the latest first.
    #[command(after_help = "Examples:\n  sekisho account audit --limit 20")]
    Audit {
        /// At most so many changes.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only those before this number.
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Serve the account to operators and Connect servers.
    #[command(
        after_help = "Without a certificate it serves plain HTTP: for this machine, or behind a proxy that ends TLS.

Examples:\n  sekisho account serve --listen :7443 --tls-cert cert.pem --tls-key key.pem"
    )]
    Serve(LowServe),
}

#[derive(Args)]
pub(super) struct LowServe {
    /// Where to serve; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7443")]
    listen: String,
    /// PEM of its certificate and those it hangs on.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM of the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// PEM of a CA: only who shows a certificate of it is let in.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
}

impl LowAccount {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Init { name, owner, lock } => init(session, &name, &owner, lock),
            Self::Audit { limit, before } => audit(session, limit, before),
            Self::Serve(low) => low.run(session),
        }
    }
}

fn init(session: &Session, name: &str, owner: &str, lock: Lock) -> Done {
    let path = session.new_key_path()?;
    let database = session.place()?.account();
    for taken in [&database, &path] {
        if taken.exists() {
            return Err(Failure::new(
                format!("{} exists already", taken.display()),
                "take another directory: --data-dir DIR",
            ));
        }
    }
    let rng = &mut SystemRng;
    let key = OperatorKey::generate(rng);
    let user = NewUser {
        id: UserId::generate(rng),
        name: owner.to_owned(),
        public: key.public(),
    };
    let account = Account::init(&database, name, &user, clock::now(), rng)?.id();
    let identity = KeyFile {
        account,
        user: user.id,
        key,
    };
    if let Err(failure) = session.write_key(&identity, &path, lock) {
        // Nobody could ever open it; the first error is the one to tell.
        let _ = std::fs::remove_file(&database);
        return Err(failure);
    }
    session.print(
        || json!({ "id": account, "name": name, "owner": user.id, "key_file": path }),
        || {
            output::facts(&[
                ("Account:", account.to_string()),
                ("Owner:", user.id.to_string()),
                ("Key file:", path.display().to_string()),
            ])
        },
    )
}

fn audit(session: &Session, limit: u32, before: Option<u64>) -> Done {
    let entries = session.operator()?.audit(before, limit)?;
    let row = |entry: &AuditEntry| {
        [
            entry.number.to_string(),
            entry.at.to_rfc3339(),
            entry.who.clone(),
            entry.from.clone(),
            entry.what.clone(),
            entry.objects.join(" "),
        ]
    };
    session.print(
        || {
            let entries = entries.iter().map(|entry| {
                json!({
                    "number": entry.number,
                    "at": entry.at.to_rfc3339(),
                    "who": entry.who,
                    "from": entry.from,
                    "what": entry.what,
                    "objects": entry.objects,
                })
            });
            entries.collect()
        },
        || {
            output::table(
                ["NUMBER", "AT", "WHO", "FROM", "WHAT", "OBJECTS"],
                entries.iter().map(row).collect(),
            )
        },
    )
}

impl LowServe {
    fn run(self, session: &Session) -> Done {
        let listen = parse_listen("--listen", &self.listen)?;
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                let read = |path: &PathBuf| {
                    let bytes = std::fs::read(path).map(zeroize::Zeroizing::new);
                    bytes.map_err(|error| Failure::io(path, &error))
                };
                let config = match &self.tls_client_ca {
                    None => tls_config(&read(cert)?, &read(key)?),
                    Some(ca) => tls_config_for(&read(cert)?, &read(key)?, &read(ca)?),
                };
                Some(config.map_err(|error| {
                    Failure::new(error.to_string(), "check --tls-cert and --tls-key")
                })?)
            }
            _ => None,
        };
        let account = session.open_account()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| {
            Failure::new(
                format!("no threads can be started: {}", error.kind()),
                "check the limits of this user",
            )
        })?;
        runtime.block_on(until_stopped(session, account, listen, Options { tls }))
    }
}

async fn until_stopped(
    session: &Session,
    account: Account,
    listen: SocketAddr,
    options: Options,
) -> Done {
    let mut stop = Stop::listen()?;
    let taken = |error: std::io::Error| {
        Failure::new(
            format!("{listen} cannot be listened on: {}", error.kind()),
            "take another address: --listen 127.0.0.1:7444",
        )
    };
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(taken)?;
    let addr = listener.local_addr().map_err(taken)?;
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{addr}");
    session.print(
        || json!({ "url": url, "account": account.id() }),
        || output::line(&format!("export SEKISHO_ACCOUNT_URL={url}")),
    )?;
    serve(listener, account, options, async { stop.wait().await }).await;
    Ok(())
}
