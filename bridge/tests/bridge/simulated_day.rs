//! Twenty-four hours under a virtual clock: five vaults, two thousand items, fifty edits an hour in the app, a client's
//! write each half hour and a thousand readers, on the Families plan. Readers and writers stand behind a Connect server
//! that follows the account by its feed, as hosts do.

use std::{sync::Arc, thread};

use sekisho_account::{AccountError, Credentials, Device, LocalDevice, random::SystemRng};
use sekisho_bridge::{
    budget::Plan,
    client::{Double, OpClient, VaultKind},
    mirror::{Mirror, MirrorError},
};
use sekisho_core::{
    cache::Snapshot,
    id::{ItemId, TokenId, VaultId},
    item::stored::StoredItem,
    records::{Expect, PutRequest},
    secret::SecretText,
    sync::Incoming,
    token::{Rights, WriteAccess},
};

use crate::world::World;

const HOUR: u64 = 3600;
/// Seconds of the clock's steps.
const STEP: u64 = 10;
const VAULTS: usize = 5;
const ITEMS: usize = 2_000;
const READERS: u64 = 1_000;
const EDITS_AN_HOUR: u64 = 50;

#[test]
fn a_day_of_families() {
    let mut day = Day::new();
    for now in (0..24 * HOUR).step_by(STEP as usize) {
        day.at(now);
        if happens(now, HOUR / EDITS_AN_HOUR) {
            day.edit();
        }
        if happens(now, HOUR / 2) {
            day.write();
        }
        day.poll();
        // Each looks once an hour, at its own time.
        let turn = now / STEP % (HOUR / STEP);
        for reader in (0..READERS).filter(|reader| reader % (HOUR / STEP) == turn) {
            let index = (reader * 7 + now / HOUR * 13) as usize % ITEMS;
            day.read(index);
        }
    }
    let sent = day.world.double.sent().total();
    let Day {
        edits,
        writes,
        reads,
        polls,
        longest,
        ..
    } = day;
    eprintln!(
        "{edits} edits, {writes} writes, {reads} reads, {polls} polls, {sent} requests, longest wait {longest} s"
    );
    assert!(edits >= 1_190 && writes >= 46 && reads >= 23_000);
    assert!(sent <= 1_000, "{sent} requests");
    // What the plan's day allows when each poll finds something in every vault, and evenly so.
    assert!(longest <= 2_400, "{longest} s");
    assert!(day.mirror.state().quarantine.is_empty());
}

/// Whether something that happens each so many seconds falls into this step; nothing does before the first poll.
const fn happens(now: u64, every: u64) -> bool {
    now >= every && now % every < STEP
}

struct Day {
    world: World,
    mirror: Mirror<Double>,
    begin: u64,
    now: u64,
    vaults: Vec<VaultId>,
    items: Vec<ItemId>,
    /// The vaults' keys, as a token brings them.
    accesses: Vec<WriteAccess>,
    /// Each item's values, with the time since when it has them upstream.
    values: Vec<Vec<(u64, String)>>,
    /// The value that a writer was told is there, by its place among them.
    acknowledged: Vec<usize>,
    /// When the last poll that ended well began.
    polled: u64,
    server: Server,
    edits: usize,
    writes: usize,
    reads: usize,
    polls: usize,
    /// Seconds that a change waited at most until readers saw it.
    longest: u64,
}

/// A Connect server: what it follows, and a token of its clients.
struct Server {
    device: Arc<LocalDevice>,
    credentials: Credentials,
    token: TokenId,
    snapshot: Snapshot,
    cursor: String,
}

impl Server {
    fn new(world: &World, vaults: &[VaultId]) -> Self {
        let operator = world.operator();
        let (environment, credentials) = operator.create_environment("server", vaults).unwrap();
        let rights = Rights::parse("rw").unwrap();
        let rights: Vec<_> = vaults.iter().map(|vault| (*vault, rights)).collect();
        let token = operator.create_token(environment, "t", &rights, None);
        let device = LocalDevice::new(world.account.clone(), &credentials).unwrap();
        let mut server = Self {
            device: Arc::new(device),
            credentials,
            token: token.unwrap().record.id,
            snapshot: Snapshot::default(),
            cursor: String::new(),
        };
        server.follow();
        server
    }

    /// What a push makes a host do.
    fn follow(&mut self) {
        let mut pages = vec![self.device.changes(&self.cursor, 1000).unwrap()];
        while pages.last().unwrap().more {
            let cursor = pages.last().unwrap().cursor.clone();
            pages.push(self.device.changes(&cursor, 1000).unwrap());
        }
        let incoming = Incoming::parse(pages, &self.credentials.trust()).unwrap();
        let plan = incoming.plan(&self.snapshot).unwrap();
        self.snapshot = self.snapshot.apply(&plan);
        plan.cursor().clone_into(&mut self.cursor);
    }
}

