//! Whatever stands between a host and its account: reads never fail, the state comes right, the log stays quiet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod proxy;
mod stack;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use common::Client;
use proxy::{ALL, Fault, Proxy};
use sekisho_account::http::client::{Address, RemoteDevice};
use sekisho_core::{id::ItemId, time::Timestamp};
use sekisho_host::{
    Host, HostConfig, RunningHost,
    clock::{Clock, SystemClock},
    engine::EngineKind,
    sync::{AccountUpstream, Pace},
};
use stack::{World, eventually, note};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Things on a page: so few that the feed has many pages.
const PAGE: u32 = 3;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A clock that somebody sets.
#[derive(Default)]
struct Jumpy {
    millis: AtomicI64,
    /// It is set by two days between any two looks at it.
    swings: AtomicBool,
}

impl Jumpy {
    fn now(&self) -> Timestamp {
        let by = if self.swings.load(Ordering::Relaxed) {
            let before = self.millis.fetch_xor(2 * DAY, Ordering::Relaxed);
            before ^ (2 * DAY)
        } else {
            self.millis.load(Ordering::Relaxed)
        };
        let millis = SystemClock.now().millis().cast_signed() + by;
        Timestamp::from_millis(millis.cast_unsigned())
    }

    fn jump(&self, days: i64) {
        self.millis.store(days * DAY, Ordering::Relaxed);
    }
}

/// Counts the lines that an operator would see.
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("sekisho_host")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl tracing::field::Visit for Text {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?} ");
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Stage {
    world: World,
    proxy: Proxy,
    clock: Arc<Jumpy>,
    host: Option<RunningHost>,
    runtime: tokio::runtime::Runtime,
    lines: Arc<Mutex<Vec<String>>>,
    _account: stack::Process,
}

impl Stage {
    fn new() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::set_global_default(Lines(Arc::clone(&lines))).unwrap();
        let world = World::new(20);
        let account = world.serve_account();
        let proxy = Proxy::start(account.addr);
        let clock = Arc::new(Jumpy::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let address = Address {
            url: format!("http://{}", proxy.addr),
            ..Address::default()
        };
        let device = RemoteDevice::at(&address, &world.credentials).unwrap();
        let upstream = AccountUpstream::paged(Arc::new(device), PAGE);
        let of_host = Arc::clone(&clock);
        let config = HostConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            engine: EngineKind::Native,
            data_dir: Some(world.data()),
            pace: Pace {
                interval: Duration::from_millis(200),
                first_retry: Duration::from_millis(20),
                last_retry: Duration::from_millis(200),
            },
            clock: Arc::new(move || of_host.now()),
            ..HostConfig::new(
                Arc::new(upstream),
                world.credentials.trust(),
                world.credentials.signing_keys().to_vec(),
            )
        };
        let host = runtime.block_on(Host::start(config)).unwrap();
        let stage = Self {
            world,
            proxy,
            clock,
            host: Some(host),
            runtime,
            lines,
            _account: account,
        };
        stage.converges();
        stage
    }

    fn host(&self) -> &RunningHost {
        self.host.as_ref().unwrap()
    }

    /// What the host serves is what the account has.
    fn converges(&self) {
        let vault = self.world.vault;
        let theirs = || -> BTreeMap<ItemId, u64> {
            let items = self.world.operator.items(vault).unwrap();
            items
                .into_iter()
                .map(|item| (item.id, item.version))
                .collect()
        };
        let ours = || -> BTreeMap<ItemId, u64> {
            let snapshot = self.host().live().snapshot();
            snapshot
                .items(&vault)
                .map(|item| (item.id, item.version))
                .collect()
        };
        eventually("the same as at the account", || ours() == theirs());
        eventually("healthy", || {
            self.host().health().report().failing.is_none()
        });
    }

    fn begin(&self, fault: Fault) {
        match fault {
            Fault::Delay => self.proxy.ease(fault),
            _ => self.proxy.set(fault),
        }
    }

    /// The sync core has seen it.
    fn meets(&self, fault: Fault, (spoilt, pages): (u64, u64)) {
        eventually("the fault is met", || match fault {
            Fault::Delay | Fault::ReorderedPages => self.proxy.spoilt_pages() > pages + 1,
            // It is met by one page that takes longer than anybody waits.
            Fault::SlowLoris => self.proxy.spoilt_pages() > pages,
            _ => {
                self.proxy.spoilt() > spoilt + 3 && self.host().health().report().failing.is_some()
            }
        });
    }

    fn end(&self, fault: Fault) {
        match fault {
            Fault::Delay => self.proxy.ease(Fault::None),
            _ => self.proxy.set(Fault::None),
        }
    }

    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }
}

