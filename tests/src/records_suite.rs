//! What every `Records` must do, whoever implements it: memory, a store, the WIT import, a plug.
//!
//! The maker hands out records that serve exactly the given world at [`crate::world::NOW`], fresh each time.

use sekisho_core::{
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Expect, Fault, ItemRecord, PartRecord, PutChunkRequest, PutRequest, Records,
        TitleMark, TokenState,
    },
    seal::Sealed,
    token::RawToken,
};

use crate::{
    rng::labelled,
    world::{MAX_INLINE, MAX_STALE, NOW, World},
};

/// Hands out fresh records of the world.
pub type Maker<'a> = dyn Fn() -> Box<dyn Records> + 'a;

type Check = fn(&World, &dyn Records);

/// What a runtime that only reads must do too.
pub const READS: [(&str, Check); 9] = [
    ("the head is the account's", head),
    ("signing keys verify tokens", signing_keys),
    ("tokens are found, revoked ones too", tokens),
    ("vaults are found", vaults),
    ("a list is of active items by ascending id", list),
    ("a list goes on after any id", list_in_pages),
    ("a mark finds the items of its title", find),
    ("an item and its details agree", items),
    ("chunks are found", chunks),
];

/// What a runtime that writes must do.
pub const WRITES: [(&str, Check); 10] = [
    ("a new item is read at once", put_new),
    ("an id is never used twice", put_twice),
    ("a change needs the version that is there", put_change),
    ("only one of two changes wins", put_race),
    ("a title's marks follow it", put_marks),
    ("deletion is for good", delete),
    ("a deletion needs the version that is there", delete_version),
    ("only a good token writes", denied),
    ("counters and dates move", counters),
    (
        "chunks count from the write on that adds their file",
        upload,
    ),
];

/// Runs everything; panics at the first thing that is wrong, naming it.
pub fn run(make: &Maker<'_>) {
    for (name, check) in READS.iter().chain(&WRITES) {
        run_one(name, *check, make);
    }
}

/// Runs what a runtime that only reads must do.
pub fn run_reads(make: &Maker<'_>) {
    for (name, check) in &READS {
        run_one(name, *check, make);
    }
}

fn run_one(name: &str, check: Check, make: &Maker<'_>) {
    let records = make();
    let check = std::panic::AssertUnwindSafe(|| check(World::get(), records.as_ref()));
    assert!(std::panic::catch_unwind(check).is_ok(), "not kept: {name}");
}

fn vault(world: &World, name: &str) -> VaultId {
    world.vaults[name].id
}

fn token(world: &World, name: &str) -> TokenId {
    RawToken::parse(&world.tokens[name]).unwrap().id()
}

fn head(world: &World, records: &dyn Records) {
    let head = records.head().unwrap();
    assert_eq!(
        (head.account, head.environment),
        (world.account, world.environment)
    );
    assert_eq!((head.issued_at, head.version), (NOW, 1));
    assert_eq!((head.max_stale, head.max_inline), (MAX_STALE, MAX_INLINE));
}

fn signing_keys(world: &World, records: &dyn Records) {
    assert_eq!(records.signing_keys().unwrap(), world.signing_keys());
}

fn tokens(world: &World, records: &dyn Records) {
    for name in ["rw", "r", "w", "expired", "revoked", "bare"] {
        let record = records.token(&token(world, name)).unwrap();
        assert_eq!(record, world.token_record(name), "{name}");
    }
    let revoked = records.token(&token(world, "revoked")).unwrap();
    assert_eq!(revoked.state, TokenState::Revoked);
    for name in ["unknown", "other"] {
        assert_eq!(
            records.token(&token(world, name)),
            Err(Fault::Missing),
            "{name}"
        );
    }
}

fn vaults(world: &World, records: &dyn Records) {
    for wanted in world.page().vaults {
        assert_eq!(records.vault(&wanted.id).unwrap(), wanted);
    }
    for absent in [world.absent(), vault(world, "late")] {
        assert_eq!(records.vault(&absent), Err(Fault::Missing));
        assert_eq!(records.list(&absent, None, 1), Err(Fault::Missing));
        assert_eq!(
            records.find(&absent, &TitleMark([0; 16])),
            Err(Fault::Missing)
        );
    }
}

