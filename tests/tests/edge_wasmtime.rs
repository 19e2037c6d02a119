//! The edge component under `wasmtime serve`, with records from a host's feed and with records baked in: every case byte
//! for byte as core answers, the vendor's Python SDK, and what an edge must refuse.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use sekisho_core::{
    key::DeviceSecret,
    published::EdgeKeys,
    rest::{Action, Caller, UsageEvent},
};
use sekisho_edge_artifact as artifact;
use sekisho_host::edge::build::{Target, bake, build, compose};
use sekisho_tests::{
    binary::wait,
    cases::{self, Given, RawAnswer, Request, Runtime},
    edge::{Bundled, Fed, ReadOnly, Served, can_run},
    hosted::{Connection, Serving},
    native::Native,
    published::keys,
    relay::Relay,
    rng::labelled,
    sdk,
    world::{NOW, World},
};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn compare(edge: &dyn Runtime, reference: &dyn Runtime) -> cases::Outcome {
    let files = cases::read_all();
    let (edge, reference) = (cases::run(edge, &files), cases::run(reference, &files));
    let differences = cases::differences(&reference, &edge);
    assert!(
        differences.is_empty(),
        "{} answers differ\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    assert_eq!(
        (edge.transcript.len(), edge.ran, edge.failures.len()),
        (
            reference.transcript.len(),
            reference.ran,
            reference.failures.len()
        )
    );
    edge
}

#[test]
fn a_fed_edge_answers_as_core_does() {
    if can_run("a_fed_edge_answers_as_core_does") {
        let outcome = compare(&Fed::new(&[]), &Native);
        outcome.unwrap();
        assert_eq!(outcome.skipped, 0);
    }
}

/// What an instance keeps from one request changes no answer to the next.
#[test]
fn an_instance_that_is_used_again_answers_as_core_does() {
    if can_run("an_instance_that_is_used_again_answers_as_core_does") {
        compare(&Fed::new(&["--max-instance-reuse-count", "1000"]), &Native).unwrap();
    }
}

/// It cannot be written to, nor does it remember who read: so it is compared with core over records of that kind.
#[test]
fn a_bundle_answers_as_core_does_over_records_that_are_only_read() {
    if can_run("a_bundle_answers_as_core_does_over_records_that_are_only_read") {
        let outcome = compare(&Bundled::new(), &ReadOnly);
        let held = outcome.ran - outcome.failures.len();
        assert!(held > 150, "only {held} cases hold without writing");
    }
}

fn get(path: &str, token: &str) -> Request {
    Request {
        method: "GET".into(),
        target: path.into(),
        headers: vec![(
            "authorization".into(),
            format!("Bearer {}", World::get().tokens[token]),
        )],
        body: Vec::new(),
    }
}

fn item() -> String {
    let (vault, item) = World::get().items["login"];
    format!("/v1/vaults/{vault}/items/{item}")
}

#[test]
fn who_has_other_keys_is_told_nothing() {
    if !can_run("who_has_other_keys_is_told_nothing") {
        return;
    }
    let fed = Fed::new(&[]);
    let host = fed.host(&Given::default(), true);
    let url = format!("http://{}", host.addr());
    let device = DeviceSecret::generate(&mut labelled("another device"));
    let others = EdgeKeys::derive(World::get().trust(), &device).to_text();
    // EXPOSE: made here.
    let served = fed.serve(&url, None, others.expose());
    let answer = Connection::to(served.addr()).send(&get(&item(), "rw"));
    assert_eq!(answer.status, 503, "{answer:?}");
    for bearer in ["", "Bearer ", "Bearer x", "Basic x"] {
        let mut request = get("/edge/v1/pointer", "rw");
        request.headers = vec![("authorization".into(), bearer.into())];
        assert_eq!(host.connect().send(&request).status, 401);
    }
    // A client's token is not an edge's.
    assert_eq!(
        host.connect().send(&get("/edge/v1/pointer", "rw")).status,
        401
    );
}

