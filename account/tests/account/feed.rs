//! The feed: complete, in pages, whatever happens between them.

use sekisho_account::{Request, protocol::NewVault, random::SystemRng};
use sekisho_core::{
    id::{ItemId, VaultId},
    records::{Expect, ItemRecord, TitleMark, VaultType},
    seal::Sealed,
    token::Rights,
};

use crate::setup::{Host, World};

#[test]
fn a_vault_granted_late_is_told_whole() {
    let world = World::new();
    let (first, late) = (world.vault("A"), world.vault("B"));
    let old = world.item(late, "old");
    let gone = world.item(late, "gone");
    world.owner.delete_item(late, gone.id, None).unwrap();
    let mut host = world.environment(&[first]);
    host.sync();
    assert_eq!(host.snapshot.item_count(), 0);
    world.owner.grant_vault(host.id(), late).unwrap();
    let cursor = host.cursor.clone();
    host.sync();
    assert_eq!(**host.snapshot.item(&late, &old.id).unwrap(), old);
    assert_eq!(host.snapshot.item_count(), 1);
    assert_eq!(host.page(&cursor, 100).vaults.len(), 1, "only what is new");
    world.owner.grant_vault(host.id(), late).unwrap();
    assert!(
        host.page(&host.cursor, 100).items.is_empty(),
        "granted twice is granted once"
    );
}

#[test]
fn an_empty_vault_granted_late_is_told_too() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[]);
    host.sync();
    world.vault("something else happens");
    world.owner.grant_vault(host.id(), vault).unwrap();
    host.sync();
    assert!(host.snapshot.vault(&vault).is_ok());
}

#[test]
fn a_vault_taken_back_is_gone_and_so_are_its_tokens_grants() {
    let world = World::new();
    let (kept, taken) = (world.vault("A"), world.vault("B"));
    world.item(taken, "x");
    let mut host = world.environment(&[kept, taken]);
    let vaults = [(kept, Rights::READ), (taken, Rights::READ_WRITE)];
    let token = world
        .owner
        .create_token(host.id(), "app", &vaults, None)
        .unwrap();
    host.sync();
    world.owner.revoke_vault(host.id(), taken).unwrap();
    host.sync();
    assert!(host.snapshot.vault(&taken).is_err());
    let record = host.snapshot.token(&token.record.id).unwrap();
    assert_eq!(record.grants.len(), 1);
    assert_eq!(record.grants[0].vault, kept);
    world.owner.grant_vault(host.id(), taken).unwrap();
    host.sync();
    assert_eq!(host.snapshot.item_count(), 1);
    world.owner.delete_vault(taken).unwrap();
    host.sync();
    assert!(host.snapshot.vault(&taken).is_err());
}

#[test]
fn taken_back_and_given_again_unseen_is_told_anew() {
    let world = World::new();
    let vault = world.vault("A");
    let (kept, dropped) = (world.item(vault, "x"), world.item(vault, "y"));
    let mut host = world.environment(&[vault]);
    host.sync();
    world.owner.revoke_vault(host.id(), vault).unwrap();
    world.owner.delete_item(vault, dropped.id, None).unwrap();
    world.owner.grant_vault(host.id(), vault).unwrap();
    host.sync();
    assert!(host.snapshot.item(&vault, &kept.id).is_ok());
    assert!(host.snapshot.item(&vault, &dropped.id).is_err());
}

#[test]
fn without_a_change_the_page_is_empty_and_the_head_fresh() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[vault]);
    host.sync();
    let before = host.snapshot.head().unwrap().clone();
    world.vault("of no interest");
    let page = host.page(&host.cursor, 10);
    assert_eq!(page.head.version, before.version);
    assert!(page.head.issued_at >= before.issued_at);
    assert!(!page.more && !page.reset && page.cursor == host.cursor);
    assert!(page.vaults.is_empty() && page.items.is_empty() && page.tokens.is_empty());
}

