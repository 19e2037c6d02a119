//! Users, groups, managers, and who holds a vault (issue 5, line 2).

use sekisho_account::{
    AccountError, JoinCode, KeyFile, Operator, OperatorError, Request,
    protocol::{Role, UserState},
    random::SystemRng,
};
use sekisho_core::{
    id::{GroupId, UserId},
    key::OperatorKey,
    records::VaultType,
    token::Rights,
};

use crate::setup::{World, operator, refused};

fn group(world: &World, role: Role) -> GroupId {
    let groups = world.owner.groups().unwrap();
    groups
        .iter()
        .find(|group| group.role == Some(role))
        .unwrap()
        .id
}

#[test]
fn a_user_joins_without_sending_a_key() {
    let world = World::new();
    let identity = KeyFile {
        account: world.account.id(),
        user: UserId::generate(&mut SystemRng),
        key: OperatorKey::generate(&mut SystemRng),
    };
    let line = JoinCode::new(&identity, "Una").to_text();
    let una = operator(&world.account, identity.user, identity.key);
    assert!(matches!(
        refused(una.whoami()),
        AccountError::NotAuthenticated
    ));
    let code = JoinCode::parse(&line).unwrap();
    world.owner.add_user(&code).unwrap();
    assert_eq!(una.whoami().unwrap().name, "Una");
    assert!(matches!(
        refused(world.owner.add_user(&code)),
        AccountError::Conflict { .. }
    ));
    let elsewhere = World::new();
    assert!(matches!(
        elsewhere.owner.add_user(&code),
        Err(OperatorError::JoinCode)
    ));
}

#[test]
fn suspension_and_removal_take_effect_at_once() {
    let world = World::new();
    let (una, vault) = (world.user("Una"), world.vault("Ops"));
    world.owner.share_vault(vault, una.user()).unwrap();
    world.owner.suspend_user(una.user(), true).unwrap();
    assert!(matches!(
        refused(una.vaults()),
        AccountError::NotAuthenticated
    ));
    world.owner.suspend_user(una.user(), false).unwrap();
    assert_eq!(una.vaults().unwrap().len(), 1);
    assert_eq!(world.owner.remove_user(una.user()).unwrap(), [vault]);
    assert!(matches!(
        refused(una.vaults()),
        AccountError::NotAuthenticated
    ));
    assert_eq!(
        world.owner.vault(vault).unwrap().users,
        [world.owner.user()]
    );
    let again = world.owner.suspend_user(una.user(), false);
    assert!(
        matches!(refused(again), AccountError::Missing { .. }),
        "removed for good"
    );
    let listed = world.owner.users().unwrap();
    assert!(
        listed
            .iter()
            .all(|user| user.state == UserState::Active && user.id != una.user())
    );
}

#[test]
fn there_is_always_an_owner() {
    let world = World::new();
    let (owners, me) = (group(&world, Role::Owners), world.owner.user());
    let refusals = [
        refused(world.owner.remove_user(me).map(|_| ())),
        refused(world.owner.suspend_user(me, true)),
        refused(world.owner.remove_member(owners, me)),
    ];
    assert!(
        refusals
            .iter()
            .all(|refusal| matches!(refusal, AccountError::LastOwner))
    );
    let una = world.user("Una");
    world.owner.add_member(owners, una.user()).unwrap();
    world.owner.remove_member(owners, me).unwrap();
    assert!(matches!(
        refused(world.owner.audit(None, 1)),
        AccountError::NotManager(_)
    ));
}

#[test]
fn a_new_owner_gets_the_shared_vaults_and_the_signing_keys() {
    let world = World::new();
    let shared = world.vault("Ops");
    world
        .owner
        .create_vault("Mine", "", VaultType::Personal, None)
        .unwrap();
    let host = world.environment(&[shared]);
    let una = world.user("Una");
    world
        .owner
        .add_member(group(&world, Role::Owners), una.user())
        .unwrap();
    let vaults = una.vaults().unwrap();
    assert_eq!(
        vaults.iter().map(|vault| vault.id).collect::<Vec<_>>(),
        [shared]
    );
    una.create_token(host.id(), "by Una", &[(shared, Rights::READ)], None)
        .unwrap();
}

#[test]
fn a_vault_is_shared_by_who_holds_it_and_taken_back() {
    let world = World::new();
    let (una, tom) = (world.user("Una"), world.user("Tom"));
    let vault = world.vault("Ops");
    world.item(vault, "x");
    assert!(matches!(
        refused(una.share_vault(vault, tom.user())),
        AccountError::NoVaultAccess(_)
    ));
    world.owner.share_vault(vault, una.user()).unwrap();
    una.share_vault(vault, tom.user()).unwrap();
    assert_eq!(tom.items(vault).unwrap().len(), 1);
    assert!(matches!(
        refused(tom.unshare_vault(vault, world.owner.user())),
        AccountError::NotOwner(_)
    ));
    world.owner.unshare_vault(vault, tom.user()).unwrap();
    assert!(matches!(
        refused(tom.items(vault)),
        AccountError::NoVaultAccess(_)
    ));
    let own = una
        .create_vault("Mine", "", VaultType::Personal, None)
        .unwrap();
    assert!(matches!(
        refused(una.share_vault(own, tom.user())),
        AccountError::Invalid(_)
    ));
    assert!(matches!(
        refused(una.unshare_vault(own, una.user())),
        AccountError::Invalid(_)
    ));
}

