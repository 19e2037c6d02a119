//! A store that lies: every object and the pointer swapped, stale, cut, forged or missing. Whatever it does, each
//! request gets the honest answer or a refusal, never another vault's data and never what an old token opened.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::collections::BTreeMap;

use sekisho_core::{
    cache::Snapshot,
    id::EnvironmentId,
    key::{DeviceSecret, SigningKey},
    published::{AcceptError, Digest, EdgeKeys, Files, Pointer, Published, accept, lay_out},
    records::{Fault, Records},
    secret::SecretBytes,
    sync::{Plan, SignedHead, Step, SyncError, Trust, token_list_digest},
    time::Timestamp,
    token::RawToken,
};
use sekisho_tests::{
    cases::{RawAnswer, Request},
    memory::{Chunks, MemoryRecords},
    native::{Notes, http_request, try_answer_over},
    published::{MemoryObjects, keys, pointer_to, set_of},
    rng::labelled,
    world::{MAX_STALE, NOW, World},
};

/// Requests that together touch every kind of object.
fn requests() -> Vec<Request> {
    let world = World::get();
    let vault = |name: &str| world.vaults[name].id;
    let item = |name: &str| world.items[name].1;
    let (demo, ops) = (vault("demo"), vault("ops"));
    let document = item("document");
    let file = world.files["text"];
    let paths = [
        "/v1/vaults".to_owned(),
        format!("/v1/vaults/{demo}"),
        format!("/v1/vaults/{demo}/items"),
        format!("/v1/vaults/{demo}/items?filter=title%20eq%20%22Example%20Login%22"),
        format!("/v1/vaults/{demo}/items/{}", item("login")),
        format!("/v1/vaults/{ops}/items/{}", item("ops-note")),
        format!("/v1/vaults/{demo}/items/{document}/files"),
        format!("/v1/vaults/{demo}/items/{document}/files/{file}/content"),
        format!(
            "/v1/vaults/{demo}/items/{}",
            world.absent::<sekisho_core::id::ItemId>()
        ),
    ];
    let reads = paths.iter().map(|path| get(path, "rw"));
    let revoked = get(
        &format!("/v1/vaults/{demo}/items/{}", item("login")),
        "revoked",
    );
    reads.chain([revoked]).collect()
}

fn get(path: &str, token: &str) -> Request {
    Request {
        method: "GET".into(),
        target: path.into(),
        headers: vec![
            (
                "authorization".into(),
                format!("Bearer {}", World::get().tokens[token]),
            ),
            ("x-request-id".into(), "tampering".into()),
        ],
        body: Vec::new(),
    }
}

fn ask(store: &MemoryObjects, request: &Request) -> RawAnswer {
    ask_at(store, request, NOW)
}

fn ask_at(store: &MemoryObjects, request: &Request, now: Timestamp) -> RawAnswer {
    let keys = keys();
    let records = Published::new(store, &keys);
    let request = http_request(request);
    let (usage, rng) = (Notes::default(), &mut labelled("tampering"));
    // A body that breaks off is how a refusal looks once the head was sent.
    try_answer_over(&records, &usage, now, rng, &request).unwrap_or_else(|_| refusal())
}

fn refusal() -> RawAnswer {
    RawAnswer {
        status: 503,
        headers: Vec::new(),
        body: br#"{"status":503,"message":"broken off"}"#.to_vec(),
    }
}

/// Whether it is a refusal in the contract's shape.
fn refuses(answer: &RawAnswer) -> bool {
    let body = answer.json().unwrap_or_default();
    matches!(answer.status, 500 | 503)
        && body["status"] == answer.status
        && body["message"].is_string()
}

/// Asks everything; how many answers were refusals.
fn check(store: &MemoryObjects, honest: &[(Request, RawAnswer)], what: &str) -> usize {
    let mut refused = 0;
    for (request, wanted) in honest {
        let answer = ask(store, request);
        if refuses(&answer) {
            refused += 1;
        } else {
            assert_eq!(answer, *wanted, "{what}: {}", request.target);
        }
    }
    refused
}

fn honest(store: &MemoryObjects) -> Vec<(Request, RawAnswer)> {
    let answers: Vec<_> = requests()
        .into_iter()
        .map(|request| {
            let answer = ask(store, &request);
            (request, answer)
        })
        .collect();
    let statuses: Vec<u16> = answers.iter().map(|(_, answer)| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 404, 401]);
    answers
}

/// What was asked for while `requests` ran.
fn touched(store: &MemoryObjects) -> Vec<Digest> {
    let all: Vec<Digest> = store.stored().objects.keys().copied().collect();
    let wanted = honest(store);
    all.into_iter()
        .filter(|name| {
            let broken = store.copy();
            broken.stored().objects.remove(name);
            check(&broken, &wanted, "missing") > 0
        })
        .collect()
}