impl Day {
    fn new() -> Self {
        let mut world = World::new();
        world.plan = Plan::FAMILIES;
        world.writes = true;
        let vaults: Vec<_> = (0..VAULTS)
            .map(|n| {
                let title = n.to_string();
                world.double.add_vault(&title, VaultKind::UserCreated)
            })
            .collect();
        let items = (0..ITEMS).map(|n| {
            let vault = vaults[n % VAULTS];
            world.double.add_item(vault, &n.to_string(), "first")
        });
        let items = items.collect();
        world.pass(60);
        let mut mirror = world.mirror();
        mirror.poll().unwrap();
        Self {
            begin: world.now(),
            server: Server::new(&world, &vaults),
            mirror,
            accesses: vaults
                .iter()
                .map(|vault| world.operator().write_access(*vault).unwrap())
                .collect(),
            now: 0,
            vaults,
            items,
            values: vec![vec![(0, "first".to_owned())]; ITEMS],
            acknowledged: vec![0; ITEMS],
            polled: 0,
            edits: 0,
            writes: 0,
            reads: 0,
            polls: 1,
            longest: 0,
            world,
        }
    }

    fn at(&mut self, now: u64) {
        self.now = now;
        self.world.at(self.begin + now * 1000);
    }

    fn place(&self, index: usize) -> (VaultId, ItemId) {
        (self.vaults[index % VAULTS], self.items[index])
    }

    /// Someone changes an item in the app.
    fn edit(&mut self) {
        let index = (self.edits * 7919) % ITEMS;
        let (vault, item) = self.place(index);
        let value = format!("edit {}", self.edits);
        self.world.double.edit(vault, item, |item| {
            item.fields[0].value = SecretText::new(value.clone());
        });
        self.values[index].push((self.now, value));
        self.edits += 1;
    }

    /// A client changes an item through Connect, on top of what it reads; after a conflict once more.
    fn write(&mut self) {
        let index = (self.writes * 104_729 + 5) % ITEMS;
        let value = format!("write {}", self.writes);
        let mut conflicts = 0;
        loop {
            let request = self.change(index, &value);
            let device = Arc::clone(&self.server.device);
            let sending = thread::spawn(move || device.put(&request));
            while !sending.is_finished() {
                self.mirror.write_through(50).unwrap();
            }
            let told = sending.join().unwrap();
            self.server.follow();
            match told {
                Ok(()) => break,
                Err(AccountError::ConflictUpstream(_)) if conflicts == 0 => conflicts = 1,
                // The machine stood still for so long that nobody seemed to be there: nothing was done.
                Err(AccountError::Unavailable) => {}
                Err(error) => panic!("{error}"),
            }
        }
        self.values[index].push((self.now, value));
        self.acknowledged[index] = self.values[index].len() - 1;
        self.writes += 1;
        self.read(index);
    }

    /// What a host sends.
    fn change(&self, index: usize, value: &str) -> PutRequest {
        let (vault, item) = self.place(index);
        let access = &self.accesses[index % VAULTS];
        let held = self.server.snapshot.item(&vault, &item).unwrap();
        let mut next = StoredItem::open(access.current(), held).unwrap();
        let expect = Expect::Version(next.item.version);
        next.item.version += 1;
        let mut fields = next.item.fields.iter_mut();
        let field = fields.find(|field| field.id == "password").unwrap();
        field.value = Some(SecretText::new(value));
        PutRequest {
            token: self.server.token,
            vault,
            expect,
            item: next.seal(access, &mut SystemRng).unwrap(),
            added: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Polls if one is due. A change is seen when the first poll after it has ended, and that one comes within the
    /// interval that the pace allows at the time.
    fn poll(&mut self) {
        if self.mirror.next_poll().millis() > self.world.now() {
            return;
        }
        let interval = self.mirror.budget().interval(self.mirror.now());
        match self.mirror.poll() {
            Ok(_) => {}
            // The polls' share of the day ended in the middle of it: what is left comes with the next one.
            Err(MirrorError::Hold(_)) => return,
            Err(error) => panic!("{error}"),
        }
        self.polls += 1;
        self.server.follow();
        let changed =
            (0..ITEMS).filter(|index| self.values[*index].last().unwrap().0 > self.polled);
        for index in changed.collect::<Vec<_>>() {
            let since = self.values[index].last().unwrap().0;
            let waited = self.now - since;
            assert!(
                waited <= interval + STEP,
                "{waited} s at an interval of {interval} s"
            );
            self.longest = self.longest.max(waited);
            let shown = self.read(index);
            assert_eq!(shown + 1, self.values[index].len(), "the newest one");
        }
        self.polled = self.now;
    }

    /// A reader looks. It never sees what was not there any more when the last poll began, nor anything before what a
    /// writer was told is there. Answers which of the item's values it sees.
    fn read(&mut self, index: usize) -> usize {
        self.reads += 1;
        let (vault, item) = self.place(index);
        let access = self.accesses[index % VAULTS].current();
        let record = self.server.snapshot.item(&vault, &item).unwrap();
        let stored = StoredItem::open(access, record).unwrap();
        let mut fields = stored.item.fields.iter();
        let field = fields.find(|field| field.id == "password").unwrap();
        let shown = field.value.as_ref().unwrap().expose();
        let values = &self.values[index];
        let at = values.iter().position(|(_, value)| value == shown).unwrap();
        assert!(
            at >= self.acknowledged[index],
            "a stale read after an acknowledged write"
        );
        if let Some((ended, _)) = values.get(at + 1) {
            assert!(
                *ended > self.polled,
                "{ended} was before the poll at {}",
                self.polled
            );
        }
        at
    }
}
