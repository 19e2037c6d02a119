//! Users as a malicious account tells of them: nothing is wrapped to one for whom no chain leads to the first owner.

use sekisho_account::{
    Account, AccountApi, AccountError, JoinCode, KeyFile, Operator, OperatorError, Request,
    Response, SignedRequest,
    protocol::{Role, UserInfo, UserState},
    random::SystemRng,
};
use sekisho_core::{
    id::{GroupId, UserId},
    key::OperatorKey,
    records::VaultType,
    token::Rights,
    vouch::{Standing, UserCard},
};

use crate::setup::{World, new_user, operator, refused};

/// What the account makes of the users and of their cards.
#[derive(Clone, Copy)]
struct Lie(fn(&mut Vec<UserInfo>, &mut Vec<UserCard>));

struct Liar {
    account: Account,
    lie: Lie,
}

impl AccountApi for Liar {
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        let mut answer = self.account.call(request)?;
        let (mut none, mut nobody) = (Vec::new(), Vec::new());
        match &mut answer {
            Response::Users(users) => self.lie.0(users, &mut nobody),
            Response::UserCards(cards) => self.lie.0(&mut none, cards),
            _ => {}
        }
        Ok(answer)
    }
}

/// A person of the account's own making, the same each time.
fn eve() -> (UserId, OperatorKey) {
    let key = OperatorKey::from_seed(sekisho_core::secret::SecretBytes::new([9; 32]));
    (UserId::from_entropy([9; 16]), key)
}

fn eve_as(users: &mut Vec<UserInfo>, cards: &mut Vec<UserCard>, endorsed: bool) {
    let (id, key) = eve();
    users.push(UserInfo {
        id,
        name: "Eve".into(),
        public: key.public(),
        state: UserState::Active,
        roles: vec![Role::Owners],
    });
    let card = UserCard {
        id,
        name: "Eve".into(),
        public: key.public(),
        endorsement: None,
    };
    let account = sekisho_core::id::AccountId::from_entropy([1; 16]);
    cards.push(if endorsed {
        key.endorse_user(&account, id, card, Standing::Owner)
    } else {
        card
    });
}

fn group(owner: &Operator, role: Role) -> GroupId {
    let groups = owner.groups().unwrap();
    groups.iter().find(|g| g.role == Some(role)).unwrap().id
}

#[test]
fn nothing_is_wrapped_to_a_user_nobody_vouches_for() {
    let world = World::new();
    let una = world.user("Una");
    let olga = world.user("Olga");
    world
        .owner
        .add_member(group(&world.owner, Role::Owners), olga.user())
        .unwrap();
    let vault = world.vault("A");
    let lies = [
        Lie(|users, cards| eve_as(users, cards, false)),
        Lie(|users, cards| eve_as(users, cards, true)),
        // Una is not an owner, whatever the account says.
        Lie(|users, _| {
            for user in users.iter_mut().filter(|user| user.name == "Una") {
                user.roles.push(Role::Owners);
            }
        }),
        // Another key under Olga's name, in one answer, the other, or both.
        Lie(|users, _| {
            for user in users.iter_mut().filter(|user| user.name == "Olga") {
                user.public = eve().1.public();
            }
        }),
        Lie(|_, cards| {
            for card in cards.iter_mut().filter(|card| card.name == "Olga") {
                card.public = eve().1.public();
            }
        }),
        Lie(|users, cards| {
            for user in users.iter_mut().filter(|user| user.name == "Olga") {
                user.public = eve().1.public();
            }
            for card in cards.iter_mut().filter(|card| card.name == "Olga") {
                card.public = eve().1.public();
            }
        }),
        // Una's standing raised on nobody's word.
        Lie(|users, cards| {
            for user in users.iter_mut().filter(|user| user.name == "Una") {
                user.roles.push(Role::Owners);
            }
            for card in cards.iter_mut().filter(|card| card.name == "Una") {
                card.endorsement = card.endorsement.map(|mut word| {
                    word.standing = Standing::Owner;
                    word
                });
            }
        }),
        Lie(|_, cards| cards.clear()),
    ];
    for (at, lie) in lies.into_iter().enumerate() {
        let account = world.account.clone();
        let owner = world.owner_through(Liar { account, lie });
        let kind = VaultType::UserCreated;
        let made = owner.create_vault("B", "", kind, None);
        assert!(
            matches!(made, Err(OperatorError::Unendorsed(_))),
            "lie {at}: {made:?}"
        );
        // One's own vault is nobody else's.
        owner
            .create_vault("P", "", VaultType::Personal, None)
            .unwrap();
    }
    let renamed = Lie(|users, cards| {
        for user in users.iter_mut().filter(|user| user.name == "Una") {
            user.name = "Ute".into();
        }
        for card in cards.iter_mut().filter(|card| card.name == "Una") {
            card.name = "Ute".into();
        }
    });
    let account = world.account.clone();
    let owner = world.owner_through(Liar {
        account,
        lie: renamed,
    });
    let shared = owner.share_vault(vault, una.user());
    assert!(matches!(shared, Err(OperatorError::Unendorsed(_))));
    let made_up = Lie(|users, cards| eve_as(users, cards, false));
    let account = world.account.clone();
    let owner = world.owner_through(Liar {
        account,
        lie: made_up,
    });
    let shared = owner.share_vault(vault, eve().0);
    assert!(matches!(shared, Err(OperatorError::Unendorsed(_))));
    world.owner.share_vault(vault, una.user()).unwrap();
}