#[test]
fn an_object_that_is_missing_or_altered_is_refused() {
    let store = MemoryObjects::of_world();
    let honest = honest(&store);
    let touched = touched(&store);
    assert!(
        touched.len() > 10,
        "the requests touch enough: {}",
        touched.len()
    );
    for name in touched {
        let bytes = store.stored().objects[&name].clone();
        let mut flipped = bytes.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let alterations = [
            ("flipped", flipped),
            ("cut", bytes[..bytes.len() - 1].to_vec()),
            ("empty", Vec::new()),
            ("longer", [bytes.as_slice(), &[0]].concat()),
        ];
        for (what, altered) in alterations {
            let broken = store.copy();
            broken.stored().objects.insert(name, altered);
            assert!(
                check(&broken, &honest, what) > 0,
                "{what}: {name} is noticed"
            );
        }
    }
}

#[test]
fn an_object_in_another_ones_place_is_refused() {
    let store = MemoryObjects::of_world();
    let honest = honest(&store);
    let names = touched(&store);
    for (one, other) in names.iter().zip(names.iter().cycle().skip(1)) {
        let swapped = store.copy();
        let mut stored = swapped.stored();
        let (a, b) = (stored.objects[one].clone(), stored.objects[other].clone());
        stored.objects.insert(*one, b);
        stored.objects.insert(*other, a);
        drop(stored);
        assert!(check(&swapped, &honest, "swapped") > 0);
    }
}

#[test]
fn a_pointer_is_the_publishers_or_nothing() {
    let store = MemoryObjects::of_world();
    let honest = honest(&store);
    let bytes = store.stored().pointer.clone().unwrap();
    let with = |pointer: Option<Vec<u8>>| {
        let meddled = store.copy();
        meddled.stored().pointer = pointer;
        meddled
    };
    let refused_all = |pointer, what: &str| {
        assert_eq!(check(&with(pointer), &honest, what), honest.len(), "{what}");
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        assert_eq!(
            Pointer::read(&flipped, &keys()),
            Err(Fault::Unavailable),
            "byte {at}"
        );
        let cut = Pointer::read(&bytes[..at], &keys());
        assert_eq!(cut, Err(Fault::Unavailable), "cut at {at}");
    }
    refused_all(None, "missing");
    refused_all(Some(Vec::new()), "empty");
    refused_all(Some(bytes[1..].to_vec()), "cut");
    let pointer = Pointer::read(&bytes, &keys()).unwrap();
    let thief = EdgeKeys::derive(
        World::get().trust(),
        &DeviceSecret::generate(&mut labelled("another device")),
    );
    refused_all(Some(pointer.write(&thief)), "another device's");
    let mut elsewhere = pointer.clone();
    elsewhere.head.environment = EnvironmentId::generate(&mut labelled("elsewhere"));
    refused_all(Some(elsewhere.write(&keys())), "another environment's");
    let mut nowhere = pointer;
    nowhere.root = Digest::of(b"nothing");
    refused_all(Some(nowhere.write(&keys())), "to a root that is not there");
}

fn chunks() -> Chunks {
    MemoryRecords::new(World::get(), NOW).chunks()
}

#[test]
fn an_old_tokens_record_does_not_come_back() {
    let old = MemoryObjects::of_world();
    let new = MemoryObjects::of(&World::get().after_revocation(), &chunks());
    let (login, _) = honest(&old).into_iter().nth(4).unwrap();
    let refused = ask(&new, &login);
    assert_eq!(refused.status, 401);
    // Every object of the new set replaced by every one of the old set in turn: the record cannot be put back.
    let vanished: BTreeMap<Digest, Vec<u8>> = old
        .stored()
        .objects
        .iter()
        .filter(|(name, _)| !new.stored().objects.contains_key(name))
        .map(|(name, bytes)| (*name, bytes.clone()))
        .collect();
    assert!(!vanished.is_empty());
    let names: Vec<Digest> = new.stored().objects.keys().copied().collect();
    for bytes in vanished.values() {
        for name in &names {
            let mixed = new.copy();
            mixed.stored().objects.insert(*name, bytes.clone());
            let answer = ask(&mixed, &login);
            assert!(answer.status == 401 || refuses(&answer), "{answer:?}");
        }
    }
    // The old set whole is older, for who saw the new one; and for who did not, it ends with its age.
    let keys = keys();
    let store = new.copy();
    let mut back = Published::new(&store, &keys);
    back.head().unwrap();
    *store.stored() = old.stored().clone();
    back.renew();
    assert_eq!(back.head(), Err(Fault::Unavailable));
    let id = RawToken::parse(&World::get().tokens["rw"]).unwrap().id();
    assert_eq!(back.token(&id), Err(Fault::Unavailable));
    let late = Timestamp::from_seconds(NOW.seconds() + MAX_STALE + 1);
    let answer = ask_at(&old, &login, late);
    assert!(refuses(&answer), "{answer:?}");
}