#[test]
fn a_host_that_feeds_nobody_has_no_such_path() {
    let hosted = sekisho_tests::hosted::Hosted::new(sekisho_host::engine::EngineKind::Native);
    let host = hosted.serve(&Given::default(), |_| {});
    let mut request = get("/edge/v1/pointer", "rw");
    // EXPOSE: the world's own.
    request.headers[0].1 = format!("Bearer {}", keys().read_bearer().expose());
    assert_eq!(host.connect().send(&request).status, 404);
}

/// A batch of accesses counts once, and not at all if anything in it makes no sense.
#[test]
fn a_batch_of_accesses_counts_whole_and_once() {
    let hosted = sekisho_tests::hosted::Hosted::new(sekisho_host::engine::EngineKind::Native);
    let host = hosted.serve_as(&Given::default(), |config| {
        config.feed = Some(sekisho_host::edge::FeedConfig {
            keys: keys(),
            writes: false,
        });
    });
    let (vault, item) = World::get().items["login"];
    let event = UsageEvent {
        token: World::get().token_record("rw").id,
        action: Action::Read,
        allowed: true,
        vault,
        item: Some(item),
        item_version: Some(1),
        at: NOW,
        caller: Caller::default(),
    };
    let mut batch = vec![7; 16];
    event.write(&mut batch);
    event.write(&mut batch);
    let send = |body: &[u8]| {
        let mut request = get("/edge/v1/usage", "rw");
        request.method = "POST".into();
        request.body = body.to_vec();
        // EXPOSE: the world's own.
        request.headers[0].1 = format!("Bearer {}", keys().read_bearer().expose());
        let answer = host.connect().send(&request);
        (answer.status, answer.body)
    };
    let total = || {
        let activity = host.connect().send(&get("/v1/activity", "rw"));
        activity.json().unwrap().as_array().unwrap().len()
    };
    let mut no_action = batch.clone();
    no_action[16] = 9;
    let refused = (422, b"refused".to_vec());
    for body in [&batch[..15], &batch[..batch.len() - 1], &no_action] {
        assert_eq!(send(body), refused);
        assert_eq!(total(), 0);
    }
    for _ in 0..2 {
        assert_eq!(send(&batch), (204, Vec::new()));
        assert_eq!(total(), 2);
    }
}

/// Neither a host that only lets edges read nor an edge without a write URL takes a write; both say so alike.
#[test]
fn an_edge_that_only_reads_refuses_writes_plainly() {
    if !can_run("an_edge_that_only_reads_refuses_writes_plainly") {
        return;
    }
    let fed = Fed::new(&[]);
    let mut delete = get(&item(), "rw");
    delete.method = "DELETE".into();
    let wanted = ReadOnly.start(&Given::default()).unwrap().exchange(&delete);
    for (writes, with_url) in [(false, true), (true, false)] {
        let host = fed.host(&Given::default(), writes);
        let url = format!("http://{}", host.addr());
        let text = keys().to_text();
        // EXPOSE: the world's own.
        let served = fed.serve(&url, with_url.then_some(&url), text.expose());
        let refused = Connection::to(served.addr()).send(&delete);
        assert_eq!(
            (refused.status, message(&refused)),
            (wanted.status, message(&wanted))
        );
        let still = Connection::to(served.addr()).send(&get(&item(), "rw"));
        assert_eq!(still.status, 200);
    }
}

/// An edge that is fed over a relay.
fn relayed(
    fed: &Fed,
    meddle: impl Fn(&Request, RawAnswer) -> RawAnswer + Send + Sync + 'static,
) -> (Serving, Relay, Served) {
    let host = fed.host(&Given::default(), false);
    let relay = Relay::new(host.addr(), meddle);
    let text = keys().to_text();
    // EXPOSE: the world's own.
    let served = fed.serve(&relay.url(), None, text.expose());
    (host, relay, served)
}

/// Asks for the item; what was asked of the host until it knew of the access.
fn asked_for_item(served: &Served, relay: &Relay) -> (RawAnswer, Vec<String>) {
    let answer = Connection::to(served.addr()).send(&get(&item(), "rw"));
    let mut asked = relay.asked();
    wait("the access to be told", PATIENCE, || {
        asked.extend(relay.asked());
        let told = asked
            .last()
            .is_some_and(|last| last == "POST /edge/v1/usage");
        told.then_some(())
    });
    asked.pop();
    (answer, asked)
}