#[test]
fn an_unknown_cursor_begins_anew() {
    let world = World::new();
    let vault = world.vault("A");
    world.item(vault, "x");
    let (host, other) = (world.environment(&[vault]), world.environment(&[vault]));
    let foreign = other.page("", 100).cursor;
    let future = format!("1.{}.999999.5..", host.id());
    for cursor in [foreign.as_str(), &future, "?"] {
        let page = host.page(cursor, 100);
        assert!(page.reset && page.items.len() == 1, "{cursor}");
        assert!(!host.page(&page.cursor, 100).reset);
    }
    assert!(!host.page("", 100).reset);
}

#[test]
fn a_page_ends_at_its_size() {
    let world = World::new();
    let vault = world.vault("A");
    for _ in 0..3 {
        put(&world, vault, big_item(3 * 1024 * 1024), Expect::Absent);
    }
    let mut host = world.environment(&[vault]);
    let first = host.page("", 100);
    assert_eq!((first.items.len(), first.more), (2, true));
    host.sync();
    assert_eq!(host.snapshot.item_count(), 3);
}

fn put(world: &World, vault: VaultId, item: ItemRecord, expect: Expect) {
    let item = Box::new(item);
    world
        .execute(Request::PutItem {
            vault,
            expect,
            item,
        })
        .unwrap();
}

fn big_item(size: usize) -> ItemRecord {
    ItemRecord {
        id: ItemId::generate(&mut SystemRng),
        version: 1,
        archived: false,
        marks: [TitleMark([1; 16]), TitleMark([2; 16])],
        overview: ciphertext(3, 10),
        details: ciphertext(4, size),
        extra: None,
        files: None,
    }
}

/// Looks sealed under the first key: the account sees no more than headers.
fn ciphertext(byte: u8, size: usize) -> Sealed {
    let mut bytes = vec![1, byte, 0, 0, 0, 1];
    bytes.resize(size, byte);
    Sealed::from_bytes(bytes)
}

/// Reproducible choices (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}

/// A world in which things happen by chance.
struct Storm<'a> {
    world: &'a World,
    host: &'a Host,
    vaults: Vec<VaultId>,
    items: Vec<(VaultId, ItemRecord)>,
    dice: Dice,
}

impl Storm<'_> {
    fn happen(&mut self) {
        match self.dice.roll(12) {
            0..=3 => self.create(),
            4 | 5 => self.update(),
            6 => self.delete(),
            7 => self.archive(),
            8 => self.grant(),
            9 => self.revoke(),
            10 => self.token(),
            _ => self.edit_or_replace_vault(),
        }
    }

    fn any_vault(&mut self) -> VaultId {
        self.vaults[self.dice.roll(self.vaults.len())]
    }

    fn create(&mut self) {
        let (vault, item) = (self.any_vault(), big_item(20));
        put(self.world, vault, item.clone(), Expect::Absent);
        self.items.push((vault, item));
    }

    fn update(&mut self) {
        let Some(at) = self.items.len().checked_sub(1) else {
            return;
        };
        let at = self.dice.roll(at + 1);
        let (vault, mut item) = self.items[at].clone();
        let expect = Expect::Version(item.version);
        item.version += 1 + self.dice.roll(2) as u64;
        item.details = ciphertext(item.version as u8, 20);
        put(self.world, vault, item.clone(), expect);
        self.items[at].1 = item;
    }

    fn delete(&mut self) {
        if self.items.is_empty() {
            return;
        }
        let at = self.dice.roll(self.items.len());
        let (vault, item) = self.items.swap_remove(at);
        self.world
            .execute(Request::DeleteItem {
                vault,
                item: item.id,
                version: Some(item.version),
            })
            .unwrap();
    }

    fn archive(&mut self) {
        if self.items.is_empty() {
            return;
        }
        let at = self.dice.roll(self.items.len());
        let (vault, item) = &mut self.items[at];
        item.archived = !item.archived;
        self.world
            .execute(Request::ArchiveItem {
                vault: *vault,
                item: item.id,
                archived: item.archived,
            })
            .unwrap();
    }

    fn grant(&mut self) {
        let (environment, vault) = (self.host.id(), self.any_vault());
        self.world
            .execute(Request::GrantVault { environment, vault })
            .unwrap();
    }

    fn revoke(&mut self) {
        let (environment, vault) = (self.host.id(), self.any_vault());
        // It may not have it: then it is refused, and that is fine.
        let _ = self
            .world
            .execute(Request::RevokeVault { environment, vault });
    }

    fn token(&mut self) {
        let info = self.world.owner.environment(self.host.id()).unwrap();
        let Some(vault) = info.vaults.first() else {
            return;
        };
        let token = self.world.token(self.host, *vault, Rights::READ);
        if self.dice.roll(2) == 0 {
            self.world.owner.revoke_token(token.record.id).unwrap();
        }
    }

    fn edit_or_replace_vault(&mut self) {
        if self.dice.roll(3) > 0 {
            let vault = self.any_vault();
            let held = self.world.owner.call(&Request::Vault { vault }).unwrap();
            let sekisho_account::Response::Vault(info) = held else {
                panic!("{held:?}")
            };
            self.world
                .execute(Request::EditVault {
                    vault,
                    expect: info.record.attribute_version,
                    version: None,
                    attributes: ciphertext(self.dice.roll(200) as u8, 20),
                })
                .unwrap();
            return;
        }
        let at = self.dice.roll(self.vaults.len());
        let old = std::mem::replace(&mut self.vaults[at], plain_vault(self.world));
        self.items.retain(|(vault, _)| *vault != old);
        self.world
            .execute(Request::DeleteVault { vault: old })
            .unwrap();
    }
}

