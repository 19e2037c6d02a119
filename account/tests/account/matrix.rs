//! The permission matrix: every management request by everyone there is, tested whole.
//!
//! `y` it is done, or fails for another reason · `m` not a manager · `o` not an owner · `v` does not hold the vault ·
//! `x` not a user of the account any more. A request never fails for another reason before its permission is decided.

use std::collections::BTreeSet;

use sekisho_account::{
    AccountError, Caller, Operator, Request, Response,
    protocol::{
        KeyWrap, NewEnvironment, NewGeneration, NewToken, NewVault, NextKey, ParkedOutcome, Role,
        SettledItem, UpstreamVault, UsageQuery, VaultShare, VaultWrap,
    },
    random::SystemRng,
};
use sekisho_core::{
    id::{EnvironmentId, FileId, GroupId, ItemId, UserId, VaultId},
    key::{EnvironmentKey, OperatorKey, WrappedKey},
    records::{Expect, SigningKeyRecord, VaultType},
    seal::Sealed,
    time::Timestamp,
    token::{IssuedToken, Rights},
    vouch::{HolderProof, UserCard},
};

use serde_json::Value;

use crate::setup::{World, new_user, now};

/// Who asks, in the order of the table's letters.
const WHO: [&str; 6] = [
    "owner",
    "administrator",
    "custom group, all servers",
    "custom group, this server",
    "plain user",
    "removed user",
];

/// Things made anew after each request that was done, so that it does not spoil the next.
struct Things {
    owner: UserId,
    owners: GroupId,
    group: GroupId,
    /// Managed by the second custom group too.
    server: EnvironmentId,
    other: EnvironmentId,
    vault: VaultId,
    token: IssuedToken,
    foreign: IssuedToken,
    /// Not there.
    nobody: UserId,
    sealed: Sealed,
    card: UserCard,
}

type Make = fn(&Things) -> Request;

