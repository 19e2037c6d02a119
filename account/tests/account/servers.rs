//! Connect servers, their tokens and credits (issue 5, lines 3, 4, 6).

use sekisho_account::{AccountError, UsageReport, protocol::TokenStanding};
use sekisho_core::{
    records::Records,
    rest::{Action, UsageEvent},
    sync::Incoming,
    token::{RawToken, Rights, TokenError},
};

use crate::setup::{World, now, refused};

#[test]
fn names_have_blanks_and_are_given_once() {
    let world = World::new();
    let (id, credentials) = world
        .owner
        .create_environment(" Web servers ", &[])
        .unwrap();
    assert_eq!(world.owner.environment(id).unwrap().name, "Web servers");
    let twin = world.owner.create_environment("web SERVERS", &[]);
    assert!(matches!(refused(twin), AccountError::NameTaken { .. }));
    let other = world.environment(&[]);
    let taken = world.owner.rename_environment(other.id(), "Web servers");
    assert!(matches!(refused(taken), AccountError::NameTaken { .. }));
    world.owner.rename_environment(id, "WEB servers").unwrap();
    for blank in ["", " \t"] {
        assert!(matches!(
            refused(world.owner.rename_environment(id, blank)),
            AccountError::Invalid(_)
        ));
    }
    world
        .owner
        .delete_environment(credentials.environment())
        .unwrap();
    world.owner.create_environment("Web servers", &[]).unwrap();
}

#[test]
fn credits_are_vaults_times_tokens_in_force() {
    let world = World::new();
    let (a, b) = (world.vault("A"), world.vault("B"));
    let host = world.environment(&[a]);
    let used = || {
        let info = world.owner.environment(host.id()).unwrap();
        (info.vaults.len(), info.tokens, info.credits)
    };
    assert_eq!(used(), (1, 0, 0));
    let first = world.token(&host, a, Rights::READ);
    assert_eq!(used(), (1, 1, 1));
    world.owner.grant_vault(host.id(), b).unwrap();
    assert_eq!(used(), (2, 1, 1), "a token's vaults are fixed");
    let both = [(a, Rights::READ), (b, Rights::READ_WRITE)];
    world
        .owner
        .create_token(host.id(), "both", &both, None)
        .unwrap();
    assert_eq!(used(), (2, 2, 3));
    world.owner.revoke_vault(host.id(), a).unwrap();
    assert_eq!(used(), (1, 2, 1));
    world.owner.revoke_token(first.record.id).unwrap();
    assert_eq!(used(), (1, 1, 1));
    let brief = Some(now().plus_seconds(100));
    world
        .owner
        .create_token(host.id(), "brief", &[(b, Rights::READ)], brief)
        .unwrap();
    assert_eq!(used(), (1, 2, 2));
    let mut caller = world.caller();
    caller.now = now().plus_seconds(101);
    let environment = host.id();
    let later = world.account.execute(
        &caller,
        sekisho_account::Request::Environment { environment },
    );
    let Ok(sekisho_account::Response::Environment(info)) = later else {
        panic!("{later:?}")
    };
    assert_eq!(
        (info.tokens, info.credits),
        (1, 1),
        "an expired token uses none"
    );
}

#[test]
fn a_list_tells_a_tokens_standing_and_last_use() {
    let world = World::new();
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    let vaults = [(vault, Rights::READ)];
    // Claims have whole seconds.
    let soon = sekisho_core::time::Timestamp::from_seconds(now().millis() / 1000 + 60);
    let made = world
        .owner
        .create_token(host.id(), "Night job", &vaults, Some(soon))
        .unwrap();
    let at = |now| {
        let mut caller = world.caller();
        caller.now = now;
        let request = sekisho_account::Request::Tokens { environment: None };
        match world.account.execute(&caller, request).unwrap() {
            sekisho_account::Response::Tokens(tokens) => tokens[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    let token = at(now());
    assert_eq!(
        (token.state, token.last_used),
        (TokenStanding::Active, None)
    );
    assert_eq!(
        (token.name.as_str(), token.expires_at),
        ("Night job", Some(soon))
    );
    assert_eq!(token.vaults, vaults);
    assert_eq!(at(soon).state, TokenStanding::Expired);
    let used = now();
    let event = UsageEvent {
        token: made.record.id,
        action: Action::Read,
        allowed: true,
        vault,
        item: None,
        item_version: None,
        at: used,
        caller: Default::default(),
    };
    let reports = [UsageReport::new("1".into(), event)];
    world.account.report_usage(&host.id(), &reports).unwrap();
    assert_eq!(at(now()).last_used, Some(used));
    world.owner.revoke_token(made.record.id).unwrap();
    assert_eq!(at(soon).state, TokenStanding::Revoked);
}

#[test]
fn signing_keys_rotate_and_hosts_learn_the_new_one_from_the_old() {
    let world = World::new();
    let vault = world.vault("A");
    let mut host = world.environment(&[vault]);
    let old = world.token(&host, vault, Rights::READ);
    host.sync();
    let version = host.snapshot.head().unwrap().version;
    let second = world.owner.rotate_environment_key(host.id()).unwrap();
    let third = world.owner.rotate_environment_key(host.id()).unwrap();
    let page = host.page(&host.cursor, 100);
    assert!(page.head.version > version, "hosts are woken");
    let incoming = Incoming::parse(vec![page], &host.credentials.trust()).unwrap();
    let keys = incoming.signing_keys(host.credentials.signing_keys());
    assert_eq!(
        keys.iter().map(|key| key.id).collect::<Vec<_>>()[..2],
        [third, second]
    );
    let new = world.token(&host, vault, Rights::READ);
    assert_eq!(
        (new.record.key, old.record.key),
        (third, host.credentials.signing_keys()[0].id)
    );
    for key in keys {
        host.credentials = host.credentials.clone().with_signing_key(key);
    }
    let check = |host: &crate::setup::Host, text: &str| {
        let head = host.head().unwrap();
        RawToken::parse(text)
            .unwrap()
            .check(&head, host, now())
            .map(|_| ())
    };
    assert_eq!(
        check(&host, new.text.expose()),
        Err(TokenError::NotSynchronised),
        "genuine"
    );
    host.sync();
    assert_eq!(check(&host, new.text.expose()), Ok(()));
    assert_eq!(check(&host, old.text.expose()), Ok(()));
}

#[test]
fn device_secrets_rotate_with_both_good_in_between() {
    let world = World::new();
    let host = world.environment(&[world.vault("A")]);
    world.owner.rotate_environment_key(host.id()).unwrap();
    let next = world.owner.add_device(host.id()).unwrap();
    assert_eq!(next.signing_keys().len(), 2);
    assert_eq!(next.signing_keys()[1], host.credentials.signing_keys()[0]);
    let knows = |credentials: &sekisho_account::Credentials| {
        world.account.authenticate_device(credentials.device()).ok()
    };
    assert_eq!(
        (knows(&host.credentials), knows(&next)),
        (Some(host.id()), Some(host.id()))
    );
    assert_eq!(world.owner.environment(host.id()).unwrap().devices.len(), 2);
    world.owner.drop_other_devices(&next).unwrap();
    assert_eq!(
        (knows(&host.credentials), knows(&next)),
        (None, Some(host.id()))
    );
    let gone = world.owner.drop_other_devices(&host.credentials);
    assert!(matches!(refused(gone), AccountError::Missing { .. }));
    assert_eq!(knows(&next), Some(host.id()), "the last one is not dropped");
}
