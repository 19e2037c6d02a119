//! What is served equals what the account says; what is on disk is one state or the next, never between.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    cell::Cell,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Client, MemoryAccount, config, start};
use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    rest::{Action, UsageEvent},
    sync::{FeedPage, Incoming},
};
use sekisho_host::{
    Host, HostConfig,
    engine::EngineKind,
    random::SystemRandom,
    store::{Applied, Replica, StoreError},
    sync::{Upstream, UpstreamError, UsageReport},
};

fn snapshot_of(account: &MemoryAccount) -> (Snapshot, sekisho_core::sync::Plan) {
    let pages = vec![account.changes("").unwrap()];
    let plan = Incoming::parse(pages, &account.trust())
        .unwrap()
        .plan(&Snapshot::default())
        .unwrap();
    (Snapshot::default().apply(&plan), plan)
}

fn loaded(directory: &Path, account: &MemoryAccount) -> Option<Snapshot> {
    let news = Replica::open(directory).unwrap().news(0).unwrap()?;
    let incoming = Incoming::parse(vec![news.page], &account.trust()).unwrap();
    let plan = incoming.plan(&Snapshot::default()).unwrap();
    Some(Snapshot::default().apply(&plan))
}

/// Another process that has the file open: told step by step, it ends up with the same as who reads everything.
#[test]
fn who_follows_a_replica_holds_what_it_holds() {
    let account = MemoryAccount::new(20);
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Replica::open(directory.path()).unwrap();
    let mut follower = Replica::open(directory.path()).unwrap();
    let (mut held, mut followed) = (Snapshot::default(), Snapshot::default());
    let (mut cursor, mut seen) = (String::new(), 0);
    let mut told = Vec::new();
    for round in 0..6 {
        match round {
            0 | 3 => {}
            1 => drop(account.add_file(1000)),
            2 => account.remove(account.items()[0]),
            4 => account.revoke(),
            // As after a restore of the account: everything anew.
            _ => cursor.clear(),
        }
        let mut page = account.changes(&cursor).unwrap();
        page.reset = cursor.is_empty();
        page.cursor.clone_into(&mut cursor);
        let plan = Incoming::parse(vec![page], &account.trust()).unwrap();
        let plan = plan.plan(&held).unwrap();
        held = held.apply(&plan);
        let Applied::At(at) = writer.apply(&plan, &[], round).unwrap() else {
            panic!("nobody else writes");
        };
        assert_eq!(writer.apply(&plan, &[], round).unwrap(), Applied::Behind);
        if round == 2 {
            // It was away for a while.
            continue;
        }
        let news = follower.news(seen).unwrap().unwrap();
        (seen, cursor) = (news.change, news.page.cursor.clone());
        assert_eq!(seen, at);
        told.push((news.page.reset, news.page.items.len()));
        let incoming = Incoming::parse(vec![news.page], &account.trust()).unwrap();
        followed = followed.apply(&incoming.plan(&followed).unwrap());
        assert!(same(&held, &followed, &account), "round {round}");
        assert!(same(
            &held,
            &loaded(directory.path(), &account).unwrap(),
            &account
        ));
        assert!(follower.news(seen).unwrap().is_none());
    }
    assert_eq!(
        told,
        [(true, 20), (false, 1), (false, 0), (false, 0), (true, 20)],
        "only what changed is read"
    );
}

fn same(a: &Snapshot, b: &Snapshot, account: &MemoryAccount) -> bool {
    a.head() == b.head()
        && a.vaults().eq(b.vaults())
        && a.tokens().eq(b.tokens())
        && a.items(&account.vault).eq(b.items(&account.vault))
}

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !check() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_replica_gives_back_what_it_took_once_or_twice() {
    let account = MemoryAccount::new(20);
    account.add_file(100_000);
    let (snapshot, plan) = snapshot_of(&account);
    let directory = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(directory.path()).unwrap();
    assert!(replica.news(0).unwrap().is_none());
    for seen in 0..2 {
        assert_eq!(
            replica.apply(&plan, &[], seen).unwrap(),
            Applied::At(seen + 1)
        );
        assert!(same(
            &loaded(directory.path(), &account).unwrap(),
            &snapshot,
            &account
        ));
    }
}

#[test]
fn a_crash_between_plans_leaves_the_last_whole_one() {
    let account = MemoryAccount::new(5);
    let (before, plan) = snapshot_of(&account);
    let directory = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(directory.path()).unwrap();
    replica.apply(&plan, &[], 0).unwrap();
    // A crash: the files as they are while a transaction is open.
    let copy = tempfile::tempdir().unwrap();
    let half = rusqlite::Connection::open(directory.path().join("replica.sqlite")).unwrap();
    half.execute_batch("BEGIN; DELETE FROM item; UPDATE state SET cursor = 'later';")
        .unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    assert!(same(
        &loaded(copy.path(), &account).unwrap(),
        &before,
        &account
    ));
}

