//! The whole Connect REST API as one function: [`answer`].
//!
//! A carrier (native server or component) brings the request and the [`Ports`], and carries the [`Response`] away.
//! Everything that decides is in between, so the same exchange gives the same bytes on every runtime (invariant 8).
//!
//! A request goes straight down: [`Route::parse`] (a bad id stops) → `token` → [`crate::token::Grant`] (401) →
//! `grant.read(vault)` → [`crate::token::ReadAccess`] (403) → records → open → JSON.

use alloc::{borrow::Cow, string::String, vec::Vec};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response as HttpResponse, StatusCode,
    header,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    id::{ItemId, VaultId},
    records::{Head, Records},
    time::Timestamp,
    token::{Grant, RawToken},
};

mod activity;
mod batch;
mod body;
mod files;
pub mod filter;
mod kept;
mod list;
mod matching;
mod noted;
mod openapi;
mod query;
mod read;
mod refusal;
mod route;
mod status;
mod upload;
mod usage;
mod write;

pub use activity::{ActivityPage, ActivityQuery, Caller, PEER_HEADER};
pub use body::Body;
pub use kept::{Before, Kept, Name, is_worth_remembering};
pub use refusal::Refusal;
pub use route::Route;
pub use upload::{Intake, MAX_FILE, Upload, intake, is_upload};
pub use usage::{Action, Usage, UsageEvent, Verdict};

/// The Connect release whose API is answered: header `1Password-Connect-Version` (connect-contract.md §0.2 no. 6).
pub const CONNECT_VERSION: &str = "1.8.2";
/// Name of the header that carries [`CONNECT_VERSION`].
pub const CONNECT_VERSION_HEADER: HeaderName = HeaderName::from_static("1password-connect-version");
/// Name of the header that names a request in logs and error bodies.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The headers of a request that are ever looked at: a carrier need not take in others.
pub static HEADERS_READ: [HeaderName; 12] = [
    header::AUTHORIZATION,
    header::CONTENT_DISPOSITION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    header::USER_AGENT,
    write::IDEMPOTENCY_KEY,
    PEER_HEADER,
    REQUEST_ID_HEADER,
];

/// Largest request body taken, in bytes; a larger one is answered 413.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// What the API needs of its surroundings.
pub struct Ports<'a> {
    /// Sealed records, one consistent set for the request.
    pub records: &'a dyn Records,
    /// Where accesses are noted.
    pub usage: &'a dyn Usage,
    /// The time of the request.
    pub now: Timestamp,
    /// Random bytes fit for keys.
    pub rng: &'a mut dyn CryptoRng,
}

/// An answer.
pub type Response = HttpResponse<Body>;

/// Answers one request whose body is all there. Never panics, never fails: every refusal is an answer too. A carrier
/// that may get uploads asks [`intake`] first.
pub fn answer(request: &Request<Vec<u8>>, ports: &mut Ports<'_>) -> Response {
    answer_again(request, Before::Never, ports).0
}

/// The same for a runtime that remembers: with an answer to be kept, where it is worth it. What is remembered changes
/// no answer.
#[inline]
pub fn answer_again(
    request: &Request<Vec<u8>>,
    before: Before,
    ports: &mut Ports<'_>,
) -> (Response, Option<Kept>) {
    let request_id = request_id(request, ports.rng);
    let is_head = *request.method() == Method::HEAD;
    let is_worth_keeping = !matches!(before, Before::Never);
    if let Before::Kept(kept) = before
        && let Some(reply) = kept::recall(kept, request, ports, &request_id)
    {
        return (respond(Ok(reply), &request_id, is_head), None);
    }
    let reply = decide(request, ports, request_id.clone());
    let kept = match &reply {
        Ok(reply) if is_worth_keeping => kept::keep(reply, request, ports),
        _ => None,
    };
    (respond(reply, &request_id, is_head), kept)
}

#[inline]
fn respond(reply: Result<Reply, Refusal>, request_id: &str, is_head: bool) -> Response {
    let reply = reply.unwrap_or_else(|refusal| Reply::refused(&refusal, request_id));
    reply.into_response(request_id, is_head)
}

/// A refusal made by a carrier before [`answer`] could be asked: too large, too slow, too many.
pub fn refuse(refusal: &Refusal, request_id: &str) -> Response {
    Reply::refused(refusal, request_id).into_response(request_id, false)
}

/// Whose request it is, for what a carrier answers on its own; a refusal is the one that [`answer`] would give.
#[allow(
    clippy::result_large_err,
    reason = "moved once for each stream of events, not for each read"
)]
pub fn authenticate<T>(request: &Request<T>, ports: &mut Ports<'_>) -> Result<Grant, Response> {
    let request_id = request_id(request, ports.rng);
    match Asked::admit(request, ports, request_id.clone(), None) {
        Ok(asked) => Ok(asked.grant),
        Err(refusal) => Err(refuse(&refusal, &request_id)),
    }
}

