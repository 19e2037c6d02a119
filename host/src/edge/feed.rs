//! What edges that are not this host read from it: its live snapshot as a published set, under `/edge/v1/`.
//!
//! An edge proves itself by a bearer that follows from the device secret; without it nothing is told, not even what
//! there would be. Sealed bytes go out, sealed bytes come in, and writes only where the operator allowed them: they then
//! go the way of every client's write, on behalf of the token that they name, for the account to judge.

mod laid;
mod near;
mod told;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    published::{Digest, EdgeKeys, Pointer},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    rest::{self, ActivityQuery, Refusal, UsageEvent},
    secret::SecretText,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::{laid::Laid, near::Near, told::Told};
use crate::{
    engine::{AnswerBody, Backing},
    refusal,
};

/// Where it is.
pub(crate) const PREFIX: &str = "/edge/v1/";
/// An item's parts as JSON, where core takes bodies of 4 MiB from clients.
const MOST: usize = 16 * 1024 * 1024;
/// Most accesses in one report, and most entries in one page.
const MOST_EVENTS: usize = 4096;

/// Whether and how edges are fed.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Whom to believe, and what the pointer is written with.
    pub keys: EdgeKeys,
    /// Whether clients may write through edges.
    pub writes: bool,
}

/// The feed of one host.
pub(crate) struct Feed {
    config: FeedConfig,
    bearer: SecretText,
    backing: Arc<Backing>,
    body_time: Duration,
    /// The newest set, and through it the one before, which slower readers are still in the middle of.
    laid: ArcSwapOption<Laid>,
    laying: Mutex<()>,
    told: Mutex<Told>,
}

#[derive(Deserialize)]
struct Wanted {
    vaults: Vec<VaultId>,
    offset: u64,
    limit: u32,
}

#[derive(Serialize)]
struct Page {
    total: u64,
    events: Vec<UsageEvent>,
}

/// What a path below [`PREFIX`] asks for.
enum Asked {
    Pointer,
    Near(Near),
    Object(Digest),
    Chunk(VaultId, ItemId, FileId, u32),
    Put,
    PutChunk,
    Delete,
    Usage,
    Activity,
}

impl Asked {
    fn parse(method: &Method, path: &str) -> Option<Self> {
        let path = path.strip_prefix(PREFIX)?;
        let parts: Vec<&str> = path.split('/').collect();
        match (method, parts.as_slice()) {
            (&Method::GET, ["pointer"]) => Some(Self::Pointer),
            (&Method::GET, ["near", place @ ..]) => Near::parse(place).map(Self::Near),
            (&Method::GET, ["objects", name]) => Digest::parse(name).map(Self::Object),
            (&Method::GET, ["chunks", vault, item, file, index]) => Some(Self::Chunk(
                VaultId::parse(vault).ok()?,
                ItemId::parse(item).ok()?,
                FileId::parse(file).ok()?,
                index.parse().ok()?,
            )),
            (&Method::POST, ["put"]) => Some(Self::Put),
            (&Method::POST, ["put-chunk"]) => Some(Self::PutChunk),
            (&Method::POST, ["delete"]) => Some(Self::Delete),
            (&Method::POST, ["usage"]) => Some(Self::Usage),
            (&Method::POST, ["activity"]) => Some(Self::Activity),
            _ => None,
        }
    }

    const fn writes(&self) -> bool {
        matches!(self, Self::Put | Self::PutChunk | Self::Delete)
    }
}

/// Whether a request asks an edge's host to write a client's data.
pub(crate) fn is_write(path: &str) -> bool {
    let path = path.strip_prefix(PREFIX);
    path.is_some_and(|path| ["put", "put-chunk", "delete"].contains(&path))
}

impl Feed {
    pub(crate) fn new(config: FeedConfig, backing: Arc<Backing>, body_time: Duration) -> Self {
        Self {
            bearer: config.keys.read_bearer(),
            config,
            backing,
            body_time,
            laid: ArcSwapOption::empty(),
            laying: Mutex::new(()),
            told: Mutex::new(Told::default()),
        }
    }

