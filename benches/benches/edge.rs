//! What the edge component costs under `wasmtime serve`: an item of 1 KB read by its id, with records from a host's feed
//! and with records baked in, against a component that only says hello under the same server with the same settings; and
//! how soon a token that is revoked is refused there. `-- reused` asks only about instances that are used again.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench: a panic says where, and what it finds it prints"
)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    convert::Infallible,
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use sekisho_benches::{
    load::{Client, Run, get, load},
    report::{Row, aside, at_least, at_most, rounds},
    rng::Reproducible,
    server::{Server, config},
    upstream::Account,
};
use sekisho_core::{
    cache::Snapshot,
    key::DeviceSecret,
    published::{Digest, EdgeKeys, Files, Objects, Pointer, lay_out},
    records::Fault,
    sync::Incoming,
};
use sekisho_edge_artifact as artifact;
use sekisho_host::{
    edge::{
        FeedConfig,
        build::{Baked, Target, bake, build},
    },
    engine::EngineKind,
};
use sekisho_tests::{
    cases::Request,
    edge::{Served, compile, wasmtime},
    hosted::Connection,
};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(1000);
const ITEMS: usize = 1000;
/// The account of the benches vouched on one day for good.
const FOR_GOOD: u64 = 100 * 366 * 86_400;
/// Connections of the load, and so instances at once at most.
const INSTANCES: f64 = 16.0;
const MIB: f64 = 1024.0 * 1024.0;

/// How `wasmtime serve` treats instances: how many requests one answers at most, and what else it is told.
const SETTINGS: [(&str, &str, &[&str]); 3] = [
    ("one instance for each request", "1", &[]),
    (
        "one instance for each request, in a place that stays mapped (docs/edge-bundle.md)",
        "1",
        &[
            "-O",
            "pooling-pagemap-scan,pooling-memory-keep-resident=262144,pooling-table-keep-resident=65536",
        ],
    ),
    ("instances used again", "1000", &[]),
];

fn main() {
    if let Err(why) = wasmtime() {
        println!("edge: not measured: {why}");
        return;
    }
    let (account, keys) = account(ITEMS);
    let bundle = build(&Target::Bundle(baked(&account, &keys))).unwrap();
    // Equal to the bundle's, but for random bytes.
    let fed_account = Arc::new(Account::new(ITEMS, 0));
    let feeding = feeding(&fed_account, &keys);
    let request = get(&fed_account.item_path(ITEMS / 2), &fed_account.token, "");
    let fed = build(&Target::Wasmtime).unwrap();
    sizes(&fed, &bundle);
    let folder = tempfile::tempdir().unwrap();
    let [hello, fetch, least, fed, bundled] = [
        ("hello", artifact::HELLO_WASM),
        ("fetch", artifact::FETCH_WASM),
        ("least", artifact::LEAST_WASM),
        ("fed", &fed),
        ("bundle", &bundle),
    ]
    .map(|(name, wasm)| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        compile(wasm, &folder)
    });
    let url = format!("http://{}", feeding.addr);
    let text = keys.to_text();
    // EXPOSE: the bench's own, which is nobody's.
    let told = [
        ("SEKISHO_FEED_URL", url.as_str()),
        ("SEKISHO_EDGE_KEYS", text.expose()),
    ];
    let batched = [told[0], told[1], ("SEKISHO_USAGE_BATCH", "256")];
    let bare = Server::hyper_hello();
    let asked = bare.addr.to_string();
    let bundle_request = get(&account.item_path(ITEMS / 2), &account.token, "");
    let only_reused = std::env::args().any(|argument| argument == "reused");
    for (settings, reuse, more) in SETTINGS {
        if only_reused && reuse == "1" {
            continue;
        }
        println!("\n== edge: `wasmtime serve`, {settings} ==");
        let start = |code: &Path, told: &[(&str, &str)]| {
            let reuse = ["--allow-precompiled", "--max-instance-reuse-count", reuse];
            Served::start(code, &[&reuse, more].concat(), told)
        };
        let servers = [
            start(&hello, &[]),
            start(&fed, &told),
            start(&fed, &batched),
            start(&bundled, &[]),
            start(&fetch, &[("FETCH_FROM", &asked)]),
            start(&least, &[]),
        ];
        let begun: Vec<f64> = servers.iter().map(|served| resident(served.id())).collect();
        let at = |nth: usize, request: &[u8]| {
            let (served, requests) = (&servers[nth], [request.to_vec()]);
            move || load_with_cpu(served, &requests)
        };
        let mut rows = [
            Row::new("hello component", at(0, &request)),
            Row::new("feed, each access told at once", at(1, &request)),
            Row::new("feed, accesses told by 256", at(2, &request)),
            Row::new("bundle", at(3, &bundle_request)),
            Row::new("hello that asks once before", at(4, &request)),
            Row::new("ciphers and an answer alone", at(5, &request)),
        ];
        rounds(&mut rows, ROUNDS);
        let [hello, fed, batched, bundled, asking, least] = &rows;
        at_least("feed ÷ hello component", fed.ratio(hello), 0.5);
        at_least("feed, by 256 ÷ hello component", batched.ratio(hello), 0.5);
        at_least("bundle ÷ hello component", bundled.ratio(hello), 0.5);
        aside(
            "hello that asks once ÷ hello component",
            asking.ratio(hello),
        );
        aside(
            "what no read can do without ÷ hello component",
            least.ratio(hello),
        );
        for row in [fed, batched, bundled] {
            let cpu = row.median(|run| run.cpu.as_secs_f64() * 1e3);
            at_most(
                &format!("{}: processor time of a read, ms", row.name),
                cpu,
                1.0,
            );
        }
        for (nth, name) in [(1, "feed"), (3, "bundle")] {
            let more = resident(servers[nth].id()) - begun[nth];
            let each = more / INSTANCES / MIB;
            at_most(
                &format!("{name}: memory of an instance under load, MiB"),
                each,
                2.0,
            );
        }
    }
    if !only_reused {
        revocation(&fed);
    }
}

