//! Without the account, without room on the disk, with anything at all left in the data folder.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use std::{
    fs,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use stack::{Process, World, eventually, files, note};

fn ready(host: &Process) {
    eventually("ready", || host.get("/ready", "").status == 200);
}

#[test]
fn a_start_without_the_account_serves_what_was_held_and_says_how_old_it_is() {
    let world = World::new(3);
    let account = world.serve_account();
    let host = world.host("serve");
    ready(&host);
    drop(account);
    host.kill();
    for engine in ["component", "native"] {
        let host = world.host_with("serve", |command| {
            command.args(["--engine", engine]);
            command.args(["--max-stale", "1h"]);
        });
        let path = world.item_path(&world.items[2]);
        let answer = host.get(&path, &world.token);
        assert_eq!(
            (answer.status, &answer.json()["title"]),
            (200, &"Item 2".into())
        );
        let age: u64 = answer.header("sekisho-age").unwrap().parse().unwrap();
        assert!(age < 600, "{age}");
        let health = host.get("/health", "");
        assert_eq!(health.status, 200);
        let told = health.json()["dependencies"][1]["message"].clone();
        let told = told.as_str().unwrap();
        assert!(
            told.starts_with("Version ") && told.ends_with(" s old"),
            "{told}"
        );
        let metrics = String::from_utf8(host.get("/metrics", "").body).unwrap();
        assert!(metrics.contains("\nsekisho_snapshot_age_seconds "));
        let refused = host.send(
            "POST",
            &world.items_path(),
            &world.token,
            &note(&world.vault, "No"),
        );
        refused.assert_refusal(503);
        assert!(refused.header("retry-after").is_some());
    }
    // What may not be served without contact is not: a clear refusal, and a probe that says so.
    let host = world.host_with("serve", |command| {
        command.args(["--max-stale", "0", "--interval", "1s"]);
    });
    assert_eq!(host.get("/health", "").status, 200);
    eventually("too old", || {
        let answer = host.get("/v1/vaults", &world.token);
        answer.status == 503 && answer.json()["code"] == "stale"
    });
    let account = world.serve_account();
    eventually("in contact again", || {
        host.get("/v1/vaults", &world.token).status == 200
    });
    drop(account);
}

#[test]
fn whatever_lies_in_the_data_folder_it_starts() {
    let world = World::new(5);
    let account = world.serve_account();
    let start = || {
        world.host_with("serve", |command| {
            command.args(["--engine", "component"]);
        })
    };
    let host = start();
    ready(&host);
    host.get(&world.item_path(&world.items[0]), &world.token);
    host.kill();
    let all = files(&world.data());
    assert!(
        all.iter()
            .any(|file| file.to_string_lossy().ends_with("-wal")),
        "{all:?}"
    );
    for spoil in ["garbage", "nothing", "half", "gone"] {
        for file in files(&world.data()) {
            let bytes = fs::read(&file).unwrap();
            match spoil {
                "garbage" => fs::write(&file, [0x5a, 0xa5, b'\n'].repeat(2000)).unwrap(),
                "nothing" => fs::write(&file, "").unwrap(),
                "half" => fs::write(&file, &bytes[..bytes.len() / 2]).unwrap(),
                _ => fs::remove_file(&file).unwrap(),
            }
        }
        let host = start();
        ready(&host);
        for item in &world.items {
            let answer = host.get(&world.item_path(item), &world.token);
            assert_eq!(answer.status, 200, "{spoil}: {answer:?}");
        }
        // Killed at once, so that what it has just begun is left as well.
        host.kill();
    }
    let kept = files(&world.data());
    let aside = kept
        .iter()
        .filter(|file| file.to_string_lossy().contains("damaged"));
    assert!(aside.count() <= 4, "{kept:?}");
    drop(account);
}

/// A disk without room: no file may grow.
#[test]
fn reads_go_on_when_the_disk_is_full_and_writes_are_refused_clearly() {
    let world = World::new(3);
    let account = world.serve_account();
    // The kernel's signal for it would kill: ignored, as it is on a disk that is full.
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "trap '' XFSZ; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_sekisho"),
        ])
        .args(["serve", "--listen", "127.0.0.1:0", "--engine", "native"])
        .env_clear()
        .env("SEKISHO_DATA_DIR", world.data())
        .env("OP_SESSION", world.credentials_file())
        .env("OP_LOG_LEVEL", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let host = Process::start(command);
    ready(&host);
    let id = Pid::from_raw(host.child.id().cast_signed());
    let grow_to = |bytes: Option<u64>| {
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(id, Resource::Fsize, limit).unwrap();
    };
    grow_to(Some(4096));
    let added = world.add_item("Added");
    let path = world.item_path(&added);
    eventually("served all the same", || {
        host.get(&path, &world.token).status == 200
    });
    let write = || {
        host.send(
            "POST",
            &world.items_path(),
            &world.token,
            &note(&world.vault, "New"),
        )
    };
    eventually("refused", || write().status == 503);
    let refused = write();
    refused.assert_refusal(503);
    assert_eq!(refused.json()["code"], "replica_not_written");
    assert!(refused.header("retry-after").is_some());
    let (token, text) = world.issue();
    eventually("issued", || host.get("/v1/vaults", &text).status == 200);
    world.operator.revoke_token(token).unwrap();
    eventually("revoked", || host.get("/v1/vaults", &text).status == 401);
    // Accesses are noted in memory meanwhile.
    let reads = 300;
    for _ in 0..reads {
        assert_eq!(host.get(&path, &world.token).status, 200);
    }
    grow_to(None);
    let room = world.add_item("Room again");
    eventually("written again", || write().status == 200);
    eventually("all are counted", || world.counted() >= reads);
    host.kill();
    drop(account);
    let host = world.host("serve");
    for item in [added, room] {
        let answer = host.get(&world.item_path(&item), &world.token);
        assert_eq!(answer.status, 200, "all of it was written");
    }
}
