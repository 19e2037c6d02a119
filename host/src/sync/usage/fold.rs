//! Many reports become few: equal accesses are added up.

use std::collections::BTreeMap;

use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    rest::{Action, UsageEvent},
    time::Timestamp,
};

use crate::sync::{Times, UsageReport};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// What is given up to become fewer, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Coarseness {
    /// Single times: one sum for each day.
    Days,
    /// Days.
    Items,
    /// Items.
    Vaults,
    /// Tokens: one sum for each vault and action.
    Actions,
}

type Key = (Option<TokenId>, u8, bool, VaultId, Option<ItemId>, u64);

/// The same accesses in not many more than `most` reports, whose ids begin with `name`. No count is lost.
pub(super) fn fold(reports: Vec<UsageReport>, most: usize, name: &str) -> Vec<UsageReport> {
    let mut folded = reports;
    for coarseness in [
        Coarseness::Days,
        Coarseness::Items,
        Coarseness::Vaults,
        Coarseness::Actions,
    ] {
        folded = fold_by(folded, coarseness);
        if folded.len() <= most {
            break;
        }
    }
    for (number, report) in folded.iter_mut().enumerate() {
        report.id = format!("{name}.{number}");
    }
    folded
}

fn fold_by(reports: Vec<UsageReport>, coarseness: Coarseness) -> Vec<UsageReport> {
    let mut sums: BTreeMap<Key, UsageReport> = BTreeMap::new();
    for report in reports {
        match sums.entry(key(&report.event, coarseness)) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(coarser(report, coarseness));
            }
            std::collections::btree_map::Entry::Occupied(mut sum) => {
                add(sum.get_mut(), report, coarseness)
            }
        }
    }
    sums.into_values().collect()
}

fn key(event: &UsageEvent, coarseness: Coarseness) -> Key {
    let action = match event.action {
        Action::Read => 0,
        Action::Create => 1,
        Action::Update => 2,
        Action::Delete => 3,
    };
    let is = |most| coarseness <= most;
    (
        is(Coarseness::Vaults).then_some(event.token),
        action,
        event.allowed,
        event.vault,
        event.item.filter(|_| is(Coarseness::Items)),
        if is(Coarseness::Days) {
            event.at.millis() / DAY
        } else {
            0
        },
    )
}

fn coarser(mut report: UsageReport, coarseness: Coarseness) -> UsageReport {
    if coarseness > Coarseness::Items {
        report.event.item = None;
        report.event.item_version = None;
    }
    report
}

fn add(sum: &mut UsageReport, other: UsageReport, coarseness: Coarseness) {
    let (a, b) = (sum.times(), other.times());
    let first: Timestamp = a.first.min(b.first);
    if other.event.at >= sum.event.at {
        *sum = coarser(other, coarseness);
    }
    sum.times = Some(Times {
        count: a.count.saturating_add(b.count),
        first,
    });
}

#[cfg(test)]
mod tests {
    use sekisho_account::random::SystemRng;

    use super::*;

    fn world(items: usize, days: u64) -> Vec<UsageReport> {
        let rng = &mut SystemRng;
        let (token, vault) = (TokenId::generate(rng), VaultId::generate(rng));
        let items: Vec<_> = (0..items).map(|_| ItemId::generate(rng)).collect();
        let mut reports = Vec::new();
        for day in 0..days {
            for item in &items {
                for hour in 0..3 {
                    let event = UsageEvent {
                        token,
                        action: Action::Read,
                        allowed: true,
                        vault,
                        item: Some(*item),
                        item_version: Some(1),
                        at: Timestamp::from_millis(day * DAY + hour),
                        caller: Default::default(),
                    };
                    reports.push(UsageReport::new(reports.len().to_string(), event));
                }
            }
        }
        reports
    }

    #[test]
    fn no_count_is_lost_however_few_there_may_be() {
        let reports = world(5, 4);
        for (most, wanted) in [(100, 20), (20, 20), (19, 5), (4, 1), (0, 1)] {
            let folded = fold(reports.clone(), most, "n");
            assert_eq!(folded.len(), wanted, "{most}");
            let sum: u64 = folded.iter().map(|report| report.times().count).sum();
            assert_eq!(sum, reports.len() as u64);
            let ids: std::collections::BTreeSet<_> = folded.iter().map(|r| &r.id).collect();
            assert_eq!(ids.len(), wanted);
        }
        let one = fold(reports, 0, "n").remove(0);
        assert_eq!(one.times().first, Timestamp::from_millis(0));
        assert_eq!(one.event.at, Timestamp::from_millis(3 * DAY + 2));
        // Sums add up like what they stand for.
        let twice = fold(vec![one.clone(), one.clone()], 0, "m");
        assert_eq!(twice[0].times().count, 2 * one.times().count);
    }
}