fn plain_vault(world: &World) -> VaultId {
    world
        .owner
        .create_vault("x", "", VaultType::UserCreated, None)
        .unwrap()
}

#[test]
fn pages_join_up_whatever_happens_between_them() {
    for seed in 0..6 {
        let world = World::new();
        let vaults: Vec<_> = (0..3).map(|_| plain_vault(&world)).collect();
        let mut host = world.environment(&vaults[..2]);
        let watched = host.fresh();
        let mut storm = Storm {
            world: &world,
            host: &watched,
            vaults,
            items: Vec::new(),
            dice: Dice(seed),
        };
        for _ in 0..12 {
            for _ in 0..storm.dice.roll(12) {
                storm.happen();
            }
            let limit = 1 + storm.dice.roll(5) as u32;
            // A few things happen while pages are read, then it is calm: a tick must end.
            let mut left = 8;
            host.sync_while(limit, || {
                if left > 0 {
                    left -= 1;
                    storm.happen();
                }
            });
        }
        host.sync_while(2, || ());
        let mut fresh = host.fresh();
        fresh.sync();
        assert_eq!(host.contents(), fresh.contents(), "seed {seed}");
        assert_matches_model(&storm, &host);
    }
}

/// What the host holds is what was written to the vaults it has.
fn assert_matches_model(storm: &Storm<'_>, host: &Host) {
    let info = storm.world.owner.environment(host.id()).unwrap();
    let (vaults, held, _) = host.contents();
    let ids: Vec<_> = vaults.iter().map(|vault| vault.id).collect();
    assert_eq!(ids, info.vaults);
    let mut expected: Vec<_> = storm
        .items
        .iter()
        .filter(|(vault, _)| info.vaults.contains(vault))
        .cloned()
        .collect();
    expected.sort_by_key(|(vault, item)| (*vault, item.id));
    assert_eq!(held, expected);
    for vault in vaults {
        let active = |(of, item): &&(VaultId, ItemRecord)| *of == vault.id && !item.archived;
        assert_eq!(vault.items, held.iter().filter(active).count() as u64);
    }
}

#[test]
fn a_vault_id_is_never_used_again() {
    let world = World::new();
    let vault = world.vault("A");
    world.owner.delete_vault(vault).unwrap();
    let again = world
        .owner
        .create_vault("A", "", VaultType::UserCreated, Some(vault));
    assert!(again.is_err());
    let unwrapped = NewVault {
        id: VaultId::generate(&mut SystemRng),
        kind: VaultType::UserCreated,
        attributes: Sealed::default(),
        keys: Vec::new(),
    };
    assert!(world.execute(Request::CreateVault(unwrapped)).is_err());
}
