//! A vault's key is replaced while everyone goes on (issue 5, line 5).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sekisho_account::{
    Account, AccountApi, AccountError, OperatorError, Request, Response, SignedRequest,
};
use sekisho_core::{
    id::VaultId,
    key::WrappedKey,
    records::{Expect, ItemRecord, Records},
    seal::Kind,
    token::{IssuedToken, RawToken, Rights},
    vault::TitleIndex,
};

use crate::setup::{Host, World, now, refused};

/// Dies after so many calls.
struct Dying {
    account: Account,
    left: AtomicUsize,
}

impl AccountApi for Dying {
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        let before = |left: usize| left.checked_sub(1);
        match self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, before)
        {
            Ok(_) => self.account.call(request),
            Err(_) => Err(AccountError::Unreachable("killed".into())),
        }
    }
}

/// Everything opens with the token, by title too.
fn assert_readable(host: &mut Host, token: &IssuedToken, vault: VaultId, titles: &[&str]) {
    host.sync();
    let head = host.head().unwrap();
    let raw = RawToken::parse(token.text.expose()).unwrap();
    let grant = raw.check(&head, host, now()).unwrap();
    let access = grant.read(&vault).unwrap();
    let attributes = host.vault(&vault).unwrap();
    assert!(grant.open_attributes(&attributes).is_ok());
    for title in titles {
        let marks = access
            .keys()
            .iter()
            .map(|key| TitleIndex::derive(key).exact(title));
        let found: Vec<_> = marks
            .flat_map(|mark| host.find(&vault, &mark).unwrap())
            .collect();
        assert_eq!(found.len(), 1, "{title}");
        let details = host.details(&vault, &found[0].id).unwrap();
        assert!(access.open_part(Kind::Overview, &found[0]).is_ok());
        assert!(access.open_part(Kind::Details, &details).is_ok());
    }
}

fn token_keys(host: &Host, token: &IssuedToken) -> Vec<Option<u32>> {
    let record = host.snapshot.token(&token.record.id).unwrap();
    record.grants[0]
        .keys
        .iter()
        .map(WrappedKey::generation)
        .collect()
}

