//! The whole way: an operator makes it, a host follows, a bearer opens it.

use sekisho_account::{Account, AccountError, FileError, UsageReport, protocol::TokenStanding};
use sekisho_core::{
    records::Records,
    rest::{Action, UsageEvent},
    seal::Kind,
    time::Timestamp,
    token::{AccessError, RawToken, Rights, TokenError},
    vault::VaultAttributes,
};

use crate::setup::{Host, World, new_user, now};

fn check(host: &Host, text: &str, at: Timestamp) -> Result<sekisho_core::token::Grant, TokenError> {
    RawToken::parse(text)?.check(&host.head().unwrap(), host, at)
}

#[test]
fn a_token_opens_what_its_operator_sealed() {
    let world = World::new();
    let (vault, hidden) = (world.vault("Ops"), world.vault("Private"));
    let item = world.item(vault, "Database");
    let mut host = world.environment(&[vault, hidden]);
    let token = world.token(&host, vault, Rights::READ);
    host.sync();
    let grant = check(&host, token.text.expose(), now()).unwrap();
    let access = grant.read(&vault).unwrap();
    let details = host.details(&vault, &item.id).unwrap();
    let opened = access.open_part(Kind::Details, &details).unwrap();
    assert!(opened.starts_with(b"{\"title\":\"Database\""));
    let record = host.vault(&vault).unwrap();
    let attributes = access
        .open_attributes(record.attribute_version, &record.attributes)
        .unwrap();
    let attributes: VaultAttributes = serde_json::from_slice(&attributes).unwrap();
    assert_eq!(attributes.name, "Ops");
    assert_eq!((record.items, record.content_version), (1, 1));
    assert_eq!(grant.read(&hidden).unwrap_err(), AccessError::OutOfScope);
    assert_eq!(grant.write(&vault).unwrap_err(), AccessError::NotPermitted);
}

#[test]
fn a_token_lives_and_ends() {
    let world = World::new();
    let vault = world.vault("Ops");
    let mut host = world.environment(&[vault]);
    host.sync();
    let soon = now().plus_seconds(60);
    let vaults = [(vault, Rights::READ)];
    let token = world
        .owner
        .create_token(host.id(), "app", &vaults, Some(soon))
        .unwrap();
    let text = token.text.expose();
    let ask = |host: &Host, at| check(host, text, at).map(|grant| grant.token());
    assert_eq!(ask(&host, now()), Err(TokenError::NotSynchronised));
    host.sync();
    assert_eq!(ask(&host, now()), Ok(token.record.id));
    assert_eq!(ask(&host, soon.plus_seconds(1)), Err(TokenError::Expired));
    world.owner.rename_token(token.record.id, "web").unwrap();
    world.owner.revoke_token(token.record.id).unwrap();
    world.owner.revoke_token(token.record.id).unwrap();
    host.sync();
    assert_eq!(ask(&host, now()), Err(TokenError::Revoked));
    let listed = world.owner.tokens(Some(host.id())).unwrap();
    assert_eq!(listed[0].name, "web");
    assert_eq!(listed[0].state, TokenStanding::Revoked);
    assert_eq!(listed[0].vaults, vaults);
    assert_eq!(
        world.owner.environment(host.id()).unwrap().tokens_version,
        2
    );
}

#[test]
fn a_deleted_environment_ends_its_tokens_under_a_signed_head() {
    let world = World::new();
    let vault = world.vault("Ops");
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    host.sync();
    world.owner.delete_environment(host.id()).unwrap();
    host.sync();
    assert_eq!(
        check(&host, token.text.expose(), now()).unwrap_err(),
        TokenError::Revoked
    );
    assert_eq!(host.contents().0, []);
    assert!(world.owner.environments().unwrap().is_empty());
    let again = world.owner.delete_environment(host.id());
    assert!(again.is_err());
}

#[test]
fn opens_only_what_is_an_account() {
    let world = World::new();
    let again = Account::open(&world.path()).unwrap();
    assert_eq!(
        again.info().unwrap().head_key,
        world.account.info().unwrap().head_key
    );
    let other = world.dir.path().join("notes.txt");
    let missing = Account::open(&other).unwrap_err();
    assert!(matches!(missing, AccountError::File(FileError::Io { .. })));
    for content in [&b""[..], b"not a database, but longer than a header of SQLite is: 100 bytes, they say so in their manual pages"] {
        std::fs::write(&other, content).unwrap();
        let error = Account::open(&other).unwrap_err();
        assert!(matches!(
            error,
            AccountError::File(FileError::NoAccount(_))
        ), "{error}");
    }
    let key = sekisho_core::key::OperatorKey::generate(&mut sekisho_account::random::SystemRng);
    let init = Account::init(
        &world.path(),
        "x",
        &new_user("x", &key),
        now(),
        &mut sekisho_account::random::SystemRng,
    );
    assert!(matches!(
        init,
        Err(AccountError::File(FileError::Exists(_)))
    ));
}

#[test]
fn a_commit_elsewhere_is_noticed() {
    let world = World::new();
    let elsewhere = Account::open(&world.path()).unwrap();
    let before = world.account.data_version().unwrap();
    assert_eq!(world.account.data_version().unwrap(), before);
    let rename = |account: &Account| {
        let request = sekisho_account::Request::CreateUser(world.card(new_user(
            "x",
            &sekisho_core::key::OperatorKey::generate(&mut sekisho_account::random::SystemRng),
        )));
        account.execute(&world.caller(), request).unwrap();
    };
    rename(&elsewhere);
    let after = world.account.data_version().unwrap();
    assert_ne!(after, before);
    rename(&world.account);
    assert_ne!(world.account.data_version().unwrap(), after);
}

#[test]
fn an_access_is_counted_once() {
    let world = World::new();
    let vault = world.vault("Ops");
    let host = world.environment(&[vault]);
    let other = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ);
    let report = |id: &str| UsageReport {
        id: id.into(),
        event: UsageEvent {
            token: token.record.id,
            action: Action::Read,
            allowed: true,
            vault,
            item: None,
            item_version: None,
            at: now(),
            caller: Default::default(),
        },
        times: None,
    };
    let (one, two) = (report("a"), report("b"));
    let take = |reports: &[UsageReport]| world.account.report_usage(&host.id(), reports).unwrap();
    take(std::slice::from_ref(&one));
    take(&[one, two]);
    world
        .account
        .report_usage(&other.id(), &[report("c")])
        .unwrap();
    let seen = world.owner.usage(None, Timestamp::from_millis(0)).unwrap();
    assert_eq!(seen.len(), 2, "twice reported is once, foreign is never");
    let none = world
        .owner
        .usage(Some(other.id()), Timestamp::from_millis(0));
    assert!(none.unwrap().is_empty());
}
