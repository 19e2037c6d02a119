//! What clients write through a host.

use sekisho_account::{AccountError, random::SystemRng};
use sekisho_core::{
    id::ItemId,
    records::{DeleteRequest, Expect},
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
    host.put(&token, vault, Expect::Absent, at(1), b"").unwrap();
    let twice = host.put(&token, vault, Expect::Absent, at(1), b"");
    assert!(matches!(
        twice,
        Err(AccountError::Conflict { held: Some(1), .. })
    ));
    host.put(&token, vault, Expect::Version(1), at(2), b"")
        .unwrap();
    let stale = host.put(&token, vault, Expect::Version(1), at(2), b"");
    assert!(matches!(
        stale,
        Err(AccountError::Conflict { held: Some(2), .. })
    ));
    let leap = host.put(&token, vault, Expect::Version(2), at(9), b"");
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
    let reborn = host.put(&token, vault, Expect::Absent, item.clone(), b"");
    assert!(matches!(reborn, Err(AccountError::Conflict { .. })));
    host.sync();
    assert!(host.snapshot.item(&vault, &item.id).is_err());
    assert_eq!(host.snapshot.vault(&vault).unwrap().items, 0);
}

#[test]
fn the_same_create_twice_is_once() {
    let world = World::new();
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let make = || world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x");
    let (first, other) = (make(), make());
    let put = |item: &sekisho_core::records::ItemRecord| {
        host.put(&token, vault, Expect::Absent, item.clone(), b"key")
    };
    put(&first).unwrap();
    put(&first).unwrap();
    assert!(matches!(put(&other), Err(AccountError::Conflict { .. })));
    assert_eq!(world.owner.items(vault).unwrap().len(), 1);
    assert_eq!(world.owner.vault(vault).unwrap().content_version, 1);
    world.owner.delete_item(vault, first.id, None).unwrap();
    assert!(matches!(put(&first), Err(AccountError::Missing { .. })));
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
        let result = host.put(token, vault, Expect::Absent, item.clone(), b"");
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
    let request = sekisho_core::records::PutRequest {
        token: brief.record.id,
        vault,
        expect: Expect::Absent,
        item: item.clone(),
        idempotency: Vec::new(),
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
            let request = sekisho_core::records::PutRequest {
                token: token.record.id,
                vault,
                expect: Expect::Absent,
                item,
                idempotency: Vec::new(),
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
