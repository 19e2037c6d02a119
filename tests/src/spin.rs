//! Spin as far as our components ask for it: a key-value store, variables and WASI HTTP, made of wasmtime. The component
//! that answers and the one that takes sets in share one store, as they do in `deploy/spin/spin.toml`.
//!
//! Clock and random bytes are those of [`crate::native`], and clients' writes go to the world's account, which publishes
//! before it answers: so that what both say can be compared byte for byte.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use rand_core::TryRng;
use sekisho_core::{
    published::Digest,
    records::{Fault, Records},
    time::Timestamp,
};
use sekisho_edge_artifact as artifact;
use sekisho_host::edge::build::{Target, build};
use tokio::{runtime::Runtime as Tokio, sync::oneshot};
use wasmtime::{
    Engine, Store,
    component::{Component, HasSelf, Linker, Resource, ResourceTable},
};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxView, WasiView, p2::pipe::MemoryOutputPipe};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::bindings::{ProxyPre, http::types::Scheme},
};

use crate::{
    cases::{Carrier, Given, RawAnswer, Request, Runtime},
    memory::{MemoryRecords, Mood},
    native::http_request,
    published::{keys, set_of},
    rng::{LabelledRng, labelled},
    world::{NOW, World},
};

mod bindings {
    #![allow(
        unsafe_code,
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::use_self,
        clippy::allow_attributes_without_reason,
        reason = "generated"
    )]

    wasmtime::component::bindgen!({
        path: "../wit",
        interfaces: "
            import fermyon:spin/key-value@2.0.0;
            import fermyon:spin/variables@2.0.0;
        ",
        with: { "fermyon:spin/key-value.store": super::OpenStore },
    });
}

use bindings::fermyon::spin::{key_value, variables};

/// Which of the application's two components is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The API.
    Edge,
    /// The publish endpoint.
    Publish,
}

/// What is in a key-value store.
pub type Values = BTreeMap<String, Vec<u8>>;

/// An application under our Spin.
#[derive(Clone)]
pub struct Application {
    values: Arc<Mutex<Values>>,
    variables: BTreeMap<String, String>,
    now: Timestamp,
    rng: Arc<Mutex<LabelledRng>>,
    /// Where clients' writes go.
    account: Option<Arc<Mutex<MemoryRecords>>>,
    said: MemoryOutputPipe,
}

impl Default for Application {
    fn default() -> Self {
        Self::new()
    }
}

impl Application {
    /// With an empty store, and the keys of the world's edges.
    pub fn new() -> Self {
        let keys = keys().to_text();
        let variables = [
            ("sekisho_edge_keys", keys.expose()),
            // The cases name the peer as a host's front does.
            ("sekisho_trust_peer", "1"),
        ];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Self {
            values: Arc::default(),
            variables: variables.into(),
            now: NOW,
            rng: Arc::new(Mutex::new(labelled("native carrier"))),
            account: None,
            said: MemoryOutputPipe::new(16 * 1024 * 1024),
        }
    }

    /// The world, published, with its account behind it.
    pub fn of_world() -> Self {
        Self::of(&Given::default())
    }

    /// What its components wrote so far, on stdout and on stderr.
    pub fn said(&self) -> Bytes {
        self.said.contents()
    }

