//! The server: hyper on tokio; the account's calls block, so each runs on a thread for that.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

use super::Refused;
use crate::{Account, AccountError, device::GLANCE};

mod answer;
mod route;
mod tls;

pub use tls::{TlsError, tls_config, tls_config_for};

/// Largest body of a request: an item of [`crate::store::MAX_ITEM`] in base64, in JSON, in base64 again.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// How long a client may take to send its head, its TLS hello or its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long requests under way may go on after the end was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Most connections at once.
const MAX_CONNECTIONS: usize = 4096;

/// Most calls of the account at once; more wait.
const MAX_CALLS: usize = 64;

/// How it serves.
#[derive(Clone, Default)]
pub struct Options {
    /// TLS, from [`tls_config`]; absent = plain HTTP, for loopback or behind a proxy that ends TLS.
    pub tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// What every request needs.
pub(super) struct Shared {
    account: Account,
    /// Moves after any commit, of this process or another.
    commits: watch::Sender<u64>,
    calls: Semaphore,
}

impl Shared {
    /// Runs a call of the account where it may block.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let _permit = self.calls.acquire().await;
        let done = tokio::task::spawn_blocking(work).await;
        // A call that panicked has rolled back.
        done.unwrap_or(Err(AccountError::Unavailable))
    }
}

/// Serves until `end` is done, then lets requests under way come to theirs.
pub async fn serve(
    listener: TcpListener,
    account: Account,
    options: Options,
    end: impl Future<Output = ()>,
) {
    let shared = Arc::new(Shared {
        account,
        commits: watch::Sender::new(0),
        calls: Semaphore::new(MAX_CALLS),
    });
    let watcher = tokio::spawn(watch_commits(Arc::clone(&shared)));
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let acceptor = options.tls.map(TlsAcceptor::from);
    tokio::pin!(end);
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            break;
        };
        let (stream, peer) = tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    // Out of file descriptors, say: a pause helps, an end would not.
                    tokio::time::sleep(GLANCE).await;
                    continue;
                }
            },
        };
        let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _permit = permit;
            connection(stream, peer, acceptor, shared, watcher).await;
        });
    }
    drop(listener);
    watcher.abort();
    // Who is not done by then is cut off.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

async fn watch_commits(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(GLANCE).await;
        if shared.commits.receiver_count() == 0 {
            continue;
        }
        let account = shared.account.clone();
        if let Ok(Ok(at)) = tokio::task::spawn_blocking(move || account.data_version()).await {
            shared
                .commits
                .send_if_modified(|known| std::mem::replace(known, at) != at);
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    watcher: Watcher,
) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => exchange(stream, peer, shared, watcher).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
                exchange(stream, peer, shared, watcher).await;
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    shared: Arc<Shared>,
    watcher: Watcher,
) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(one(request, peer, shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Who broke off is not told why.
    let _ = watcher.watch(connection).await;
}

async fn one(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    shared: Arc<Shared>,
) -> answer::Answer {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return answer::refused(Refused::new(AccountError::TooLarge { limit: MAX_BODY }));
        }
        _ => {
            let why = AccountError::invalid("its body did not arrive");
            return answer::refused(Refused::new(why));
        }
    };
    let from = peer.ip().to_canonical().to_string();
    route::answer(&head, body, from, shared)
        .await
        .unwrap_or_else(|error| answer::refused(Refused::new(error)))
}
