//! What the host answers itself, because only it has it: its figures, and streams that do not end.

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use sekisho_core::{
    rest::{self, Refusal},
    secret::SecretText,
};

use crate::{
    engine::{AnswerBody, Engine},
    metrics,
    random::CoreRng,
    refusal,
};

/// Tells nginx not to gather what should be told at once.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A route of the host's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// `GET /metrics`
    Metrics,
    /// `GET /v1/events`
    Events,
}

impl Own {
    /// One trailing slash is allowed, as everywhere.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        [Self::Metrics, Self::Events]
            .into_iter()
            .find(|own| own.path() == path)
    }

    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/metrics",
            Self::Events => "/v1/events",
        }
    }

    pub(super) fn answer(
        self,
        head: &Request<()>,
        engine: &Engine,
        metrics_token: Option<&SecretText>,
    ) -> Response<AnswerBody> {
        let answer = match *head.method() {
            Method::GET | Method::HEAD => match self {
                Self::Metrics => figures(head, engine, metrics_token),
                Self::Events => events(head, engine),
            },
            _ => refused(&Refusal::method("GET, HEAD"), head, engine),
        };
        if *head.method() == Method::HEAD {
            answer.map(|_| AnswerBody::Whole(bytes::Bytes::new()))
        } else {
            answer
        }
    }
}

/// Whether it only asks how the server is.
pub(super) fn is_probe(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    matches!(path, "/heartbeat" | "/health" | "/ready")
}

/// Whether it asks how the server and what stands beside it are.
pub(super) fn is_health(path: &str) -> bool {
    path.strip_suffix('/').unwrap_or(path) == "/health"
}

fn figures(
    head: &Request<()>,
    engine: &Engine,
    token: Option<&SecretText>,
) -> Response<AnswerBody> {
    // Compared in constant time: two `SecretText`s are.
    let is_allowed = token.is_none_or(|token| {
        rest::bearer(head.headers()).is_some_and(|given| SecretText::new(given) == *token)
    });
    if !is_allowed {
        let wrong = Refusal::new(
            StatusCode::UNAUTHORIZED,
            "metrics_token",
            "Invalid bearer token",
        )
        .hint("the metrics of this server have a token of their own: --metrics-token");
        return refused(&wrong, head, engine);
    }
    present(
        metrics::CONTENT_TYPE,
        metrics::render(engine).into_bytes(),
        head,
        engine,
    )
}

fn events(head: &Request<()>, engine: &Engine) -> Response<AnswerBody> {
    let grant = match engine.authenticate(head) {
        Ok(grant) => grant,
        Err(refusal) => return refusal,
    };
    let mut answer = present("text/event-stream", Vec::new(), head, engine);
    let headers = answer.headers_mut();
    // It is not known how long it will be.
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    if *head.method() == Method::HEAD {
        return answer;
    }
    let backing = engine.backing();
    let after = head.headers().get("last-event-id");
    let after = after.map(|id| id.to_str().unwrap_or("?"));
    let stream = backing
        .events
        .stream(grant.token(), after, &backing.live, &backing.clock);
    match stream {
        Some(stream) => answer.map(|_| AnswerBody::Events(stream)),
        None => refused(&refusal::too_many_streams(), head, engine),
    }
}

fn present(
    content_type: &'static str,
    body: Vec<u8>,
    head: &Request<()>,
    engine: &Engine,
) -> Response<AnswerBody> {
    let id = rest::request_id(head, &mut CoreRng(&*engine.backing().random));
    refusal::whole(rest::present(content_type, body, &id))
}

pub(super) fn refused(
    refusal: &Refusal,
    head: &Request<()>,
    engine: &Engine,
) -> Response<AnswerBody> {
    let id = head.headers().get(rest::REQUEST_ID_HEADER).cloned();
    refusal::refuse_named(refusal, id, &*engine.backing().random)
}