const TABLE: &[(&str, &str, Make)] = &[
    // Anyone
    ("account", "yyyyyx", |_| Request::Account),
    ("whoami", "yyyyyx", |_| Request::WhoAmI),
    ("users", "yyyyyx", |_| Request::Users),
    ("user cards", "yyyyyx", |_| Request::UserCards),
    ("groups", "yyyyyx", |_| Request::Groups),
    ("vaults", "yyyyyx", |_| Request::Vaults),
    // Users and groups
    ("user create", "yymmmx", |t| {
        Request::CreateUser(t.card.clone())
    }),
    ("user endorse", "yymmmx", |t| Request::EndorseUser {
        user: t.nobody,
        endorsement: t.card.endorsement.unwrap(),
    }),
    ("user suspend", "yymmmx", |t| Request::SuspendUser {
        user: t.nobody,
        suspended: true,
    }),
    ("user remove", "yymmmx", |t| Request::RemoveUser {
        user: t.nobody,
    }),
    ("user suspend, an owner", "yommmx", |t| {
        Request::SuspendUser {
            user: t.owner,
            suspended: true,
        }
    }),
    ("user remove, an owner", "yommmx", |t| Request::RemoveUser {
        user: t.owner,
    }),
    ("group create", "yymmmx", |_| {
        let group = GroupId::generate(&mut SystemRng);
        Request::CreateGroup {
            group,
            name: group.to_string(),
        }
    }),
    ("group rename", "yymmmx", |t| Request::RenameGroup {
        group: t.group,
        name: t.group.to_string(),
    }),
    ("group delete", "yymmmx", |t| Request::DeleteGroup {
        group: t.group,
    }),
    ("group add", "yymmmx", |t| Request::AddMember {
        group: t.group,
        user: t.owner,
    }),
    ("group remove", "yymmmx", |t| Request::RemoveMember {
        group: t.group,
        user: t.nobody,
    }),
    ("group add, to owners", "yommmx", |t| Request::AddMember {
        group: t.owners,
        user: t.nobody,
    }),
    ("group remove, from owners", "yommmx", |t| {
        Request::RemoveMember {
            group: t.owners,
            user: t.owner,
        }
    }),
    ("manager grant, all", "yymmmx", |t| Request::GrantManager {
        environment: None,
        group: t.group,
    }),
    ("manager grant", "yymmmx", |t| Request::GrantManager {
        environment: Some(t.server),
        group: t.group,
    }),
    ("manager revoke, all", "yymmmx", |t| {
        Request::RevokeManager {
            environment: None,
            group: t.group,
        }
    }),
    ("manager revoke", "yymmmx", |t| Request::RevokeManager {
        environment: Some(t.server),
        group: t.group,
    }),
    ("manager reset", "yymmmx", |t| Request::ResetManagers {
        environment: t.other,
    }),
    ("audit", "yymmmx", |_| Request::Audit {
        before: None,
        limit: 9,
    }),
    // Connect servers
    ("managers, all", "yyyymx", |_| Request::Managers {
        environment: None,
    }),
    ("managers", "yyyymx", |t| Request::Managers {
        environment: Some(t.server),
    }),
    ("server create", "yyymmx", |_| {
        Request::CreateEnvironment(environment())
    }),
    ("server list", "yyyymx", |_| Request::Environments),
    ("server get", "yyyymx", |t| Request::Environment {
        environment: t.server,
    }),
    ("server get, another", "yyymmx", |t| Request::Environment {
        environment: t.other,
    }),
    ("server edit", "yyyymx", |t| Request::RenameEnvironment {
        environment: t.server,
        name: t.server.to_string(),
    }),
    ("server edit, another", "yyymmx", |t| {
        Request::RenameEnvironment {
            environment: t.other,
            name: t.other.to_string(),
        }
    }),
    ("server delete", "yyyymx", |t| Request::DeleteEnvironment {
        environment: t.server,
    }),
    ("server delete, another", "yyymmx", |t| {
        Request::DeleteEnvironment {
            environment: t.other,
        }
    }),
    ("server rotate key", "yyyymx", |t| {
        Request::AddEnvironmentKey(next_key(t.server))
    }),
    ("server rotate key, another", "yyymmx", |t| {
        Request::AddEnvironmentKey(next_key(t.other))
    }),
    ("server share key", "yyyymx", |t| {
        Request::ShareEnvironmentKey {
            environment: t.server,
            key: t.token.record.key,
            wraps: Vec::new(),
        }
    }),
    ("server share key, another", "yyymmx", |t| {
        Request::ShareEnvironmentKey {
            environment: t.other,
            key: t.token.record.key,
            wraps: Vec::new(),
        }
    }),
    ("device add", "yyyymx", |t| Request::AddDevice {
        environment: t.server,
        digest: [1; 32],
    }),
    ("device add, another", "yyymmx", |t| Request::AddDevice {
        environment: t.other,
        digest: [2; 32],
    }),
    ("device keep", "yyyymx", |t| Request::KeepDevice {
        environment: t.server,
        digest: [3; 32],
    }),
    ("device keep, another", "yyymmx", |t| Request::KeepDevice {
        environment: t.other,
        digest: [3; 32],
    }),
    ("vault grant", "yvvvmx", |t| Request::GrantVault {
        environment: t.server,
        vault: t.vault,
    }),
    ("vault grant, another", "yvvmmx", |t| Request::GrantVault {
        environment: t.other,
        vault: t.vault,
    }),
    ("vault revoke", "yyyymx", |t| Request::RevokeVault {
        environment: t.server,
        vault: t.vault,
    }),
    ("vault revoke, another", "yyymmx", |t| {
        Request::RevokeVault {
            environment: t.other,
            vault: t.vault,
        }
    }),
    // Tokens
    ("token create, no vault", "yyyymx", |t| {
        Request::CreateToken(token(t.server, &t.token, false))
    }),
    ("token create", "yvvvmx", |t| {
        Request::CreateToken(token(t.server, &t.token, true))
    }),
    ("token create, another", "yvvmmx", |t| {
        Request::CreateToken(token(t.other, &t.foreign, true))
    }),
    ("token list, all", "yyyymx", |_| Request::Tokens {
        environment: None,
    }),
    ("token list", "yyyymx", |t| Request::Tokens {
        environment: Some(t.server),
    }),
    ("token list, another", "yyymmx", |t| Request::Tokens {
        environment: Some(t.other),
    }),
    ("token edit", "yyyymx", |t| Request::RenameToken {
        token: t.token.record.id,
        name: "x".into(),
    }),
    ("token edit, another", "yyymmx", |t| Request::RenameToken {
        token: t.foreign.record.id,
        name: "x".into(),
    }),
    ("token delete", "yyyymx", |t| Request::RevokeToken {
        token: t.token.record.id,
    }),
    ("token delete, another", "yyymmx", |t| {
        Request::RevokeToken {
            token: t.foreign.record.id,
        }
    }),
    // Usage
    ("usage, all", "yyyymx", |_| Request::Usage {
        environment: None,
        since: Timestamp::from_millis(0),
    }),
    ("usage", "yyyymx", |t| Request::Usage {
        environment: Some(t.server),
        since: now(),
    }),
    ("usage, another", "yyymmx", |t| Request::Usage {
        environment: Some(t.other),
        since: now(),
    }),
    ("usage report, all", "yyyymx", |_| {
        Request::UsageReport(UsageQuery::default())
    }),
    ("usage report", "yyyymx", |t| report(t.server)),
    ("usage report, another", "yyymmx", |t| report(t.other)),
    // Anyone makes vaults
    ("vault create", "yyyyyx", |t| {
        Request::CreateVault(NewVault {
            id: VaultId::generate(&mut SystemRng),
            kind: VaultType::UserCreated,
            attributes: t.sealed.clone(),
            keys: Vec::new(),
        })
    }),
    ("vault restore", "yyyyyx", |t| {
        Request::RestoreVault(NewVault {
            id: VaultId::generate(&mut SystemRng),
            kind: VaultType::UserCreated,
            attributes: t.sealed.clone(),
            keys: Vec::new(),
        })
    }),
    // What is in a vault, and who holds it: the owner made it
    ("vault get", "yvvvvx", |t| Request::Vault { vault: t.vault }),
    ("vault keys", "yvvvvx", |t| Request::VaultKeys {
        vault: t.vault,
    }),
    ("vault keys of several", "yvvvvx", |t| Request::Keyring {
        vaults: vec![t.vault],
    }),
    ("vault edit", "yvvvvx", |t| Request::EditVault {
        vault: t.vault,
        expect: 1,
        version: Some(2),
        attributes: t.sealed.clone(),
    }),
    // Mirrored vaults: what is parked is told to who mirrors
    ("vault mirror", "yvvvvx", |t| Request::MirrorVault {
        vault: t.vault,
        writes: true,
        upstream: Some(UpstreamVault {
            content_version: 7,
            created_at: Some(Timestamp::from_seconds(1)),
            updated_at: None,
        }),
    }),
    ("parked writes", "yyyyyx", |_| Request::ParkedWrites {
        wait: 0,
    }),
    ("parked take", "yyyyyx", |_| Request::TakeParked {
        id: "x".into(),
    }),
    ("parked finish", "yyyyyx", |_| Request::FinishParked {
        id: "x".into(),
        outcome: ParkedOutcome::Refused(Some("the tag is odd".into())),
    }),
    ("vault delete", "yvvvvx", |t| Request::DeleteVault {
        vault: t.vault,
    }),
    ("vault share", "yvvvvx", |t| Request::ShareVault {
        vault: t.vault,
        keys: Vec::new(),
    }),
    ("vault share, several", "yvvvvx", |t| Request::ShareVaults {
        vaults: vec![VaultShare {
            vault: t.vault,
            keys: Vec::new(),
        }],
    }),
    ("vault unshare", "yvvvvx", |t| Request::UnshareVault {
        vault: t.vault,
        user: t.nobody,
    }),
    ("vault holders", "yvvvvx", |t| Request::VaultHolders {
        vault: t.vault,
    }),
    ("vault rotate", "yvvvvx", |t| {
        Request::BeginRotation(NewGeneration {
            vault: t.vault,
            generation: 2,
            users: vec![VaultWrap {
                user: t.owner,
                wrapped: WrappedKey::from_bytes(Vec::new()),
                proof: HolderProof([0; 32]),
            }],
            tokens: Vec::new(),
        })
    }),
    ("vault stale", "yvvvvx", |t| Request::StaleItems {
        vault: t.vault,
        limit: 1,
    }),
    ("vault reseal", "yvvvvx", |t| Request::Reseal {
        vault: t.vault,
        items: Vec::new(),
    }),
    ("vault reseal attributes", "yvvvvx", |t| {
        Request::ResealAttributes {
            vault: t.vault,
            version: 1,
            attributes: t.sealed.clone(),
        }
    }),
    ("vault rotated", "yvvvvx", |t| Request::FinishRotation {
        vault: t.vault,
    }),
    ("item put", "yvvvvx", |t| Request::PutItem {
        vault: t.vault,
        expect: Expect::Absent,
        item: Box::new(item()),
    }),
    ("items put", "yvvvvx", |t| Request::PutItems {
        vault: t.vault,
        items: vec![SettledItem {
            expect: Expect::Absent,
            item: item(),
        }],
        gone: vec![item().id],
    }),
    ("item get", "yvvvvx", |t| Request::Item {
        vault: t.vault,
        item: item().id,
    }),
    ("item list", "yvvvvx", |t| Request::Items {
        vault: t.vault,
        after: None,
        limit: 1,
    }),
    ("item delete", "yvvvvx", |t| Request::DeleteItem {
        vault: t.vault,
        item: item().id,
        version: None,
    }),
    ("item archive", "yvvvvx", |t| Request::ArchiveItem {
        vault: t.vault,
        item: item().id,
        archived: true,
    }),
    ("chunk put", "yvvvvx", |t| Request::PutChunk {
        vault: t.vault,
        item: item().id,
        file: FileId::generate(&mut SystemRng),
        index: 0,
        content: Sealed::default(),
    }),
    ("chunk get", "yvvvvx", |t| Request::Chunk {
        vault: t.vault,
        item: item().id,
        file: FileId::generate(&mut SystemRng),
        index: 0,
    }),
];