#[test]
fn killed_at_every_call_it_is_taken_up_again_and_readers_never_notice() {
    let world = World::new();
    let vault = world.vault("Ops");
    let titles = ["a", "b", "c"];
    let items = titles.map(|title| world.item(vault, title));
    let mut host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    assert_readable(&mut host, &token, vault, &titles);
    let old = world.sealed(vault, items[0].id, 2, "a");
    let mut seen = Vec::new();
    for calls in 0.. {
        let left = AtomicUsize::new(calls);
        let owner = world.owner_through(Dying {
            account: world.account.clone(),
            left,
        });
        let done = owner.rotate_vault_key(vault);
        assert_readable(&mut host, &token, vault, &titles);
        seen.push(token_keys(&host, &token));
        match done {
            Ok(()) => break,
            Err(OperatorError::Account(AccountError::Unreachable(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    seen.dedup();
    assert_eq!(seen, [vec![Some(1)], vec![Some(2), Some(1)], vec![Some(2)]]);
    assert!(!world.owner.is_rotating(vault).unwrap());
    for item in &items {
        let record = host.item(&vault, &item.id).unwrap();
        assert_eq!(record.version, item.version, "versions stay");
        assert_eq!(record.overview.generation(), Some(2));
        assert_ne!(record.marks, item.marks);
    }
    assert_eq!(
        host.vault(&vault).unwrap().content_version,
        3,
        "contents are what they were"
    );
    let retired = host.put(&token, vault, Expect::Version(1), old);
    assert!(matches!(retired, Err(AccountError::Conflict { .. })));
    assert_eq!(world.owner.items(vault).unwrap().len(), 3);
}

/// Lets a client write whenever a batch is about to be put back.
struct Meanwhile {
    account: Account,
    write: Box<dyn Fn() + Send + Sync>,
    times: AtomicUsize,
}

impl AccountApi for Meanwhile {
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        let is_reseal = matches!(request.request(), Ok(Request::Reseal { .. }));
        if is_reseal && self.times.fetch_add(1, Ordering::SeqCst) < 3 {
            (self.write)();
        }
        self.account.call(request)
    }
}

#[test]
fn a_client_that_writes_meanwhile_wins() {
    let world = Arc::new(World::new());
    let vault = world.vault("Ops");
    let (kept, written) = (world.item(vault, "kept"), world.item(vault, "old title"));
    let host = world.environment(&[vault]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    // Sealed under the old key, as by a host that has not heard of the new one.
    let next: Vec<ItemRecord> = (2..=4)
        .map(|v| world.sealed(vault, written.id, v, "new title"))
        .collect();
    let account = world.account.clone();
    let (environment, id, again) = (host.id(), token.record.id, next);
    let at = AtomicUsize::new(0);
    let write = move || {
        let at = at.fetch_add(1, Ordering::SeqCst);
        let request = sekisho_core::records::PutRequest {
            token: id,
            vault,
            expect: Expect::Version(at as u64 + 1),
            item: again[at].clone(),
            added: Vec::new(),
            dropped: Vec::new(),
        };
        account.put(&environment, &request, now()).unwrap();
    };
    let owner = world.owner_through(Meanwhile {
        account: world.account.clone(),
        write: Box::new(write),
        times: AtomicUsize::new(0),
    });
    owner.rotate_vault_key(vault).unwrap();
    let mut host = host;
    assert_readable(&mut host, &token, vault, &["kept", "new title"]);
    assert_eq!(host.item(&vault, &written.id).unwrap().version, 4);
    assert_eq!(host.item(&vault, &kept.id).unwrap().version, 1);
    assert_eq!(token_keys(&host, &token), [Some(2)]);
}

#[test]
fn a_token_and_a_user_that_come_in_between_get_both_keys() {
    let world = World::new();
    let vault = world.vault("Ops");
    let item = world.item(vault, "x");
    let mut host = world.environment(&[vault]);
    // Holders, keys, begin: then it dies.
    let left = AtomicUsize::new(3);
    let owner = world.owner_through(Dying {
        account: world.account.clone(),
        left,
    });
    owner.rotate_vault_key(vault).unwrap_err();
    assert!(world.owner.is_rotating(vault).unwrap());
    let token = world.token(&host, vault, Rights::READ);
    let una = world.user("Una");
    world.owner.share_vault(vault, una.user()).unwrap();
    assert_readable(&mut host, &token, vault, &["x"]);
    assert_eq!(token_keys(&host, &token), [Some(2), Some(1)]);
    una.resume_rotation(vault).unwrap();
    assert_readable(&mut host, &token, vault, &["x"]);
    assert!(una.open_item(vault, item.id).is_ok());
    assert!(world.owner.open_item(vault, item.id).is_ok());
    world.owner.rotate_vault_key(vault).unwrap();
    assert_readable(&mut host, &token, vault, &["x"]);
    assert_eq!(token_keys(&host, &token), [Some(3)]);
}

#[test]
fn nobody_is_left_behind_and_nothing_is_finished_early() {
    let world = World::new();
    let vault = world.vault("Ops");
    world.item(vault, "x");
    let host = world.environment(&[vault]);
    world.token(&host, vault, Rights::READ);
    let new = sekisho_account::protocol::NewGeneration {
        vault,
        generation: 2,
        users: Vec::new(),
        tokens: Vec::new(),
    };
    let begun = world.execute(Request::BeginRotation(new));
    assert!(matches!(begun, Err(AccountError::Conflict { .. })));
    let left = AtomicUsize::new(3);
    let owner = world.owner_through(Dying {
        account: world.account.clone(),
        left,
    });
    owner.rotate_vault_key(vault).unwrap_err();
    let early = world.execute(Request::FinishRotation { vault });
    assert!(matches!(early, Err(AccountError::Conflict { .. })));
    let una = world.user("Una");
    assert!(matches!(
        refused(una.rotate_vault_key(vault)),
        AccountError::NoVaultAccess(_)
    ));
}