fn near() -> String {
    let (vault, item) = World::get().items["login"];
    let token = World::get().token_record("rw").id;
    format!("GET /edge/v1/near/{token}/{vault}/{item}")
}

#[test]
fn an_instance_that_holds_nothing_asks_one_question() {
    if !can_run("an_instance_that_holds_nothing_asks_one_question") {
        return;
    }
    let fed = Fed::new(&[]);
    let (_host, relay, served) = relayed(&fed, |_, answer| answer);
    for _ in 0..2 {
        let (answer, asked) = asked_for_item(&served, &relay);
        assert_eq!((answer.status, asked), (200, vec![near()]));
    }
    let vaults = Connection::to(served.addr()).send(&get("/v1/vaults", "rw"));
    let token = World::get().token_record("rw").id;
    let wanted = vec![format!("GET /edge/v1/near/{token}")];
    assert_eq!((vaults.status, relay.asked()), (200, wanted));
}

#[test]
fn an_instance_that_is_used_again_asks_for_nothing_it_holds() {
    if !can_run("an_instance_that_is_used_again_asks_for_nothing_it_holds") {
        return;
    }
    let fed = Fed::new(&["--max-instance-reuse-count", "1000"]);
    let (_host, relay, served) = relayed(&fed, |_, answer| answer);
    let (answer, asked) = asked_for_item(&served, &relay);
    assert_eq!((answer.status, asked), (200, vec![near()]));
    // Whoever comes before it is through with telling gets another instance, which holds nothing.
    wait("an instance that is used again", PATIENCE, || {
        let (again, asked) = asked_for_item(&served, &relay);
        assert_eq!((again.status, &again.body), (200, &answer.body));
        // Unless half a second went by.
        let only_pointer = asked.iter().all(|line| line == "GET /edge/v1/pointer");
        (asked.len() <= 1 && only_pointer).then_some(())
    });
}

/// An answer that is kept sealed for its bearer (ADR 25) is given again though what it was made of has gone.
#[test]
fn an_instance_that_is_used_again_keeps_answers() {
    /// So few that reading every item once pushes out what one was read from; names of answers take less.
    const CACHE_KB: &str = "16";
    if !can_run("an_instance_that_is_used_again_keeps_answers") {
        return;
    }
    let fed = Fed::new(&["--max-instance-reuse-count", "1000"]);
    let host = fed.host(&Given::default(), false);
    let relay = Relay::new(host.addr(), |_, answer| answer);
    let (url, text) = (relay.url(), keys().to_text());
    let served = fed.serve_with(&[
        ("SEKISHO_FEED_URL", &url),
        // EXPOSE: the world's own.
        ("SEKISHO_EDGE_KEYS", text.expose()),
        ("SEKISHO_EDGE_CACHE_KB", CACHE_KB),
        ("SEKISHO_USAGE_BATCH", "256"),
    ]);
    let mut connection = Connection::to(served.addr());
    let honest = host.connect().send(&get(&item(), "rw"));
    assert_eq!(honest.status, 200);
    let needs_records = |asked: Vec<String>| {
        let is_pointer = |line: &String| line == "GET /edge/v1/pointer";
        !asked.iter().all(is_pointer)
    };
    // Whoever comes before an instance is through with the last request gets another, which holds nothing.
    wait("an answer that was kept", PATIENCE, || {
        for _ in 0..4 {
            let answer = connection.send(&get(&item(), "rw"));
            assert_eq!((answer.status, &answer.body), (200, &honest.body));
        }
        for (vault, item) in World::get().items.values() {
            let path = format!("/v1/vaults/{vault}/items/{item}?once");
            connection.send(&get(&path, "rw"));
        }
        relay.asked();
        let again = connection.send(&get(&item(), "rw"));
        assert_eq!((again.status, &again.body), (200, &honest.body));
        let is_kept = !needs_records(relay.asked());
        // For another bearer nothing is kept, and there is nothing to answer from.
        let others = connection.send(&get(&item(), "r"));
        assert_eq!((others.status, &others.body), (200, &honest.body));
        (is_kept && needs_records(relay.asked())).then_some(())
    });
}

