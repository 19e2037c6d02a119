//! Files: up sealed, down opened.

use sekisho_account::{AccountError, OperatorError, operator::NewFile, random::SystemRng};
use sekisho_core::{
    file::CHUNK,
    id::{FileId, ItemId, VaultId},
    records::Records,
};

use crate::setup::{Host, World, refused};

fn file(size: u64) -> NewFile {
    NewFile {
        id: FileId::generate(&mut SystemRng),
        name: "key.pem".into(),
        section: None,
        size,
    }
}

#[test]
fn content_comes_back_through_operator_and_host() {
    let world = World::new();
    let vault = world.vault("A");
    let item = ItemId::generate(&mut SystemRng);
    let host = world.environment(&[vault]);
    for size in [0, 5, CHUNK as usize, 2 * CHUNK as usize + 1] {
        let content: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
        let entry = world
            .owner
            .put_file(vault, item, file(size as u64), &mut content.as_slice())
            .unwrap();
        let mut back = Vec::new();
        world
            .owner
            .read_file(vault, item, &entry, &mut back)
            .unwrap();
        assert_eq!(back, content);
        let sealed = host.chunk(&vault, &item, &entry.id, 0).unwrap();
        let opened = entry.open_chunk(vault, item, 0, &sealed).unwrap();
        assert!(content.starts_with(&opened));
    }
    let mut counts: Vec<u32> = files(&world, &host, vault, item);
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 1, 3], "who copies the files finds them all");
    let stranger = world.environment(&[]);
    let entry = world
        .owner
        .put_file(vault, item, file(1), &mut &b"x"[..])
        .unwrap();
    assert!(stranger.chunk(&vault, &item, &entry.id, 0).is_err());
    let refused = world.account.files(&stranger.id(), &vault, &item);
    assert!(refused.is_err());
}

/// How many chunks each file of an item has, as a host is told.
fn files(world: &World, host: &Host, vault: VaultId, item: ItemId) -> Vec<u32> {
    let files = world.account.files(&host.id(), &vault, &item).unwrap();
    files.iter().map(|file| file.chunks).collect()
}

#[test]
fn a_wrong_length_and_a_used_id_are_refused() {
    let world = World::new();
    let vault = world.vault("A");
    let item = ItemId::generate(&mut SystemRng);
    for size in [2, 4] {
        let wrong = world
            .owner
            .put_file(vault, item, file(size), &mut &b"abc"[..]);
        assert!(matches!(wrong, Err(OperatorError::Length { .. })));
    }
    let used = file(3);
    world
        .owner
        .put_file(vault, item, used.clone(), &mut &b"abc"[..])
        .unwrap();
    let again = world.owner.put_file(vault, item, used, &mut &b"abd"[..]);
    assert!(matches!(refused(again), AccountError::Conflict { .. }));
}
