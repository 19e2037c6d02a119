//! What clients write through a host.

use sekisho_account::{AccountError, random::SystemRng};
use sekisho_core::{
    id::{FileId, ItemId},
    records::{DeleteRequest, Expect, PutChunkRequest, PutRequest},
    seal::Sealed,
    token::Rights,
};

use crate::setup::{World, now, refused};

#[test]
fn a_write_is_compared_then_swapped() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let id = ItemId::generate(&mut SystemRng);
    let at = |version| world.sealed(vault, id, version, "x");
    host.put(&token, vault, Expect::Absent, at(1)).unwrap();
    let twice = host.put(&token, vault, Expect::Absent, at(1));
    assert!(matches!(
        twice,
        Err(AccountError::Conflict { held: Some(1), .. })
    ));
    host.put(&token, vault, Expect::Version(1), at(2)).unwrap();
    let stale = host.put(&token, vault, Expect::Version(1), at(2));
    assert!(matches!(
        stale,
        Err(AccountError::Conflict { held: Some(2), .. })
    ));
    let leap = host.put(&token, vault, Expect::Version(2), at(9));
    assert!(matches!(leap, Err(AccountError::Invalid(_))));
    host.sync();
    let record = host.snapshot.vault(&vault).unwrap();
    assert_eq!((record.content_version, record.items), (2, 1));
    assert_eq!(host.snapshot.item(&vault, &id).unwrap().version, 2);
}

#[test]
fn a_delete_leaves_a_tombstone_that_stays() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let item = world.item(vault, "x");
    host.sync();
    let delete = |version| {
        let request = DeleteRequest {
            token: token.record.id,
            vault,
            item: item.id,
            version,
        };
        host.account.delete(&host.id(), &request, now())
    };
    assert!(matches!(delete(2), Err(AccountError::Conflict { .. })));
    delete(1).unwrap();
    assert!(matches!(delete(1), Err(AccountError::Missing { .. })));
    let reborn = host.put(&token, vault, Expect::Absent, item.clone());
    assert!(matches!(reborn, Err(AccountError::Conflict { .. })));
    host.sync();
    assert!(host.snapshot.item(&vault, &item.id).is_err());
    assert_eq!(host.snapshot.vault(&vault).unwrap().items, 0);
}

#[test]
fn a_retried_create_meets_what_the_first_one_made() {
    let world = World::new();
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let item = world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x");
    host.put(&token, vault, Expect::Absent, item.clone())
        .unwrap();
    // The id follows from the client's key (ADR 2), so the retry comes with the same one.
    let retried = host.put(&token, vault, Expect::Absent, item);
    assert!(matches!(retried, Err(AccountError::Conflict { .. })));
    assert_eq!(world.owner.items(vault).unwrap().len(), 1);
}

#[test]
fn an_upload_counts_when_a_write_adds_it_and_goes_when_one_drops_it() {
    let world = World::new();
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let id = world.item(vault, "x").id;
    let file = FileId::generate(&mut SystemRng);
    let chunk = PutChunkRequest {
        token: token.record.id,
        vault,
        item: id,
        file,
        index: 0,
        content: Sealed::from_bytes(vec![7; 40]),
    };
    let stage = |now| world.account.put_chunk(&host.id(), &chunk, now);
    let put = |version, added: &[FileId], dropped: &[FileId], now| {
        let request = PutRequest {
            token: token.record.id,
            vault,
            expect: Expect::Version(version - 1),
            item: world.sealed(vault, id, version, "x"),
            added: added.to_vec(),
            dropped: dropped.to_vec(),
        };
        world.account.put(&host.id(), &request, now).unwrap();
    };
    let is_there = || {
        world
            .account
            .chunk(&host.id(), &vault, &id, &file, 0)
            .is_ok()
    };
    let tomorrow = now().plus_seconds(25 * 60 * 60);
    stage(now()).unwrap();
    put(2, &[], &[], tomorrow);
    assert!(!is_there(), "a broken upload goes after a day");
    stage(now()).unwrap();
    let listed = || world.account.files(&host.id(), &vault, &id).unwrap().len();
    assert_eq!(listed(), 0, "an upload that nothing names is no file");
    put(3, &[file], &[], now());
    assert_eq!(listed(), 1);
    put(4, &[], &[], tomorrow);
    assert!(is_there(), "an added one stays");
    put(5, &[], &[file], tomorrow);
    assert!(!is_there());
    let reader = world.token(&host, vault, Rights::READ);
    let request = PutChunkRequest {
        token: reader.record.id,
        ..chunk.clone()
    };
    let refused = world.account.put_chunk(&host.id(), &request, now());
    assert!(matches!(refused, Err(AccountError::TokenRefused { .. })));
}