    /// The same with another variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, text: &str) -> Self {
        self.variables.insert(name.to_owned(), text.to_owned());
        self
    }

    /// The same, as a case wants it.
    fn of(given: &Given) -> Self {
        let now = given.now().unwrap_or(NOW);
        let mood = given.mood().unwrap_or(Mood::Well);
        let account = MemoryRecords::in_mood(World::get(), now, mood);
        let mut application = Self { now, ..Self::new() };
        if mood != Mood::Empty {
            application.publish(&account);
        }
        if mood != Mood::ReadOnly {
            application = application.with_variable("sekisho_write_url", "http://account.test");
        }
        application.account = Some(Arc::new(Mutex::new(account)));
        application
    }

    /// What is in the store, to be looked at or meddled with.
    pub fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap()
    }

    fn publish(&self, account: &MemoryRecords) {
        let (pointer, objects) = set_of(&account.snapshot(), &account.chunks());
        let mut values = self.values();
        values.retain(|key, _| !key.starts_with("sekisho/o/"));
        values.extend(
            objects
                .into_iter()
                .map(|(name, bytes)| (object_key(&name), bytes)),
        );
        values.insert("sekisho/pointer".to_owned(), pointer.write(&keys()));
    }

    /// Asks one of its components. A body that breaks off is no answer.
    pub fn ask(&self, part: Part, request: http::Request<Vec<u8>>) -> Option<RawAnswer> {
        SPIN.tokio.block_on(SPIN.run(part, self.clone(), request))
    }

    /// Serves both components on a socket, as the routes of `spin.toml` say, until the process ends.
    pub fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let application = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let application = application.clone();
                thread::spawn(move || drop(application.serve(stream)));
            }
        });
        address
    }

    /// One request, as far as our own client needs it.
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or("GET"), words.next().unwrap_or("/"));
        let part = if target.starts_with("/edge/v1/") {
            Part::Publish
        } else {
            Part::Edge
        };
        let mut request = http::Request::builder().method(method).uri(target);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
            request = request.header(name, value);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = self.ask(part, request.body(body).unwrap()).unwrap();
        let mut head = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", answer.status);
        for (name, value) in &answer.headers {
            if name != "content-length" {
                head += &format!("{name}: {value}\r\n");
            }
        }
        if answer.status != 204 {
            head += &format!("content-length: {}\r\n", answer.body.len());
        }
        let mut stream = stream;
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        stream.write_all(&answer.body)
    }
}

/// Where an object lies in the store.
pub fn object_key(name: &Digest) -> String {
    format!("sekisho/o/{name}")
}

/// Core in the component that is made for Spin.
#[derive(Debug)]
pub struct OverSpin;

impl Runtime for OverSpin {
    fn name(&self) -> &'static str {
        "spin"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        Some(Box::new(SpinCarrier(Application::of(given))))
    }
}

struct SpinCarrier(Application);

impl Carrier for SpinCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        self.0.ask(Part::Edge, http_request(request)).unwrap()
    }
}

/// The components, compiled once.
struct Spin {
    tokio: Tokio,
    edge: ProxyPre<State>,
    publish: ProxyPre<State>,
}

static SPIN: LazyLock<Spin> = LazyLock::new(|| {
    let engine = Engine::default();
    let prepare = |bytes: &[u8]| {
        let component = Component::new(&engine, bytes).unwrap();
        let linked = linker(&engine).unwrap().instantiate_pre(&component);
        ProxyPre::new(linked.unwrap()).unwrap()
    };
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    Spin {
        tokio: tokio.unwrap(),
        edge: prepare(&build(&Target::Spin).unwrap()),
        publish: prepare(artifact::SPIN_PUBLISH_WASM),
    }
});

impl Spin {
    async fn run(
        &self,
        part: Part,
        application: Application,
        request: http::Request<Vec<u8>>,
    ) -> Option<RawAnswer> {
        let proxy = match part {
            Part::Edge => self.edge.clone(),
            Part::Publish => self.publish.clone(),
        };
        let mut store = Store::new(proxy.engine(), State::new(application));
        let (sender, receiver) = oneshot::channel();
        let broken = |_: Infallible| HttpError::HttpProtocolError;
        let mut request = request.map(|body| Full::new(Bytes::from(body)).map_err(broken));
        let host = http::HeaderValue::from_static("localhost");
        request.headers_mut().entry("host").or_insert(host);
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request).unwrap();
        let out = http.new_response_outparam(sender).unwrap();
        let guest = tokio::spawn(async move {
            let guest = proxy.instantiate_async(&mut store).await?;
            let handler = guest.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, out).await
        });
        let (head, body) = receiver.await.unwrap().unwrap().into_parts();
        let body = body.collect().await.ok();
        guest.await.unwrap().unwrap();
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Some(RawAnswer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body?.to_bytes().to_vec(),
        })
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    wasmtime_wasi::p2::add_to_linker_async(l)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(l)?;
    key_value::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    variables::add_to_linker::<_, HasSelf<State>>(l, |state| state)?;
    // As many bytes at once as a guest asks for, which is how core draws them.
    l.allow_shadowing(true);
    let mut random = l.instance("wasi:random/random@0.2.12")?;
    random.func_wrap("get-random-bytes", |store, (length,): (u64,)| {
        let state: &State = store.data();
        let mut bytes = vec![0; usize::try_from(length)?];
        let Ok(()) = state
            .application
            .rng
            .lock()
            .unwrap()
            .try_fill_bytes(&mut bytes);
        Ok((bytes,))
    })?;
    Ok(linker)
}

