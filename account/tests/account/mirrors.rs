//! Batches of an operator's writes, and vaults whose counters are another account's.

use sekisho_account::{
    AccountError, OperatorError, Request,
    protocol::{MAX_BATCH, SettledItem, UpstreamVault},
    random::SystemRng,
};
use sekisho_core::{
    id::{ItemId, VaultId},
    records::{Expect, ItemRecord},
    seal::Sealed,
    time::Timestamp,
    vault::VaultAttributes,
};

use crate::setup::{World, refused};

fn fresh(world: &World, vault: VaultId, title: &str) -> SettledItem {
    SettledItem {
        expect: Expect::Absent,
        item: world.sealed(vault, ItemId::generate(&mut SystemRng), 1, title),
    }
}

fn put(
    world: &World,
    vault: VaultId,
    items: Vec<SettledItem>,
    gone: &[ItemId],
) -> Result<(), OperatorError> {
    let access = world.owner.write_access(vault).unwrap();
    world.owner.put_items(&access, items, gone.to_vec())
}

fn mirror(world: &World, vault: VaultId, upstream: Option<(u64, u64)>) {
    let upstream = upstream.map(|(content_version, updated)| UpstreamVault {
        content_version,
        created_at: Some(Timestamp::from_seconds(1_000)),
        updated_at: Some(Timestamp::from_seconds(updated)),
    });
    let request = Request::MirrorVault {
        vault,
        writes: true,
        upstream,
    };
    world.execute(request).unwrap();
}

fn content_version(world: &World, vault: VaultId) -> u64 {
    world.owner.vault(vault).unwrap().content_version
}

#[test]
fn a_batch_is_one_change_with_a_row_of_the_audit_for_each_item() {
    let world = World::new();
    let vault = world.vault("A");
    let (old, stays) = (world.item(vault, "old"), world.item(vault, "stays"));
    let before = content_version(&world, vault);
    let items: Vec<_> = (0..3)
        .map(|n| fresh(&world, vault, &n.to_string()))
        .collect();
    let made: Vec<ItemId> = items.iter().map(|settled| settled.item.id).collect();
    let nobody = ItemId::generate(&mut SystemRng);
    put(&world, vault, items, &[old.id, nobody]).unwrap();
    let held = world.owner.vault(vault).unwrap();
    assert_eq!((held.items, held.content_version), (4, before + 1));
    let listed = world.owner.items(vault).unwrap();
    let mut ids: Vec<ItemId> = listed.iter().map(|item| item.id).collect();
    let mut wanted = [made.as_slice(), &[stays.id]].concat();
    ids.sort();
    wanted.sort();
    assert_eq!(ids, wanted);
    let db = rusqlite::Connection::open(world.path()).unwrap();
    let mut statement = db
        .prepare("SELECT what, objects, seq FROM audit ORDER BY number DESC LIMIT 5")
        .unwrap();
    let rows: Vec<(String, String, i64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for item in made {
        let row = ("item.put".to_owned(), format!("{vault} {item}"), rows[0].2);
        assert!(rows.contains(&row), "{rows:?}");
    }
    let deleted = (
        "item.delete".to_owned(),
        format!("{vault} {}", old.id),
        rows[0].2,
    );
    assert!(rows.contains(&deleted), "{rows:?}");
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let world = World::new();
    let vault = world.vault("A");
    let held = world.item(vault, "x");
    let before = content_version(&world, vault);
    let again = SettledItem {
        expect: Expect::Absent,
        item: world.sealed(vault, held.id, 2, "x"),
    };
    let items = vec![fresh(&world, vault, "y"), again];
    let conflict = refused(put(&world, vault, items, &[held.id]));
    assert!(
        matches!(&conflict, AccountError::Conflict { id, held: Some(1), .. } if *id == held.id.to_string()),
        "{conflict}"
    );
    assert_eq!(world.owner.items(vault).unwrap().len(), 1);
    assert_eq!(content_version(&world, vault), before);
}

#[test]
fn a_batch_has_bounds() {
    let world = World::new();
    let vault = world.vault("A");
    let none = refused(put(&world, vault, Vec::new(), &[]));
    assert!(matches!(none, AccountError::Invalid(_)), "{none}");
    let ids: Vec<ItemId> = (0..=MAX_BATCH)
        .map(|_| ItemId::generate(&mut SystemRng))
        .collect();
    let many = refused(put(&world, vault, Vec::new(), &ids));
    assert!(matches!(many, AccountError::Invalid(_)), "{many}");
    put(&world, vault, Vec::new(), &ids[1..]).unwrap();
    let large = |_| SettledItem {
        expect: Expect::Absent,
        item: ItemRecord {
            details: Sealed::from_bytes([vec![1, 3, 0, 0, 0, 1], vec![0; 6_000_000]].concat()),
            ..world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x")
        },
    };
    let large = (0..3).map(large).collect();
    let large = refused(put(&world, vault, large, &[]));
    assert!(matches!(large, AccountError::TooLarge { .. }), "{large}");
    assert!(world.owner.items(vault).unwrap().is_empty());
}

/// While its contents come in, a mirrored vault's counter stays; then it is upstream's. It never falls, and never names
/// two contents for good.
#[test]
fn a_mirrored_vault_has_upstreams_counter_and_dates() {
    let world = World::new();
    let vault = world.vault("A");
    mirror(&world, vault, None);
    let begin = content_version(&world, vault);
    put(&world, vault, vec![fresh(&world, vault, "x")], &[]).unwrap();
    put(&world, vault, vec![fresh(&world, vault, "y")], &[]).unwrap();
    assert_eq!(content_version(&world, vault), begin);
    mirror(&world, vault, Some((41, 2_000)));
    let held = world.owner.vault(vault).unwrap();
    assert_eq!((held.content_version, held.items), (41, 2));
    assert_eq!(held.created_at, Timestamp::from_seconds(1_000));
    assert_eq!(held.updated_at, Timestamp::from_seconds(2_000));
    // Contents changed here and not there: what was quarantined can be read again.
    put(&world, vault, vec![fresh(&world, vault, "z")], &[]).unwrap();
    mirror(&world, vault, Some((41, 2_000)));
    assert_eq!(content_version(&world, vault), 42);
    mirror(&world, vault, Some((41, 2_000)));
    assert_eq!(content_version(&world, vault), 42, "nothing moved");
    mirror(&world, vault, Some((43, 3_000)));
    assert_eq!(content_version(&world, vault), 43);
}

#[test]
fn attributes_may_rise_by_more_than_one_but_never_fall() {
    let world = World::new();
    let vault = world.vault("A");
    let attributes = VaultAttributes {
        name: "B".into(),
        description: String::new(),
    };
    world.owner.edit_vault_to(vault, 1, 9, &attributes).unwrap();
    let held = world.owner.vault(vault).unwrap();
    assert_eq!(
        (held.attribute_version, held.attributes),
        (9, attributes.clone())
    );
    let back = refused(world.owner.edit_vault_to(vault, 9, 9, &attributes));
    assert!(matches!(back, AccountError::Invalid(_)), "{back}");
}