#[test]
fn a_damaged_file_is_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("replica.sqlite");
    for n in 1..=2 {
        fs::write(
            &file,
            b"this is no database, whatever its name says".repeat(100),
        )
        .unwrap();
        assert!(
            Replica::open(directory.path())
                .unwrap()
                .news(0)
                .unwrap()
                .is_none()
        );
        assert!(
            directory
                .path()
                .join(format!("replica.sqlite.damaged-{n}"))
                .exists()
        );
    }
}

#[test]
fn a_row_that_makes_no_sense_is_damage() {
    let account = MemoryAccount::new(2);
    let (_, plan) = snapshot_of(&account);
    for spoil in [
        "UPDATE item SET id = 'no id' WHERE rowid = 1",
        "UPDATE item SET exact = x'00'",
        "UPDATE token SET record = '{}'",
        "UPDATE vault SET kind = 'CASTLE'",
        "UPDATE state SET head = ''",
    ] {
        let directory = tempfile::tempdir().unwrap();
        Replica::open(directory.path())
            .unwrap()
            .apply(&plan, &[], 0)
            .unwrap();
        let file = directory.path().join("replica.sqlite");
        rusqlite::Connection::open(&file)
            .unwrap()
            .execute_batch(spoil)
            .unwrap();
        let loaded = Replica::open(directory.path()).unwrap().news(0);
        assert!(matches!(loaded, Err(StoreError::Damaged(_))), "{spoil}");
    }
}

#[test]
fn files_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let account = MemoryAccount::new(1);
    let directory = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(directory.path()).unwrap();
    replica.apply(&snapshot_of(&account).1, &[], 0).unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}

