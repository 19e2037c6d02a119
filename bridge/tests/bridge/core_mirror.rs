//! The mirror with the vendor's unmodified core under it.

use std::thread;

use sekisho_account::{Device, LocalDevice, random::SystemRng};
use sekisho_core::{
    records::{Expect, PutRequest},
    secret::SecretText,
    token::Rights,
};
use sekisho_op_stand_in::{Fault, StandIn, When};

use crate::{support::client, world::World};

#[test]
fn an_undecryptable_item_is_left_alone_and_the_rest_is_mirrored() {
    let service = StandIn::default();
    let Some(client) = client(&service) else {
        return;
    };
    let world = World::new();
    let vault = service.add_vault("v", "d", "U");
    let items: Vec<_> = (0..20)
        .map(|n| service.add_login(vault, &n.to_string(), "hunter2"))
        .collect();
    service.spoil_item(vault, items[7]);
    world.pass(60);
    let mut mirror = world.mirror_of(client);
    let polled = mirror.poll().unwrap();
    assert_eq!(polled.written, 19);
    assert_eq!(
        mirror.state().quarantine.keys().collect::<Vec<_>>(),
        [&items[7]]
    );
    assert_eq!(world.secret(vault, items[3]).as_deref(), Some("hunter2"));
    service.take_seen();
    world.pass(60);
    assert_eq!(mirror.poll().unwrap().written, 0);
    let cost = service.take_seen().len();
    assert!(
        cost <= 1 + 5,
        "{cost}: one request, and a sign-in if the core broke on the item"
    );
    service.edit_item(vault, items[0], |overview, _| {
        overview["title"] = serde_json::json!("renamed");
    });
    service.set_state(vault, items[1], "Y");
    world.pass(60);
    let polled = mirror.poll().unwrap();
    assert_eq!((polled.written, polled.dropped), (1, 1));
    assert_eq!(world.item(vault, items[0]).unwrap().title, "renamed");
}

#[test]
fn files_are_mirrored() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let world = World::new();
    let vault = service.add_vault("v", "", "U");
    let item = service.add_login(vault, "with file", "p");
    let content: Vec<u8> = (0..2_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    let held = sekisho_bridge::OpClient::get(&mut client, vault, item).unwrap();
    client
        .attach(&held, "large.bin", "s", "f", &content)
        .unwrap();
    world.pass(60);
    world.mirror_of(client).poll().unwrap();
    let entry = &world.stored(vault, item).unwrap().file_entries().unwrap()[0];
    assert_eq!((entry.name.as_str(), entry.size), ("large.bin", 2_000_000));
    let mut out = Vec::new();
    let operator = world.operator();
    operator.read_file(vault, item, entry, &mut out).unwrap();
    assert!(out == content, "content differs");
}

/// The service does a write, and the answer is lost; or it does not, and nobody knows.
#[test]
fn a_write_is_done_once_whatever_gets_lost() {
    let service = StandIn::default();
    let Some(client) = client(&service) else {
        return;
    };
    let mut world = World::new();
    world.writes = true;
    let vault = service.add_vault("v", "", "U");
    let item = service.add_login(vault, "t", "before");
    world.pass(60);
    let mut mirror = world.mirror_of(client);
    mirror.poll().unwrap();
    let operator = world.operator();
    let (environment, credentials) = operator.create_environment("server", &[vault]).unwrap();
    let rights = [(vault, Rights::parse("rw").unwrap())];
    let token = operator
        .create_token(environment, "t", &rights, None)
        .unwrap();
    let faults = [Fault::LostAnswer, Fault::Lost, Fault::Cut, Fault::Malformed];
    for (round, fault) in (1..).zip(faults) {
        let device = LocalDevice::new(world.account.clone(), &credentials).unwrap();
        let mut next = world.stored(vault, item).unwrap();
        assert_eq!(next.item.version, round);
        next.item.version += 1;
        let field = next
            .item
            .fields
            .iter_mut()
            .find(|field| field.id == "password");
        field.unwrap().value = Some(SecretText::new(round.to_string()));
        let access = operator.write_access(vault).unwrap();
        let request = PutRequest {
            token: token.record.id,
            vault,
            expect: Expect::Version(round),
            item: next.seal(&access, &mut SystemRng).unwrap(),
            added: Vec::new(),
            dropped: Vec::new(),
        };
        let patch = When {
            times: 1,
            path: "/items",
            method: "PATCH",
        };
        service.fail(patch, fault.clone());
        let sending = thread::spawn(move || device.put(&request));
        while !sending.is_finished() {
            mirror.write_through(50).unwrap();
        }
        sending.join().unwrap().unwrap();
        let (_, details, version) = service.item(vault, item).unwrap();
        assert_eq!(version, round + 1, "{fault:?}");
        assert_eq!(details["fields"][1]["value"], round.to_string());
        assert_eq!(world.secret(vault, item), Some(round.to_string()));
    }
}
