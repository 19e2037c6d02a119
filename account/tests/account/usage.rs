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
    UsageReport::new(id.to_string(), event)
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

#[test]
fn what_a_host_added_up_counts_as_often_as_it_says_and_once() {
    let world = World::new();
    let vault = world.vault("A");
    let (id, credentials) = world
        .owner
        .create_environment("Web servers", &[vault])
        .unwrap();
    let host = crate::setup::Host::new(world.account.clone(), credentials);
    let token = world.token(&host, vault, Rights::READ).record.id;
    let item = ItemId::generate(&mut SystemRng);
    let mut summed = report(1, token, vault, item, Action::Read, 10 * DAY + 50);
    summed.times = Some(sekisho_account::Times {
        count: 40,
        first: Timestamp::from_seconds(10 * DAY + 5),
    });
    let reports = [
        summed,
        report(2, token, vault, item, Action::Read, 10 * DAY + 60),
    ];
    for _ in 0..2 {
        world.account.report_usage(&id, &reports).unwrap();
    }
    let whole_days = UsageQuery::default();
    let part_of_a_day = UsageQuery {
        since: Some(Timestamp::from_seconds(10 * DAY + 1)),
        ..whole_days
    };
    for query in [whole_days, part_of_a_day] {
        let rows = world.owner.usage_report(query).unwrap();
        assert_eq!((rows.len(), rows[0].count), (1, 41));
        assert_eq!(rows[0].first, Timestamp::from_seconds(10 * DAY + 5));
    }
}