/// Overviews of a vault's active items, from the page.
fn active(world: &World, vault: VaultId) -> Vec<PartRecord> {
    let mut items: Vec<ItemRecord> = world
        .page()
        .items
        .into_iter()
        .filter(|item| item.vault == vault && !item.item.archived)
        .map(|item| item.item)
        .collect();
    items.sort_by_key(|item| item.id);
    items.iter().map(overview).collect()
}

fn overview(item: &ItemRecord) -> PartRecord {
    PartRecord {
        id: item.id,
        version: item.version,
        archived: item.archived,
        sealed: item.overview.clone(),
    }
}

fn list(world: &World, records: &dyn Records) {
    for vault in world.page().vaults {
        let all = records.list(&vault.id, None, u32::MAX).unwrap();
        assert_eq!(all, active(world, vault.id));
        assert_eq!(all.len() as u64, vault.items);
    }
    assert!(
        records
            .list(&vault(world, "demo"), None, 0)
            .unwrap()
            .is_empty()
    );
}

fn list_in_pages(world: &World, records: &dyn Records) {
    let demo = vault(world, "demo");
    let all = active(world, demo);
    for limit in [1, 2, 5, all.len() as u32] {
        let mut found: Vec<PartRecord> = Vec::new();
        loop {
            let after = found.last().map(|item| item.id);
            let page = records.list(&demo, after.as_ref(), limit).unwrap();
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, all, "pages of {limit}");
    }
    let absent: ItemId = world.absent();
    let later: Vec<_> = all.into_iter().filter(|item| item.id > absent).collect();
    assert_eq!(records.list(&demo, Some(&absent), u32::MAX).unwrap(), later);
}

fn find(world: &World, records: &dyn Records) {
    let (demo, twin) = world.record("twin-a");
    for mark in twin.marks {
        let mut found = records.find(&demo, &mark).unwrap();
        found.sort_by_key(|item| item.id);
        let mut wanted = [overview(&twin), overview(&world.record("twin-b").1)];
        wanted.sort_by_key(|item| item.id);
        assert_eq!(found, wanted);
    }
    let (_, x) = world.record("x");
    let [exact, folded] = x
        .marks
        .map(|mark| records.find(&demo, &mark).unwrap().len());
    assert_eq!((exact, folded), (1, 2), "x and X are one when folded");
    let (_, archived) = world.record("archived");
    assert!(records.find(&demo, &archived.marks[0]).unwrap().is_empty());
    let elsewhere = records.find(&vault(world, "ops"), &x.marks[0]).unwrap();
    assert!(elsewhere.is_empty(), "a mark is of one vault");
    assert!(
        records
            .find(&demo, &TitleMark([0xff; 16]))
            .unwrap()
            .is_empty()
    );
}

fn items(world: &World, records: &dyn Records) {
    for name in ["login", "archived", "document", "ops-note", "hidden-login"] {
        let (vault, wanted) = world.record(name);
        let item = records.item(&vault, &wanted.id).unwrap();
        assert_eq!(item, wanted, "{name}");
        assert_eq!(records.version(&vault, &wanted.id), Ok(wanted.version));
        let details = records.details(&vault, &wanted.id).unwrap();
        assert_eq!((details.id, details.version), (wanted.id, wanted.version));
        assert_eq!(
            (details.archived, details.sealed),
            (wanted.archived, wanted.details)
        );
    }
    let (demo, login) = world.record("login");
    let misses = [
        (demo, world.absent()),
        (vault(world, "ops"), login.id),
        (world.absent(), login.id),
    ];
    for (vault, item) in misses {
        assert_eq!(records.item(&vault, &item), Err(Fault::Missing));
        assert_eq!(records.version(&vault, &item), Err(Fault::Missing));
        assert_eq!(records.details(&vault, &item), Err(Fault::Missing));
    }
}

fn chunks(world: &World, records: &dyn Records) {
    for chunk in &world.chunks {
        let found = records.chunk(&chunk.vault, &chunk.item, &chunk.file, chunk.index);
        assert_eq!(found.as_ref(), Ok(&chunk.sealed));
        let misses = [
            records.chunk(&chunk.vault, &chunk.item, &chunk.file, 1000),
            records.chunk(&chunk.vault, &chunk.item, &world.absent::<FileId>(), 0),
            records.chunk(&chunk.vault, &world.absent(), &chunk.file, chunk.index),
            records.chunk(&vault(world, "ops"), &chunk.item, &chunk.file, chunk.index),
        ];
        assert!(misses.iter().all(|miss| *miss == Err(Fault::Missing)));
    }
}

