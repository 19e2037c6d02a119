//! `wasi:http` types to `http` types and back.
//!
//! It knows nothing of Sekisho, so that another guest can be carried the same way (`benches/hello-component` is, to
//! measure what carrying alone costs). Each call into the runtime costs, hence: headers in one call each way, no look
//! at a body where the method has none, a short answer in one write.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, response,
};

use crate::bindings::wasi::{
    http::types::{
        ErrorCode, Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody,
        OutgoingResponse, ResponseOutparam,
    },
    io::streams::{OutputStream, StreamError},
};

#[path = "stream.rs"]
mod stream;

/// What `blocking-write-and-flush` takes at most in one call.
const ONE_WRITE: usize = 4096;
/// What is asked for in one read of a request's body.
const ONE_READ: u64 = 64 * 1024;

/// Takes a request's head in, with those headers that are `wanted`.
pub(crate) fn head(
    request: &IncomingRequest,
    wanted: &[HeaderName],
) -> Result<Request<()>, ErrorCode> {
    let mut taken = Request::new(());
    *taken.method_mut() = method(request.method())?;
    *taken.uri_mut() = uri(request.path_with_query())?;
    *taken.headers_mut() = headers(request.headers().entries(), wanted)?;
    Ok(taken)
}

/// Takes its body in, of which at most `limit` bytes.
pub(crate) fn body(
    head: &Request<()>,
    request: &IncomingRequest,
    limit: usize,
) -> Result<Vec<u8>, ErrorCode> {
    let mut taken = Vec::new();
    if matches!(*head.method(), Method::POST | Method::PUT | Method::PATCH) {
        pieces(request, limit as u64, |piece| {
            if taken.is_empty() {
                taken = piece;
            } else {
                taken.extend_from_slice(&piece);
            }
            true
        })?;
    }
    Ok(taken)
}

/// Takes its body in piece by piece, as long as `take` wants more and `limit` bytes are not reached.
pub(crate) fn pieces(
    request: &IncomingRequest,
    limit: u64,
    mut take: impl FnMut(Vec<u8>) -> bool,
) -> Result<(), ErrorCode> {
    let broken = |()| ErrorCode::HttpProtocolError;
    let incoming = request.consume().map_err(broken)?;
    let stream = incoming.stream().map_err(broken)?;
    let mut left = limit;
    while left > 0 {
        match stream.blocking_read(ONE_READ.min(left)) {
            Ok(piece) => {
                left = left.saturating_sub(piece.len() as u64);
                if !take(piece) {
                    break;
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(ErrorCode::HttpProtocolError),
        }
    }
    // A stream must go before the body it came from.
    drop(stream);
    IncomingBody::finish(incoming);
    Ok(())
}

fn method(method: WasiMethod) -> Result<Method, ErrorCode> {
    Ok(match method {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        WasiMethod::Other(word) => {
            Method::from_bytes(word.as_bytes()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?
        }
    })
}

fn uri(path_with_query: Option<String>) -> Result<Uri, ErrorCode> {
    match path_with_query {
        Some(text) => Uri::try_from(text).map_err(|_| ErrorCode::HttpRequestUriInvalid),
        None => Ok(Uri::default()),
    }
}

/// Those of a request's headers that are `wanted`.
pub(crate) fn headers(
    given: Vec<(String, Vec<u8>)>,
    wanted: &[HeaderName],
) -> Result<HeaderMap, ErrorCode> {
    let mut map = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let is_this = |wanted: &&HeaderName| wanted.as_str().eq_ignore_ascii_case(&name);
        if let Some(name) = wanted.iter().find(is_this) {
            let value = HeaderValue::try_from(value).map_err(|_| ErrorCode::HttpProtocolError)?;
            map.append(name, value);
        }
    }
    Ok(map)
}

/// Sends an answer, its body piece by piece as `next` gives them. When the first piece fails there is no answer; when
/// a later one does, the body is cut off, so that the client sees that it is not whole.
pub(crate) fn send<Piece: AsRef<[u8]>, Fault>(
    out: ResponseOutparam,
    head: &response::Parts,
    mut next: impl FnMut() -> Result<Option<Piece>, Fault>,
) {
    let Ok(first) = next() else {
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
    };
    let Some(response) = begin(head) else {
        return ResponseOutparam::set(out, Err(ErrorCode::InternalError(None)));
    };
    let Some(first) = first else {
        return ResponseOutparam::set(out, Ok(response));
    };
    let body = response.body();
    ResponseOutparam::set(out, Ok(response));
    let Ok(body) = body else { return };
    let Ok(stream) = body.write() else { return };
    let mut piece = Ok(Some(first));
    while let Ok(Some(bytes)) = piece {
        // An error means that the client has gone.
        if write(&stream, bytes.as_ref()).is_err() {
            return;
        }
        piece = next();
    }
    drop(stream);
    if piece.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn begin(head: &response::Parts) -> Option<OutgoingResponse> {
    let headers: Vec<_> = entries(&head.headers).collect();
    let response = OutgoingResponse::new(Fields::from_list(&headers).ok()?);
    if head.status != StatusCode::OK {
        response.set_status_code(head.status.as_u16()).ok()?;
    }
    Some(response)
}

/// An answer's headers, as they go out.
pub(crate) fn entries(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers
        .iter()
        .filter(|(name, _)| !is_hop_by_hop(name))
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
}

/// Headers that belong to one connection and are the runtime's own business (RFC 9110 §7.6.1).
fn is_hop_by_hop(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
    ]
    .contains(name)
        || name == "keep-alive"
        || name == "proxy-connection"
}

fn write(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    if bytes.len() <= ONE_WRITE {
        return stream.blocking_write_and_flush(bytes);
    }
    stream::write_all(stream, bytes)?;
    stream.blocking_flush()
}
