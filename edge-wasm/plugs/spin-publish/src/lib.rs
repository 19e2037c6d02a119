//! The component that takes published sets into Spin's key-value store: the other end of `sekisho edge publish --to URL`
//! (docs/protocol.md, "Publishing to an edge").
//!
//! Only sealed bytes pass, and only with the bearer that follows from the device secret. A pointer is taken when the
//! account signed its head, its tokens are those the account vouches for, and it is not older than the one that is held.

mod bindings;
#[path = "../../../src/http.rs"]
#[allow(dead_code, reason = "the edge component uses all of it")]
mod http;

use std::convert::Infallible;

use ::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bindings::{
    exports::wasi::http::incoming_handler::Guest,
    wasi::http::types::{ErrorCode, IncomingRequest, ResponseOutparam},
};
use sekisho_core::{
    published::{AcceptError, Digest, EdgeKeys, MAX_OBJECT, Pointer, accept},
    records::Fault,
    secret::SecretText,
    sync::SyncError,
};
use sekisho_spin_store::{KeyValue, keys};

/// Where everything is.
const ROOT: &str = "/edge/v1/";
/// Largest body: an object, or many small ones.
const MOST: usize = MAX_OBJECT + 64 * 1024;
/// Names of accesses that are handed out at once.
const MOST_NOTES: usize = 200;

struct Publish;

impl Guest for Publish {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match take(&request) {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let mut body = Some(body).filter(|body| !body.is_empty());
                http::send(out, &head, || Ok::<_, Infallible>(body.take()));
            }
            Err(error) => ResponseOutparam::set(out, Err(error)),
        }
    }
}

/// Why something is not done.
struct Refusal(StatusCode, String);

impl From<Fault> for Refusal {
    fn from(_: Fault) -> Self {
        let why =
            "the key-value store fails, or a value is too large for it: see the application's log";
        Self(StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
    }
}

impl From<AcceptError> for Refusal {
    fn from(error: AcceptError) -> Self {
        let status = match error {
            AcceptError::Head(SyncError::OlderHead { .. }) => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self(status, error.to_string())
    }
}

fn take(request: &IncomingRequest) -> Result<Response<Vec<u8>>, ErrorCode> {
    let head = http::head(request, &[header::AUTHORIZATION])?;
    let answered = match prove(&head) {
        Ok(keys) => {
            // One byte more than is taken, to know that it is too much.
            let body = http::body(&head, request, MOST + 1)?;
            answer(&head, &body, &keys)
        }
        Err(refusal) => Err(refusal),
    };
    Ok(answered.unwrap_or_else(|Refusal(status, message)| {
        let body = serde_json::json!({ "status": status.as_u16(), "message": message });
        reply(status, "application/json", body.to_string().into_bytes())
    }))
}

/// Who asks must hold the keys; then the body is read.
fn prove(head: &Request<()>) -> Result<EdgeKeys, Refusal> {
    let keys = keys().map_err(|why| {
        // Names of variables, and never what is in them.
        eprintln!("sekisho: {why}");
        Refusal(StatusCode::SERVICE_UNAVAILABLE, why.to_owned())
    })?;
    let shown = head.headers().get(header::AUTHORIZATION);
    let shown = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    // Compared in constant time.
    let is_ours = shown.is_some_and(|text| SecretText::new(text) == keys.publish_bearer());
    if is_ours {
        Ok(keys)
    } else {
        let why = "the bearer is not this environment's";
        Err(Refusal(StatusCode::UNAUTHORIZED, why.to_owned()))
    }
}

fn answer(head: &Request<()>, body: &[u8], keys: &EdgeKeys) -> Result<Response<Vec<u8>>, Refusal> {
    let unknown = || Refusal(StatusCode::NOT_FOUND, "there is nothing here".to_owned());
    if body.len() > MOST {
        let why = format!("more than {MOST} bytes at once");
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let store =
        KeyValue::open().map_err(|why| Refusal(StatusCode::SERVICE_UNAVAILABLE, why.to_owned()))?;
    let path = head.uri().path().strip_prefix(ROOT).ok_or_else(unknown)?;
    match (head.method(), path) {
        (&Method::GET, "pointer") => Ok(bytes(store.find_pointer()?.ok_or_else(unknown)?)),
        (&Method::POST, "pointer") => {
            let held = store.find_pointer()?;
            // One of other keys is none: who holds the new ones may begin anew.
            let held = held.and_then(|bytes| Pointer::read(&bytes, keys).ok());
            accept(body, held.as_ref(), &store, keys)?;
            store.point(body)?;
            Ok(nothing())
        }
        (&Method::GET, "objects") => {
            let names = store.names()?;
            Ok(bytes(
                names.iter().flat_map(|name| *name.as_bytes()).collect(),
            ))
        }
        (&Method::POST, "objects") => {
            for object in objects(body).ok_or_else(malformed)? {
                store.put(object)?;
            }
            Ok(nothing())
        }
        (&Method::POST, "remove") => {
            let (names, rest) = body.as_chunks::<32>();
            if !rest.is_empty() {
                return Err(malformed());
            }
            for name in names {
                store.remove(&Digest::from_bytes(*name))?;
            }
            Ok(nothing())
        }
        (&Method::GET, "usage") => usage(&store),
        (&Method::POST, "usage/remove") => {
            let names = std::str::from_utf8(body).map_err(|_| malformed())?;
            store.forget_notes(names.lines())?;
            Ok(nothing())
        }
        (&Method::GET, path) => {
            let name = path.strip_prefix("objects/").and_then(Digest::parse);
            let found = store.find(&name.ok_or_else(unknown)?)?;
            Ok(bytes(found.ok_or_else(unknown)?))
        }
        _ => Err(unknown()),
    }
}

fn malformed() -> Refusal {
    let why = "the body is not what is asked for here: update both ends";
    Refusal(StatusCode::BAD_REQUEST, why.to_owned())
}

/// Objects one after the other, the length of each before it.
fn objects(body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = body;
    let mut objects = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (object, after) = after.split_at_checked(length)?;
        objects.push(object);
        rest = after;
    }
    Some(objects)
}

/// An array of the accesses of each request, oldest first.
fn usage(store: &KeyValue) -> Result<Response<Vec<u8>>, Refusal> {
    let mut body = b"[".to_vec();
    for name in store.notes()?.iter().take(MOST_NOTES) {
        if let Some(json) = store.find_note(name)? {
            if body.len() > 1 {
                body.push(b',');
            }
            body.extend_from_slice(&json);
        }
    }
    body.push(b']');
    Ok(reply(StatusCode::OK, "application/json", body))
}

fn bytes(bytes: Vec<u8>) -> Response<Vec<u8>> {
    reply(StatusCode::OK, "application/octet-stream", bytes)
}

fn nothing() -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn reply(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
