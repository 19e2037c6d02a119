//! Clients' writes, parked in the account, done in the double, answered.

use std::{sync::Arc, thread, time::Duration};

use sekisho_account::{AccountError, Device, LocalDevice, clock, random::SystemRng};
use sekisho_bridge::{
    OpError,
    client::{Double, DoubleFault, OpClient, VaultKind},
    mirror::Mirror,
};
use sekisho_core::{
    id::{ItemId, TokenId, VaultId},
    item::{build, draft::Draft, stored::StoredItem},
    records::{DeleteRequest, Expect, Fault, PutRequest},
    secret::SecretText,
    token::Rights,
};
use serde_json::{Value, json};

use crate::world::World;

struct Writers {
    world: World,
    vault: VaultId,
    item: ItemId,
    device: Arc<LocalDevice>,
    token: TokenId,
}

impl Writers {
    fn new(writes: bool) -> Self {
        let mut world = World::new();
        world.writes = writes;
        let vault = world.double.add_vault("v", VaultKind::UserCreated);
        let item = world.double.add_item(vault, "first", "a");
        world.poll().unwrap();
        let operator = world.operator();
        let (environment, credentials) = operator.create_environment("server", &[vault]).unwrap();
        let rights = [(vault, Rights::parse("rw").unwrap())];
        let token = operator
            .create_token(environment, "t", &rights, None)
            .unwrap();
        let device = LocalDevice::new(world.account.clone(), &credentials).unwrap();
        Self {
            vault,
            item,
            device: Arc::new(device),
            token: token.record.id,
            world,
        }
    }

    /// What a host sends for a client.
    fn request(
        &self,
        expect: Expect,
        edit: impl FnOnce(Option<StoredItem>) -> StoredItem,
    ) -> PutRequest {
        let access = self.world.operator().write_access(self.vault).unwrap();
        let before = match expect {
            Expect::Absent => None,
            Expect::Version(_) => self.world.stored(self.vault, self.item),
        };
        PutRequest {
            token: self.token,
            vault: self.vault,
            expect,
            item: edit(before).seal(&access, &mut SystemRng).unwrap(),
            added: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn change(&self, password: &str) -> PutRequest {
        let version = self.world.item(self.vault, self.item).unwrap().version;
        self.request(Expect::Version(version), |before| {
            let mut next = before.unwrap();
            next.item.version += 1;
            let field = next
                .item
                .fields
                .iter_mut()
                .find(|field| field.id == "password");
            field.unwrap().value = Some(SecretText::new(password));
            next
        })
    }

    fn creation(&self, body: Value) -> PutRequest {
        let writing = build::Writing {
            vault: self.vault,
            now: clock::now(),
            editor: "EEEEEEEEEEEEEEEEEEEEEEEEEE",
        };
        let item = build::create(Draft::parse(body).unwrap(), &writing, &mut SystemRng).unwrap();
        self.request(Expect::Absent, |_| StoredItem::new(item))
    }

    fn mirror(&self) -> Mirror<Double> {
        self.world.mirror()
    }

    /// Sends a write while a bridge is at work.
    fn served(
        &self,
        mirror: &mut Mirror<Double>,
        request: &PutRequest,
    ) -> Result<(), AccountError> {
        let request = request.clone();
        self.sent(mirror, move |device| device.put(&request))
    }

    /// Deletes the item while a bridge is at work.
    fn delete(&self, mirror: &mut Mirror<Double>) -> Result<(), AccountError> {
        let request = DeleteRequest {
            token: self.token,
            vault: self.vault,
            item: self.item,
            version: 1,
        };
        self.sent(mirror, move |device| device.delete(&request))
    }

    fn sent(
        &self,
        mirror: &mut Mirror<Double>,
        send: impl FnOnce(&LocalDevice) -> Result<(), AccountError> + Send + 'static,
    ) -> Result<(), AccountError> {
        let device = Arc::clone(&self.device);
        let sending = thread::spawn(move || send(&device));
        while !sending.is_finished() {
            mirror.write_through(50).unwrap();
        }
        sending.join().unwrap()
    }

    fn upstream(&self) -> String {
        let item = self.world.double.item(self.vault, self.item).unwrap();
        item.fields[0].value.expose().to_owned()
    }
}

#[test]
fn without_write_a_client_is_refused_at_once() {
    let writers = Writers::new(false);
    let request = writers.change("b");
    let refused = writers.device.put(&request).unwrap_err();
    assert!(matches!(refused, AccountError::MirrorReadOnly(_)));
    assert_eq!(refused.fault(), Fault::Mirrored);
    assert_eq!(writers.upstream(), "a");
}

#[test]
fn a_change_is_upstream_before_it_is_answered() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    writers.served(&mut mirror, &writers.change("b")).unwrap();
    assert_eq!(writers.upstream(), "b");
    let now = writers.world.item(writers.vault, writers.item).unwrap();
    assert_eq!(now.version, 2);
    assert_eq!(
        writers.world.secret(writers.vault, writers.item).as_deref(),
        Some("b")
    );
    // The next poll finds nothing to write.
    writers.world.pass(60);
    assert_eq!(mirror.poll().unwrap().written, 0);
}

#[test]
fn a_new_item_gets_upstreams_id_and_a_pointer() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    let body = json!({"title": "made", "category": "LOGIN", "fields": [{"purpose": "PASSWORD", "value": "s"}]});
    let request = writers.creation(body);
    writers.served(&mut mirror, &request).unwrap();
    let ids = writers.world.double.item_ids(writers.vault);
    let made = *ids.iter().find(|id| **id != writers.item).unwrap();
    assert_ne!(made, request.item.id);
    assert_eq!(
        writers.world.secret(writers.vault, made).as_deref(),
        Some("s")
    );
    let pointer = writers.world.item(writers.vault, request.item.id).unwrap();
    assert_eq!(
        pointer.id, made,
        "what lies under the client's id is the item itself"
    );
    let operator = writers.world.operator();
    assert_eq!(
        operator.vault(writers.vault).unwrap().items,
        2,
        "and no list shows it"
    );
    // The same again gets the same.
    writers.served(&mut mirror, &request).unwrap();
    assert_eq!(writers.world.double.item_ids(writers.vault).len(), 2);
    writers.world.pass(60);
    mirror.poll().unwrap();
    assert!(
        writers.world.item(writers.vault, request.item.id).is_some(),
        "it stays for a day"
    );
    writers.world.pass(25 * 3600);
    writers.world.double.add_item(writers.vault, "other", "x");
    mirror.poll().unwrap();
    assert!(writers.world.item(writers.vault, request.item.id).is_none());
    assert!(writers.world.item(writers.vault, made).is_some());
}

