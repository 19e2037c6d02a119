//! HTTP/1.1 on a socket: accepting, limiting, stopping. What is answered is the engine's business.

mod exchange;
mod guarded;
mod limits;
mod own;
mod patient;
mod tls;

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sekisho_core::secret::SecretText;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use self::{
    exchange::Exchanges,
    guarded::{Guarded, Phase, Socket},
};
pub use self::{
    limits::Limits,
    tls::{Tls, TlsFileError},
};
use crate::{edge::Feed, engine::Engine, health::Health, refusal};

/// Refusals of connections under way at once; more are simply closed.
const MOST_REFUSALS: usize = 64;
/// After a failed accept (no file descriptors left) it is no use to try at once.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// What to serve, and where.
pub struct ServeConfig {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What a client may cost.
    pub limits: Limits,
    /// What answers.
    pub engine: Arc<Engine>,
    /// How synchronisation is.
    pub health: Arc<Health>,
    /// What of it is served here.
    pub face: Face,
    /// What feeds edges elsewhere; `None` = nothing does.
    pub(crate) feed: Option<Arc<Feed>>,
    /// The bearer without which metrics are not shown.
    pub metrics_token: Option<SecretText>,
    /// `None` = plain HTTP.
    pub tls: Option<Tls>,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The API and the metrics.
    Everything,
    /// The API alone.
    Api,
    /// The metrics alone.
    Metrics,
    /// Probes and metrics: what a process that only synchronises has to say.
    Status,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    exchanges: Arc<Exchanges>,
    limits: Arc<Limits>,
    tls: Option<Tls>,
}

impl Server {
    /// Binds the address.
    pub async fn bind(config: ServeConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let limits = Arc::new(config.limits);
        let exchanges = Arc::new(Exchanges {
            engine: config.engine,
            limits: Arc::clone(&limits),
            health: config.health,
            face: config.face,
            feed: config.feed,
            metrics_token: config.metrics_token,
        });
        Ok(Self {
            listener,
            exchanges,
            limits,
            tls: config.tls,
        })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is ready, then ends what is under way within the drain time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let refusals = Arc::new(Semaphore::new(MOST_REFUSALS));
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                // Only to forget those that ended.
                Some(_) = connections.join_next() => continue,
                () = &mut shutdown => break,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(AFTER_FAILURE).await;
                continue;
            };
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let connection = self.serve(stream, peer.ip(), stopping.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            } else if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                let refused = self.refuse(stream);
                connections.spawn(async move {
                    refused.await;
                    drop(place);
                });
            }
        }
        drop(self.listener);
        // Nobody listens when there are no connections.
        let _ = stop.send(true);
        // They have no end of their own. They end on every listener, for all stop together.
        self.exchanges.engine.backing().events.close();
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.drain_time, drained)
            .await
            .is_err()
        {
            tracing::warn!("requests were still under way when the time to end them was up");
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
        stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        // Without it a short answer may wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            exchanges: Arc::clone(&self.exchanges),
            limits: Arc::clone(&self.limits),
            peer,
            stopping,
        };
        let acceptor = self.tls.as_ref().map(Tls::acceptor);
        let patience = self.limits.head_time;
        async move {
            match acceptor {
                None => connection.serve(stream).await,
                Some(acceptor) => {
                    let hello = tokio::time::timeout(patience, acceptor.accept(stream)).await;
                    match hello {
                        Ok(Ok(stream)) => connection.serve(stream).await,
                        // Scanners and plain HTTP: nobody has to look at them.
                        _ => tracing::debug!("no TLS came about"),
                    }
                }
            }
        }
    }

    fn refuse(&self, mut stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        let random = Arc::clone(&self.exchanges.engine.backing().random);
        let text = refusal::wire(&refusal::busy(), &*random);
        let guarded_parts = (Arc::clone(&self.limits), random);
        let is_plain = self.tls.is_none();
        async move {
            // Under TLS it would not be understood, and to shake hands with everybody is what there is no room for.
            if is_plain && stream.write_all(&text).await.is_ok() && stream.shutdown().await.is_ok()
            {
                let (limits, random) = guarded_parts;
                Guarded::new(stream, Phase::default(), limits, random)
                    .linger()
                    .await;
            }
        }
    }
}

/// One connection to be served.
struct Connection {
    exchanges: Arc<Exchanges>,
    limits: Arc<Limits>,
    peer: IpAddr,
    stopping: watch::Receiver<bool>,
}

impl Connection {
    async fn serve<S: Socket>(mut self, stream: S) {
        let phase = Phase::default();
        let random = Arc::clone(&self.exchanges.engine.backing().random);
        let guarded = Guarded::new(stream, phase.clone(), Arc::clone(&self.limits), random);
        let (exchanges, peer) = (self.exchanges, self.peer);
        let service = service_fn(move |request| {
            let (exchanges, serving) = (Arc::clone(&exchanges), phase.serve());
            async move { Ok::<_, Infallible>(exchanges.answer(request, serving, peer).await) }
        });
        let mut connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(self.limits.head_bytes)
            .serve_connection(TokioIo::new(guarded), service);
        let stop = async {
            // An error means that the server itself is gone.
            let _ = self.stopping.wait_for(|stop| *stop).await;
        };
        let ended = tokio::select! {
            result = &mut connection => Some(result),
            () = stop => None,
        };
        let result = match ended {
            Some(result) => result,
            None => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        };
        if let Err(error) = &result {
            // The kind only: hyper quotes what it could not read.
            let (timeout, parse) = (error.is_timeout(), error.is_parse());
            tracing::debug!(timeout, parse, "a connection ended early");
        }
        connection.into_parts().io.into_inner().linger().await;
    }
}
