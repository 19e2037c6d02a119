//! `sekisho serve` against an account in another process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use std::fs;

use stack::{World, eventually, note};

#[test]
fn what_is_at_the_account_is_served_and_what_is_written_is_at_the_account() {
    let world = World::new(3);
    let account = world.serve_account();
    let host = world.host("serve");
    eventually("synchronised", || {
        host.get("/v1/vaults", &world.token).status == 200
    });
    let item = world.items[0];
    let answer = host.get(&world.item_path(&item), &world.token);
    assert_eq!(answer.json()["title"], "Item 0");

    // An operator's change arrives by itself.
    let added = world.add_item("Added");
    eventually("pushed", || {
        host.get(&world.item_path(&added), &world.token).status == 200
    });

    // A client's write is read by the next read, and is the account's.
    let made = host.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "Made"),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{id}", world.items_path());
    assert_eq!(host.get(&path, &world.token).json()["title"], "Made");
    let held = world.operator.sealed_item(world.vault, id.parse().unwrap());
    assert_eq!(held.unwrap().version, 1);

    // A revocation too.
    world.operator.revoke_token(world.token_id).unwrap();
    eventually("revoked", || {
        host.get("/v1/vaults", &world.token).status == 401
    });
    assert!(host.terminate().success());
    drop(account);
}

#[test]
fn it_says_what_is_missing_and_how_to_get_it() {
    let world = World::new(0);
    let fails = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("HOME", world.dir.path());
        change(&mut command);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = fails(&|_| {});
    assert!(said.contains("there are no credentials"), "{said}");
    let unaddressed = world.dir.path().join("unaddressed.json");
    let (_, credentials) = world.operator.create_environment("x", &[]).unwrap();
    credentials.write(&unaddressed, false).unwrap();
    let said = fails(&|command| {
        command.env("OP_SESSION", &unaddressed);
    });
    assert!(said.contains("SEKISHO_ACCOUNT_URL"), "{said}");

    // Where the vendor's containers have it, and with nothing else in the environment.
    fs::create_dir(world.dir.path().join(".op")).unwrap();
    fs::copy(
        world.credentials_file(),
        world.dir.path().join(".op/1password-credentials.json"),
    )
    .unwrap();
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("HOME", world.dir.path());
    let host = stack::Process::start(command);
    assert_eq!(host.get("/heartbeat", "").body, b".");
    assert_eq!(host.get("/health", "").status, 200);
    let data = stack::files(&world.dir.path().join(".op/data/sekisho"));
    assert!(data.iter().any(|path| path.ends_with("replica.sqlite")));
}
