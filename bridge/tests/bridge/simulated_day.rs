//! Twenty-four hours under a virtual clock: five vaults, two thousand items, fifty edits an hour, on the Families plan.
//! A thousand readers cost nothing: they read the account's records, which the test looks at after each poll.

use sekisho_bridge::{
    budget::Plan,
    client::{OpClient, VaultKind},
    mirror::MirrorError,
};
use sekisho_core::secret::SecretText;

use crate::world::World;

const HOUR: u64 = 3600;

#[test]
fn a_day_of_families() {
    let mut world = World::new();
    world.plan = Plan::FAMILIES;
    let vaults: Vec<_> = (0..5)
        .map(|n| {
            world
                .double
                .add_vault(&n.to_string(), VaultKind::UserCreated)
        })
        .collect();
    let items: Vec<_> = (0..2_000)
        .map(|n| {
            let vault = vaults[n % 5];
            (vault, world.double.add_item(vault, &n.to_string(), "0"))
        })
        .collect();
    world.pass(60);
    let begin = world.now();
    let mut mirror = world.mirror();
    // What waits to be seen: the edit's time and value.
    let mut waiting: Vec<(usize, u64, String)> = Vec::new();
    let (mut edits, mut longest) = (0usize, 0);
    for second in (0..24 * HOUR).step_by(10) {
        world.at(begin + second * 1000);
        if second % 72 < 10 && second > 0 && edits < 1_200 {
            let index = (edits * 7919) % items.len();
            let (vault, item) = items[index];
            let value = edits.to_string();
            world.double.edit(vault, item, |item| {
                item.fields[0].value = SecretText::new(value.clone());
            });
            waiting.retain(|(other, ..)| *other != index);
            waiting.push((index, second, value));
            edits += 1;
        }
        if mirror.next_poll().millis() > world.now() {
            continue;
        }
        match mirror.poll() {
            Ok(_) => {}
            // The polls' share of the day ended in the middle of it: what is left comes with the next one.
            Err(MirrorError::Hold(_)) => continue,
            Err(error) => panic!("{error}"),
        }
        for (index, since, value) in std::mem::take(&mut waiting) {
            let (vault, item) = items[index];
            assert_eq!(world.secret(vault, item).as_deref(), Some(value.as_str()));
            longest = longest.max(second - since);
        }
    }
    let sent = world.double.sent().total();
    eprintln!("{edits} edits, {sent} requests, longest wait {longest} s");
    assert!(edits >= 1_190);
    assert!(sent <= 1_000, "{sent} requests");
    // At the pace of the plan, a poll that finds something in every vault comes each twenty minutes or so.
    assert!(longest <= HOUR, "{longest} s");
    let unseen = waiting.iter().map(|(_, since, _)| 24 * HOUR - since).max();
    assert!(unseen.unwrap_or(0) <= HOUR, "{unseen:?} s");
    assert!(mirror.state().quarantine.is_empty());
}