fn sizes(fed: &[u8], bundle: &[u8]) {
    println!("\n== edge: sizes ==");
    let kilobytes = |bytes: &[u8]| bytes.len() as f64 / 1000.0;
    for (name, bytes) in [
        ("plug feed", artifact::PLUG_FEED_WASM),
        ("plug bundle", artifact::PLUG_BUNDLE_WASM),
        ("component and plug feed", fed),
        ("bundle with 1,000 items of 1 KB", bundle),
    ] {
        println!("{name:<32} {:>8.0} KB", kilobytes(bytes));
    }
    at_most("edge component, KB", kilobytes(artifact::WASM), 600.0);
}

fn account(items: usize) -> (Account, EdgeKeys) {
    let account = Account::new(items, 0);
    let device = DeviceSecret::generate(&mut Reproducible(8));
    let keys = EdgeKeys::derive(account.trust(), &device);
    (account, keys)
}

/// A host that feeds edges.
fn feeding(account: &Arc<Account>, keys: &EdgeKeys) -> Server {
    let mut config = config(account, EngineKind::Native, None);
    config.max_stale = FOR_GOOD;
    config.feed = Some(FeedConfig {
        keys: keys.clone(),
        writes: false,
    });
    Server::host(config)
}

/// How long after the account revoked a token its host refuses it, and an edge that has just been asked.
fn revocation(code: &Path) {
    let (mut at_host, mut at_edge) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (account, keys) = account(10);
        let account = Arc::new(account);
        let feeding = feeding(&account, &keys);
        let url = format!("http://{}", feeding.addr);
        let text = keys.to_text();
        // EXPOSE: the bench's own, which is nobody's.
        let told = [
            ("SEKISHO_FEED_URL", url.as_str()),
            ("SEKISHO_EDGE_KEYS", text.expose()),
        ];
        let reuse = ["--allow-precompiled", "--max-instance-reuse-count", "1000"];
        let served = Served::start(code, &reuse, &told);
        let request = Request {
            method: "GET".into(),
            target: account.item_path(0),
            headers: vec![("authorization".into(), format!("Bearer {}", account.token))],
            body: Vec::new(),
        };
        let ask = |addr| Connection::to(addr).send(&request).status;
        assert_eq!([ask(feeding.addr), ask(served.addr())], [200, 200]);
        account.revoke();
        let began = Instant::now();
        let refused = |addr| {
            while ask(addr) == 200 {
                thread::sleep(Duration::from_millis(2));
            }
            began.elapsed().as_secs_f64() * 1e3
        };
        thread::scope(|scope| {
            let host = scope.spawn(|| refused(feeding.addr));
            at_edge.push(refused(served.addr()));
            at_host.push(host.join().unwrap());
        });
    }
    println!("\n== edge: a revoked token, ms after the account revoked it ==");
    for (name, found) in [("its host", &mut at_host), ("the edge", &mut at_edge)] {
        found.sort_by(f64::total_cmp);
        let most = found[ROUNDS - 1];
        println!("{name}: median {:.0}, most {most:.0}", found[ROUNDS / 2]);
    }
    at_most(
        "until the edge refuses it, ms, most",
        at_edge[ROUNDS - 1],
        1000.0,
    );
}

/// A set in memory.
struct Held {
    pointer: Vec<u8>,
    objects: BTreeMap<Digest, Vec<u8>>,
}

impl Objects for Held {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.pointer.clone())
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        self.objects.get(name).cloned().ok_or(Fault::Unavailable)
    }
}

fn baked(account: &Account, keys: &EdgeKeys) -> Baked {
    let empty = Snapshot::default();
    let incoming = Incoming::parse(vec![account.page()], &account.trust()).unwrap();
    let snapshot = empty.apply(&incoming.plan(&empty).unwrap());
    let objects = RefCell::new(BTreeMap::new());
    let laid = lay_out(
        &snapshot,
        &account.signing_keys(),
        &Files::new(),
        |name, bytes| {
            objects.borrow_mut().insert(name, bytes.to_vec());
            Ok::<_, Infallible>(())
        },
    );
    let head = snapshot.head().unwrap().clone();
    let pointer = Pointer {
        root: laid.unwrap().root,
        max_stale: FOR_GOOD,
        max_inline: 100 * 1024,
        published_at: head.issued_at,
        head,
    };
    let held = Held {
        pointer: pointer.write(keys),
        objects: objects.into_inner(),
    };
    bake(&held, keys, None).unwrap()
}

/// The processor time is that of the server's process.
fn load_with_cpu(served: &Served, requests: &[Vec<u8>]) -> Run {
    let before = processor(served.id());
    // It has as many threads as there are processors.
    let run = load(Client::Sleeps, served.addr(), requests, 200, TIME);
    let spent = processor(served.id()) - before;
    let count = run.rate * TIME.as_secs_f64();
    Run {
        cpu: Duration::from_secs_f64(spent / count),
        ..run
    }
}

/// Seconds that a process has used (proc(5): fields 14 and 15, in hundredths).
fn processor(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().unwrap().parse::<f64>().unwrap();
    (ticks() + ticks()) / 100.0
}

/// Bytes of a process in memory.
fn resident(id: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<f64>().unwrap() * 1024.0
}
