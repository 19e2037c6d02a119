//! Nothing readable reaches the disk (invariant 3), and what does is private.

use sekisho_account::{operator::NewFile, random::SystemRng};
use sekisho_core::{
    id::FileId,
    key::OperatorKey,
    records::{Expect, VaultType},
    token::Rights,
};

use crate::setup::{World, now};

const CANARY: &str = "canary-7f3a9c";

#[test]
fn a_planted_canary_is_in_no_byte_of_the_files() {
    let world = World::new();
    let vault = world
        .owner
        .create_vault(CANARY, CANARY, VaultType::UserCreated, None)
        .unwrap();
    let item = world.item(vault, CANARY);
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let next = world.sealed(vault, item.id, 2, CANARY);
    host.put(&token, vault, Expect::Version(1), next).unwrap();
    let file = NewFile {
        id: FileId::generate(&mut SystemRng),
        name: CANARY.into(),
        section: None,
        size: CANARY.len() as u64,
    };
    world
        .owner
        .put_file(vault, item.id, file, &mut CANARY.as_bytes())
        .unwrap();
    host.sync();
    let token_secret = token.text.expose().split('.').nth(1).unwrap();
    let device = host.credentials.device().to_text();
    let mut files = 0;
    for entry in std::fs::read_dir(world.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for needle in [CANARY, "hunter2", token_secret, device.expose()] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!found, "{}", path.display());
        }
        files += 1;
    }
    assert!(files >= 2, "the write-ahead log was there to be looked at");
}

#[test]
#[cfg(unix)]
fn files_are_private_and_the_folder_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let key = OperatorKey::generate(&mut SystemRng);
    let owner = crate::setup::new_user("x", &key);
    let path = dir.path().join("account.sqlite");
    let account =
        sekisho_account::Account::init(&path, "x", &owner, now(), &mut SystemRng).unwrap();
    assert_eq!(mode(dir.path()), 0o755);
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    drop(account);
}