#[test]
fn reads_go_on_writes_are_whole_and_the_state_comes_right() {
    let mut stage = Stage::new();
    let addr = stage.host().addr();
    let (done, reads) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let reader = {
        let (done, reads) = (Arc::clone(&done), Arc::clone(&reads));
        let path = stage.world.item_path(&stage.world.items[7]);
        let list = format!(
            "{}?filter=title%20eq%20%22Item%203%22",
            stage.world.items_path()
        );
        let token = stage.world.token.clone();
        thread::spawn(move || {
            let mut client = Client::connect(addr);
            while !done.load(Ordering::Relaxed) {
                for path in [&path, &list] {
                    let answer = client.get(path, &token);
                    assert_eq!(answer.status, 200, "a read failed: {}", answer.describe());
                }
                reads.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        })
    };
    stage.lines();
    let mut acknowledged = Vec::new();
    for fault in ALL {
        let before = (stage.proxy.spoilt(), stage.proxy.spoilt_pages());
        // Cut off first, so that there are several pages when it begins.
        let first = match fault {
            Fault::ReorderedPages => Fault::Cut,
            fault => fault,
        };
        stage.begin(first);
        // Something to be told, on more than one page, and something to be written.
        for n in 0..5 {
            stage.world.add_item(&format!("{fault:?} {n}"));
        }
        if fault != first {
            stage.begin(fault);
        }
        let writer = {
            let (path, token) = (stage.world.items_path(), stage.world.token.clone());
            let body = note(&stage.world.vault, &format!("Written under {fault:?}"));
            thread::spawn(move || Client::connect(addr).send("POST", &path, &token, Some(&body)))
        };
        stage.meets(fault, before);
        stage.end(fault);
        let written = writer.join().unwrap();
        match written.status {
            200 => acknowledged.push(written.json()["id"].as_str().unwrap().to_owned()),
            status => {
                assert_eq!(status, 503, "{fault:?}: {}", written.describe());
                assert!(written.header("retry-after").is_some());
            }
        }
        stage.converges();
        let lines = stage.lines();
        if fault == Fault::Delay {
            assert_eq!(lines, Vec::<String>::new(), "an answer that is late is one");
        } else {
            let [begin, end] = lines.as_slice() else {
                panic!("{fault:?}: one line when it begins and one when it ends: {lines:#?}");
            };
            assert!(
                begin.starts_with("not synchronised with the account the account"),
                "{fault:?}: {begin}"
            );
            assert_eq!(end.trim(), "synchronised with the account", "{fault:?}");
        }
    }
    // The clock of this machine is set by a day, and set back.
    for days in [1, -1, 0] {
        stage.clock.jump(days);
        eventually("it ticks by the new time", || {
            let reached = stage.host().health().report().reached_at;
            reached.is_some_and(|at| at.millis().abs_diff(stage.clock.now().millis()) < 3_600_000)
        });
        stage.world.add_item("Another day");
        stage.converges();
    }
    // It is set while a request is being answered, and another way for the next one.
    stage.clock.swings.store(true, Ordering::Relaxed);
    let before = reads.load(Ordering::Relaxed);
    eventually("reads while it swings", || {
        reader.is_finished() || reads.load(Ordering::Relaxed) > before + 50
    });
    stage.clock.swings.store(false, Ordering::Relaxed);
    assert_eq!(stage.lines(), Vec::<String>::new());
    done.store(true, Ordering::Relaxed);
    reader.join().unwrap();
    assert!(reads.load(Ordering::Relaxed) > 100);
    let mut client = Client::connect(addr);
    for id in &acknowledged {
        let path = format!("{}/{id}", stage.world.items_path());
        assert_eq!(client.get(&path, &stage.world.token).status, 200);
    }
    // Nothing is there twice.
    let list = client
        .get(&stage.world.items_path(), &stage.world.token)
        .json();
    let mut titles = BTreeMap::new();
    for item in list.as_array().unwrap() {
        *titles.entry(item["title"].to_string()).or_insert(0) += 1;
    }
    titles.retain(|title, times| *times > 1 && !title.contains("Another day"));
    assert!(titles.is_empty(), "{titles:?}");
    let host = stage.host.take().unwrap();
    stage.runtime.block_on(host.shutdown());
}