fn manages(operator: &Operator, host: &crate::setup::Host) -> bool {
    operator.environment(host.id()).is_ok()
}

#[test]
fn one_servers_list_overrides_the_one_of_all() {
    let world = World::new();
    let owner = &world.owner;
    let (una, tom, ada) = (world.user("Una"), world.user("Tom"), world.user("Ada"));
    owner
        .add_member(group(&world, Role::Administrators), ada.user())
        .unwrap();
    let (platform, web) = (
        owner.create_group("Platform").unwrap(),
        owner.create_group("Web").unwrap(),
    );
    owner.add_member(platform, una.user()).unwrap();
    owner.add_member(web, tom.user()).unwrap();
    let (first, second) = (world.environment(&[]), world.environment(&[]));
    let all = || [&una, &tom, &ada].map(|who| [manages(who, &first), manages(who, &second)]);
    assert_eq!(all(), [[false; 2], [false; 2], [true; 2]]);
    owner.grant_manager(None, platform).unwrap();
    assert_eq!(all(), [[true; 2], [false; 2], [true; 2]]);
    // Its own list begins as the one of all.
    owner.grant_manager(Some(first.id()), web).unwrap();
    assert_eq!(all(), [[true; 2], [true, false], [true; 2]]);
    assert!(owner.managers(Some(first.id())).unwrap().own);
    owner.revoke_manager(Some(first.id()), platform).unwrap();
    assert_eq!(all(), [[false, true], [true, false], [true; 2]]);
    let administrators = group(&world, Role::Administrators);
    owner.revoke_manager(None, administrators).unwrap();
    assert_eq!(all(), [[false, true], [true, false], [true, false]]);
    owner.reset_managers(first.id()).unwrap();
    assert_eq!(all(), [[true; 2], [false; 2], [false; 2]]);
    let owners = group(&world, Role::Owners);
    assert!(matches!(
        refused(owner.revoke_manager(None, owners)),
        AccountError::Invalid(_)
    ));
    owner.delete_group(platform).unwrap();
    assert_eq!(all(), [[false; 2]; 3]);
}

#[test]
fn a_managing_group_holds_the_signing_key_until_it_does_not() {
    let world = World::new();
    let (una, vault) = (world.user("Una"), world.vault("Ops"));
    let host = world.environment(&[vault]);
    world.owner.share_vault(vault, una.user()).unwrap();
    let web = world.owner.create_group("Web").unwrap();
    world.owner.add_member(web, una.user()).unwrap();
    world.owner.grant_manager(Some(host.id()), web).unwrap();
    una.create_token(host.id(), "app", &[(vault, Rights::READ)], None)
        .unwrap();
    let holders = || {
        let info = world.owner.environment(host.id()).unwrap();
        info.keys[0].users.len()
    };
    assert_eq!(holders(), 2);
    world.owner.remove_member(web, una.user()).unwrap();
    assert_eq!(holders(), 1);
    assert!(matches!(
        refused(una.environment(host.id())),
        AccountError::NotManager(_)
    ));
}

#[test]
fn group_names_are_given_once_and_built_in_groups_stay() {
    let world = World::new();
    let web = world.owner.create_group(" Web Team ").unwrap();
    let twin = refused(world.owner.create_group("web team"));
    assert!(matches!(twin, AccountError::NameTaken { .. }));
    world.owner.rename_group(web, "WEB TEAM").unwrap();
    assert!(matches!(
        refused(world.owner.create_group("  ")),
        AccountError::Invalid(_)
    ));
    let owners = group(&world, Role::Owners);
    assert!(world.owner.rename_group(owners, "x").is_err());
    assert!(world.owner.delete_group(owners).is_err());
}

#[test]
fn every_mutation_is_audited_with_its_origin() {
    let world = World::new();
    let vault = world.vault("Ops");
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let id = sekisho_core::id::ItemId::generate(&mut SystemRng);
    let item = world.sealed(vault, id, 1, "x");
    let far = crate::setup::Host::new(
        world.account.seen_from("203.0.113.9"),
        host.credentials.clone(),
    );
    far.put(&token, vault, sekisho_core::records::Expect::Absent, item)
        .unwrap();
    world
        .execute(Request::RevokeToken {
            token: token.record.id,
        })
        .unwrap();
    let entries = world.owner.audit(None, 2).unwrap();
    let [revoked, put] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (revoked.what.as_str(), revoked.from.as_str()),
        ("token.revoke", "test")
    );
    assert_eq!(revoked.who, world.owner.user().to_string());
    assert_eq!(
        (put.what.as_str(), put.from.as_str()),
        ("item.put", "203.0.113.9")
    );
    assert_eq!(put.who, token.record.id.to_string());
    assert_eq!(
        put.objects,
        [host.id().to_string(), vault.to_string(), id.to_string()]
    );
    let older = world.owner.audit(Some(put.number), 1000).unwrap();
    assert_eq!(older.last().unwrap().what, "account.create");
}