    pub(crate) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Response<AnswerBody> {
        let given = rest::bearer(request.headers()).map(SecretText::new);
        // Compared in constant time: two `SecretText`s are.
        if given.is_none_or(|given| given != self.bearer) {
            return self.refuse(
                &Refusal::new(StatusCode::UNAUTHORIZED, "edge_keys", "Invalid bearer token")
                    .hint("this is for edges: SEKISHO_EDGE_KEYS as `sekisho edge keys` prints it, of this Connect server"),
            );
        }
        let Some(asked) = Asked::parse(request.method(), request.uri().path()) else {
            return self.refuse(&Refusal::no_route());
        };
        if asked.writes() && !self.config.writes {
            // A client that still sends when the connection closes may never see why.
            let _ = self.taken(request).await;
            return said(Err(Fault::ReadOnly));
        }
        said(self.do_it(asked, request).await)
    }

    fn refuse(&self, refusal: &Refusal) -> Response<AnswerBody> {
        let mut response = refusal::refuse(refusal, &*self.backing.random);
        // What is left of the request is not read.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        response
    }

    async fn do_it(
        self: &Arc<Self>,
        asked: Asked,
        request: Request<Incoming>,
    ) -> Result<Bytes, Fault> {
        let backing = &self.backing;
        match asked {
            Asked::Pointer => {
                let (_, pointer) = self.current().await?;
                Ok(pointer.write(&self.config.keys).into())
            }
            Asked::Near(near) => {
                let (laid, pointer) = self.current().await?;
                let written = pointer.write(&self.config.keys);
                Ok(near.answer(&laid, &pointer, &written))
            }
            Asked::Object(name) => self
                .laid
                .load()
                .as_ref()
                .and_then(|laid| laid.find(&name))
                .ok_or(Fault::Missing),
            Asked::Chunk(vault, item, file, index) => self.chunk(vault, item, file, index).await,
            Asked::Put => {
                let request: PutRequest = self.body(request).await?;
                let done = backing.writer.put(request, None).await;
                done.map(|_| Bytes::new()).map_err(|refused| refused.fault)
            }
            Asked::PutChunk => {
                let request: PutChunkRequest = self.body(request).await?;
                backing
                    .writer
                    .put_chunk(request)
                    .await
                    .map(|()| Bytes::new())
            }
            Asked::Delete => {
                let request: DeleteRequest = self.body(request).await?;
                let done = backing.writer.delete(request, None).await;
                done.map(|_| Bytes::new()).map_err(|refused| refused.fault)
            }
            Asked::Usage => self.take_notes(&self.taken(request).await?),
            Asked::Activity => self.activity(self.body(request).await?),
        }
    }

    /// A body of JSON. What it says is not repeated, should it make no sense.
    async fn body<T: DeserializeOwned>(&self, request: Request<Incoming>) -> Result<T, Fault> {
        let body = self.taken(request).await?;
        serde_json::from_slice(&body).map_err(|_| Fault::Refused)
    }

    /// A body, all of it.
    async fn taken(&self, request: Request<Incoming>) -> Result<Bytes, Fault> {
        let body = Limited::new(request.into_body(), MOST).collect();
        let body = tokio::time::timeout(self.body_time, body)
            .await
            .map_err(|_| Fault::Unavailable)?
            .map_err(|_| Fault::TooLarge)?;
        Ok(body.to_bytes())
    }

