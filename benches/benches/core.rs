//! What the steps of a read cost by themselves, with no server around them.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench: a panic says where; criterion's macro writes what is not documented"
)]

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use sekisho_benches::{
    records::OnSnapshot,
    rng::Reproducible,
    upstream::{Account, ITEM, NOW},
};
use sekisho_core::{
    cache::Snapshot,
    records::Records,
    rest::{Ports, answer},
    seal::Kind,
    sync::Incoming,
    token::RawToken,
};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, Linker},
};

fn read(criterion: &mut Criterion) {
    let account = Account::new(1000, 0);
    let incoming = Incoming::parse(vec![account.page()], &account.trust()).unwrap();
    let empty = Snapshot::default();
    let records = OnSnapshot(empty.apply(&incoming.plan(&empty).unwrap()));
    let item = *account.items.first().unwrap();
    let access = account.access();

    let request = Request::get(account.item_path(0))
        .header("authorization", format!("Bearer {}", account.token))
        .body(Vec::new())
        .unwrap();
    let mut rng = Reproducible(1);
    criterion.bench_function("read an item, all of core", |bencher| {
        bencher.iter(|| {
            let mut ports = Ports {
                records: &records,
                usage: &records,
                now: NOW,
                rng: &mut rng,
            };
            let response = answer(black_box(&request), &mut ports);
            assert_eq!(response.status(), 200);
            response
        });
    });
    let head = records.head().unwrap();
    criterion.bench_function("check a token", |bencher| {
        bencher.iter(|| {
            let raw = RawToken::parse(black_box(&account.token)).unwrap();
            raw.check(&head, &records, NOW).unwrap()
        });
    });
    let details = records.details(&account.vault, &item).unwrap();
    criterion.bench_function("open an item of 1 KB", |bencher| {
        bencher.iter(|| {
            access
                .current()
                .open_part(Kind::Details, black_box(&details))
                .unwrap()
        });
    });
    let plain = vec![b'x'; ITEM];
    criterion.bench_function("seal an item of 1 KB", |bencher| {
        bencher.iter(|| {
            access
                .seal_item(Kind::Details, item, 1, black_box(&plain), &mut rng)
                .unwrap()
        });
    });
}

fn plan(criterion: &mut Criterion) {
    let account = Account::new(10_000, 0);
    let incoming = Incoming::parse(vec![account.page()], &account.trust()).unwrap();
    let empty = Snapshot::default();
    criterion.bench_function("plan and apply 10,000 items", |bencher| {
        bencher.iter_batched(
            || incoming.clone(),
            |incoming| empty.apply(&incoming.plan(&empty).unwrap()),
            BatchSize::LargeInput,
        );
    });
}

/// As the host's pool has it, on imports that trap: what a sandbox costs before it does anything.
fn instance(criterion: &mut Criterion) {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(256 * 1024)
        .table_keep_resident(256 * 1024);
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_binary(&engine, sekisho_edge_artifact::WASM).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let ready = linker.instantiate_pre(&component).unwrap();
    criterion.bench_function("make a sandbox and drop it", |bencher| {
        bencher.iter(|| {
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(u64::MAX / 2);
            ready.instantiate(&mut store).unwrap()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = read, plan, instance
}
criterion_main!(benches);
