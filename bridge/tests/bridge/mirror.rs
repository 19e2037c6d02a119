//! The mirror against the typed double.

use std::sync::atomic::Ordering;

use sekisho_account::{AccountError, OperatorError};
use sekisho_bridge::{
    OpError,
    client::{DoubleFault, OpClient, VaultKind},
    mirror::MirrorError,
};
use sekisho_core::{records::VaultType, secret::SecretText};

use crate::world::World;

#[test]
fn a_first_mirror_has_ids_versions_dates_and_values() {
    let world = World::new();
    let vault = world.double.add_vault("Infra", VaultKind::UserCreated);
    let hidden = world.double.add_vault("Private", VaultKind::Personal);
    let shared = world.double.add_vault("Shared", VaultKind::Everyone);
    let environment = world.double.add_vault("Env", VaultKind::Unsupported);
    let item = world.double.add_item(vault, "router", "hunter2");
    world
        .double
        .edit(vault, item, |item| item.title = "Router".into());
    let polled = world.poll().unwrap();
    assert_eq!((polled.written, polled.vaults), (1, 1));
    let held = world.operator().vault(vault).unwrap();
    assert_eq!(
        (held.attributes.name.as_str(), held.kind),
        ("Infra", VaultType::UserCreated)
    );
    assert_eq!(held.items, 1);
    let upstream = world.double.item(vault, item).unwrap();
    let mirrored = world.item(vault, item).unwrap();
    assert_eq!((mirrored.version, mirrored.title.as_str()), (2, "Router"));
    assert_eq!(mirrored.updated_at.to_rfc3339(), upstream.updated_at);
    assert_eq!(world.secret(vault, item).as_deref(), Some("hunter2"));
    for built_in in [hidden, shared, environment] {
        assert!(world.operator().vault(built_in).is_err());
    }
}

/// A vault's versions and dates are upstream's, whatever the mirror needed to get there.
#[test]
fn a_vault_has_upstreams_versions_and_dates() {
    let mut world = World::new();
    world.writes = true;
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let made = world.now();
    for n in 0..3 {
        world
            .double
            .put_vault(vault, &n.to_string(), VaultKind::UserCreated);
    }
    world.pass(7);
    let items: Vec<_> = (0..120)
        .map(|n| world.double.add_item(vault, &n.to_string(), "p"))
        .collect();
    let same = |what: &str| {
        let mut client = world.double.clone();
        let upstream = client.vault(vault).unwrap();
        let held = world.operator().vault(vault).unwrap();
        let shown = (held.content_version, held.attribute_version, held.items);
        let wanted = (
            upstream.content_version,
            upstream.attribute_version,
            upstream.active_item_count,
        );
        assert_eq!(shown, wanted, "{what}");
        assert_eq!(held.created_at.millis(), made, "{what}");
        assert_eq!(held.updated_at.to_rfc3339(), upstream.updated_at, "{what}");
    };
    world.poll().unwrap();
    same("first mirror");
    for item in &items[..60] {
        world.double.remove_item(vault, *item);
    }
    world.poll().unwrap();
    same("deletions");
    world
        .double
        .edit(vault, items[70], |item| item.title = "x".into());
    world
        .double
        .put_vault(vault, "renamed", VaultKind::UserCreated);
    world.poll().unwrap();
    same("an edit and another title");
    world
        .double
        .put_vault(vault, "again", VaultKind::UserCreated);
    world.poll().unwrap();
    same("another title only");
    // What is hidden for a moment changes contents here that never changed there.
    world.double.break_item(items[80], true);
    world
        .double
        .edit(vault, items[80], |item| item.title = "y".into());
    world.poll().unwrap();
    same("an item that cannot be read");
}

