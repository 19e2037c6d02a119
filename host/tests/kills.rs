//! Everything is killed at any moment, round after round: what was acknowledged is there, what was not is there whole
//! or not at all, and every access is counted once.
//!
//! `SEKISHO_ROUNDS` says how many rounds (200 without it, 10,000 by `make chaos`), `SEKISHO_SEED` repeats a run as far
//! as chance decides it; the seed is printed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use std::{
    collections::BTreeMap,
    io::Write,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::Answer;
use sekisho_account::protocol::UsageQuery;
use sekisho_core::id::ItemId;
use stack::{PATIENCE, Process, World, note};

/// splitmix64: the same seed, the same run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn ask(
    addr: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    Answer::read(&mut stream)
}

/// The processes, by what they do. `serve` has a data folder of its own.
const ROLES: [&str; 5] = ["account", "sync", "api", "api", "serve"];
/// Those that clients ask.
const FRONTS: std::ops::Range<usize> = 2..5;

struct Stage {
    world: World,
    processes: Vec<Process>,
    /// Reads of the one item that are counted.
    asked: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
}

/// What clients were told in one round.
#[derive(Default)]
struct Told {
    /// Created, by title.
    created: BTreeMap<String, ItemId>,
    /// Asked for, and no answer came.
    unclear: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let world = World::new(1);
        let processes = ROLES.iter().map(|role| start(&world, role)).collect();
        Self {
            world,
            processes,
            asked: Arc::default(),
            answered: Arc::default(),
        }
    }

    fn round(&mut self, number: u64, chance: &mut Chance) {
        let until = Instant::now() + Duration::from_millis(40 + chance.below(60));
        let clients: Vec<_> = FRONTS
            .map(|front| {
                self.client(
                    self.processes[front].addr,
                    format!("{number}.{front}"),
                    until,
                )
            })
            .collect();
        thread::sleep(Duration::from_millis(5 + chance.below(50)));
        for _ in 0..=chance.below(2) {
            let victim = chance.below(ROLES.len() as u64) as usize;
            let _ = self.processes[victim].child.kill();
            let _ = self.processes[victim].child.wait();
        }
        let mut told = Told::default();
        for client in clients {
            let more = client.join().unwrap();
            told.created.extend(more.created);
            told.unclear.extend(more.unclear);
        }
        for (process, role) in self.processes.iter_mut().zip(ROLES) {
            if process.child.try_wait().unwrap().is_some() {
                *process = start(&self.world, role);
            }
        }
        self.check(number, told);
    }

    /// Reads and writes until the time is up or its server is gone.
    fn client(&self, addr: SocketAddr, name: String, until: Instant) -> thread::JoinHandle<Told> {
        let (token, vault) = (self.world.token.clone(), self.world.vault);
        let (items, item) = (
            self.world.items_path(),
            self.world.item_path(&self.world.items[0]),
        );
        let (asked, answered) = (Arc::clone(&self.asked), Arc::clone(&self.answered));
        thread::spawn(move || {
            let mut told = Told::default();
            for n in 0.. {
                if Instant::now() >= until {
                    break;
                }
                asked.fetch_add(1, Ordering::Relaxed);
                match ask(addr, &token, "GET", &item, "") {
                    // A server that started a moment ago may have nothing yet.
                    Ok(answer) if answer.status == 503 => {
                        asked.fetch_sub(1, Ordering::Relaxed);
                    }
                    Ok(answer) => {
                        assert_eq!(answer.status, 200, "{}", answer.describe());
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // It is dead, and never heard of it.
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        asked.fetch_sub(1, Ordering::Relaxed);
                        break;
                    }
                    Err(_) => {}
                }
                let title = format!("{name}.{n}");
                match ask(addr, &token, "POST", &items, &note(&vault, &title)) {
                    Ok(answer) if answer.status == 200 => {
                        let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
                        told.created.insert(title, id);
                    }
                    Ok(answer) => {
                        assert_eq!(answer.status, 503, "{}", answer.describe());
                        told.unclear.push(title);
                    }
                    Err(_) => told.unclear.push(title),
                }
            }
            told
        })
    }

    fn check(&self, number: u64, mut told: Told) {
        // What is written now comes after all that was acknowledged; whoever has it has everything before.
        for front in FRONTS {
            let title = format!("{number}.{front}.last");
            let id = self.write(front, &title);
            told.created.insert(title, id);
        }
        let theirs = self.account();
        for title in &told.unclear {
            if let Some(id) = theirs.get(title) {
                told.created.insert(title.clone(), *id);
            }
        }
        for (title, id) in &told.created {
            assert_eq!(
                theirs.get(title),
                Some(id),
                "round {number}: the account lost {title}"
            );
            for front in FRONTS {
                self.reads(front, title, id);
            }
        }
        // Deleted by whoever comes next, so that rounds cost the same; what is deleted stays so.
        for (turn, (title, id)) in told.created.iter().enumerate() {
            let front = FRONTS.start + turn % FRONTS.len();
            let path = self.world.item_path(id);
            let deleted = self.ask(front, "DELETE", &path, "");
            assert_eq!(
                deleted.status,
                204,
                "round {number}, {title}: {}",
                deleted.describe()
            );
            assert_eq!(self.ask(front, "GET", &path, "").status, 404);
        }
    }

    fn ask(&self, front: usize, method: &str, path: &str, body: &str) -> Answer {
        ask(
            self.processes[front].addr,
            &self.world.token,
            method,
            path,
            body,
        )
        .unwrap()
    }

    /// Until it is taken; the account may have been killed a moment ago.
    fn write(&self, front: usize, title: &str) -> ItemId {
        let end = Instant::now() + PATIENCE;
        let path = self.world.items_path();
        let body = note(&self.world.vault, title);
        loop {
            let answer = self.ask(front, "POST", &path, &body);
            if answer.status == 200 {
                return answer.json()["id"].as_str().unwrap().parse().unwrap();
            }
            assert_eq!(answer.status, 503, "{}", answer.describe());
            assert!(
                Instant::now() < end,
                "{} takes no writes: {}",
                ROLES[front],
                answer.describe()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The last written item of each front may not have reached the others yet; everything before has.
    fn reads(&self, front: usize, title: &str, id: &ItemId) {
        let path = self.world.item_path(id);
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(front, "GET", &path, "");
            if answer.status == 200 {
                assert_eq!(answer.json()["title"], title);
                return;
            }
            let is_last = title.ends_with(".last");
            assert!(
                is_last && Instant::now() < end,
                "{} lost {title}: {}",
                ROLES[front],
                answer.describe()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the account holds, by title.
    fn account(&self) -> BTreeMap<String, ItemId> {
        let items = self.world.operator.items(self.world.vault).unwrap();
        let mut titles = BTreeMap::new();
        for item in items {
            let overview: serde_json::Value = serde_json::from_slice(&item.overview).unwrap();
            let title = overview["title"].as_str().unwrap().to_owned();
            assert_eq!(titles.insert(title, item.id), None, "written twice");
        }
        titles
    }

    /// Files of usage that nobody has sent, and their sizes.
    fn usage_left(&self) -> Vec<(PathBuf, u64)> {
        let files = stack::files(self.world.dir.path()).into_iter();
        let usage = files.filter(|file| file.to_string_lossy().contains("/usage/"));
        usage
            .map(|file| {
                let size = file.metadata().map_or(0, |metadata| metadata.len());
                (file, size)
            })
            .collect()
    }

    /// Reads whose answer was lost may or may not have been counted; all others once.
    fn check_usage(&self) {
        let counted = || -> u64 {
            let query = UsageQuery {
                item: Some(self.world.items[0]),
                ..UsageQuery::default()
            };
            let rows = self.world.operator.usage_report(query).unwrap();
            rows.iter().map(|row| row.count).sum()
        };
        let (asked, answered) = (
            self.asked.load(Ordering::Relaxed),
            self.answered.load(Ordering::Relaxed),
        );
        // Folders of the dead are taken over one after the other, while the account may be spared for a while.
        let end = Instant::now() + 4 * PATIENCE;
        while counted() < answered {
            assert!(
                Instant::now() < end,
                "never: {answered} reads were answered, {} are counted; left: {:?}",
                counted(),
                self.usage_left()
            );
            thread::sleep(Duration::from_millis(100));
        }
        // Whoever still has something sends it within this time; then there may be no more than were asked.
        thread::sleep(Duration::from_secs(2));
        let counted = counted();
        eprintln!("{asked} reads asked, {answered} answered, {counted} counted");
        assert!(
            (answered..=asked).contains(&counted),
            "{counted} of {answered}..={asked}"
        );
    }
}

fn start(world: &World, role: &str) -> Process {
    match role {
        "account" => world.serve_account(),
        "serve" => world.host_with(role, |command| {
            command.env("SEKISHO_DATA_DIR", world.dir.path().join("alone"));
        }),
        role => world.host(role),
    }
}

#[test]
fn nothing_acknowledged_is_lost_whatever_is_killed() {
    let rounds = number("SEKISHO_ROUNDS").unwrap_or(200);
    let seed = number("SEKISHO_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("SEKISHO_SEED={seed} SEKISHO_ROUNDS={rounds}");
    let mut chance = Chance(seed);
    let mut stage = Stage::new();
    for round in 0..rounds {
        stage.round(round, &mut chance);
        // A revoked token stays so through kills and restarts of whatever it passed.
        if round % 20 == 19 {
            let (id, text) = stage.world.issue();
            for front in FRONTS {
                stack::eventually("issued", || {
                    let answer = ask(stage.processes[front].addr, &text, "GET", "/v1/vaults", "");
                    answer.is_ok_and(|answer| answer.status == 200)
                });
            }
            stage.world.operator.revoke_token(id).unwrap();
            let victim = chance.below(ROLES.len() as u64) as usize;
            let _ = stage.processes[victim].child.kill();
            let _ = stage.processes[victim].child.wait();
            stage.processes[victim] = start(&stage.world, ROLES[victim]);
            for front in FRONTS {
                stack::eventually("revoked", || {
                    let answer = ask(stage.processes[front].addr, &text, "GET", "/v1/vaults", "");
                    answer.is_ok_and(|answer| answer.status == 401)
                });
            }
        }
    }
    stage.check_usage();
}
