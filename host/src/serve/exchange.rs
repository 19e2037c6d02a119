//! One request: taken in within limits, answered by the engine, noted in the log.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use sekisho_core::{
    rest::{self, Refusal, Route},
    secret::SecretText,
};

use super::{
    Face, Limits,
    guarded::Serving,
    own::{self, Own},
    patient::Patient,
};
use crate::{
    dependency,
    edge::{self, Feed},
    engine::{AnswerBody, BodyError, Engine, RequestBody},
    health::Health,
    random::CoreRng,
    refusal,
};

/// Seconds since the account vouched for what is served.
const AGE: HeaderName = HeaderName::from_static("sekisho-age");

/// What every exchange needs.
pub(super) struct Exchanges {
    pub(super) engine: Arc<Engine>,
    pub(super) health: Arc<Health>,
    pub(super) limits: Arc<Limits>,
    pub(super) face: Face,
    pub(super) feed: Option<Arc<Feed>>,
    pub(super) metrics_token: Option<SecretText>,
}

impl Exchanges {
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        serving: Serving,
        peer: IpAddr,
    ) -> Response<SentBody> {
        let began = Instant::now();
        // Overwritten, so that nobody can claim to be somebody else.
        if let Ok(peer) = HeaderValue::from_str(&peer.to_canonical().to_string()) {
            request.headers_mut().insert(rest::PEER_HEADER, peer);
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let asked = Route::parse(&method, uri.path()).ok();
        let id = request.headers().get(rest::REQUEST_ID_HEADER).cloned();
        let refused = self.refuse_write(&method, uri.path());
        let feed = self.feed.as_ref();
        let feed = feed.filter(|_| uri.path().starts_with(edge::FEED_PREFIX));
        let mut response = match refused.map_or(Ok(request), Err) {
            Ok(request) => match feed {
                Some(feed) => feed.answer(request).await,
                None => match self.take_in(request).await {
                    Ok(request) => self.ask(request, asked.as_ref()).await,
                    Err(refusal) => self.refuse(&refusal, id),
                },
            },
            Err(refusal) => self.refuse(&refusal, id),
        };
        let backing = self.engine.backing();
        if let Some(age) = backing.live.age(backing.clock.now()) {
            response.headers_mut().insert(AGE, age.into());
        }
        let route = Own::parse(uri.path())
            .map(Own::path)
            .or(feed.map(|_| edge::FEED_PREFIX))
            .or_else(|| Some(asked?.template()));
        let status = response.status();
        note(&method, &uri, route, status, began);
        let metrics = &self.engine.backing().metrics;
        metrics.answered(&method, route.unwrap_or("unknown"), status, began.elapsed());
        if matches!(response.body(), AnswerBody::Events(_)) {
            serving.stream();
        }
        response.map(|body| SentBody {
            body,
            _serving: serving,
        })
    }

    /// What a client writes must be kept here too, so that a restart does not forget what was read already.
    fn refuse_write(&self, method: &Method, path: &str) -> Option<Refusal> {
        let writes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let writes = writes && path.starts_with("/v1/vaults/") || edge::is_feed_write(path);
        (writes && self.health.is_replica_behind()).then(refusal::replica_behind)
    }

    async fn take_in(&self, request: Request<Incoming>) -> Result<Request<RequestBody>, Refusal> {
        if rest::is_upload(&request) {
            let stall = self.limits.stall_time;
            return Ok(
                request.map(|body| RequestBody::Pieces(Patient::new(body, stall).boxed_unsync()))
            );
        }
        let (head, body) = request.into_parts();
        if body.is_end_stream() {
            return Ok(Request::from_parts(head, Vec::new().into()));
        }
        // Said before it is sent: no need to wait for it.
        if body.size_hint().lower() > rest::MAX_BODY as u64 {
            return Err(refusal::large_body());
        }
        let body = Limited::new(body, rest::MAX_BODY).collect();
        let body = tokio::time::timeout(self.limits.body_time, body)
            .await
            .map_err(|_| refusal::slow_body())?
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    refusal::large_body()
                } else {
                    Refusal::body_broken()
                }
            })?;
        Ok(Request::from_parts(
            head,
            RequestBody::Whole(body.to_bytes().into()),
        ))
    }

    async fn ask(
        &self,
        mut request: Request<RequestBody>,
        asked: Option<&Route>,
    ) -> Response<AnswerBody> {
        // Whoever only asks how we are must not wait for us to be well.
        if request.uri().path().starts_with("/v1/") {
            let live = &self.engine.backing().live;
            live.first_sync(self.limits.sync_time).await;
        }
        let own = Own::parse(request.uri().path()).filter(|own| match self.face {
            Face::Everything => true,
            Face::Api => *own != Own::Metrics,
            Face::Metrics | Face::Status => *own == Own::Metrics,
        });
        let has_engine = match self.face {
            Face::Everything | Face::Api => true,
            Face::Status => own::is_probe(request.uri().path()),
            Face::Metrics => false,
        };
        if own.is_none() && has_engine {
            let backing = self.engine.backing();
            // Core would too, but from a sandbox random bytes are dear.
            rest::name(request.headers_mut(), &mut CoreRng(&*backing.random));
            let is_health = own::is_health(request.uri().path());
            let answer = self.engine.answer(request, asked).await;
            if !is_health || backing.dependencies.is_empty() {
                return answer;
            }
            return dependency::told(answer, &backing.dependencies)
                .await
                .unwrap_or_else(|BodyError| refusal::broken(&*backing.random));
        }
        let head = request.map(drop);
        match own {
            Some(own) => own.answer(&head, &self.engine, self.metrics_token.as_ref()),
            None => own::refused(&Refusal::no_route(), &head, &self.engine),
        }
    }

    fn refuse(&self, refusal: &Refusal, id: Option<HeaderValue>) -> Response<AnswerBody> {
        let mut response = refusal::refuse_named(refusal, id, &*self.engine.backing().random);
        // What is left of the request is not read.
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// The log's line: no query and no path that is no route of ours, for both can hold titles (Ansible puts them into
/// paths), and nothing of header or body (invariant 7).
fn note(
    method: &Method,
    uri: &Uri,
    route: Option<&'static str>,
    status: StatusCode,
    began: Instant,
) {
    let micros = began.elapsed().as_micros() as u64;
    let path = route.map_or("(no route)", |_| uri.path());
    let status = status.as_u16();
    if matches!(path, "/heartbeat" | "/health" | "/ready" | "/metrics") {
        tracing::debug!(target: "sekisho::request", %method, path, status, micros);
    } else {
        tracing::info!(target: "sekisho::request", %method, path, status, micros);
    }
}

/// The answer's body; while it lives, its connection is busy.
pub(super) struct SentBody {
    body: AnswerBody,
    _serving: Serving,
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