#[test]
fn a_poll_without_change_costs_one_request() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    for n in 0..120 {
        world.double.add_item(vault, &n.to_string(), "p");
    }
    world.pass(60);
    let mut mirror = world.mirror();
    mirror.poll().unwrap();
    assert_eq!(
        world.double.sent().total(),
        6 + 1 + 3,
        "as the formula says"
    );
    world.pass(60);
    let before = world.double.sent().total();
    mirror.poll().unwrap();
    assert_eq!(world.double.sent().total() - before, 1);
    let item = world.double.item_ids(vault)[5];
    world.double.edit(vault, item, |item| {
        item.fields[0].value = SecretText::new("q")
    });
    world.pass(60);
    let before = world.double.sent().total();
    assert_eq!(mirror.poll().unwrap().written, 1);
    assert_eq!(
        world.double.sent().total() - before,
        3,
        "vaults, items, one batch"
    );
    assert_eq!(world.secret(vault, item).as_deref(), Some("q"));
}

#[test]
fn what_is_archived_or_deleted_vanishes_and_may_come_back() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let (kept, gone) = (
        world.double.add_item(vault, "kept", "a"),
        world.double.add_item(vault, "gone", "b"),
    );
    world.poll().unwrap();
    world.double.set_archived(vault, kept, true);
    world.double.remove_item(vault, gone);
    world.poll().unwrap();
    assert!(world.item(vault, kept).is_none() && world.item(vault, gone).is_none());
    world.double.set_archived(vault, kept, false);
    world.poll().unwrap();
    assert_eq!(
        world.secret(vault, kept).as_deref(),
        Some("a"),
        "under its id again"
    );
    assert_eq!(world.operator().vault(vault).unwrap().items, 1);
}

#[test]
fn vaults_follow() {
    let world = World::new();
    let vault = world.double.add_vault("old", VaultKind::UserCreated);
    let item = world.double.add_item(vault, "i", "a");
    world.poll().unwrap();
    world
        .double
        .put_vault(vault, "new name", VaultKind::UserCreated);
    let second = world.double.add_vault("second", VaultKind::UserCreated);
    world.poll().unwrap();
    assert_eq!(
        world.operator().vault(vault).unwrap().attributes.name,
        "new name"
    );
    assert!(world.operator().vault(second).is_ok());
    world.double.remove_vault(second);
    world.poll().unwrap();
    assert!(world.operator().vault(second).is_ok(), "missed once");
    world.poll().unwrap();
    let gone = world.operator().vault(second);
    assert!(matches!(
        gone,
        Err(OperatorError::Account(AccountError::NoVaultAccess(_)))
    ));
    world
        .double
        .put_vault(second, "back", VaultKind::UserCreated);
    let again = world.double.add_item(second, "x", "back");
    world.poll().unwrap();
    assert_eq!(world.secret(second, again).as_deref(), Some("back"));
    assert!(world.item(vault, item).is_some());
}

#[test]
fn what_a_list_misses_for_a_moment_comes_back_as_it_was() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let item = world.double.add_item(vault, "i", "a");
    world.poll().unwrap();
    let held = world.double.hide(vault, item);
    world.poll().unwrap();
    assert!(world.item(vault, item).is_none());
    world.double.show(vault, held);
    world.poll().unwrap();
    assert_eq!(
        world.item(vault, item).unwrap().version,
        1,
        "at the same version"
    );
}

#[test]
fn an_unreadable_vault_costs_once_a_day() {
    let world = World::new();
    let (good, bad) = (
        world.double.add_vault("good", VaultKind::UserCreated),
        world.double.add_vault("bad", VaultKind::UserCreated),
    );
    let item = world.double.add_item(good, "i", "a");
    world.double.break_vault(bad, true);
    world.pass(60);
    let mut mirror = world.mirror();
    mirror.poll().unwrap();
    assert_eq!(world.secret(good, item).as_deref(), Some("a"));
    assert!(world.operator().vault(bad).is_err());
    assert_eq!(mirror.state().closed.len(), 1);
    let before = world.double.sent().total();
    for _ in 0..5 {
        world.pass(60);
        mirror.poll().unwrap();
    }
    assert_eq!(world.double.sent().total() - before, 5);
    world.double.break_vault(bad, false);
    world.pass(25 * 3600);
    mirror.poll().unwrap();
    assert!(world.operator().vault(bad).is_ok());
    assert!(mirror.state().closed.is_empty());
}

