//! The edge component as it is made for Spin, over its key-value store: every case byte for byte as core answers, what
//! the publish endpoint takes and refuses, and what a store that lies comes to. Our Spin is made of wasmtime and gives
//! just what the components import; the real one, where `spin` is on PATH, is asked by `edge_publish.rs`.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{collections::BTreeMap, sync::Arc, sync::Mutex, time::Duration};

use sekisho_account::{AccountError, StoredFile, UsageReport};
use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, VaultId},
    key::DeviceSecret,
    published::{EdgeKeys, Pointer},
    seal::Sealed,
};
use sekisho_edge_artifact as artifact;
use sekisho_host::edge::{
    build::{Target, build, check},
    publish::{Contents, PublishError, Publisher, RemoteStore, Store, Terms},
};
use sekisho_tests::{
    cases::{self, RawAnswer},
    native::Native,
    published::{keys, set_of},
    rng::labelled,
    spin::{Application, OverSpin, Part},
    world::{MAX_INLINE, MAX_STALE, NOW, World},
};

#[test]
fn every_case_is_answered_as_core_answers_it() {
    let files = cases::read_all();
    let (spin, core) = (cases::run(&OverSpin, &files), cases::run(&Native, &files));
    let differences = cases::differences(&core, &spin);
    assert!(
        differences.is_empty(),
        "{} answers differ\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    spin.unwrap();
    assert_eq!((spin.ran, spin.skipped), (core.ran, 0));
}

#[test]
fn both_components_ask_for_nothing_that_spin_does_not_give() {
    build(&Target::Spin).unwrap();
    check(artifact::SPIN_PUBLISH_WASM, artifact::RUNTIME_SPIN).unwrap();
    let alone = check(artifact::WASM, artifact::RUNTIME_SPIN).unwrap_err();
    assert!(
        alone.to_string().contains("sekisho:vault/records"),
        "{alone}"
    );
    let elsewhere = check(&build(&Target::Spin).unwrap(), artifact::RUNTIME_WASMTIME).unwrap_err();
    assert!(
        elsewhere.to_string().contains("fermyon:spin/"),
        "{elsewhere}"
    );
}

/// The world's files, and the accesses that were reported.
#[derive(Clone, Default)]
struct Account(Arc<Mutex<Vec<UsageReport>>>);

impl Contents for Account {
    fn files(&self, _: &VaultId, _: &ItemId) -> Result<Vec<StoredFile>, AccountError> {
        Ok(Vec::new())
    }

    fn chunk(
        &self,
        _: &VaultId,
        _: &ItemId,
        file: &FileId,
        _: u32,
    ) -> Result<Sealed, AccountError> {
        panic!("{file} is not asked for")
    }

    fn report(&self, reports: &[UsageReport]) -> Result<(), AccountError> {
        self.0.lock().unwrap().extend_from_slice(reports);
        Ok(())
    }
}

fn publisher(url: &str, keys: EdgeKeys, account: &Account) -> Publisher<RemoteStore> {
    let store = RemoteStore::new(url, None, &keys).unwrap();
    let terms = Terms {
        max_stale: MAX_STALE,
        max_inline: MAX_INLINE,
    };
    Publisher::new(store, Box::new(account.clone()), keys, terms).with_grace(Duration::ZERO)
}

fn get_login(application: &Application) -> RawAnswer {
    let world = World::get();
    let (vault, item) = world.items["login"];
    let request = http::Request::builder()
        .uri(format!("/v1/vaults/{vault}/items/{item}"))
        .header("authorization", format!("Bearer {}", world.tokens["rw"]))
        .body(Vec::new());
    application.ask(Part::Edge, request.unwrap()).unwrap()
}

#[test]
fn what_is_published_is_served_and_what_is_revoked_is_not() {
    let application = Application::new();
    let url = format!("http://{}", application.listen());
    let account = Account::default();
    let world = World::get();
    assert_eq!(
        get_login(&application).status,
        503,
        "nothing is published yet"
    );
    let mut publisher = publisher(&url, keys(), &account);
    let mut publish = |snapshot: &Snapshot| {
        let outcome = publisher
            .publish(snapshot, &world.signing_keys(), NOW)
            .unwrap();
        assert_eq!(publisher.sweep().unwrap(), 0);
        outcome
    };
    let first = publish(&world.snapshot());
    assert_eq!(first.put, first.objects);
    let answer = get_login(&application);
    assert_eq!(answer.status, 200, "{answer:?}");
    let second = publish(&World::get().after_revocation());
    assert!(second.put < 10, "{second:?}");
    assert_eq!(get_login(&application).status, 401);
    let kept = application.values();
    let objects = kept.keys().filter(|key| key.starts_with("sekisho/o/"));
    assert_eq!(objects.count(), second.objects, "what is gone is deleted");
}

#[test]
fn accesses_are_kept_until_the_publisher_takes_them() {
    let application = Application::new();
    let url = format!("http://{}", application.listen());
    let account = Account::default();
    let mut publisher = publisher(&url, keys(), &account);
    let world = World::get();
    publisher
        .publish(&world.snapshot(), &world.signing_keys(), NOW)
        .unwrap();
    for _ in 0..3 {
        assert_eq!(get_login(&application).status, 200);
    }
    assert_eq!(publisher.collect().unwrap(), 3);
    assert_eq!(publisher.collect().unwrap(), 0, "each is taken once");
    let reports = account.0.lock().unwrap();
    let (vault, item) = world.items["login"];
    assert!(
        reports
            .iter()
            .all(|report| (report.event.vault, report.event.item) == (vault, Some(item)))
    );
    let ids: BTreeMap<&str, ()> = reports
        .iter()
        .map(|report| (report.id.as_str(), ()))
        .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn the_endpoint_takes_only_what_the_account_vouches_for() {
    let application = Application::new();
    let url = format!("http://{}", application.listen());
    let account = Account::default();
    let world = World::get();
    let (old, new) = (world.snapshot(), World::get().after_revocation());
    let mut ours = publisher(&url, keys(), &account);
    ours.publish(&new, &world.signing_keys(), NOW).unwrap();
    // Another environment's keys are not let in at all.
    let stranger = EdgeKeys::derive(
        world.trust(),
        &DeviceSecret::generate(&mut labelled("stranger")),
    );
    let refused =
        publisher(&url, stranger.clone(), &account).publish(&new, &world.signing_keys(), NOW);
    assert!(
        matches!(&refused, Err(PublishError::Store(why)) if why.contains("401")),
        "{refused:?}"
    );
    // An older set is refused by the publisher, and by the endpoint when a publisher does not care.
    let refused = publisher(&url, keys(), &account).publish(&old, &world.signing_keys(), NOW);
    assert!(
        matches!(refused, Err(PublishError::Older(_))),
        "{refused:?}"
    );
    let mut store = RemoteStore::new(&url, None, &keys()).unwrap();
    let (pointer, objects) = set_of(&old, &Default::default());
    let objects: Vec<Vec<u8>> = objects.into_values().collect();
    store.put(&objects).unwrap();
    let refused = |store: &mut RemoteStore, pointer: &[u8], word: &str| {
        let error = store.point(pointer).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(
        &mut store,
        &pointer.write(&keys()),
        "an older state is never taken",
    );
    let held = Store::pointer(&mut store).unwrap().unwrap();
    let held = Pointer::read(&held, &keys()).unwrap();
    let mixed = Pointer {
        root: pointer.root,
        ..held
    };
    refused(&mut store, &mixed.write(&keys()), "list of tokens");
    refused(
        &mut store,
        &mixed.write(&stranger),
        "not published with this",
    );
    refused(&mut store, b"junk", "not published with this");
    assert_eq!(get_login(&application).status, 401, "still the newer set");
}

#[test]
fn a_store_that_lies_is_refused() {
    let application = Application::new();
    let url = format!("http://{}", application.listen());
    let world = World::get();
    let mut publisher = publisher(&url, keys(), &Account::default());
    publisher
        .publish(&world.snapshot(), &world.signing_keys(), NOW)
        .unwrap();
    let whole = application.values().clone();
    let mut refusals = 0;
    for (key, value) in &whole {
        for altered in [
            None,
            Some(Vec::new()),
            Some(value.iter().map(|byte| byte ^ 1).collect()),
        ] {
            match altered {
                Some(altered) => drop(application.values().insert(key.clone(), altered)),
                None => drop(application.values().remove(key)),
            }
            let answer = get_login(&application);
            assert!([200, 503].contains(&answer.status), "{key}: {answer:?}");
            refusals += usize::from(answer.status == 503);
            application.values().clone_from(&whole);
        }
    }
    assert!(
        refusals >= 12,
        "{refusals}: the pointer and each level below it"
    );
    let missing = Application::new().with_variable("sekisho_edge_keys", "");
    assert_eq!(get_login(&missing).status, 503, "an edge without keys");
}