/// The request that writes `like`'s parts under another id.
fn write(world: &World, like: &str, id: ItemId, version: u64, expect: Expect) -> PutRequest {
    let (vault, record) = world.record(like);
    PutRequest {
        token: token(world, "both"),
        vault,
        expect,
        item: ItemRecord {
            id,
            version,
            ..record
        },
        added: Vec::new(),
        dropped: Vec::new(),
    }
}

fn fresh(label: &str) -> ItemId {
    ItemId::generate(&mut labelled(label))
}

fn put_new(world: &World, records: &dyn Records) {
    let id = fresh("put new");
    let request = write(world, "x", id, 1, Expect::Absent);
    records.put(request.clone()).unwrap();
    assert_eq!(records.item(&request.vault, &id).unwrap(), request.item);
    let listed = records.list(&request.vault, None, u32::MAX).unwrap();
    assert!(listed.contains(&overview(&request.item)));
    assert_eq!(
        records
            .find(&request.vault, &request.item.marks[0])
            .unwrap()
            .len(),
        2
    );
    assert_eq!(records.head().unwrap().environment, world.environment);
}

fn put_twice(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    let again = write(world, "cpp", x.id, 1, Expect::Absent);
    assert_eq!(records.put(again.clone()), Err(Fault::Conflict));
    assert_eq!(records.item(&demo, &x.id).unwrap(), x);
    let removal = removal(world, "x", 1);
    records.delete(removal).unwrap();
    assert_eq!(
        records.put(again),
        Err(Fault::Conflict),
        "an id is never used again"
    );
    assert_eq!(records.item(&demo, &x.id), Err(Fault::Missing));
}

fn put_change(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    let absent = write(world, "x", world.absent(), 2, Expect::Version(1));
    assert_eq!(records.put(absent), Err(Fault::Missing));
    for held in [0, 2, 7] {
        let wrong = write(world, "x", x.id, held + 1, Expect::Version(held));
        assert_eq!(records.put(wrong), Err(Fault::Conflict), "version {held}");
    }
    assert_eq!(records.item(&demo, &x.id).unwrap(), x);
    let right = write(world, "cpp", x.id, 2, Expect::Version(1));
    records.put(right.clone()).unwrap();
    assert_eq!(records.item(&demo, &x.id).unwrap(), right.item);
    assert_eq!(records.details(&demo, &x.id).unwrap().version, 2);
}

fn put_race(world: &World, records: &dyn Records) {
    let (_, x) = world.record("x");
    let write = || write(world, "x", x.id, 2, Expect::Version(1));
    assert_eq!(records.put(write()), Ok(()));
    assert_eq!(records.put(write()), Err(Fault::Conflict));
}

fn put_marks(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    let renamed = write(world, "cpp", x.id, 2, Expect::Version(1));
    let new = renamed.item.marks[0];
    records.put(renamed).unwrap();
    assert!(
        records.find(&demo, &x.marks[0]).unwrap().is_empty(),
        "the old title"
    );
    assert_eq!(records.find(&demo, &new).unwrap().len(), 2, "the new title");
    let mut archived = write(world, "cpp", x.id, 3, Expect::Version(2));
    archived.item.archived = true;
    records.put(archived).unwrap();
    assert_eq!(
        records.find(&demo, &new).unwrap().len(),
        1,
        "archived items have no marks"
    );
    assert!(records.item(&demo, &x.id).unwrap().archived);
}

fn removal(world: &World, name: &str, version: u64) -> DeleteRequest {
    let (vault, record) = world.record(name);
    DeleteRequest {
        token: token(world, "both"),
        vault,
        item: record.id,
        version,
    }
}

fn delete(world: &World, records: &dyn Records) {
    let (demo, document) = world.record("document");
    records.delete(removal(world, "document", 2)).unwrap();
    assert_eq!(records.item(&demo, &document.id), Err(Fault::Missing));
    assert_eq!(records.details(&demo, &document.id), Err(Fault::Missing));
    assert!(records.find(&demo, &document.marks[0]).unwrap().is_empty());
    let listed = records.list(&demo, None, u32::MAX).unwrap();
    assert!(listed.iter().all(|item| item.id != document.id));
    let file = world.files["text"];
    assert_eq!(
        records.chunk(&demo, &document.id, &file, 0),
        Err(Fault::Missing)
    );
    assert_eq!(
        records.delete(removal(world, "document", 2)),
        Err(Fault::Missing)
    );
}