/// A host of an earlier release has no such path.
#[test]
fn a_host_that_knows_only_single_objects_feeds_as_well() {
    if !can_run("a_host_that_knows_only_single_objects_feeds_as_well") {
        return;
    }
    let fed = Fed::new(&[]);
    let (_host, relay, served) = relayed(&fed, |request, answer| {
        if !request.target.starts_with("/edge/v1/near/") {
            return answer;
        }
        RawAnswer {
            status: 404,
            body: br#"{"status":404,"message":"Not found"}"#.to_vec(),
            ..answer
        }
    });
    let (answer, asked) = asked_for_item(&served, &relay);
    assert_eq!(answer.status, 200);
    assert_eq!(asked[..2], [near(), "GET /edge/v1/pointer".to_owned()]);
    let objects = asked[2..].iter();
    assert!(
        objects
            .clone()
            .all(|line| line.starts_with("GET /edge/v1/objects/"))
    );
    assert!(objects.len() >= 4, "{asked:?}");
}

/// Whatever is said at once is proven as single objects are: by names, and the pointer by its MAC.
#[test]
fn what_is_said_at_once_is_not_believed_either() {
    if !can_run("what_is_said_at_once_is_not_believed_either") {
        return;
    }
    /// Of the answer's bytes: where one is flipped, or where it is cut.
    #[derive(Clone, Copy)]
    enum Damage {
        Flip(usize),
        Cut(usize),
    }
    let fed = Fed::new(&[]);
    let honest = {
        let (_host, relay, served) = relayed(&fed, |_, answer| answer);
        asked_for_item(&served, &relay).0
    };
    let pointer = 4 + pointer_length();
    for damage in [
        Damage::Flip(0),
        Damage::Flip(20),
        Damage::Flip(pointer - 1),
        Damage::Flip(pointer),
        Damage::Flip(pointer + 10),
        Damage::Flip(pointer + 300),
        Damage::Cut(0),
        Damage::Cut(3),
        Damage::Cut(pointer),
        Damage::Cut(pointer + 20),
    ] {
        let (_host, relay, served) = relayed(&fed, move |request, mut answer| {
            if request.target.starts_with("/edge/v1/near/") {
                match damage {
                    Damage::Flip(at) => answer.body[at] ^= 1,
                    Damage::Cut(at) => answer.body.truncate(at),
                }
            }
            answer
        });
        let answer = Connection::to(served.addr()).send(&get(&item(), "rw"));
        let asked = relay.asked();
        let (Damage::Flip(at) | Damage::Cut(at)) = damage;
        if at < pointer {
            assert_eq!(answer.status, 503, "{at}");
        } else {
            // What lacks is fetched by its name.
            assert_eq!((answer.status, &answer.body), (200, &honest.body), "{at}");
            assert!(asked.len() > 1, "{at}: {asked:?}");
        }
    }
}

fn pointer_length() -> usize {
    let store = sekisho_tests::published::MemoryObjects::of_world();
    let pointer = store.stored().pointer.clone();
    pointer.unwrap().len()
}

fn message(answer: &RawAnswer) -> Option<String> {
    Some(answer.json()?["message"].as_str()?.to_owned())
}

#[test]
fn an_edge_that_is_told_nothing_says_what_is_missing() {
    if !can_run("an_edge_that_is_told_nothing_says_what_is_missing") {
        return;
    }
    let fed = Fed::new(&[]);
    let served = fed.serve_with(&[]);
    let answer = Connection::to(served.addr()).send(&get(&item(), "rw"));
    assert_eq!(answer.status, 503);
    wait("the guest's own word", PATIENCE, || {
        served
            .said()
            .contains("SEKISHO_FEED_URL is not set")
            .then_some(())
    });
}