#[test]
fn one_unreadable_item_stops_no_other() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let items: Vec<_> = (0..50)
        .map(|n| world.double.add_item(vault, &n.to_string(), "p"))
        .collect();
    world.double.break_item(items[17], true);
    world.pass(60);
    let mut mirror = world.mirror();
    assert_eq!(mirror.poll().unwrap().written, 49);
    let held = &mirror.state().quarantine[&items[17]];
    assert_eq!(held.vault, vault);
    assert!(held.reason.contains("broke"), "{}", held.reason);
    world.double.take_calls();
    world
        .double
        .edit(vault, items[3], |item| item.title = "t".into());
    world.pass(60);
    assert_eq!(mirror.poll().unwrap().written, 1);
    let fetched = world.double.take_calls();
    assert_eq!(
        fetched.iter().filter(|call| **call == "get_all").count(),
        1,
        "left alone"
    );
    world.double.break_item(items[17], false);
    world
        .double
        .edit(vault, items[17], |item| item.title = "fixed".into());
    world.pass(60);
    mirror.poll().unwrap();
    assert!(world.item(vault, items[17]).is_some());
    assert!(mirror.state().quarantine.is_empty());
}

#[test]
fn files_come_after_their_items_and_keep_their_keys() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let item = world.double.add_item(vault, "i", "a");
    let content: Vec<u8> = (0..150_000u32).map(|n| n.to_le_bytes()[0]).collect();
    world.double.add_file(vault, item, "f.bin", &content);
    world.double.add_file(vault, item, "empty", b"");
    world.poll().unwrap();
    let read = |entry: &sekisho_core::file::FileEntry| {
        let mut out = Vec::new();
        world
            .operator()
            .read_file(vault, item, entry, &mut out)
            .unwrap();
        out
    };
    let before = world.stored(vault, item).unwrap().file_entries().unwrap();
    assert_eq!(before.len(), 2);
    assert_eq!(read(&before[0]), content);
    assert!(read(&before[1]).is_empty());
    world.double.take_calls();
    world
        .double
        .edit(vault, item, |item| item.title = "renamed".into());
    world.poll().unwrap();
    let after = world.stored(vault, item).unwrap().file_entries().unwrap();
    assert_eq!(read(&after[0]), content);
    assert!(
        !world.double.take_calls().contains(&"read_file"),
        "not fetched twice"
    );
    let shown = world.item(vault, item).unwrap().files;
    assert_eq!((shown[0].name.as_str(), shown[0].size), ("f.bin", 150_000));
}

#[test]
fn a_lower_version_never_replaces_a_higher_one() {
    let world = World::new();
    let vault = world.double.add_vault("v", VaultKind::UserCreated);
    let item = world.double.add_item(vault, "i", "a");
    world.double.edit(vault, item, |item| item.version = 9);
    world.poll().unwrap();
    // What an eventual read may show.
    world.double.edit(vault, item, |item| {
        item.version = 3;
        item.fields[0].value = SecretText::new("stale");
    });
    world.poll().unwrap();
    assert_eq!(world.item(vault, item).unwrap().version, 10);
    assert_eq!(world.secret(vault, item).as_deref(), Some("a"));
}

#[test]
fn a_429_and_a_refused_token_stop_it() {
    let world = World::new();
    world.double.add_vault("v", VaultKind::UserCreated);
    world
        .double
        .fail([DoubleFault::Before(OpError::RateLimited)]);
    assert!(matches!(
        world.poll(),
        Err(MirrorError::Op(OpError::RateLimited))
    ));
    world.double.take_calls();
    assert!(
        matches!(world.poll(), Err(MirrorError::Hold(_))),
        "over a restart"
    );
    assert!(world.double.take_calls().is_empty());
    world.pass(4000);
    world.poll().unwrap();

    let world = World::new();
    world
        .double
        .fail((0..9).map(|_| DoubleFault::Before(OpError::Auth)));
    for _ in 0..9 {
        assert!(world.poll().is_err());
        world.pass(3600);
    }
    assert_eq!(
        world.double.take_calls().len(),
        3,
        "three sign-ins, then silence"
    );
}