fn environment() -> NewEnvironment {
    let id = EnvironmentId::generate(&mut SystemRng);
    let key = EnvironmentKey::generate(&mut SystemRng);
    NewEnvironment {
        id,
        name: id.to_string(),
        device: [0; 32],
        key: SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        },
        wraps: Vec::<KeyWrap>::new(),
        vaults: Vec::new(),
    }
}

fn next_key(environment: EnvironmentId) -> NextKey {
    let (old, new) = (
        EnvironmentKey::generate(&mut SystemRng),
        EnvironmentKey::generate(&mut SystemRng),
    );
    let record = SigningKeyRecord {
        id: new.id(),
        public: new.public(),
    };
    NextKey {
        environment,
        key: old.endorse(&environment, record),
        wraps: Vec::new(),
    }
}

fn token(environment: EnvironmentId, like: &IssuedToken, with_vaults: bool) -> NewToken {
    let mut record = like.record.clone();
    record.id = sekisho_core::id::TokenId::generate(&mut SystemRng);
    let mut proofs = vec![HolderProof([0; 32])];
    if !with_vaults {
        record.grants.clear();
        proofs.clear();
    }
    NewToken {
        environment,
        name: "x".into(),
        record,
        public: like.public,
        proofs,
    }
}

fn item() -> sekisho_core::records::ItemRecord {
    let sealed = || Sealed::from_bytes(vec![1, 2, 0, 0, 0, 1]);
    sekisho_core::records::ItemRecord {
        id: ItemId::generate(&mut SystemRng),
        version: 1,
        archived: false,
        marks: [sekisho_core::records::TitleMark([0; 16]); 2],
        overview: sealed(),
        details: sealed(),
        extra: None,
        files: None,
    }
}