#[test]
fn the_chain_begins_with_the_accounts_id() {
    // All genuine, but of an account that someone else began.
    let (world, other) = (World::new(), World::new());
    let mine = KeyFile {
        account: world.account.id(),
        user: UserId::generate(&mut SystemRng),
        key: OperatorKey::generate(&mut SystemRng),
    };
    let code = JoinCode::new(&mine, "Una");
    let elsewhere = other.owner.add_user(&code);
    assert!(matches!(elsewhere, Err(OperatorError::JoinCode)));
    world.owner.add_user(&code).unwrap();
    struct Other(World, Account);
    impl AccountApi for Other {
        fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
            match request.request()? {
                Request::Users => self.0.execute(Request::Users),
                Request::UserCards => self.0.execute(Request::UserCards),
                _ => self.1.call(request),
            }
        }
    }
    let una = Operator::new(mine, Box::new(Other(other, world.account)));
    let made = una.create_vault("V", "", VaultType::UserCreated, None);
    assert!(matches!(made, Err(OperatorError::Unendorsed(_))));
}

#[test]
fn a_joined_user_believes_the_rest_and_adds_others_once_they_may() {
    let world = World::new();
    let ada = world.user("Ada");
    let vault = |by: &Operator| by.create_vault("V", "", VaultType::UserCreated, None);
    vault(&ada).unwrap();
    let administrators = group(&world.owner, Role::Administrators);
    world.owner.add_member(administrators, ada.user()).unwrap();
    // Twice is once.
    world.owner.add_member(administrators, ada.user()).unwrap();
    let key = OperatorKey::generate(&mut SystemRng);
    let user = new_user("Una", &key);
    let id = user.id;
    let card = ada.endorse(user, Standing::User);
    ada.call(&Request::CreateUser(card)).unwrap();
    let una = operator(&world.account, id, key);
    // Who vouched may go: those they vouched for stay.
    world.owner.remove_user(ada.user()).unwrap();
    let made = vault(&una).unwrap();
    assert_eq!(una.vault(made).unwrap().users.len(), 2);
    let mine = world.vault("mine");
    world.owner.share_vault(mine, id).unwrap();
    una.read_access(mine).unwrap();
}

#[test]
fn the_account_takes_only_words_that_are_the_callers_to_give() {
    let world = World::new();
    let ada = world.user("Ada");
    let administrators = group(&world.owner, Role::Administrators);
    world.owner.add_member(administrators, ada.user()).unwrap();
    let una = world.user("Una");
    let someone = || new_user("x", &OperatorKey::generate(&mut SystemRng));
    let create = |card: UserCard| refused(ada.call(&Request::CreateUser(card)));
    // The owner's word, handed in by another; none at all; an owner by an administrator's.
    let by_owner = world.owner.endorse(someone(), Standing::User);
    assert!(matches!(create(by_owner), AccountError::Invalid(_)));
    let mut without = ada.endorse(someone(), Standing::User);
    without.endorsement = None;
    assert!(matches!(create(without), AccountError::Invalid(_)));
    let owner = ada.endorse(someone(), Standing::Owner);
    assert!(matches!(create(owner), AccountError::NotOwner(_)));
    let mut renamed = ada.endorse(someone(), Standing::User);
    renamed.name = "y".into();
    assert!(matches!(create(renamed), AccountError::Invalid(_)));
    let mut blank = someone();
    blank.name = " x".into();
    let blank = ada.endorse(blank, Standing::User);
    assert!(matches!(create(blank), AccountError::Invalid(_)));
    // Standing rises only.
    let cards = |by: &Operator| match by.call(&Request::UserCards).unwrap() {
        Response::UserCards(cards) => cards,
        other => panic!("{other:?}"),
    };
    let held = cards(&ada);
    let word = |user| {
        held.iter()
            .find(|card| card.id == user)
            .unwrap()
            .endorsement
    };
    let endorsement = word(una.user()).unwrap();
    let user = una.user();
    let again = Request::EndorseUser { user, endorsement };
    assert!(matches!(
        refused(world.owner.call(&again)),
        AccountError::Conflict { .. }
    ));
    assert_eq!(word(world.owner.user()), None);
}

#[test]
fn a_new_owner_gets_every_vault_at_once_and_makes_their_keys_their_own() {
    let world = World::new();
    let vaults: Vec<_> = (0..20).map(|n| world.vault(&format!("V{n}"))).collect();
    let olga = world.user("Olga");
    let owners = group(&world.owner, Role::Owners);
    world.owner.add_member(owners, olga.user()).unwrap();
    let slow = || match olga.call(&Request::Keyring {
        vaults: vaults.clone(),
    }) {
        Ok(Response::Keyring(keys)) => keys
            .iter()
            .flatten()
            .filter(|key| key.is_to_public_key())
            .count(),
        other => panic!("{other:?}"),
    };
    assert_eq!(slow(), 20);
    let server = world.environment(&vaults);
    let granted: Vec<_> = vaults.iter().map(|vault| (*vault, Rights::READ)).collect();
    let token = |by: &Operator| by.create_token(server.id(), "t", &granted, None);
    token(&olga).unwrap();
    assert_eq!(slow(), 0);
    token(&olga).unwrap();
    // One of them is not theirs: none is handed out.
    let personal = VaultType::Personal;
    let mine = world.owner.create_vault("P", "", personal, None).unwrap();
    let vaults = vec![vaults[0], mine];
    assert!(matches!(
        refused(olga.call(&Request::Keyring { vaults })),
        AccountError::NoVaultAccess(_)
    ));
}
