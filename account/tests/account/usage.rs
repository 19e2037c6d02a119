//! Usage reports (issue 5, line 7).

use sekisho_account::{UsageReport, protocol::UsageQuery, random::SystemRng};
use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    rest::{Action, UsageEvent},
    time::Timestamp,
    token::Rights,
};

use crate::setup::World;

const DAY: u64 = 24 * 60 * 60;

fn report(
    id: u32,
    token: TokenId,
    vault: VaultId,
    item: ItemId,
    action: Action,
    at: u64,
) -> UsageReport {
    let event = UsageEvent {
        token,
        action,
        allowed: true,
        vault,
        item: Some(item),
        item_version: Some(1),
        at: Timestamp::from_seconds(at),
        caller: Default::default(),
    };
    UsageReport {
        id: id.to_string(),
        event,
    }
}

#[test]
fn accesses_are_added_up_by_what_is_asked() {
    let world = World::new();
    let (vault, other) = (world.vault("A"), world.vault("B"));
    let (id, credentials) = world
        .owner
        .create_environment("Web servers", &[vault, other])
        .unwrap();
    let host = crate::setup::Host::new(world.account.clone(), credentials);
    let token = world.token(&host, vault, Rights::READ_WRITE).record.id;
    let (one, two) = (
        ItemId::generate(&mut SystemRng),
        ItemId::generate(&mut SystemRng),
    );
    let reports = [
        report(1, token, vault, one, Action::Read, 10 * DAY + 5),
        report(2, token, vault, one, Action::Read, 12 * DAY + 5),
        report(3, token, vault, one, Action::Update, 12 * DAY + 6),
        report(4, token, other, two, Action::Read, 12 * DAY + 7),
    ];
    for _ in 0..2 {
        world.account.report_usage(&id, &reports).unwrap();
    }
    let ask = |query: UsageQuery| {
        let rows = world.owner.usage_report(query).unwrap();
        rows.iter()
            .map(|row| (row.shown_action(), row.count))
            .collect::<Vec<_>>()
    };
    let all = UsageQuery::default();
    assert_eq!(ask(all), [("Display", 1), ("Update", 1), ("Display", 2)]);
    assert_eq!(
        ask(UsageQuery {
            item: Some(one),
            ..all
        }),
        [("Update", 1), ("Display", 2)]
    );
    assert_eq!(
        ask(UsageQuery {
            vault: Some(other),
            ..all
        }),
        [("Display", 1)]
    );
    assert_eq!(
        ask(UsageQuery {
            environment: Some(id),
            ..all
        })
        .len(),
        3
    );
    let between = |since, until| UsageQuery {
        since: Some(Timestamp::from_seconds(since)),
        until: Some(Timestamp::from_seconds(until)),
        ..all
    };
    assert_eq!(
        ask(between(10 * DAY + 6, 20 * DAY)),
        [("Display", 1), ("Update", 1), ("Display", 1)]
    );
    assert_eq!(ask(between(12 * DAY + 6, 12 * DAY + 7)), [("Update", 1)]);
    assert_eq!(ask(between(9 * DAY, 12 * DAY + 6)), [("Display", 2)]);
    let rows = world
        .owner
        .usage_report(UsageQuery {
            item: Some(one),
            ..all
        })
        .unwrap();
    assert_eq!(rows[1].used_by, "Web servers");
    assert_eq!(rows[1].first, Timestamp::from_seconds(10 * DAY + 5));
    assert_eq!(rows[1].last, Timestamp::from_seconds(12 * DAY + 5));
}

/// `cargo test --release -- --ignored --nocapture a_million`
#[test]
#[ignore = "a measurement, to be run by hand"]
fn a_million_accesses_are_reported_within_a_second() {
    let world = World::new();
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ).record.id;
    let items: Vec<ItemId> = (0..1000)
        .map(|_| ItemId::generate(&mut SystemRng))
        .collect();
    for batch in 0..1000_u32 {
        let reports: Vec<_> = (0..1000_u32)
            .map(|at| {
                let number = batch * 1000 + at;
                let seconds = 100 * DAY + u64::from(number) * 3;
                report(
                    number,
                    token,
                    vault,
                    items[at as usize],
                    Action::Read,
                    seconds,
                )
            })
            .collect();
        world.account.report_usage(&host.id(), &reports).unwrap();
    }
    for since in [0, 100 * DAY + 7, 130 * DAY + 7] {
        let query = UsageQuery {
            since: Some(Timestamp::from_seconds(since)),
            ..UsageQuery::default()
        };
        let start = std::time::Instant::now();
        let rows = world.owner.usage_report(query).unwrap();
        let took = start.elapsed();
        std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("since {since}: {} rows in {took:?}\n", rows.len()).as_bytes(),
        )
        .unwrap();
        assert!(took.as_secs_f64() < 1.0);
    }
}