/// The whole way of a user: the binary builds the component, the host feeds it, the SDK reads and writes through it.
#[test]
fn the_python_sdk_through_an_edge() {
    if !can_run("the_python_sdk_through_an_edge") {
        return;
    }
    let python = match sdk::python() {
        Ok(python) => python,
        Err(why) => return sdk::skip("the_python_sdk_through_an_edge", why),
    };
    let (place, server, told) = sdk::prepare("native", &["--feed", "write"]);
    let out = place.dir().join("edge.wasm");
    let built = place.run(&[
        "edge",
        "build",
        "--runtime",
        "wasmtime",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(built["file"], out.to_str().unwrap());
    let served = edge(&out, server.host(), &place.edge_keys());
    let mut story = Command::new(python);
    story
        .arg("-B")
        .arg(sdk::folder("python").join("story.py"))
        .env("PYTHONUTF8", "1");
    told.tell(
        "wasmtime serve",
        &format!("http://{}", served.addr()),
        &mut story,
    );
}

fn edge(component: &Path, host: &str, keys: &str) -> Served {
    let environment = [
        ("SEKISHO_FEED_URL", host),
        ("SEKISHO_WRITE_URL", host),
        ("SEKISHO_EDGE_KEYS", keys),
    ];
    let reuse = ["--max-instance-reuse-count", "1000"];
    Served::start(component, &reuse, &environment)
}

#[test]
fn a_revoked_token_is_refused_at_an_edge_at_once() {
    if !can_run("a_revoked_token_is_refused_at_an_edge_at_once") {
        return;
    }
    let (place, server, told) = sdk::prepare("native", &["--feed", "read"]);
    let out = place.dir().join("edge.wasm");
    std::fs::write(&out, build(&Target::Wasmtime).unwrap()).unwrap();
    let served = edge(&out, server.host(), &place.edge_keys());
    let ask = |target: &str| {
        let request = Request {
            method: "GET".into(),
            target: target.into(),
            headers: vec![("authorization".into(), format!("Bearer {}", told.reader()))],
            body: Vec::new(),
        };
        Connection::to(served.addr()).send(&request)
    };
    let first_id = |target: &str| {
        let list = ask(target).json().unwrap();
        list[0]["id"].as_str().unwrap().to_owned()
    };
    let vault = first_id("/v1/vaults");
    let items = format!("/v1/vaults/{vault}/items");
    let item = first_id(&items);
    let target = format!("{items}/{item}");
    // Often enough that instances have kept it, before and after it changes.
    let read = || {
        for _ in 0..20 {
            assert_eq!(ask(&target).status, 200);
        }
    };
    read();
    place.run(&[
        "item", "edit", &item, "--vault", &vault, "--title", "Renamed",
    ]);
    wait("the new title", PATIENCE, || {
        let title = ask(&target).json()?["title"].clone();
        (title == "Renamed").then_some(())
    });
    read();
    place.run(&[
        "connect", "token", "delete", "reader", "--server", "default",
    ]);
    let began = Instant::now();
    wait("the revocation", Duration::from_secs(60), || {
        (ask("/v1/vaults").status == 401).then_some(())
    });
    // Instances look at the pointer each for itself, half a second after they last did.
    wait("every instance to know", PATIENCE, || {
        let refused = (0..20).all(|_| ask(&target).status == 401);
        refused.then_some(())
    });
    // The time is told and not judged: that is for the benches.
    eprintln!("refused {:?} after the account's answer", began.elapsed());
}

/// A set that another Connect server published is not baked, nor one that lacks anything.
#[test]
fn only_a_whole_set_of_ones_own_is_baked() {
    let store = sekisho_tests::published::MemoryObjects::of_world();
    let device = DeviceSecret::generate(&mut labelled("another device"));
    let others = EdgeKeys::derive(World::get().trust(), &device);
    assert!(bake(&store, &others, None).is_err());
    let set = bake(&store, &keys(), Some(60)).unwrap();
    let plug = compose(artifact::PLUG_FEED_WASM, artifact::FROZEN_WASM);
    assert!(plug.is_ok(), "the clock of the cases fits a plug as well");
    assert!(build(&Target::Bundle(set)).is_ok());
    let names: Vec<_> = store.stored().objects.keys().copied().collect();
    for name in names {
        let damaged = store.copy();
        damaged.stored().objects.remove(&name);
        assert!(bake(&damaged, &keys(), None).is_err(), "{name} is missing");
        damaged
            .stored()
            .objects
            .insert(name, b"something else".to_vec());
        assert!(bake(&damaged, &keys(), None).is_err(), "{name} is another");
    }
}
