//! Accesses are counted once, whatever dies and however long the account is away (invariant 11).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use common::Client;
use stack::{Process, World, eventually, files};

fn read(host: &Process, world: &World, times: usize) {
    let path = world.item_path(&world.items[0]);
    let mut client = Client::connect(host.addr);
    for _ in 0..times {
        assert_eq!(client.get(&path, &world.token).status, 200);
    }
}

fn ready(host: &Process, world: &World) {
    eventually("synchronised", || host.get("/ready", "").status == 200);
    assert_eq!(world.items.len(), 1);
}

#[test]
fn what_was_answered_is_counted_though_the_process_is_killed() {
    let world = World::new(1);
    let mut answered = 0;
    let account = world.serve_account();
    let host = world.host("serve");
    ready(&host, &world);
    read(&host, &world, 10);
    answered += 10;
    eventually("reported", || world.counted() == answered);
    // Cut off, and killed at once after the last answer, time after time.
    drop(account);
    let mut host = host;
    for round in 1..=5 {
        read(&host, &world, round);
        answered += round as u64;
        host.kill();
        host = world.host("serve");
    }
    assert_eq!(world.counted(), 10);
    // Killed also while it sends.
    for _ in 0..3 {
        let account = world.serve_account();
        read(&host, &world, 7);
        answered += 7;
        host.kill();
        drop(account);
        host = world.host("serve");
    }
    let account = world.serve_account();
    eventually("all are counted", || world.counted() == answered);
    // And it stays so: nothing is left to be sent again.
    assert!(host.terminate().success());
    let left = files(&world.data());
    assert!(
        left.iter()
            .all(|file| !file.to_string_lossy().contains("/usage/")),
        "{left:?}"
    );
    assert_eq!(world.counted(), answered);
    drop(account);
}

#[test]
fn what_a_killed_api_left_another_process_sends() {
    let world = World::new(1);
    let account = world.serve_account();
    let sync = world.host("sync");
    let api = world.host("api");
    ready(&api, &world);
    drop(account);
    read(&api, &world, 25);
    api.kill();
    let account = world.serve_account();
    eventually("sync sends what api left", || world.counted() == 25);
    drop((account, sync));
}

#[test]
fn a_short_budget_keeps_every_count() {
    let world = World::new(1);
    let account = world.serve_account();
    let host = world.host_with("serve", |command| {
        command.args(["--usage-limit", "1"]);
    });
    ready(&host, &world);
    read(&host, &world, 1);
    eventually("reported", || world.counted() == 1);
    drop(account);
    // Six thousand reads are more than a megabyte of notes.
    read(&host, &world, 6000);
    let size = || -> u64 {
        let files = files(&world.data());
        let usage = files
            .iter()
            .filter(|file| file.to_string_lossy().contains("/usage/"));
        usage
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .sum()
    };
    eventually("added up", || size() < 1024 * 1024);
    host.kill();
    let account = world.serve_account();
    let host = world.host("serve");
    eventually("every one is counted", || world.counted() == 6001);
    drop((account, host));
}
