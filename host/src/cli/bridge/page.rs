//! `/health` and `/metrics` of a bridge in a process of its own.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use sekisho_host::dependency::Dependency;
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};

use super::super::failure::Failure;

/// Connections at once; more wait.
const MOST: usize = 16;
/// How long a connection may last: one question, one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a failed accept it is no use to try at once.
const AFTER_FAILURE: Duration = Duration::from_millis(50);

/// Serves until it is dropped; comes back only if it cannot listen.
pub(super) async fn serve(address: SocketAddr, bridge: Arc<dyn Dependency>) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| {
        Failure::new(
            format!("cannot listen on {address}: {}", error.kind()),
            "name another address: --listen ADDR",
        )
    })?;
    tracing::info!(%address, "serving /health and /metrics");
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        let bridge = Arc::clone(&bridge);
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| {
                let answer = answer(&request, &*bridge);
                async { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer);
            // Whoever asks and leaves is nobody's trouble.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
            drop(place);
        });
    }
}

/// 503 where the mirror is older than it should be: what asks here looks at the bridge and nothing else.
fn answer<B>(request: &Request<B>, bridge: &dyn Dependency) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        _ if !is_read => whole(StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new()),
        "/health" => {
            let state = bridge.state();
            let status = match state.status {
                "ACTIVE" => StatusCode::OK,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            let body = json!({ "service": bridge.service(), "status": state.status, "message": state.message });
            whole(status, "application/json", body.to_string())
        }
        "/metrics" => whole(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            bridge.metrics(),
        ),
        _ => whole(StatusCode::NOT_FOUND, "text/plain", String::new()),
    }
}

fn whole(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