fn delete_version(world: &World, records: &dyn Records) {
    assert_eq!(
        records.delete(removal(world, "password", 2)),
        Err(Fault::Conflict)
    );
    assert_eq!(
        records.delete(removal(world, "password", 4)),
        Err(Fault::Conflict)
    );
    assert_eq!(records.delete(removal(world, "password", 3)), Ok(()));
}

fn denied(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    for name in ["r", "revoked", "expired", "unknown", "bare", "looks"] {
        let request = PutRequest {
            token: token(world, name),
            ..write(world, "x", x.id, 2, Expect::Version(1))
        };
        assert_eq!(records.put(request), Err(Fault::Denied), "put with {name}");
        let request = DeleteRequest {
            token: token(world, name),
            ..removal(world, "x", 1)
        };
        assert_eq!(
            records.delete(request),
            Err(Fault::Denied),
            "delete with {name}"
        );
    }
    assert_eq!(records.item(&demo, &x.id).unwrap(), x);
    for name in ["rw", "w"] {
        let version = records.item(&demo, &x.id).unwrap().version;
        let request = PutRequest {
            token: token(world, name),
            ..write(world, "x", x.id, version + 1, Expect::Version(version))
        };
        assert_eq!(records.put(request), Ok(()), "put with {name}");
    }
}

fn counters(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    let before = records.vault(&demo).unwrap();
    let expect = |content: u64, items: i64, what: &str| {
        let now = records.vault(&demo).unwrap();
        assert_eq!(
            now.content_version,
            before.content_version + content,
            "{what}"
        );
        assert_eq!(now.items as i64, before.items as i64 + items, "{what}");
        assert_eq!(now.attribute_version, before.attribute_version, "{what}");
        assert!(now.updated_at >= NOW, "{what}");
        assert_eq!(
            (now.created_at, &now.attributes),
            (before.created_at, &before.attributes)
        );
    };
    records
        .put(write(world, "x", fresh("counter"), 1, Expect::Absent))
        .unwrap();
    expect(1, 1, "create");
    records
        .put(write(world, "x", x.id, 2, Expect::Version(1)))
        .unwrap();
    expect(2, 1, "change");
    let mut away = write(world, "x", x.id, 3, Expect::Version(2));
    away.item.archived = true;
    records.put(away).unwrap();
    expect(3, 0, "archive");
    records.delete(removal(world, "x", 3)).unwrap();
    expect(4, 0, "delete of an archived item");
    records.delete(removal(world, "cpp", 1)).unwrap();
    expect(5, -1, "delete");
    let _ = records.delete(removal(world, "cpp", 1));
    expect(5, -1, "a refused write");
    assert_eq!(
        records.vault(&vault(world, "ops")).unwrap().content_version,
        3
    );
}

fn upload(world: &World, records: &dyn Records) {
    let (demo, x) = world.record("x");
    let file = FileId::generate(&mut labelled("upload"));
    let chunk = |name: &str, index: u32| PutChunkRequest {
        token: token(world, name),
        vault: demo,
        item: x.id,
        file,
        index,
        content: Sealed::from_bytes(vec![index as u8; 40]),
    };
    assert_eq!(records.put_chunk(chunk("r", 0)), Err(Fault::Denied));
    let nowhere = PutChunkRequest {
        item: world.absent(),
        ..chunk("rw", 0)
    };
    assert_eq!(records.put_chunk(nowhere), Err(Fault::Missing));
    for index in [0, 1] {
        assert_eq!(records.put_chunk(chunk("rw", index)), Ok(()));
    }
    let mut adding = write(world, "x", x.id, 2, Expect::Version(1));
    adding.added.push(file);
    records.put(adding).unwrap();
    for index in [0, 1] {
        let stored = records.chunk(&demo, &x.id, &file, index);
        assert_eq!(stored, Ok(vec![index as u8; 40]));
    }
    let mut dropping = write(world, "x", x.id, 3, Expect::Version(2));
    dropping.dropped.push(file);
    records.put(dropping).unwrap();
    assert_eq!(records.chunk(&demo, &x.id, &file, 0), Err(Fault::Missing));
}