    /// The set of this moment, and a pointer to it.
    async fn current(self: &Arc<Self>) -> Result<(Arc<Laid>, Pointer), Fault> {
        let snapshot = self.backing.live.snapshot();
        let head = snapshot.head().ok_or(Fault::NotSynchronised)?.clone();
        let held = self.laid.load_full();
        let keys = self.backing.live.signing_keys();
        let laid = match held.filter(|held| held.is_of(head.version, &keys)) {
            Some(held) => held,
            None => {
                let feed = Arc::clone(self);
                let laid = tokio::task::spawn_blocking(move || feed.lay_out());
                laid.await.map_err(|_| Fault::Unavailable)?
            }
        };
        // The set may be newer than the head that was looked at first, never older.
        let head = laid.head(head);
        let pointer = Pointer {
            head,
            root: laid.root(),
            max_stale: self.backing.settings.max_stale,
            max_inline: self.backing.settings.max_inline,
            published_at: self.backing.clock.now(),
        };
        Ok((laid, pointer))
    }

    /// One at a time: who waits finds it done.
    fn lay_out(&self) -> Arc<Laid> {
        let _turn = self.laying.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.backing.live.snapshot();
        let keys = self.backing.live.signing_keys();
        let version = snapshot.head().map_or(0, |head| head.version);
        let before = self.laid.load_full();
        if let Some(held) = before.clone().filter(|held| held.is_of(version, &keys)) {
            return held;
        }
        let next = Arc::new(Laid::new(snapshot, keys, before.as_deref()));
        self.laid.store(Some(Arc::clone(&next)));
        next
    }

    async fn chunk(
        &self,
        vault: VaultId,
        item: ItemId,
        file: FileId,
        index: u32,
    ) -> Result<Bytes, Fault> {
        let chunks = Arc::clone(&self.backing.chunks);
        tokio::task::spawn_blocking(move || chunks.load(&vault, &item, &file, index))
            .await
            .map_err(|_| Fault::Unavailable)?
            .map(Bytes::from)
    }

    /// A batch is a name of 16 bytes, and then accesses as [`UsageEvent::write`] writes them. It is counted once, however
    /// often an edge that got no answer sends it, and not at all if anything in it makes no sense.
    fn take_notes(&self, batch: &[u8]) -> Result<Bytes, Fault> {
        let (id, mut rest) = batch.split_first_chunk().ok_or(Fault::Refused)?;
        let mut events = Vec::new();
        for access in UsageEvent::split(rest) {
            if events.len() == MOST_EVENTS {
                return Err(Fault::TooLarge);
            }
            events.push(UsageEvent::read(access).ok_or(Fault::Refused)?);
            rest = rest.get(access.len()..).unwrap_or_default();
        }
        if !rest.is_empty() {
            return Err(Fault::Refused);
        }
        let is_new = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_new(*id);
        if is_new {
            self.backing.note(events);
        }
        Ok(Bytes::new())
    }

    fn activity(&self, wanted: Wanted) -> Result<Bytes, Fault> {
        let page = self.backing.activity.recent(&ActivityQuery {
            vaults: wanted.vaults,
            offset: wanted.offset,
            limit: wanted.limit.min(MOST_EVENTS as u32),
        });
        let page = Page {
            total: page.total,
            events: page.events,
        };
        serde_json::to_vec(&page)
            .map(Bytes::from)
            .map_err(|_| Fault::Unavailable)
    }
}

/// Bytes, or the word for why there are none.
fn said(result: Result<Bytes, Fault>) -> Response<AnswerBody> {
    let (status, body) = match result {
        Ok(body) if body.is_empty() => (StatusCode::NO_CONTENT, body),
        Ok(body) => (StatusCode::OK, body),
        Err(fault) => (status(fault), Bytes::from_static(fault.word().as_bytes())),
    };
    let length = body.len();
    let mut response = Response::new(AnswerBody::Whole(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_LENGTH, length.into());
        let octets = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, octets);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const fn status(fault: Fault) -> StatusCode {
    match fault {
        Fault::Missing => StatusCode::NOT_FOUND,
        Fault::Denied | Fault::ReadOnly | Fault::Mirrored => StatusCode::FORBIDDEN,
        Fault::Conflict => StatusCode::CONFLICT,
        Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}