/// An answer that a carrier makes on its own, with the headers that every answer has.
pub fn present(content_type: &'static str, body: Vec<u8>, request_id: &str) -> Response {
    let body = Body::full(Zeroizing::new(body));
    Reply::stream(StatusCode::OK, content_type, body).into_response(request_id, false)
}

/// The client's own id for the request if it is a sane one, else a fresh UUID (RFC 9562 version 4).
#[inline]
pub fn request_id<'a, T>(request: &'a Request<T>, rng: &mut dyn CryptoRng) -> Cow<'a, str> {
    let given = request
        .headers()
        .get(REQUEST_ID_HEADER)
        .and_then(|id| id.to_str().ok());
    let is_sane = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    given
        .filter(is_sane)
        .map_or_else(|| uuid(rng).into(), Cow::Borrowed)
}

/// Gives a request an id if its client gave none: for carriers to whom random bytes come cheaper than to core.
#[inline]
pub fn name(headers: &mut HeaderMap, rng: &mut dyn CryptoRng) {
    if !headers.contains_key(REQUEST_ID_HEADER)
        && let Ok(id) = HeaderValue::try_from(uuid(rng))
    {
        headers.insert(REQUEST_ID_HEADER, id);
    }
}

/// A random UUID.
fn uuid(rng: &mut dyn CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    let bits =
        (u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = String::with_capacity(36);
    // Not by `format!`, which takes ten times as long, for each request.
    for (at, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

fn decide<'a>(
    request: &'a Request<Vec<u8>>,
    ports: &mut Ports<'_>,
    request_id: Cow<'a, str>,
) -> Result<Reply, Refusal> {
    let route = Route::parse(request.method(), request.uri().path())?;
    match route {
        Route::Heartbeat => return Ok(status::heartbeat()),
        Route::Health => return Ok(status::health(ports.records, ports.now)),
        Route::Ready => return status::ready(ports.records, ports.now),
        Route::OpenApi => return Ok(openapi::answer()),
        _ => {}
    }
    if request.body().len() > MAX_BODY {
        return Err(Refusal::body_too_large(MAX_BODY as u64));
    }
    let asked = Asked::admit(request, ports, request_id, Some(&route))?;
    match route {
        Route::Heartbeat | Route::Health | Route::Ready | Route::OpenApi => {
            Err(Refusal::no_route())
        }
        Route::Activity => activity::list(&asked, ports),
        Route::Vaults => read::vaults(&asked, ports),
        Route::Vault(vault) => read::vault(&asked, ports, &vault),
        Route::Items(vault) => list::items(&asked, ports, &vault),
        Route::Item(vault, item) => read::item(&asked, ports, &vault, &item),
        Route::Files(vault, item) => files::list(&asked, ports, vault, item),
        Route::File(vault, item, file) => files::details(&asked, ports, vault, item, file),
        Route::Content(vault, item, file) => files::content(&asked, ports, vault, item, file),
        Route::Batch => batch::answer(&asked, ports, request.body()),
        Route::DeleteFile(vault, item, file) => upload::delete(&asked, ports, vault, item, file),
        Route::CreateFile(..) | Route::ReplaceFile(..) => {
            let mut upload = Upload::begin(asked, ports, route)?;
            upload.push(request.body(), ports)?;
            upload.complete(ports)
        }
        Route::CreateItem(vault) => write::create(&asked, ports, vault, request.body()),
        Route::ReplaceItem(vault, item) => {
            write::replace(&asked, ports, vault, item, request.body())
        }
        Route::PatchItem(vault, item) => write::patch(&asked, ports, vault, item, request.body()),
        Route::DeleteItem(vault, item) => write::delete(&asked, ports, vault, item),
    }
}

/// A request whose token was checked, on records that are fresh enough.
struct Asked<'a> {
    parts: RequestParts<'a>,
    request_id: Cow<'a, str>,
    head: Head,
    grant: Grant,
}

struct RequestParts<'a> {
    headers: &'a HeaderMap,
    uri: &'a http::Uri,
}