#[test]
fn only_a_token_in_force_with_the_right_writes() {
    let world = World::new();
    let (vault, other) = (world.vault("A"), world.vault("B"));
    let host = world.environment(&[vault, other]);
    let foreign = world.environment(&[vault]);
    let reader = world.token(&host, vault, Rights::READ);
    let writer = world.token(&host, vault, Rights::WRITE);
    let item = world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x");
    let put = |host: &crate::setup::Host, token, vault| {
        let result = host.put(token, vault, Expect::Absent, item.clone());
        matches!(result, Err(AccountError::TokenRefused { .. }))
    };
    assert!(put(&host, &reader, vault), "may only read");
    assert!(put(&host, &writer, other), "another vault");
    assert!(put(&foreign, &writer, vault), "another server");
    let soon = now().plus_seconds(30);
    let vaults = [(vault, Rights::WRITE)];
    let brief = world
        .owner
        .create_token(host.id(), "brief", &vaults, Some(soon))
        .unwrap();
    let request = PutRequest {
        token: brief.record.id,
        vault,
        expect: Expect::Absent,
        item: item.clone(),
        added: Vec::new(),
        dropped: Vec::new(),
    };
    let late = world.account.put(&host.id(), &request, soon);
    assert!(matches!(late, Err(AccountError::TokenRefused { .. })));
    world.owner.revoke_token(writer.record.id).unwrap();
    assert!(put(&host, &writer, vault), "revoked");
    world.owner.revoke_vault(host.id(), vault).unwrap();
    let outside = world.account.put(&host.id(), &request, now());
    assert!(matches!(
        outside,
        Err(AccountError::OutsideEnvironment { .. })
    ));
    assert!(world.owner.items(vault).unwrap().is_empty());
}

#[test]
fn operators_write_under_the_same_comparison() {
    let world = World::new();
    let vault = world.vault("A");
    let item = world.item(vault, "x");
    let access = world.owner.write_access(vault).unwrap();
    let put = |version, expect| {
        let record = world.sealed(vault, item.id, version, "x");
        world.owner.put_item(&access, record, expect)
    };
    put(7, Expect::Version(1)).unwrap();
    let back = refused(put(6, Expect::Version(7)));
    assert!(matches!(back, AccountError::Invalid(_)));
    let stale = refused(put(8, Expect::Version(1)));
    assert!(matches!(
        stale,
        AccountError::Conflict { held: Some(7), .. }
    ));
    let opened = world.owner.open_item(vault, item.id).unwrap();
    assert_eq!(opened.version, 7);
    world.owner.archive_item(vault, item.id, true).unwrap();
    assert!(world.owner.items(vault).unwrap()[0].archived);
    assert_eq!(world.owner.vault(vault).unwrap().items, 0);
}

#[test]
fn many_writers_lose_nothing() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let put = |account: &sekisho_account::Account| {
        for _ in 0..10 {
            let item = world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x");
            let request = PutRequest {
                token: token.record.id,
                vault,
                expect: Expect::Absent,
                item,
                added: Vec::new(),
                dropped: Vec::new(),
            };
            account.put(&host.id(), &request, now()).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // Each as another process would have it.
            let account = sekisho_account::Account::open(&world.path()).unwrap();
            scope.spawn(move || put(&account));
        }
    });
    host.sync();
    assert_eq!(host.snapshot.item_count(), 40);
    let record = host.snapshot.vault(&vault).unwrap();
    assert_eq!((record.items, record.content_version), (40, 40));
}
