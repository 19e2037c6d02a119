//! `sekisho sync` and `sekisho api`: they share a folder and a file, nothing else (connect-contract.md §6.2a).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use stack::{Process, World, eventually, files, note};

fn serves(api: &Process, world: &World, path: &str) -> bool {
    api.get(path, &world.token).status == 200
}

#[test]
fn what_sync_keeps_every_api_serves_in_whatever_order_they_start() {
    let world = World::new(3);
    let path = world.item_path(&world.items[0]);
    // First the readers, without anything to read and without an account.
    let (one, two) = (world.host("api"), world.host("api"));
    assert_eq!(one.get("/health", "").status, 200);
    assert_eq!(one.get("/ready", "").status, 503);
    let sync = world.host("sync");
    let account = world.serve_account();
    for api in [&one, &two] {
        eventually("followed", || serves(api, &world, &path));
    }
    for probe in ["/heartbeat", "/health", "/ready", "/metrics"] {
        assert_eq!(sync.get(probe, "").status, 200, "{probe}");
    }
    sync.get("/v1/vaults", &world.token).assert_refusal(404);

    // A write through one is read by its next read, and soon by the other; it is durable at the account.
    let made = one.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "Made"),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let made = format!("{}/{id}", world.items_path());
    assert!(serves(&one, &world, &made));
    eventually("told", || serves(&two, &world, &made));
    assert!(
        world
            .operator
            .sealed_item(world.vault, id.parse().unwrap())
            .is_ok()
    );

    // Without sync, writes keep their promise all the same; what others do at the account comes when it is back.
    sync.kill();
    let again = one.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "Alone"),
    );
    let alone = format!(
        "{}/{}",
        world.items_path(),
        again.json()["id"].as_str().unwrap()
    );
    assert!(serves(&one, &world, &alone));
    eventually("told by the writer", || serves(&two, &world, &alone));
    let added = world.item_path(&world.add_item("Added"));
    let sync = world.host("sync");
    eventually("sync is back", || serves(&two, &world, &added));

    // A reader that restarts needs neither.
    two.kill();
    drop(account);
    sync.kill();
    let two = world.host("api");
    assert!(serves(&two, &world, &added), "from the folder alone");
    let refused = two.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "No"),
    );
    refused.assert_refusal(503);
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_revocation_passes_through_both_and_a_lost_folder_is_filled_again() {
    let world = World::new(2);
    let _account = world.serve_account();
    let (sync, api) = (world.host("sync"), world.host("api"));
    let path = world.item_path(&world.items[1]);
    eventually("followed", || serves(&api, &world, &path));
    // Somebody empties the folder under both.
    for file in files(&world.data()) {
        fs::remove_file(file).unwrap();
    }
    let (token, text) = world.issue();
    eventually("a new file is followed", || {
        api.get("/v1/vaults", &text).status == 200
    });
    assert!(serves(&api, &world, &path));
    // Or spoils the file.
    let replica = files(&world.data())
        .into_iter()
        .find(|file| file.ends_with("replica.sqlite"))
        .unwrap();
    let length = fs::metadata(&replica).unwrap().len();
    fs::write(&replica, vec![0x5a; length as usize]).unwrap();
    world.operator.revoke_token(token).unwrap();
    eventually("revoked", || api.get("/v1/vaults", &text).status == 401);
    assert!(serves(&api, &world, &path));
    assert!(sync.is_up() && api.is_up());
}

/// The folder is not ours and open to others, the root is read-only, there is no `/tmp` and no variable: as the
/// vendor's chart and compose file have it.
#[test]
fn the_vendors_deployment_fits() {
    let world = World::new(1);
    let _account = world.serve_account();
    let home = world.dir.path().join("home");
    fs::create_dir_all(home.join(".op/data")).unwrap();
    fs::set_permissions(home.join(".op/data"), fs::Permissions::from_mode(0o2777)).unwrap();
    let file = home.join(".op/1password-credentials.json");
    fs::copy(world.credentials_file(), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    // What is left in the folder by the vendor's server stays as it is.
    fs::write(home.join(".op/data/1password.sqlite"), "theirs").unwrap();
    let command = |role: &str| {
        let mut command = world.command(&[role]);
        let port = stack::free_port().to_string();
        command
            .env("HOME", &home)
            .env("TMPDIR", "/nowhere")
            .env("OP_HTTP_PORT", port)
            .env("OP_BUS_PORT", "11220")
            .env("OP_BUS_PEERS", "localhost:11221")
            .env("OP_LOG_LEVEL", "info");
        command.current_dir("/").stderr(std::process::Stdio::null());
        Process::start(command)
    };
    let (api, sync) = (command("api"), command("sync"));
    eventually("followed", || serves(&api, &world, &world.items_path()));
    assert_eq!(sync.get("/health", "").status, 200);
    assert_eq!(
        fs::read(home.join(".op/data/1password.sqlite")).unwrap(),
        b"theirs"
    );
    assert!(api.terminate().success() && sync.terminate().success());
}

#[test]
fn who_may_not_write_the_folder_says_so() {
    let world = World::new(0);
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let data = world.data();
    fs::create_dir(&data).unwrap();
    // A file where the folder should be stops root too.
    fs::write(data.join("sekisho"), "").unwrap();
    for role in ["sync", "api"] {
        let output = world
            .command(&[role, "--listen", "127.0.0.1:0"])
            .env("SEKISHO_DATA_DIR", &data)
            .env("OP_SESSION", world.credentials_file())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said} (root: {is_root})");
        assert!(said.contains("data directory"), "{said}");
    }
}
