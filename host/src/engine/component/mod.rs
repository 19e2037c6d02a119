//! Core as a guest: each request gets a fresh instance, whose memory is gone when it is answered.
//!
//! A guest may run for so long, hold so much memory, and see what [`state`] gives it. When it breaks, its request is
//! answered 500 and nothing else is touched.

mod bindings;
mod compiled;
mod compiler;
mod exchange;
mod records;
mod sandbox;
mod state;
mod usage;

use std::{
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use sekisho_core::rest::Route;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::{
    WasiHttpView,
    p2::{
        bindings::{
            ProxyPre,
            http::types::{ErrorCode, Scheme},
        },
        body::HyperOutgoingBody,
    },
};

pub use self::{compiler::compile_if_asked, sandbox::Sandbox};
use self::{exchange::Exchange, state::State};
use super::{
    EngineError,
    body::{AnswerBody, BodyError, RequestBody},
    link::{Backing, Link},
};
use crate::refusal;

type GuestResponse = Result<Response<HyperOutgoingBody>, ErrorCode>;
type Run = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;

/// Runs a component that exports `wasi:http/incoming-handler`, and `sekisho:vault/exchange` if it is ours.
pub struct ComponentEngine {
    proxy: ProxyPre<State>,
    exchange: Option<Exchange>,
    sandbox: Sandbox,
    places: Arc<Semaphore>,
    /// The part of the places that writes may take, who wait for the account while they hold one: reads go on however
    /// slow it is.
    for_writes: Arc<Semaphore>,
    backing: Arc<Backing>,
}

/// A component that is ready to answer.
pub(crate) struct Prepared {
    proxy: ProxyPre<State>,
    sandbox: Sandbox,
}

impl Prepared {
    /// As [`ComponentEngine::new`].
    pub(crate) fn new(
        wasm: &[u8],
        sandbox: Sandbox,
        directory: Option<&Path>,
    ) -> Result<Self, EngineError> {
        let proxy = prepare(wasm, &sandbox, directory)
            .map_err(|error| EngineError(format!("{error:#}")))?;
        Ok(Self { proxy, sandbox })
    }
}

impl ComponentEngine {
    /// Makes the component ready; its machine code is kept in `directory`, if there is one.
    pub fn new(
        wasm: &[u8],
        sandbox: Sandbox,
        directory: Option<&Path>,
        backing: Arc<Backing>,
    ) -> Result<Self, EngineError> {
        Ok(Self::of(Prepared::new(wasm, sandbox, directory)?, backing))
    }

    /// From a component that was made ready before there was anything to serve.
    pub(crate) fn of(prepared: Prepared, backing: Arc<Backing>) -> Self {
        let Prepared { proxy, sandbox } = prepared;
        Self {
            exchange: Exchange::of(proxy.instance_pre()),
            proxy,
            places: Arc::new(Semaphore::new(sandbox.instances as usize)),
            for_writes: Arc::new(Semaphore::new(places_for_writes(sandbox.instances))),
            sandbox,
            backing,
        }
    }

    pub(super) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    /// Sandboxes in use, and how many there are.
    pub(super) fn instances(&self) -> (usize, usize) {
        let most = self.sandbox.instances as usize;
        (most.saturating_sub(self.places.available_permits()), most)
    }

    pub(super) async fn answer(
        &self,
        request: Request<RequestBody>,
        asked: Option<&Route>,
    ) -> Response<AnswerBody> {
        let Some(place) = self.admit(is_write(&request)).await else {
            return refusal::refuse(&refusal::busy(), &*self.backing.random);
        };
        let link = Link::new(Arc::clone(&self.backing));
        let reason = link.reason();
        let exchange = self.exchange.as_ref();
        let exchange = exchange.filter(|_| asked.is_none_or(Route::is_short));
        let (head, body) = request.into_parts();
        let response = match (exchange, body) {
            (Some(exchange), RequestBody::Whole(body)) => {
                let question = self.backing.kept.question(&head, &link);
                exchange
                    .run(place, self.store(link), &head, body, question)
                    .await
            }
            (_, body) => match self.start(Request::from_parts(head, body), link, place) {
                Ok((guest, receiver)) => drive(guest, receiver).await,
                Err(error) => Err(error),
            },
        };
        let response = response.unwrap_or_else(|error| self.broken(&error));
        refusal::explained(response, &reason, &*self.backing.random)
    }

    fn broken(&self, error: &wasmtime::Error) -> Response<AnswerBody> {
        log_broken(error);
        refusal::broken(&*self.backing.random)
    }

    /// Waits for a place among the instances, for a while.
    async fn admit(&self, is_write: bool) -> Option<Place> {
        let wait = async {
            let turn = if is_write {
                Some(take(&self.for_writes).await?)
            } else {
                None
            };
            Some((turn, take(&self.places).await?))
        };
        tokio::time::timeout(self.sandbox.patience, wait)
            .await
            .ok()?
    }

    /// What a guest runs in, with its limits.
    fn store(&self, link: Link) -> Store<State> {
        let state = State::new(link, &self.sandbox);
        let mut store = Store::new(self.proxy.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(if self.sandbox.ticks() == 0 { 0 } else { 1 });
        let full = self.sandbox.ticks();
        store.epoch_deadline_callback(move |mut store| {
            let state = store.data_mut();
            state.ticks = if state.link.has_moved_on() {
                full
            } else {
                state.ticks.saturating_sub(1)
            };
            Ok(if state.ticks == 0 {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Yield(1)
            })
        });
        store
    }

    fn start(
        &self,
        request: Request<RequestBody>,
        link: Link,
        place: Place,
    ) -> wasmtime::Result<(Run, oneshot::Receiver<GuestResponse>)> {
        let mut store = self.store(link);
        let (sender, receiver) = oneshot::channel();
        let broken = |BodyError| wasmtime_wasi_http::Error::HttpProtocolError;
        let request = with_authority(request).map(|body| body.pieces().map_err(broken));
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request)?;
        let out = http.new_response_outparam(sender)?;
        let proxy = self.proxy.clone();
        let run = async move {
            // In this order, for the place is free only when the instance is gone.
            let _place = place;
            let mut store = store;
            let guest = proxy.instantiate_async(&mut store).await?;
            guest
                .wasi_http_incoming_handler()
                .call_handle(&mut store, request, out)
                .await
        };
        Ok((Box::pin(run), receiver))
    }
}

/// A place among the instances, and among those that write.
type Place = (Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

async fn take(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    Arc::clone(places).acquire_owned().await.ok()
}

/// Three of four; one at least for each kind of request.
fn places_for_writes(instances: u32) -> usize {
    (instances as usize * 3 / 4).max(1)
}

/// Whether it may change something: a batch only reads.
fn is_write<T>(request: &Request<T>) -> bool {
    matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    ) && !request.uri().path().starts_with("/v1/batch")
}

fn prepare(
    wasm: &[u8],
    sandbox: &Sandbox,
    directory: Option<&Path>,
) -> wasmtime::Result<ProxyPre<State>> {
    let engine = sandbox.engine()?;
    let component = compiled::load(&engine, wasm, directory)?;
    let proxy = ProxyPre::new(sandbox::linker(&engine)?.instantiate_pre(&component)?)?;
    sandbox::start_ticking(&engine);
    Ok(proxy)
}

/// `wasi:http` wants to know which host was asked; HTTP/1.0 does not say.
fn with_authority<T>(mut request: Request<T>) -> Request<T> {
    let named = request.uri().authority().is_some()
        || request
            .headers()
            .get(http::header::HOST)
            .is_some_and(|host| host.to_str().is_ok());
    if !named {
        let nobody = http::HeaderValue::from_static("localhost");
        request.headers_mut().insert(http::header::HOST, nobody);
    }
    request
}

/// Lets the guest run until it has begun to answer.
async fn drive(
    mut guest: Run,
    mut receiver: oneshot::Receiver<GuestResponse>,
) -> wasmtime::Result<Response<AnswerBody>> {
    let mut end = None;
    let answered = std::future::poll_fn(|context| {
        if end.is_none()
            && let Poll::Ready(result) = guest.as_mut().poll(context)
        {
            end = Some(result);
        }
        Pin::new(&mut receiver).poll(context)
    })
    .await;
    let ended = end.transpose()?.is_some();
    let response = answered
        .map_err(|_| wasmtime::format_err!("the guest ended without an answer"))?
        .map_err(|_| wasmtime::format_err!("the guest gave up"))?;
    let (head, body) = response.into_parts();
    let body = if ended {
        // All there: told with its length, it costs hyper the least.
        let whole = body.collect().await;
        AnswerBody::Whole(
            whole
                .map_err(|_| wasmtime::format_err!("the guest broke off"))?
                .to_bytes(),
        )
    } else {
        let guest = Some(guest);
        AnswerBody::Guest(Box::new(GuestBody { body, guest }))
    };
    Ok(Response::from_parts(head, body))
}

/// The kind of trap and nothing more: a message could carry what the guest held.
fn log_broken(error: &wasmtime::Error) {
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => tracing::error!(%trap, "a request broke its sandbox"),
        None => tracing::error!(cause = %error.root_cause(), "a request could not be run"),
    }
}

/// A body that its guest is still writing.
pub struct GuestBody {
    body: HyperOutgoingBody,
    /// `None` once it has ended.
    guest: Option<Run>,
}

impl GuestBody {
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(guest) = &mut self.guest
            && let Poll::Ready(result) = guest.as_mut().poll(context)
        {
            self.guest = None;
            if let Err(error) = result {
                log_broken(&error);
                return Poll::Ready(Some(Err(BodyError)));
            }
        }
        Pin::new(&mut self.body)
            .poll_frame(context)
            .map_err(|_| BodyError)
    }
}