#[test]
fn ten_thousand_items_come_back() {
    let account = MemoryAccount::new(10_000);
    let (_, plan) = snapshot_of(&account);
    let directory = tempfile::tempdir().unwrap();
    let mut replica = Replica::open(directory.path()).unwrap();
    replica.apply(&plan, &[], 0).unwrap();
    let snapshot = loaded(directory.path(), &account).unwrap();
    assert_eq!(snapshot.item_count(), 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_account_serves_what_was_held() {
    let account = Arc::new(MemoryAccount::new(3));
    let directory = tempfile::tempdir().unwrap();
    start(config(&account, EngineKind::Native, Some(directory.path())))
        .await
        .shutdown()
        .await;
    account.offline.store(true, Ordering::Relaxed);
    for spoil in [false, true] {
        if spoil {
            // A replica whose token list is not the head's is not believed.
            let file = directory.path().join("replica.sqlite");
            rusqlite::Connection::open(&file)
                .unwrap()
                .execute_batch("DELETE FROM token")
                .unwrap();
        }
        let mut config = config(&account, EngineKind::Native, Some(directory.path()));
        config.limits.sync_time = Duration::from_millis(50);
        let host = Host::start(config).await.unwrap();
        let (addr, asked) = (host.addr(), Arc::clone(&account));
        let answer = tokio::task::spawn_blocking(move || {
            Client::connect(addr).get("/v1/vaults", &asked.token)
        });
        assert_eq!(answer.await.unwrap().status, if spoil { 503 } else { 200 });
        eventually("failure is told", || {
            host.health().report().failing.is_some()
        });
        host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_read_and_a_revocation_is_seen_at_once() {
    let account = Arc::new(MemoryAccount::new(3));
    let mut config = config(&account, EngineKind::Component, None);
    // It is pushed: nobody waits for the next question.
    config.pace.interval = Duration::from_secs(3600);
    let host = start(config).await;
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let items = format!("/v1/vaults/{}/items", asked.vault);
        for n in 0..10 {
            let body = format!(
                r#"{{"vault":{{"id":"{}"}},"title":"New {n}","category":"SECURE_NOTE"}}"#,
                asked.vault
            );
            let made = client.send("POST", &items, &asked.token, Some(&body));
            assert_eq!(made.status, 200, "{made:?}");
            let path = format!("{items}/{}", made.json()["id"].as_str().unwrap());
            assert_eq!(
                client.get(&path, &asked.token).json()["title"],
                format!("New {n}")
            );
            assert_eq!(client.send("DELETE", &path, &asked.token, None).status, 204);
            assert_eq!(client.get(&path, &asked.token).status, 404);
        }
        asked.revoke();
        eventually("revoked", || client.get(&items, &asked.token).status == 401);
    })
    .await
    .unwrap();
    host.shutdown().await;
}

/// What is read again and again is kept sealed for its reader (ADR 25), and shows every change all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_a_reader_follows_every_change() {
    for engine in [EngineKind::Native, EngineKind::Component] {
        what_is_kept_follows_every_change(engine).await;
    }
}

async fn what_is_kept_follows_every_change(engine: EngineKind) {
    const READS: usize = 4;
    let account = Arc::new(MemoryAccount::new(3));
    let host = start(config(&account, engine, None)).await;
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    let reads = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let [id, gone, ..] = asked.items()[..] else {
            panic!("three items")
        };
        let of = |id| format!("/v1/vaults/{}/items/{id}", asked.vault);
        let [path, gone_path] = [of(id), of(gone)];
        let met = |client: &mut Client| {
            let page = client.get("/metrics", "nobody asks").body;
            let page = String::from_utf8(page).unwrap();
            let line = page
                .lines()
                .find_map(|line| line.strip_prefix("sekisho_kept_answers_total "));
            line.unwrap().parse::<usize>().unwrap()
        };
        let reads = Cell::new(0);
        let get = |client: &mut Client, path: &str| {
            let answer = client.get(path, &asked.token);
            reads.set(reads.get() + usize::from(answer.status == 200));
            answer
        };
        let read = |client: &mut Client, path: &str| {
            let answers: Vec<_> = (0..READS).map(|_| get(client, path)).collect();
            let bodies: Vec<_> = answers.iter().map(|answer| &answer.body).collect();
            assert!(answers[0].status == 200 && bodies.iter().all(|body| *body == bodies[0]));
            answers[0].json()["title"].as_str().unwrap().to_owned()
        };
        for n in 1..=3 {
            let title = format!("Title {n}");
            let body = format!(
                r#"{{"id":"{id}","vault":{{"id":"{}"}},"title":"{title}","category":"SECURE_NOTE"}}"#,
                asked.vault
            );
            let put = client.send("PUT", &path, &asked.token, Some(&body));
            assert_eq!(put.status, 200, "{put:?}");
            assert_eq!(read(&mut client, &path), title);
            // The first is answered, the second kept, the third meets it, unless the records are replaced in between.
            let before = met(&mut client);
            eventually("kept", || {
                assert_eq!(read(&mut client, &path), title);
                met(&mut client) > before
            });
        }
        read(&mut client, &gone_path);
        asked.remove(gone);
        eventually("removed", || get(&mut client, &gone_path).status == 404);
        read(&mut client, &path);
        asked.revoke();
        eventually("revoked", || get(&mut client, &path).status == 401);
        for _ in 0..READS {
            assert_eq!(get(&mut client, &path).status, 401);
        }
        reads.get()
    });
    let reads = reads.await.unwrap();
    host.shutdown().await;
    let is_read = |event: &&UsageEvent| event.action == Action::Read && event.allowed;
    assert_eq!(account.usage().iter().filter(is_read).count(), reads);
}