struct State {
    application: Application,
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl State {
    fn new(application: Application) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.wall_clock(Still(Duration::from_millis(application.now.millis())))
            .stdout(application.said.clone())
            .stderr(application.said.clone());
        Self {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outgoing: Outgoing(application.clone()),
            application,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}

/// A clock that stands still to the millisecond; each look at it is a nanosecond later than the one before.
struct Still(Duration);

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        self.0 + Duration::from_nanos(LOOKS.fetch_add(1, Ordering::Relaxed) % 1_000_000)
    }
}

/// Requests go to the world's account, whatever their address.
struct Outgoing(Application);

type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Done), HttpError>> + Send>;
type Done = Box<dyn Future<Output = Result<(), HttpError>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Done,
    ) -> Sent {
        let application = self.0.clone();
        Box::new(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let bearer = format!("Bearer {}", keys().read_bearer().expose());
            let shown = head.headers.get("authorization");
            assert_eq!(shown.unwrap(), bearer.as_str(), "the host is proved to");
            let (status, word) = match application.write(head.uri.path(), &body) {
                Ok(()) => (204, ""),
                Err(fault) => (422, fault.word()),
            };
            let body = Full::new(Bytes::from_static(word.as_bytes()));
            let body = body.map_err(|_: Infallible| HttpError::HttpProtocolError);
            let response = http::Response::builder().status(status);
            let done: Done = Box::new(async { Ok(()) });
            Ok((response.body(body.boxed_unsync()).unwrap(), done))
        })
    }
}

impl Application {
    /// As a host's feed does it.
    fn write(&self, path: &str, body: &[u8]) -> Result<(), Fault> {
        let account = self.account.as_ref().unwrap().lock().unwrap();
        match path {
            "/edge/v1/put" => account.put(serde_json::from_slice(body).unwrap())?,
            "/edge/v1/put-chunk" => account.put_chunk(serde_json::from_slice(body).unwrap())?,
            "/edge/v1/delete" => account.delete(serde_json::from_slice(body).unwrap())?,
            other => panic!("nothing is asked of {other}"),
        }
        self.publish(&account);
        Ok(())
    }
}

/// An open store; there is one.
#[derive(Debug)]
pub struct OpenStore;

type Kept<T> = Result<T, key_value::Error>;

impl key_value::Host for State {}

impl key_value::HostStore for State {
    fn open(&mut self, label: String) -> Kept<Resource<OpenStore>> {
        if label != "default" {
            return Err(key_value::Error::AccessDenied);
        }
        let pushed = self.table.push(OpenStore);
        pushed.map_err(|_| key_value::Error::StoreTableFull)
    }

    fn get(&mut self, _: Resource<OpenStore>, key: String) -> Kept<Option<Vec<u8>>> {
        Ok(self.application.values().get(&key).cloned())
    }

    fn set(&mut self, _: Resource<OpenStore>, key: String, value: Vec<u8>) -> Kept<()> {
        self.application.values().insert(key, value);
        Ok(())
    }

    fn delete(&mut self, _: Resource<OpenStore>, key: String) -> Kept<()> {
        self.application.values().remove(&key);
        Ok(())
    }

    fn exists(&mut self, _: Resource<OpenStore>, key: String) -> Kept<bool> {
        Ok(self.application.values().contains_key(&key))
    }

    fn get_keys(&mut self, _: Resource<OpenStore>) -> Kept<Vec<String>> {
        Ok(self.application.values().keys().cloned().collect())
    }

    fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl variables::Host for State {
    fn get(&mut self, name: String) -> Result<String, variables::Error> {
        let found = self.application.variables.get(&name).cloned();
        found.ok_or(variables::Error::Undefined(name))
    }
}