#[test]
fn who_takes_a_pointer_in_checks_what_the_account_signed() {
    let world = World::get();
    let store = MemoryObjects::of(&World::get().after_revocation(), &chunks());
    let bytes = store.stored().pointer.clone().unwrap();
    let held = accept(&bytes, None, &store, &keys()).unwrap();
    let offer = |pointer: &Pointer, held: Option<&Pointer>| {
        accept(&pointer.write(&keys()), held, &store, &keys()).unwrap_err()
    };
    let (older, objects) = set_of(&world.snapshot(), &chunks());
    store.stored().objects.extend(objects);
    assert_eq!(
        offer(&older, Some(&held)),
        AcceptError::Head(SyncError::OlderHead {
            offered: 1,
            held: 2
        })
    );
    // The old list of tokens under the new head: the record of a revoked token would be good again.
    let mixed = Pointer {
        root: older.root,
        ..held.clone()
    };
    assert_eq!(offer(&mixed, None), AcceptError::Head(SyncError::TokenList));
    let thief = SigningKey::derive(&SecretBytes::generate(&mut labelled("thief")), b"test");
    let tokens = token_list_digest(world.snapshot().tokens());
    let forged = SignedHead::sign(world.account, world.environment, 9, NOW, tokens, &thief);
    let forged = pointer_to(older.root, &forged);
    assert_eq!(
        offer(&forged, Some(&held)),
        AcceptError::Head(SyncError::ForgedHead)
    );
    let other = EdgeKeys::derive(
        Trust { ..world.trust() },
        &DeviceSecret::generate(&mut labelled("another device")),
    );
    assert_eq!(
        accept(&held.write(&other), None, &store, &keys()),
        Err(AcceptError::NotOurs)
    );
    let nowhere = Pointer {
        root: Digest::of(b"nothing"),
        ..held
    };
    assert_eq!(offer(&nowhere, None), AcceptError::Incomplete);
}

/// Even with the publisher's keys: who has no vault key can mix what is sealed, and it does not open.
#[test]
fn a_publisher_without_tokens_cannot_move_an_item() {
    let world = World::get();
    let snapshot = world.snapshot();
    let ops = world.vaults["ops"].id;
    let (demo, login) = world.record("login");
    let (_, note) = world.record("ops-note");
    let moves = [
        // Another vault's item under its own id, and in the place of one that is asked for.
        (ops, login.clone()),
        (
            demo,
            sekisho_core::records::ItemRecord {
                id: login.id,
                ..note
            },
        ),
        (
            demo,
            sekisho_core::records::ItemRecord {
                version: login.version + 1,
                ..login
            },
        ),
    ];
    for (vault, item) in moves {
        let id = item.id;
        let step = Step::PutItem(vault, item.into());
        let plan = Plan::restore(vec![step], snapshot.head().unwrap().clone(), String::new());
        let mut moved = snapshot.clone();
        moved.apply_in_place(&plan);
        let store = MemoryObjects::of(&moved, &chunks());
        let answer = ask(
            &store,
            &get(&format!("/v1/vaults/{vault}/items/{id}"), "rw"),
        );
        assert!(refuses(&answer), "{answer:?}");
    }
}

#[test]
fn a_set_grows_in_proportion_to_the_change() {
    let (_, before) = set_of(&World::get().snapshot(), &chunks());
    let (_, after) = set_of(&World::get().after_revocation(), &chunks());
    let new = after
        .keys()
        .filter(|name| !before.contains_key(name))
        .count();
    let depth_of_a_small_tree = 3;
    assert!(
        new <= 1 + depth_of_a_small_tree,
        "{new} new objects for one token"
    );
    assert!(before.len() > 20);
}

#[test]
fn equal_snapshots_are_equal_sets() {
    let emit = |_: Digest, _: &[u8]| Ok::<(), std::convert::Infallible>(());
    let lay = |snapshot: &Snapshot| {
        let Ok(layout) = lay_out(snapshot, &World::get().signing_keys(), &Files::new(), emit);
        layout
    };
    let snapshot = World::get().snapshot();
    assert_eq!(lay(&snapshot), lay(&snapshot.clone()));
    assert_ne!(
        lay(&snapshot).root,
        lay(&World::get().after_revocation()).root
    );
}