/// Killed after any call: the next run ends with the same, nothing doubled, nothing lost.
#[test]
fn kill_rounds() {
    for death in 0..14 {
        let world = World::new();
        let vaults: Vec<_> = (0..2)
            .map(|n| {
                world
                    .double
                    .add_vault(&n.to_string(), VaultKind::UserCreated)
            })
            .collect();
        for vault in &vaults {
            for n in 0..70 {
                world.double.add_item(*vault, &n.to_string(), "p");
            }
        }
        let item = world.double.item_ids(vaults[0])[0];
        world.double.add_file(vaults[0], item, "f", b"content");
        let faults = (0..death).map(|_| None).chain([Some(OpError::Unavailable)]);
        world.pass(60);
        // A call that fails ends a poll as a kill does: what follows is a fresh mirror on the same folders.
        let mut dying = world.mirror_of(Dying {
            inner: world.double.clone(),
            faults: faults.collect(),
        });
        let _ = dying.poll();
        drop(dying);
        world.poll().unwrap();
        for vault in &vaults {
            let mut held: Vec<_> = world
                .operator()
                .items(*vault)
                .unwrap()
                .iter()
                .map(|item| item.id)
                .collect();
            held.sort();
            assert_eq!(held, world.double.item_ids(*vault), "death after {death}");
        }
        let entry = &world
            .stored(vaults[0], item)
            .unwrap()
            .file_entries()
            .unwrap()[0];
        let mut out = Vec::new();
        world
            .operator()
            .read_file(vaults[0], item, entry, &mut out)
            .unwrap();
        assert_eq!(out, b"content", "death after {death}");
        assert_eq!(world.mirror().state().vaults.len(), 2);
    }
}

/// Fails its nth call, and all that follow.
struct Dying {
    inner: sekisho_bridge::client::Double,
    faults: std::collections::VecDeque<Option<OpError>>,
}

impl Dying {
    fn die(&mut self) -> Result<(), OpError> {
        match self.faults.pop_front() {
            Some(None) => Ok(()),
            Some(Some(error)) => {
                self.faults.push_front(Some(error.clone()));
                Err(error)
            }
            None => Err(OpError::Unavailable),
        }
    }
}

macro_rules! dying {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)+) => {$(
        fn $name(&mut self, $($arg: $kind),*) -> Result<$out, OpError> {
            self.die()?;
            self.inner.$name($($arg),*)
        }
    )+};
}

impl OpClient for Dying {
    dying! {
        vaults(details: bool) -> Vec<sekisho_bridge::client::VaultOverview>;
        vault(vault: sekisho_core::id::VaultId) -> sekisho_bridge::client::VaultOverview;
        items(vault: sekisho_core::id::VaultId) -> Vec<sekisho_bridge::client::ItemOverview>;
        get_all(vault: sekisho_core::id::VaultId, items: &[sekisho_core::id::ItemId]) -> Vec<sekisho_bridge::client::SdkItem>;
        get(vault: sekisho_core::id::VaultId, item: sekisho_core::id::ItemId) -> sekisho_bridge::client::SdkItem;
        create(item: &sekisho_bridge::client::NewSdkItem) -> sekisho_bridge::client::SdkItem;
        put(item: &sekisho_bridge::client::SdkItem) -> sekisho_bridge::client::SdkItem;
        archive(vault: sekisho_core::id::VaultId, item: sekisho_core::id::ItemId) -> ();
        delete(vault: sekisho_core::id::VaultId, item: sekisho_core::id::ItemId) -> ();
        read_file(vault: sekisho_core::id::VaultId, item: sekisho_core::id::ItemId, file: &sekisho_bridge::client::FileAttributes) -> zeroize::Zeroizing<Vec<u8>>;
    }

    fn sent(&self) -> sekisho_bridge::net::MeterReading {
        self.inner.sent()
    }
}

#[test]
fn a_stop_ends_a_poll_between_two_steps() {
    let world = World::new();
    world.double.add_vault("v", VaultKind::UserCreated);
    world.stop.store(true, Ordering::Relaxed);
    assert!(matches!(world.poll(), Err(MirrorError::Stopped)));
    world.stop.store(false, Ordering::Relaxed);
    world.poll().unwrap();
}
