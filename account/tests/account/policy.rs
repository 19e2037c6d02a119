//! Who may not do what.

use sekisho_account::{AccountError, Operator, Request, protocol::NewToken};
use sekisho_core::{
    id::VaultId,
    records::{TokenGrant, VaultType},
    token::Rights,
    vault::VaultAttributes,
};

use crate::setup::{World, refused};

fn vault_of(operator: &Operator, kind: VaultType) -> VaultId {
    operator.create_vault("Mine", "", kind, None).unwrap()
}

#[test]
fn a_vault_is_seen_only_by_those_it_is_wrapped_to() {
    let world = World::new();
    let user = world.user("Una");
    let vault = world.vault("Ops");
    let item = world.item(vault, "x");
    assert!(user.vaults().unwrap().is_empty());
    let text = format!("You do not have the requested access to vault '{vault}'");
    let refusals = [
        refused(user.vault(vault)),
        refused(user.read_access(vault)),
        refused(user.items(vault)),
        refused(user.sealed_item(vault, item.id)),
        refused(user.delete_item(vault, item.id, None)),
        refused(user.archive_item(vault, item.id, true)),
        refused(user.delete_vault(vault)),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, AccountError::NoVaultAccess(of) if of == vault));
        assert_eq!(refusal.to_string(), text);
    }
    let shared = vault_of(&user, VaultType::UserCreated);
    let seen = world.owner.vault(shared).unwrap();
    assert_eq!(
        seen.attributes.name, "Mine",
        "owners hold every shared vault"
    );
    let own = vault_of(&user, VaultType::Personal);
    assert!(world.owner.vault(own).is_err());
}

#[test]
fn a_deleted_vault_is_made_again_only_by_who_made_it() {
    let world = World::new();
    let user = world.user("Una");
    let vault = vault_of(&user, VaultType::UserCreated);
    let again =
        |operator: &Operator| operator.restore_vault("Again", "", VaultType::UserCreated, vault);
    assert!(again(&user).is_err(), "it is not deleted");
    user.delete_vault(vault).unwrap();
    for other in [&world.owner, &world.user("Otto")] {
        let refusal = refused(again(other));
        assert!(matches!(refusal, AccountError::NoVaultAccess(of) if of == vault));
    }
    again(&user).unwrap();
    assert_eq!(user.vault(vault).unwrap().attributes.name, "Again");
}

#[test]
fn only_managers_manage_environments() {
    let world = World::new();
    let user = world.user("Una");
    let vault = vault_of(&user, VaultType::UserCreated);
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ);
    let refusals = [
        refused(user.create_environment("mine", &[]).map(|_| ())),
        refused(user.environments()),
        refused(user.environment(host.id())),
        refused(user.rename_environment(host.id(), "x")),
        refused(user.delete_environment(host.id())),
        refused(user.grant_vault(host.id(), vault)),
        refused(user.revoke_vault(host.id(), vault)),
        refused(user.create_token(host.id(), "x", &[], None).map(|_| ())),
        refused(user.tokens(None)),
        refused(user.rename_token(token.record.id, "x")),
        refused(user.revoke_token(token.record.id)),
        refused(user.usage(None, crate::setup::now())),
        refused(
            user.call(&Request::CreateUser(world.card(crate::setup::new_user(
                "x",
                &sekisho_core::key::OperatorKey::generate(&mut sekisho_account::random::SystemRng),
            )))),
        ),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, AccountError::NotManager(_)), "{refusal}");
    }
}

#[test]
fn a_vault_is_granted_by_those_who_hold_it_and_only_if_its_type_allows() {
    let world = World::new();
    let user = world.user("Una");
    let host = world.environment(&[]);
    let foreign = vault_of(&user, VaultType::Personal);
    let denied = refused(world.owner.grant_vault(host.id(), foreign));
    assert!(matches!(denied, AccountError::NoVaultAccess(_)));
    for kind in [VaultType::Personal, VaultType::Everyone] {
        let vault = vault_of(&world.owner, kind);
        let denied = refused(world.owner.grant_vault(host.id(), vault));
        assert!(denied.to_string().contains(kind.as_str()), "{denied}");
        let made = world.owner.create_environment("x", &[vault]).map(|_| ());
        assert!(matches!(refused(made), AccountError::NotGrantable { .. }));
    }
    assert_eq!(
        world.owner.environments().unwrap().len(),
        1,
        "a refused environment is not half there"
    );
}

#[test]
fn a_token_cannot_exceed_its_server_nor_its_maker() {
    let world = World::new();
    let (inside, outside) = (world.vault("A"), world.vault("B"));
    let host = world.environment(&[inside]);
    let vaults = [(inside, Rights::READ), (outside, Rights::READ)];
    let denied = refused(world.owner.create_token(host.id(), "x", &vaults, None));
    assert!(matches!(denied, AccountError::OutsideEnvironment { vault, .. } if vault == outside));
    let token = world.token(&host, inside, Rights::READ);
    let forge = |change: fn(&mut TokenGrant, VaultId)| {
        let mut record = token.record.clone();
        record.id = sekisho_core::id::TokenId::generate(&mut sekisho_account::random::SystemRng);
        change(&mut record.grants[0], outside);
        world.execute(Request::CreateToken(NewToken {
            environment: host.id(),
            name: "x".into(),
            record,
            public: token.public,
            proofs: vec![sekisho_core::vouch::HolderProof([0; 32])],
        }))
    };
    assert!(forge(|_, _| ()).is_ok());
    assert!(forge(|grant, vault| grant.vault = vault).is_err());
    assert!(forge(|grant, _| grant.keys.clear()).is_err());
    let past = world.owner.create_token(
        host.id(),
        "x",
        &[],
        Some(sekisho_core::time::Timestamp::from_seconds(1)),
    );
    assert!(matches!(refused(past), AccountError::Invalid(_)));
}

#[test]
fn attributes_are_edited_by_comparison() {
    let world = World::new();
    let vault = world.vault("Old");
    let attributes = VaultAttributes {
        name: "New".into(),
        description: "d".into(),
    };
    world.owner.edit_vault(vault, 1, &attributes).unwrap();
    let seen = world.owner.vault(vault).unwrap();
    assert_eq!(
        (seen.attributes.clone(), seen.attribute_version),
        (attributes, 2)
    );
    let stale = refused(world.owner.edit_vault(vault, 1, &seen.attributes));
    assert!(matches!(
        stale,
        AccountError::Conflict { held: Some(2), .. }
    ));
}

#[test]
fn every_change_is_in_the_audit_and_a_refused_one_is_not() {
    let world = World::new();
    let vault = world.vault("A");
    let user = world.user("Una");
    assert!(user.delete_vault(vault).is_err());
    let db = rusqlite::Connection::open(world.path()).unwrap();
    let mut statement = db
        .prepare("SELECT what, who, objects FROM audit ORDER BY number")
        .unwrap();
    let rows: Vec<(String, String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let what: Vec<_> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(what, ["account.create", "vault.create", "user.create"]);
    assert!(rows.iter().all(|row| row.1 == world.owner.user().as_str()));
    assert!(rows[1].2.contains(vault.as_str()));
}