impl<'a> Asked<'a> {
    fn admit<T>(
        request: &'a Request<T>,
        ports: &Ports<'_>,
        request_id: Cow<'a, str>,
        route: Option<&Route>,
    ) -> Result<Self, Refusal> {
        let Some(bearer) = bearer(request.headers()) else {
            ports.usage.checked(Verdict::Missing);
            return Err(Refusal::no_token());
        };
        let token = RawToken::parse(bearer);
        if let Ok(token) = &token {
            let (vault, item) = route.map(Route::place).unwrap_or_default();
            ports.records.foresee(&token.id(), vault, item);
        }
        let head = status::fresh_head(ports.records, ports.now)
            .inspect_err(|_| ports.usage.checked(Verdict::Unavailable))?;
        let grant = token
            .and_then(|token| token.check(&head, ports.records, ports.now))
            .inspect_err(|error| ports.usage.checked((*error).into()))?;
        ports.usage.checked(Verdict::Accepted);
        Ok(Self {
            parts: RequestParts {
                headers: request.headers(),
                uri: request.uri(),
            },
            request_id,
            head,
            grant,
        })
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        debug_assert!(
            HEADERS_READ.contains(&name),
            "carriers leave {name} out: name it"
        );
        self.parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    /// Whether a list of entity tags holds this one.
    fn has_tag(&self, name: HeaderName, tag: &str) -> bool {
        self.header(name)
            .is_some_and(|tags| tags.split(',').any(|given| given.trim() == tag))
    }

    fn query(&self) -> query::Query<'a> {
        query::Query::of(self.parts.uri)
    }

    /// Notes an access of this token.
    fn note(&self, ports: &Ports<'_>, action: Action, vault: VaultId, item: Option<(ItemId, u64)>) {
        ports.usage.note(UsageEvent {
            token: self.grant.token(),
            action,
            allowed: true,
            vault,
            item: item.map(|(id, _)| id),
            item_version: item.map(|(_, version)| version),
            at: ports.now,
            caller: Caller::of(self.parts.headers, &self.request_id),
        });
    }

    /// Notes an access that was refused, and makes the refusal.
    fn denied(
        &self,
        ports: &Ports<'_>,
        action: Action,
        vault: &VaultId,
        item: Option<ItemId>,
        error: crate::token::AccessError,
    ) -> Refusal {
        ports.usage.note(UsageEvent {
            token: self.grant.token(),
            action,
            allowed: false,
            vault: *vault,
            item,
            item_version: None,
            at: ports.now,
            caller: Caller::of(self.parts.headers, &self.request_id),
        });
        Refusal::access(error, action.verb(), vault)
    }
}

/// The bearer's text (RFC 6750 §2.1); the scheme is read in any case.
#[inline]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    // `to_str` looks at one byte after the other, which shows for something as long as a token.
    let value = str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An answer in the making.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: Body,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Of an answer that may be kept.
    facts: Option<kept::Facts>,
}

const JSON: &str = "application/json";

impl Reply {
    const fn json(body: Zeroizing<Vec<u8>>) -> Self {
        Self::stream(StatusCode::OK, JSON, Body::full(body))
    }

    fn json_in(pieces: Vec<Zeroizing<Vec<u8>>>) -> Self {
        Self::stream(StatusCode::OK, JSON, Body::pieces(pieces))
    }

    const fn stream(status: StatusCode, content_type: &'static str, body: Body) -> Self {
        Self {
            status,
            content_type,
            body,
            headers: Vec::new(),
            facts: None,
        }
    }

    fn empty(status: StatusCode) -> Self {
        Self::stream(status, "", Body::full(Zeroizing::default()))
    }

    fn refused(refusal: &Refusal, request_id: &str) -> Self {
        let body = Body::full(Zeroizing::new(refusal.to_bytes(request_id)));
        let headers = refusal.header().into_iter().collect();
        Self {
            headers,
            ..Self::stream(refusal.status, JSON, body)
        }
    }

    #[inline]
    fn with(mut self, name: HeaderName, value: &str) -> Self {
        // Our own values are plain ASCII; one that is not must not take the answer down with it.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    #[inline]
    fn into_response(self, request_id: &str, is_head: bool) -> Response {
        let mut response = HttpResponse::new(());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(5 + self.headers.len());
        headers.insert(
            CONNECT_VERSION_HEADER,
            HeaderValue::from_static(CONNECT_VERSION),
        );
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID_HEADER, id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !self.content_type.is_empty() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(self.content_type),
            );
        }
        if !matches!(
            self.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        ) {
            headers.insert(
                header::CONTENT_LENGTH,
                HeaderValue::from(self.body.remaining()),
            );
        }
        headers.extend(
            self.headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        let body = if is_head {
            Body::full(Zeroizing::default())
        } else {
            self.body
        };
        response.map(|()| body)
    }
}

/// Whether the request may bring an item: JSON, or what curl says when it is told nothing.
fn accepts_content(parts: &RequestParts<'_>) -> Result<(), Refusal> {
    let Some(value) = parts.headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let value = value.to_str().unwrap_or("?").to_ascii_lowercase();
    let essence = value.split(';').next().unwrap_or_default().trim();
    let is_json = essence == JSON || essence == "text/json" || essence.ends_with("+json");
    let is_neutral = matches!(
        essence,
        "" | "text/plain" | "application/octet-stream" | "application/x-www-form-urlencoded"
    );
    if is_json || is_neutral {
        Ok(())
    } else {
        Err(Refusal::content_type())
    }
}