#[test]
fn a_deletion_is_upstream_before_it_is_answered() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    writers.delete(&mut mirror).unwrap();
    assert!(
        writers
            .world
            .double
            .item(writers.vault, writers.item)
            .is_none()
    );
    assert!(writers.world.item(writers.vault, writers.item).is_none());
}

/// An item that a list missed for a moment is back at the version at which it was deleted before: that is another
/// deletion.
#[test]
fn an_item_that_came_back_is_deleted_again() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    for _ in 0..2 {
        let held = writers.world.double.item(writers.vault, writers.item);
        writers.delete(&mut mirror).unwrap();
        assert!(
            writers
                .world
                .double
                .item(writers.vault, writers.item)
                .is_none()
        );
        writers.world.double.show(writers.vault, held);
        writers.world.pass(60);
        mirror.poll().unwrap();
        assert!(writers.world.item(writers.vault, writers.item).is_some());
    }
}

#[test]
fn a_conflict_refreshes_the_item() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    let request = writers.change("mine");
    writers
        .world
        .double
        .edit(writers.vault, writers.item, |item| {
            item.fields[0].value = SecretText::new("theirs");
        });
    let refused = writers.served(&mut mirror, &request).unwrap_err();
    assert!(
        matches!(refused, AccountError::ConflictUpstream(item) if item == writers.item),
        "{refused}"
    );
    assert_eq!(refused.fault(), Fault::Conflict);
    assert_eq!(
        writers.world.secret(writers.vault, writers.item).as_deref(),
        Some("theirs")
    );
    writers
        .served(&mut mirror, &writers.change("mine"))
        .unwrap();
    assert_eq!(writers.upstream(), "mine");
}

