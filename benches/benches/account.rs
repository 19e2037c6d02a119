//! What the account's two large tasks take: a report over a million accesses, a token for a thousand vaults.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench: a panic says where, and what it finds it prints"
)]

use sekisho_account::{
    Account, KeyFile, NewUser, Operator, UsageReport, clock, protocol::UsageQuery,
    random::SystemRng,
};
use sekisho_benches::report::{aside, at_most, median, time};
use sekisho_core::{
    id::{EnvironmentId, ItemId, TokenId, UserId, VaultId},
    key::OperatorKey,
    records::VaultType,
    rest::{Action, UsageEvent},
    time::Timestamp,
    token::Rights,
};
use tempfile::TempDir;

const DAY: u64 = 24 * 60 * 60;
const ROUNDS: usize = 5;
const ACCESSES: u32 = 1_000_000;
const VAULTS: usize = 1000;
/// Accesses in a batch, of as many items.
const BATCH: u32 = 1000;

fn main() {
    println!("\n== account: in this process, on disk ==");
    usage();
    tokens();
}

struct World {
    account: Account,
    owner: Operator,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = OperatorKey::generate(&mut SystemRng);
        let user = NewUser {
            id: UserId::generate(&mut SystemRng),
            name: "Olive".into(),
            public: key.public(),
        };
        let path = folder.path().join("account.sqlite");
        let account = Account::init(&path, "Bench", &user, clock::now(), &mut SystemRng).unwrap();
        let identity = KeyFile {
            account: account.id(),
            user: user.id,
            key,
        };
        let owner = Operator::new(identity, Box::new(account.clone()));
        Self {
            account,
            owner,
            _folder: folder,
        }
    }

    fn vault(&self, name: &str) -> VaultId {
        let kind = VaultType::UserCreated;
        self.owner.create_vault(name, "", kind, None).unwrap()
    }

    fn environment(&self, vaults: &[VaultId]) -> EnvironmentId {
        self.owner.create_environment("edge", vaults).unwrap().0
    }

    fn token(&self, environment: EnvironmentId, vaults: &[(VaultId, Rights)]) -> TokenId {
        let issued = self.owner.create_token(environment, "app", vaults, None);
        issued.unwrap().record.id
    }
}

/// A million accesses of a thousand items, three seconds apart: 35 days.
fn usage() {
    let world = World::new();
    let vault = world.vault("A");
    let environment = world.environment(&[vault]);
    let token = world.token(environment, &[(vault, Rights::READ)]);
    let items: Vec<ItemId> = (0..BATCH)
        .map(|_| ItemId::generate(&mut SystemRng))
        .collect();
    let access = |number: u32, item: ItemId| UsageReport {
        id: number.to_string(),
        event: UsageEvent {
            token,
            action: Action::Read,
            allowed: true,
            vault,
            item: Some(item),
            item_version: Some(1),
            at: Timestamp::from_seconds(100 * DAY + u64::from(number) * 3),
            caller: Default::default(),
        },
        times: None,
    };
    let ((), took) = time(|| {
        for batch in 0..ACCESSES / BATCH {
            let reports: Vec<_> = (batch * BATCH..)
                .zip(&items)
                .map(|(number, item)| access(number, *item))
                .collect();
            world.account.report_usage(&environment, &reports).unwrap();
        }
    });
    aside(
        "accesses taken in a second",
        f64::from(ACCESSES) / took.as_secs_f64(),
    );
    for (name, since) in [
        ("everything", 0),
        ("from the middle of the first day", 100 * DAY + 7),
        ("from the middle of the last days", 130 * DAY + 7),
    ] {
        let query = UsageQuery {
            since: Some(Timestamp::from_seconds(since)),
            ..UsageQuery::default()
        };
        let seconds = (0..ROUNDS)
            .map(|_| {
                let (rows, took) = time(|| world.owner.usage_report(query).unwrap());
                assert_eq!(rows.len(), items.len());
                took.as_secs_f64()
            })
            .collect();
        at_most(
            &format!("report of a million accesses, {name}, s"),
            median(seconds),
            1.0,
        );
    }
}

fn tokens() {
    let world = World::new();
    let vaults: Vec<VaultId> = (0..VAULTS).map(|n| world.vault(&format!("V{n}"))).collect();
    let environment = world.environment(&vaults);
    let create = |count: usize| {
        let granted: Vec<_> = vaults
            .iter()
            .take(count)
            .map(|vault| (*vault, Rights::READ))
            .collect();
        let (_, took) = time(|| world.token(environment, &granted));
        took.as_secs_f64() * 1000.0
    };
    create(1);
    let times: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (create(1), create(VAULTS))).collect();
    let one = median(times.iter().map(|(one, _)| *one).collect());
    let all = median(times.iter().map(|(_, all)| *all).collect());
    aside("token create for one vault, ms", one);
    at_most(&format!("token create for {VAULTS} vaults, ms"), all, 100.0);
}
