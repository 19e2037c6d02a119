//! One request at a time to the host that feeds this edge, within limits of size and time.
//!
//! What goes wrong has no text: a guest's log is nobody's, and an address may be told by nobody but its owner.

use ::http::{Method, StatusCode, Uri};
use sekisho_core::records::Fault;

use crate::bindings::wasi::{
    http::{
        outgoing_handler,
        types::{
            Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
            OutgoingRequest, RequestOptions, Scheme,
        },
    },
    io::streams::StreamError,
};

#[path = "../../../src/stream.rs"]
mod stream;

const SECOND: u64 = 1_000_000_000;
/// Nobody at the other end is soon found out.
const CONNECT: u64 = 2 * SECOND;
/// A write is answered when it is durable at the account and read back, for which a host has some time.
const FIRST_BYTE: u64 = 60 * SECOND;
const BETWEEN_BYTES: u64 = 10 * SECOND;
const ONE_READ: u64 = 64 * 1024;

/// No answer came, or none that can be used.
#[derive(Debug)]
struct Unanswered;

/// A host's address.
#[derive(Debug)]
pub(crate) struct Address {
    scheme: Scheme,
    authority: String,
    /// Without a slash at its end.
    path: String,
}

impl Address {
    /// `http://host:port/path` or `https://…`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = match uri.scheme_str()? {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let authority = uri.authority()?.as_str().to_owned();
        let path = uri.path().trim_end_matches('/').to_owned();
        Some(Self {
            scheme,
            authority,
            path,
        })
    }
}

/// What a question brings.
pub(crate) struct Content<'a> {
    /// Media type.
    pub(crate) kind: &'static str,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Content<'a> {
    pub(crate) const fn json(bytes: &'a [u8]) -> Self {
        Self {
            kind: "application/json",
            bytes,
        }
    }
}

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    /// Below the address's path, with its slash.
    pub(crate) path: &'a str,
    /// The whole value of `Authorization`.
    pub(crate) authorization: &'a str,
    pub(crate) content: Option<Content<'a>>,
    /// Most bytes of an answer that are taken.
    pub(crate) limit: usize,
}

/// Asks a host of ours, and waits. Beside success it says the word of a [`Fault`].
pub(crate) fn ask(address: &Address, question: &Question<'_>) -> Result<Vec<u8>, Fault> {
    ask_if_known(address, question)?.ok_or(Fault::Unavailable)
}

/// The same; `None` = the host has no such path.
pub(crate) fn ask_if_known(
    address: &Address,
    question: &Question<'_>,
) -> Result<Option<Vec<u8>>, Fault> {
    match exchange(address, question) {
        Ok((StatusCode::OK | StatusCode::NO_CONTENT, bytes)) => Ok(Some(bytes)),
        Ok((StatusCode::NOT_FOUND, word)) if Fault::of_word(&word) == Fault::Unavailable => {
            Ok(None)
        }
        Ok((_, word)) => Err(Fault::of_word(&word)),
        Err(Unanswered) => Err(Fault::Unavailable),
    }
}

fn exchange(
    address: &Address,
    question: &Question<'_>,
) -> Result<(StatusCode, Vec<u8>), Unanswered> {
    let request = request(address, question)?;
    let content = match &question.content {
        Some(content) => Some((request.body().map_err(drop_it)?, content.bytes)),
        None => None,
    };
    let options = RequestOptions::new();
    // A runtime that knows no timeouts has limits of its own.
    let _ = options.set_connect_timeout(Some(CONNECT));
    let _ = options.set_first_byte_timeout(Some(FIRST_BYTE));
    let _ = options.set_between_bytes_timeout(Some(BETWEEN_BYTES));
    let coming = outgoing_handler::handle(request, Some(options)).map_err(drop_it)?;
    if let Some((body, bytes)) = content {
        write(body, bytes)?;
    }
    coming.subscribe().block();
    let response = coming.get().ok_or(Unanswered)?.map_err(drop_it)?;
    take(&response.map_err(drop_it)?, question.limit)
}

fn drop_it<E>(_: E) -> Unanswered {
    Unanswered
}

fn request(address: &Address, question: &Question<'_>) -> Result<OutgoingRequest, Unanswered> {
    let mut headers = vec![(
        "authorization".to_owned(),
        question.authorization.as_bytes().to_vec(),
    )];
    if let Some(content) = &question.content {
        let length = content.bytes.len().to_string().into_bytes();
        headers.push(("content-length".to_owned(), length));
        headers.push(("content-type".to_owned(), content.kind.into()));
    }
    let request = OutgoingRequest::new(Fields::from_list(&headers).map_err(drop_it)?);
    let method = if question.method == Method::GET {
        WasiMethod::Get
    } else {
        WasiMethod::Post
    };
    request.set_method(&method).map_err(drop_it)?;
    request.set_scheme(Some(&address.scheme)).map_err(drop_it)?;
    request
        .set_authority(Some(&address.authority))
        .map_err(drop_it)?;
    let path = format!("{}{}", address.path, question.path);
    request.set_path_with_query(Some(&path)).map_err(drop_it)?;
    Ok(request)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), Unanswered> {
    let stream = body.write().map_err(drop_it)?;
    stream::write_all(&stream, bytes).map_err(drop_it)?;
    // A stream whose last byte is out may be closed already: the answer says whether all of it arrived.
    let _ = stream.blocking_flush();
    drop(stream);
    OutgoingBody::finish(body, None).map_err(drop_it)
}

fn take(response: &IncomingResponse, limit: usize) -> Result<(StatusCode, Vec<u8>), Unanswered> {
    let status = StatusCode::from_u16(response.status()).map_err(drop_it)?;
    let body = response.consume().map_err(drop_it)?;
    let stream = body.stream().map_err(drop_it)?;
    let mut taken = Vec::new();
    loop {
        match stream.blocking_read(ONE_READ) {
            Ok(piece) if taken.is_empty() => taken = piece,
            Ok(piece) => taken.extend_from_slice(&piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(Unanswered),
        }
        if taken.len() > limit {
            return Err(Unanswered);
        }
    }
    // A stream must go before the body it came from.
    drop(stream);
    IncomingBody::finish(body);
    Ok((status, taken))
}