/// A token signed with a key that followed is told apart from a forged one: the host has learnt the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_signing_key_is_believed() {
    for engine in [EngineKind::Native, EngineKind::Component] {
        let account = Arc::new(MemoryAccount::new(1));
        let host = start(config(&account, engine, None)).await;
        let addr = host.addr();
        let asked = Arc::clone(&account);
        tokio::task::spawn_blocking(move || {
            let token = asked.rotate_signing_key();
            let mut client = Client::connect(addr);
            let mut code = || client.get("/v1/vaults", &token).json()["code"].clone();
            eventually("the key is learnt", || code() == "token_not_synchronised");
        })
        .await
        .unwrap();
        assert_eq!(host.live().signing_keys().len(), 2);
        host.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_the_account_is_503_and_changes_nothing() {
    let account = Arc::new(MemoryAccount::new(1));
    let host = start(config(&account, EngineKind::Native, None)).await;
    account.offline.store(true, Ordering::Relaxed);
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let path = format!("/v1/vaults/{}/items/{}", asked.vault, asked.items()[0]);
        client
            .send("DELETE", &path, &asked.token, None)
            .assert_refusal(503);
        assert_eq!(client.get(&path, &asked.token).status, 200);
        asked.offline.store(false, Ordering::Relaxed);
        assert_eq!(client.send("DELETE", &path, &asked.token, None).status, 204);
    })
    .await
    .unwrap();
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_counts_once_though_answers_are_lost() {
    let account = Arc::new(MemoryAccount::new(3));
    account.usage_failures.store(1, Ordering::Relaxed);
    let host = start(config(&account, EngineKind::Native, None)).await;
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    tokio::task::spawn_blocking(move || {
        let path = format!("/v1/vaults/{}/items/{}", asked.vault, asked.items()[0]);
        for _ in 0..5 {
            assert_eq!(Client::connect(addr).get(&path, &asked.token).status, 200);
        }
        eventually("the batch arrived", || {
            asked.usage_failures.load(Ordering::Relaxed) == 0
        });
        assert_eq!(Client::connect(addr).get(&path, &asked.token).status, 200);
    })
    .await
    .unwrap();
    host.shutdown().await;
    assert_eq!(account.usage().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_lost_while_running_is_written_anew() {
    let account = Arc::new(MemoryAccount::new(3));
    let directory = tempfile::tempdir().unwrap();
    let host = start(config(&account, EngineKind::Native, Some(directory.path()))).await;
    let file = directory.path().join("replica.sqlite");
    eventually("written", || loaded(directory.path(), &account).is_some());
    // The disk goes bad under the open file.
    let length = fs::metadata(&file).unwrap().len();
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    fs::write(&file, vec![0x5a; length as usize]).unwrap();
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    tokio::task::spawn_blocking(move || {
        let path = format!("/v1/vaults/{}/items/{}", asked.vault, asked.items()[0]);
        assert_eq!(
            Client::connect(addr)
                .send("DELETE", &path, &asked.token, None)
                .status,
            204
        );
    })
    .await
    .unwrap();
    host.shutdown().await;
    let (now, _) = snapshot_of(&account);
    let held = loaded(directory.path(), &account).unwrap();
    assert!(held.items(&account.vault).eq(now.items(&account.vault)));
}

/// An account whose answers get lost on their way, after it did as asked.
struct Deaf {
    account: Arc<MemoryAccount>,
    losses: AtomicUsize,
}

impl Deaf {
    fn lose<T>(&self, done: Result<T, UpstreamError>) -> Result<T, UpstreamError> {
        let fewer = |losses: usize| losses.checked_sub(1);
        let order = Ordering::Relaxed;
        match self.losses.fetch_update(order, order, fewer) {
            Ok(_) => Err(UpstreamError::Unreachable("lost".into())),
            Err(_) => done,
        }
    }
}

impl Upstream for Deaf {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        self.account.changes(cursor)
    }
    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        let done = self.account.put(request);
        self.lose(done)
    }
    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.account.put_chunk(request)
    }
    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        // As the account does it, which the one in memory does not.
        let held = self.account.items().contains(&request.item);
        let done = match held && !self.account.is_gone(request.item) {
            true => self.account.delete(request),
            false => Err(UpstreamError::Refused(Fault::Missing)),
        };
        self.lose(done)
    }
    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        self.account.chunk(vault, item, file, index)
    }
    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.account.report_usage(reports)
    }
    fn wait(&self, timeout: Duration) -> bool {
        self.account.wait(timeout)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_sent_again_and_done_once() {
    let account = Arc::new(MemoryAccount::new(1));
    let deaf = Arc::new(Deaf {
        account: Arc::clone(&account),
        losses: AtomicUsize::new(0),
    });
    let host = start(HostConfig {
        upstream: Arc::clone(&deaf) as _,
        // Each write has bytes of its own.
        random: Arc::new(SystemRandom),
        ..config(&account, EngineKind::Native, None)
    })
    .await;
    let (addr, asked) = (host.addr(), Arc::clone(&account));
    tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(addr);
        let items = format!("/v1/vaults/{}/items", asked.vault);
        // Once, twice, and each time it is tried.
        for losses in 1..=3 {
            let lose = || deaf.losses.store(losses, Ordering::Relaxed);
            let before = asked.items().len();
            let body = format!(
                r#"{{"vault":{{"id":"{}"}},"title":"New","category":"SECURE_NOTE"}}"#,
                asked.vault
            );
            lose();
            let made = client.send("POST", &items, &asked.token, Some(&body));
            assert_eq!(made.status, 200, "{losses} lost: {made:?}");
            assert_eq!(asked.items().len(), before + 1);
            let path = format!("{items}/{}", made.json()["id"].as_str().unwrap());
            lose();
            let changed = client.send("PUT", &path, &asked.token, Some(&body));
            assert_eq!(changed.status, 200, "{losses} lost: {changed:?}");
            assert_eq!(client.get(&path, &asked.token).json()["version"], 2);
            lose();
            let deleted = client.send("DELETE", &path, &asked.token, None);
            assert_eq!(deleted.status, 204, "{losses} lost: {deleted:?}");
            assert_eq!(client.get(&path, &asked.token).status, 404);
        }
    })
    .await
    .unwrap();
    host.shutdown().await;
}
