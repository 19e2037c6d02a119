//! The door for operators.

use sekisho_account::{AccountError, Request, SignedRequest, random::SystemRng};
use sekisho_core::{id::UserId, key::OperatorKey};

use crate::setup::{World, new_user, now};

#[test]
fn a_signed_request_is_taken_once() {
    let world = World::new();
    let key = OperatorKey::generate(&mut SystemRng);
    let user = new_user("Una", &key);
    world
        .owner
        .call(&Request::CreateUser(world.card(user.clone())))
        .unwrap();
    let sign = |user: UserId, key: &OperatorKey, at| {
        let account = world.account.id();
        SignedRequest::sign(&Request::WhoAmI, &account, user, key, at, &mut SystemRng).unwrap()
    };
    let submit = |signed: &SignedRequest| world.account.submit(signed, "test", now());
    let signed = sign(user.id, &key, now());
    submit(&signed).unwrap();
    assert!(matches!(submit(&signed), Err(AccountError::Replayed)));

    let mut altered = sign(user.id, &key, now());
    altered.body = serde_json::to_vec(&Request::Users).unwrap();
    assert!(matches!(
        submit(&altered),
        Err(AccountError::NotAuthenticated)
    ));
    let other = OperatorKey::generate(&mut SystemRng);
    let forged = sign(user.id, &other, now());
    assert!(matches!(
        submit(&forged),
        Err(AccountError::NotAuthenticated)
    ));
    let unknown = sign(UserId::generate(&mut SystemRng), &key, now());
    assert!(matches!(
        submit(&unknown),
        Err(AccountError::NotAuthenticated)
    ));
    let early = sign(user.id, &key, now().plus_seconds(400));
    assert!(matches!(
        submit(&early),
        Err(AccountError::ClockSkew { .. })
    ));
}

#[test]
fn a_failed_request_is_not_replayed_either() {
    let world = World::new();
    let key = OperatorKey::generate(&mut SystemRng);
    let user = new_user("Una", &key);
    world
        .owner
        .call(&Request::CreateUser(world.card(user.clone())))
        .unwrap();
    let account = world.account.id();
    let request = Request::Environments;
    let signed =
        SignedRequest::sign(&request, &account, user.id, &key, now(), &mut SystemRng).unwrap();
    let submit = || world.account.submit(&signed, "test", now());
    assert!(matches!(submit(), Err(AccountError::NotManager(_))));
    assert!(matches!(submit(), Err(AccountError::Replayed)));
}

#[test]
fn requests_survive_json() {
    let world = World::new();
    let vault = world.vault("A");
    let item = Box::new(world.item(vault, "x"));
    let request = Request::PutItem {
        vault,
        expect: sekisho_core::records::Expect::Absent,
        item,
    };
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    let answer = world.owner.call(&Request::Vaults).unwrap();
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(
        serde_json::from_str::<sekisho_account::Response>(&text).unwrap(),
        answer
    );
}
