//! The same at the edge: whatever an edge is asked, and whatever its host or its store answers, neither the guest nor the
//! runtime's own log, as talkative as it gets, nor the log of the host that feeds it tells a secret.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sekisho_core::encoding;
use sekisho_host::edge::build::{Target, bake, build};
use sekisho_tests::{
    cases::{RawAnswer, Request},
    edge::{Served, can_run, compile},
    hosted::Connection,
    published::{MemoryObjects, keys},
    relay::Relay,
    spin::{Application, Part},
    world::World,
};

use super::*;

/// What wasmtime says of itself, all of it, goes where the guest's words go.
const TALKATIVE: (&str, &str) = ("WASMTIME_LOG", "trace");

/// From level info on `wasmtime serve` tells each request's line, and at level trace again where the guest asks for it,
/// which no guest can help (docs/edge-wasmtime.md).
const REQUEST_LINES: [&str; 2] = [
    " INFO wasmtime_cli::commands::serve: Received request ",
    "::wasi::http::types: return result=Ok(Some(\"/",
];

/// How a host's or a store's answer is altered, by turns.
const DAMAGES: usize = 9;

fn damage(nth: usize, secret: &str, mut answer: RawAnswer) -> RawAnswer {
    let junk = secret.as_bytes().repeat(20);
    let middle = answer.body.len() / 2;
    match nth % DAMAGES {
        0 => {}
        1 => answer
            .body
            .iter_mut()
            .skip(middle)
            .take(1)
            .for_each(|byte| *byte ^= 1),
        2 => answer.body.truncate(middle),
        3 => answer.body = junk,
        4 => answer.body.extend(junk),
        5 => answer.body.clear(),
        6 => (answer.status, answer.body) = (404, junk),
        7 => (answer.status, answer.body) = (500, junk),
        _ => answer.status = 401,
    }
    answer
}

impl Run {
    /// What an edge's keys are made of: the text, the key of the MAC, the bearers.
    fn hide_edge_keys(&mut self, text: &str) {
        let bytes = encoding::from_base64url(text).unwrap();
        let secrets = bytes[bytes.len() - 96..].chunks(32);
        let names = [
            "the key of the MAC",
            "the bearer to read",
            "the one to publish",
        ];
        self.secrets.extend(
            names
                .iter()
                .zip(secrets)
                .map(|(name, secret)| ((*name).to_owned(), secret.to_vec())),
        );
        self.secrets
            .push(("the edge's keys".into(), text.as_bytes()[180..].to_vec()));
    }

    /// The world's tokens, the keys of its edges and what its items hold.
    fn hide_world(&mut self) {
        for name in [
            "rw", "r", "w", "both", "expired", "revoked", "unknown", "other",
        ] {
            let token = &World::get().tokens[name];
            self.hide_token(&format!("the token {name}"), token);
        }
        // EXPOSE: the world's own, which is nobody's.
        self.hide_edge_keys(keys().to_text().expose());
        for secret in [
            "correct horse battery staple",
            "line one\nline two",
            "4111111111111111",
        ] {
            self.secrets
                .push((format!("`{secret}`"), secret.as_bytes().to_vec()));
        }
    }

    fn ask_edge(
        &mut self,
        token: &str,
        attack: &Attack,
        ask: impl FnOnce(Request) -> Option<RawAnswer>,
    ) -> u16 {
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
        for (name, value) in &attack.headers {
            headers.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
            headers.push(((*name).to_owned(), value.clone()));
        }
        let request = Request {
            method: attack.method.to_owned(),
            target: attack.target.clone(),
            headers,
            body: attack.body.clone(),
        };
        let Some(answer) = ask(request) else { return 0 };
        if answer.status >= 400 {
            let place = format!("an edge's {} ({})", answer.status, attack.what);
            self.look(&place, &answer.body);
        }
        answer.status
    }

    /// Reads and refusals, all of them.
    fn ask_all(&mut self, served: &Served, token: &str, attacks: &[Attack]) -> Vec<u16> {
        let one = |attack| {
            self.ask_edge(token, attack, |request| {
                Some(Connection::to(served.addr()).send(&request))
            })
        };
        attacks.iter().map(one).collect()
    }