fn report(environment: EnvironmentId) -> Request {
    Request::UsageReport(UsageQuery {
        environment: Some(environment),
        ..UsageQuery::default()
    })
}

struct Cast {
    owners: GroupId,
    this_server: GroupId,
    users: Vec<UserId>,
}

fn cast(world: &World) -> Cast {
    let owner = &world.owner;
    let users: Vec<Operator> = WHO[1..].iter().map(|name| world.user(name)).collect();
    let groups = owner.groups().unwrap();
    let built_in = |role| {
        groups
            .iter()
            .find(|group| group.role == Some(role))
            .unwrap()
            .id
    };
    owner
        .add_member(built_in(Role::Administrators), users[0].user())
        .unwrap();
    let global = owner.create_group("Platform").unwrap();
    owner.add_member(global, users[1].user()).unwrap();
    owner.grant_manager(None, global).unwrap();
    let this_server = owner.create_group("Web").unwrap();
    owner.add_member(this_server, users[2].user()).unwrap();
    owner.remove_user(users[4].user()).unwrap();
    let ids = users.iter().map(Operator::user);
    Cast {
        owners: built_in(Role::Owners),
        this_server,
        users: std::iter::once(owner.user()).chain(ids).collect(),
    }
}

fn things(world: &World, cast: &Cast) -> Things {
    let vault = world.vault("V");
    let (server, other) = (world.environment(&[vault]), world.environment(&[vault]));
    let environment = Some(server.id());
    let group = cast.this_server;
    world
        .execute(Request::GrantManager { environment, group })
        .unwrap();
    let spare = GroupId::generate(&mut SystemRng);
    let name = spare.to_string();
    world
        .execute(Request::CreateGroup { group: spare, name })
        .unwrap();
    Things {
        owner: cast.users[0],
        owners: cast.owners,
        group: spare,
        server: server.id(),
        other: other.id(),
        vault,
        token: world.token(&server, vault, Rights::READ),
        foreign: world.token(&other, vault, Rights::READ),
        nobody: UserId::generate(&mut SystemRng),
        sealed: Sealed::from_bytes(vec![1, 1, 0, 0, 0, 1]),
        card: world.card(new_user("x", &OperatorKey::generate(&mut SystemRng))),
    }
}