#[test]
fn what_1password_refuses_is_refused_and_told() {
    let writers = Writers::new(true);
    let mut mirror = writers.mirror();
    let mut refused = |sentence: &str| {
        let fault = DoubleFault::Before(OpError::Refused(sentence.into()));
        writers.world.double.fail([fault]);
        let change = writers.change("hunter2");
        match writers.served(&mut mirror, &change).unwrap_err() {
            AccountError::RefusedUpstream { reason } => {
                reason.map(|reason| reason.as_str().to_owned())
            }
            other => panic!("{other}"),
        }
    };
    let told = refused("tag \"geheim\" is\nnot allowed");
    assert_eq!(told.as_deref(), Some("tag … is not allowed"));
    assert_eq!(
        refused("the value hunter2 is weak"),
        None,
        "it repeats the item"
    );
    let noted = &mirror.state().refusals;
    assert_eq!(noted[0].reason, "tag … is not allowed");
    assert!(!noted[1].reason.contains("hunter2"), "{}", noted[1].reason);
    // What is asked for again is asked for upstream again, and told the same way.
    assert!(
        !std::fs::read(writers.world.bridge_dir().join("state.json"))
            .unwrap()
            .windows(7)
            .any(|part| part == b"hunter2")
    );
    assert_eq!(
        writers.world.secret(writers.vault, writers.item).as_deref(),
        Some("a")
    );
}

#[test]
fn nobody_there_is_said_soon() {
    let writers = Writers::new(true);
    let refused = writers.device.put(&writers.change("b")).unwrap_err();
    assert_eq!(refused.fault(), Fault::Unavailable);
    let mut mirror = writers.mirror();
    assert_eq!(
        mirror.write_through(0).unwrap(),
        0,
        "nothing is left behind"
    );
    assert_eq!(writers.upstream(), "a");
}

#[test]
fn a_spent_budget_is_said_at_once() {
    let mut writers = Writers::new(true);
    writers.world.plan = sekisho_bridge::budget::Plan::parse("50").unwrap();
    let mut mirror = writers.mirror();
    let mut done = 0;
    let refused = loop {
        match writers.served(&mut mirror, &writers.change(&done.to_string())) {
            Ok(()) => done += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.fault(), Fault::Unavailable);
    assert!(
        (5..=16).contains(&done),
        "{done} writes of three requests each"
    );
    // It is the bridge that ends such a write: nobody waits for one that does not come.
    let (device, request) = (Arc::clone(&writers.device), writers.change("late"));
    let sending = thread::spawn(move || device.put(&request));
    let mut ended = 0;
    while !sending.is_finished() {
        ended += mirror.write_through(50).unwrap();
    }
    assert!(sending.join().unwrap().is_err());
    assert_eq!(ended, 1);
    assert!(writers.world.double.sent().total() <= 50);
    // The next day they go on.
    writers.world.pass(24 * 3600 + 60);
    writers
        .served(&mut mirror, &writers.change("tomorrow"))
        .unwrap();
    assert_eq!(writers.upstream(), "tomorrow");
}

/// An answer that is lost, a bridge that dies in the middle: done once.
#[test]
fn kill_rounds() {
    for fault in [
        DoubleFault::Before(OpError::Unavailable),
        DoubleFault::After(OpError::Unavailable),
        DoubleFault::Before(OpError::Poisoned),
        DoubleFault::After(OpError::Poisoned),
    ] {
        for is_new in [false, true] {
            let writers = Writers::new(true);
            let mut mirror = writers.mirror();
            let request = if is_new {
                writers.creation(json!({"title": "made", "category": "PASSWORD", "fields": [{"purpose": "PASSWORD", "value": "s"}]}))
            } else {
                writers.change("b")
            };
            // The call and the look after it both fail: the bridge does not know, and dies.
            writers
                .world
                .double
                .fail([fault.clone(), DoubleFault::Before(OpError::Unavailable)]);
            let device = Arc::clone(&writers.device);
            let sent = request.clone();
            let sending = thread::spawn(move || device.put(&sent));
            while writers.world.double.take_calls().is_empty() {
                mirror.write_through(50).unwrap();
            }
            drop(mirror);
            let mut next = writers.mirror();
            while !sending.is_finished() {
                next.write_through(50).unwrap();
                thread::sleep(Duration::from_millis(10));
            }
            sending.join().unwrap().unwrap();
            let held = writers.world.double.item_ids(writers.vault).len();
            if is_new {
                assert_eq!(held, 2, "{fault:?}");
            } else {
                let item = writers
                    .world
                    .double
                    .item(writers.vault, writers.item)
                    .unwrap();
                assert_eq!((item.version, held), (2, 1), "{fault:?}");
                assert_eq!(writers.upstream(), "b");
            }
        }
    }
}