    fn look_at_edge(&mut self, name: &str, served: &Served) {
        let said = served.said();
        assert!(
            said.contains(" TRACE wasmtime"),
            "{name} is not at level trace"
        );
        let rest: String = said
            .lines()
            .filter(|line| !REQUEST_LINES.iter().any(|own| line.contains(own)))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert!(rest.len() < said.len());
        self.look(name, rest.as_bytes());
    }

    /// The same search finds what is there.
    fn finish(mut self, secret: &str) {
        assert!(self.findings.is_empty(), "{}", summary(&self.findings));
        self.look("here", format!("note: {secret}").as_bytes());
        assert!(!self.findings.is_empty());
    }
}

fn begin() -> Run {
    Run {
        place: Place::new(),
        canaries: Canaries::new(),
        secrets: Vec::new(),
        findings: Vec::new(),
    }
}

fn serve(code: &Path, environment: &[(&str, &str)]) -> Served {
    let arguments = [
        "--allow-precompiled",
        "-S",
        "inherit-env=y",
        "--max-instance-reuse-count",
        "4",
    ];
    Served::start(code, &arguments, &[environment, &[TALKATIVE]].concat())
}

#[test]
fn no_secret_is_told_by_an_edge_with_a_feed_nor_by_its_host() {
    if !can_run("no_secret_is_told_by_an_edge_with_a_feed_nor_by_its_host") {
        return;
    }
    let mut run = begin();
    let server = run
        .place
        .up("up", &["--log-level", "trace", "--feed", "write"]);
    run.hide_operator();
    let (vault, item) = plant_by_cli(&mut run);
    let token = run.place.token("main", &[format!("{vault},rw")]);
    run.hide_token("the main token", &token);
    server.knows(&token, 1, 2);
    let keys = run.place.edge_keys();
    run.hide_edge_keys(&keys);

    let code = compile(&build(&Target::Wasmtime).unwrap(), run.place.dir());
    let mode = Arc::new(AtomicUsize::new(0));
    let (now, secret) = (Arc::clone(&mode), run.canaries.of("feed.junk"));
    let host = server.host().strip_prefix("http://").unwrap();
    let relay = Relay::new(host.parse().unwrap(), move |_, answer| {
        damage(now.load(Ordering::Relaxed), &secret, answer)
    });
    let url = relay.url();
    let told = [
        ("SEKISHO_FEED_URL", url.as_str()),
        ("SEKISHO_WRITE_URL", url.as_str()),
        ("SEKISHO_EDGE_KEYS", keys.as_str()),
    ];
    let served = serve(&code, &told);
    let title = run.canaries.of("cli.title");
    let reads = plant::reads(&vault, &item, &title, None);
    let statuses = run.ask_all(&served, &token, &reads);
    let read = statuses.iter().filter(|status| **status == 200).count();
    assert!(read * 2 > reads.len(), "{statuses:?}");
    let refusals = plant::refusals(&vault, &item, &|name| run.canaries.of(name));
    let statuses = run.ask_all(&served, &token, &refusals);
    assert!(statuses.iter().filter(|status| **status >= 400).count() * 10 > statuses.len() * 9);
    let body = plant::item(&|name| run.canaries.of(&format!("edge.{name}")));
    let write = Attack {
        what: "write",
        method: "POST",
        target: format!("/v1/vaults/{vault}/items"),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    };
    for nth in 1..DAMAGES {
        mode.store(nth, Ordering::Relaxed);
        let few = reads.iter().filter(|read| read.method == "GET").take(17);
        for attack in few.chain([&write]) {
            run.ask_all(&served, &token, std::slice::from_ref(attack));
        }
    }
    mode.store(0, Ordering::Relaxed);
    assert!(run.ask_all(&served, &token, &[write])[0] < 300);
    run.look_at_edge("an edge with a feed", &served);

    // Settings that make no sense are not repeated.
    let wrong = run.canaries.of("setting");
    let address = format!("{wrong}://{wrong}");
    for told in [
        [
            ("SEKISHO_FEED_URL", url.as_str()),
            ("SEKISHO_EDGE_KEYS", wrong.as_str()),
        ],
        [
            ("SEKISHO_FEED_URL", address.as_str()),
            ("SEKISHO_EDGE_KEYS", keys.as_str()),
        ],
        [
            ("SEKISHO_FEED_URL", "http://127.0.0.1:1"),
            ("SEKISHO_EDGE_KEYS", keys.as_str()),
        ],
    ] {
        let served = serve(&code, &told);
        let statuses = run.ask_all(&served, &token, &reads[6..7]);
        assert_eq!(statuses, [503]);
        run.look_at_edge("an edge with a wrong setting", &served);
    }
    drop(served);
    server.stop();
    run.look_at_files();
    run.finish(&keys);
}