/// Every request this version knows, from the one who must know: serde, by what it says to a name it does not know.
fn requests() -> BTreeSet<String> {
    let unknown = serde_json::from_str::<Request>("\"?\"")
        .unwrap_err()
        .to_string();
    let (_, known) = unknown.split_once("expected one of ").unwrap();
    let names = known.split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

fn name(request: &Request) -> String {
    match serde_json::to_value(request).unwrap() {
        Value::String(name) => name,
        Value::Object(members) => members.into_iter().next().unwrap().0,
        other => panic!("{other}"),
    }
}

#[test]
fn no_request_is_without_a_row() {
    let world = World::new();
    let stage = things(&world, &cast(&world));
    let rows: BTreeSet<String> = TABLE
        .iter()
        .map(|(_, _, make)| name(&make(&stage)))
        .collect();
    let known = requests();
    assert!(known.len() > 50, "{known:?}");
    assert_eq!(rows, known);
}

#[test]
fn everyone_may_do_what_the_table_says_and_nothing_else() {
    let world = World::new();
    let cast = cast(&world);
    let mut wrong = Vec::new();
    let mut stage = things(&world, &cast);
    for (what, expected, make) in TABLE {
        let mut found = String::new();
        for user in &cast.users {
            let caller = Caller {
                user: *user,
                from: "test".into(),
                now: now(),
            };
            let answer = world.account.execute(&caller, make(&stage));
            if matches!(answer, Ok(Response::Done | Response::VaultIds(_))) {
                stage = things(&world, &cast);
            }
            found.push(match answer {
                Err(AccountError::NotManager(_)) => 'm',
                Err(AccountError::NotOwner(_)) => 'o',
                Err(AccountError::NoVaultAccess(_)) => 'v',
                Err(AccountError::NotAuthenticated) => 'x',
                _ => 'y',
            });
        }
        if found != *expected {
            wrong.push(format!("{what}: expected {expected}, found {found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        WHO.join(" | "),
        wrong.join("\n")
    );
}

/// Every request of the table, and what the owner gets for it.
pub(crate) fn exchanges() -> Vec<(&'static str, Value)> {
    let world = World::new();
    let cast = cast(&world);
    let mut found = Vec::new();
    for (_, _, make) in TABLE {
        let stage = things(&world, &cast);
        let request = make(&stage);
        found.push(("Request", serde_json::to_value(&request).unwrap()));
        if let Ok(response) = world.execute(request) {
            found.push(("Response", serde_json::to_value(&response).unwrap()));
        }
    }
    found
}