#[test]
fn no_secret_is_told_by_a_bundle() {
    if !can_run("no_secret_is_told_by_a_bundle") {
        return;
    }
    let mut run = begin();
    run.hide_world();
    // No more than what its head's date allows, which was long ago: both an edge that serves and one that is too old.
    let set = |max_stale| bake(&MemoryObjects::of_world(), &keys(), Some(max_stale)).unwrap();
    for (max_stale, reads) in [(100 * 366 * 86_400, true), (1, false)] {
        let component = build(&Target::Bundle(set(max_stale))).unwrap();
        let served = serve(&compile(&component, run.place.dir()), &[]);
        let statuses = ask_world(&mut run, |run, token, attack| {
            run.ask_all(&served, token, std::slice::from_ref(attack))[0]
        });
        assert_eq!(statuses[0], 200);
        assert_eq!(statuses[6] == 200, reads, "{statuses:?}");
        run.look_at_edge("a bundle", &served);
    }
    // Nothing of the keys it was proven with is in it.
    let component = build(&Target::Bundle(set(1))).unwrap();
    run.look("the component", &component);
    run.finish("correct horse battery staple");
}

/// Asks for what the world has, with every token it has.
fn ask_world(run: &mut Run, mut ask: impl FnMut(&mut Run, &str, &Attack) -> u16) -> Vec<u16> {
    let world = World::get();
    let (vault, item) = world.items["login"];
    let (vault, item) = (vault.to_string(), item.to_string());
    let token = &world.tokens["rw"];
    let reads = plant::reads(&vault, &item, "Example Login", None);
    let refusals = plant::refusals(&vault, &item, &|name| run.canaries.of(name));
    let mut statuses = Vec::new();
    for attack in reads.iter().chain(&refusals) {
        statuses.push(ask(run, token, attack));
    }
    for token in world.tokens.values() {
        statuses.push(ask(run, token, &reads[16]));
    }
    statuses
}

#[test]
fn no_secret_is_told_by_an_edge_under_spin() {
    let mut run = begin();
    run.hide_world();
    let application = Application::of_world();
    let ask = |application: &Application, request: Request| {
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(&request.target);
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        // What is no request does not get through a runtime.
        application.ask(Part::Edge, built.body(request.body).ok()?)
    };
    let statuses = ask_world(&mut run, |run, token, attack| {
        run.ask_edge(token, attack, |request| ask(&application, request))
    });
    assert_eq!(statuses[6], 200);
    let world = World::get();
    let (vault, item) = world.items["login"];
    let reads = plant::reads(&vault.to_string(), &item.to_string(), "x", None);
    let honest = application.values().clone();
    let junk = run.canaries.of("store.junk");
    for nth in 1..6 {
        for (key, value) in &honest {
            let answer = RawAnswer {
                status: 200,
                headers: Vec::new(),
                body: value.clone(),
            };
            let damaged = damage(nth, &junk, answer).body;
            application.values().insert(key.clone(), damaged);
        }
        for read in &reads {
            let status = run.ask_edge(&world.tokens["rw"], read, |request| {
                ask(&application, request)
            });
            let needs_none = !read.target.starts_with("/v1/");
            assert!(status >= 400 || needs_none, "{status} {}", read.target);
        }
    }
    let wrong = run.canaries.of("variable");
    let misled = Application::new().with_variable("sekisho_edge_keys", &wrong);
    run.ask_edge(&world.tokens["rw"], &reads[6], |request| {
        ask(&misled, request)
    });
    let said = misled.said();
    assert!(String::from_utf8_lossy(&said).contains("sekisho_edge_keys is damaged"));
    run.look("an edge under Spin with a wrong setting", &said);
    run.look("an edge under Spin", &application.said());
    run.finish(&wrong);
}
