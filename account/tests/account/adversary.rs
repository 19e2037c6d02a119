//! What an account that turned against its users can do, and who notices.
//!
//! | attack | by | noticed by | test |
//! |---|---|---|---|
//! | serves an older head | account | sync: `OlderHead` | `an_older_head_is_refused` |
//! | serves another server's head, or one signed by another key | wire | sync: `OtherEnvironment`, `ForgedHead` | `a_foreign_head_is_refused` |
//! | alters a head's version or date | wire | sync: `ForgedHead` | `a_foreign_head_is_refused` |
//! | forges, drops, alters or revives a token's record | wire | sync: `TokenList` | `a_list_of_tokens_is_the_heads_or_none` |
//! | forges a token's record and signs the list | account | core: keys do not unwrap | `a_forged_token_opens_nothing` |
//! | gives a token's record stronger rights and signs the list | account | core: keys do not unwrap | `a_forged_token_opens_nothing` |
//! | rolls an item back | account | sync: `OlderItem` | `an_item_does_not_fall_back` |
//! | hands an old item out under a new version | account | core: does not open | `what_is_swapped_cut_or_renamed_does_not_open` |
//! | swaps items, parts, vaults; cuts, alters | account | core: does not open | `what_is_swapped_cut_or_renamed_does_not_open` |
//! | swaps, cuts or reorders a file's chunks | account | core: does not open | `chunks_stand_where_they_were_put` |
//! | replays, reorders or drops pages of the feed | wire | nothing false is served; the next page mends it | `pages_out_of_order_do_no_harm` |
//! | slips in a signing key | account | core: not believed | `a_signing_key_needs_the_word_of_one_before` |
//! | replays an operator's request, or alters it | wire | account: `Replayed`, `NotAuthenticated` | `a_request_is_taken_once_and_unaltered` |
//! | answers with another vault's keys, another item | account | operator: does not open | `an_operator_opens_only_what_was_asked_for` |
//! | answers something else | account | operator: `Unexpected` | `an_operator_opens_only_what_was_asked_for` |
//! | names a holder of its own for a rotation | account | operator: `Unvouched` | `a_rotation_wraps_to_nobody_the_account_made_up` |
//! | makes up a user, gives one another key or name, or calls one an owner | account | operator: `Unendorsed` | `endorsed::nothing_is_wrapped_to_a_user_nobody_vouches_for` |
//! | is another account under the same address | account | operator: `Unendorsed` | `endorsed::the_chain_begins_with_the_accounts_id` |
//!
//! Not noticed, for nothing can be: records withheld from the start (it is silence), an old genuine item shown to an
//! operator who has not seen the newer one, usage that was not passed on, an endorsed owner shown as one still.

use rusqlite::Connection;
use sekisho_account::{
    Account, AccountApi, AccountError, OperatorError, Request, Response, SignedRequest,
    operator::NewFile, protocol::TokenHolder, random::SystemRng,
};
use sekisho_core::{
    cache::Snapshot,
    id::{EnvironmentId, FileId, ItemId, TokenId, UserId, VaultId},
    key::{EnvironmentKey, OperatorKey, SigningKey, TokenKey},
    records::{Expect, Records, SigningKeyRecord, TokenState},
    seal::{Kind, Sealed},
    secret::SecretBytes,
    sync::{FeedPage, Incoming, Plan, SignedHead, SyncError, token_list_digest},
    token::{AccessError, Grant, IssuedToken, RawToken, Rights},
    vouch::HolderProof,
};

use crate::setup::{Host, World, now, refused};

/// An account with two vaults, an item in each, a server that has both, and a token.
struct Scene {
    world: World,
    vaults: [VaultId; 2],
    items: [ItemId; 2],
    host: Host,
    token: IssuedToken,
}

fn scene() -> Scene {
    let world = World::new();
    let vaults = [world.vault("A"), world.vault("B")];
    let items = [world.item(vaults[0], "x").id, world.item(vaults[1], "y").id];
    let mut host = world.environment(&vaults);
    let rights = [(vaults[0], Rights::READ), (vaults[1], Rights::READ)];
    let token = world
        .owner
        .create_token(host.id(), "app", &rights, None)
        .unwrap();
    host.sync();
    Scene {
        world,
        vaults,
        items,
        host,
        token,
    }
}

impl Scene {
    fn page(&self) -> FeedPage {
        self.host.page("", 100)
    }

    /// The account's own key: whoever runs the account has it.
    fn head_key(&self) -> SigningKey {
        let db = Connection::open(self.world.path()).unwrap();
        let seed: [u8; 32] = db
            .query_row("SELECT head_seed FROM account", [], |row| row.get(0))
            .unwrap();
        SigningKey::derive(&SecretBytes::new(seed), b"sekisho/v1/head")
    }

    /// The page under a head that fits it.
    fn sign(&self, mut page: FeedPage, version: u64) -> FeedPage {
        let tokens = token_list_digest(page.tokens.iter());
        let head = page.head;
        page.head = SignedHead::sign(
            head.account,
            head.environment,
            version,
            now(),
            tokens,
            &self.head_key(),
        );
        page
    }

    fn take(&self, page: FeedPage, held: &Snapshot) -> Result<Plan, SyncError> {
        Incoming::parse(vec![page], &self.host.credentials.trust())?.plan(held)
    }

    /// A host that believed the page.
    fn host_of(&self, page: FeedPage) -> Host {
        let mut host = self.host.fresh();
        host.snapshot = host
            .snapshot
            .apply(&self.take(page, &Snapshot::default()).unwrap());
        host
    }

    fn grant(&self, host: &Host, token: &IssuedToken) -> Grant {
        let raw = RawToken::parse(token.text.expose()).unwrap();
        raw.check(&host.head().unwrap(), host, now()).unwrap()
    }
}

#[test]
fn an_older_head_is_refused() {
    let mut scene = scene();
    let old = scene.page();
    scene
        .world
        .owner
        .revoke_token(scene.token.record.id)
        .unwrap();
    scene.host.sync();
    let held = &scene.host.snapshot;
    assert!(matches!(
        scene.take(old.clone(), held),
        Err(SyncError::OlderHead { .. })
    ));
    let dated = scene.sign(old.clone(), old.head.version);
    assert!(matches!(
        scene.take(dated, held),
        Err(SyncError::OlderHead { .. })
    ));
}

#[test]
fn a_foreign_head_is_refused() {
    let scene = scene();
    let take = |change: fn(&mut FeedPage)| {
        let mut page = scene.page();
        change(&mut page);
        scene.take(page, &Snapshot::default()).unwrap_err()
    };
    assert_eq!(take(|page| page.head.version += 1), SyncError::ForgedHead);
    assert_eq!(
        take(|page| page.head.issued_at = now().plus_seconds(9)),
        SyncError::ForgedHead
    );
    assert_eq!(
        take(|page| page.head.environment = EnvironmentId::generate(&mut SystemRng)),
        SyncError::OtherEnvironment
    );
    let other = scene.world.environment(&scene.vaults);
    let foreign = scene.take(other.page("", 100), &Snapshot::default());
    assert_eq!(foreign.unwrap_err(), SyncError::OtherEnvironment);
    let mut page = scene.page();
    let key = SigningKey::derive(&SecretBytes::generate(&mut SystemRng), b"sekisho/v1/head");
    let head = page.head;
    page.head = SignedHead::sign(
        head.account,
        head.environment,
        head.version,
        now(),
        head.tokens,
        &key,
    );
    assert_eq!(
        scene.take(page, &Snapshot::default()).unwrap_err(),
        SyncError::ForgedHead
    );
}

#[test]
fn a_list_of_tokens_is_the_heads_or_none() {
    let mut scene = scene();
    let changes: [fn(&mut FeedPage); 4] = [
        |page| page.tokens.clear(),
        |page| page.tokens[0].expires_at = Some(now()),
        |page| page.tokens[0].grants[0].rights = Rights::READ_WRITE,
        |page| {
            let mut forged = page.tokens[0].clone();
            forged.id = TokenId::generate(&mut SystemRng);
            page.tokens.push(forged);
        },
    ];
    for change in changes {
        let mut page = scene.page();
        change(&mut page);
        let refused = scene.take(page, &Snapshot::default()).unwrap_err();
        assert_eq!(refused, SyncError::TokenList);
    }
    scene
        .world
        .owner
        .revoke_token(scene.token.record.id)
        .unwrap();
    let mut page = scene.host.page(&scene.host.cursor, 100);
    page.tokens[0].state = TokenState::Active;
    assert_eq!(
        scene.take(page.clone(), &scene.host.snapshot).unwrap_err(),
        SyncError::TokenList
    );
    page.tokens.clear();
    assert_eq!(
        scene.take(page, &scene.host.snapshot).unwrap_err(),
        SyncError::TokenList
    );
    scene.host.sync();
}

#[test]
fn a_forged_token_opens_nothing() {
    let scene = scene();
    // Issued with a signing key of the account's own making, for keys it does not have.
    let other = World::new();
    let vault = other.vault("A");
    let elsewhere = other.environment(&[vault]);
    let forged = other.token(&elsewhere, vault, Rights::READ);
    let mut page = scene.page();
    let mut record = forged.record.clone();
    record.grants = scene.token.record.grants.clone();
    page.tokens.push(record);
    let version = page.head.version;
    let host = scene.host_of(scene.sign(page, version));
    let raw = RawToken::parse(forged.text.expose()).unwrap();
    assert!(raw.check(&host.head().unwrap(), &host, now()).is_err());

    let mut page = scene.page();
    page.tokens[0].grants[0].rights = Rights::READ_WRITE;
    let host = scene.host_of(scene.sign(page, version));
    let vault = host.snapshot.tokens().next().unwrap().grants[0].vault;
    let grant = scene.grant(&host, &scene.token);
    assert_eq!(grant.write(&vault).unwrap_err(), AccessError::Damaged);
}

#[test]
fn an_item_does_not_fall_back() {
    let mut scene = scene();
    let (vault, item) = (scene.vaults[0], scene.items[0]);
    let old = scene.page();
    let access = scene.world.owner.write_access(vault).unwrap();
    let next = scene.world.sealed(vault, item, 2, "x");
    scene
        .world
        .owner
        .put_item(&access, next, Expect::Version(1))
        .unwrap();
    scene.host.sync();
    let version = scene.host.snapshot.head().unwrap().version + 1;
    let back = scene.take(scene.sign(old, version), &scene.host.snapshot);
    assert!(matches!(
        back,
        Err(SyncError::OlderItem {
            offered: 1,
            held: 2,
            ..
        })
    ));
}

#[test]
fn what_is_swapped_cut_or_renamed_does_not_open() {
    let scene = scene();
    let changes: [fn(&mut FeedPage); 7] = [
        |page| page.items[0].item.version += 1,
        |page| {
            let other = page.items[1].item.details.clone();
            page.items[0].item.details = other;
        },
        |page| page.items[0].item.details = page.items[0].item.overview.clone(),
        |page| {
            let vaults = (page.items[0].vault, page.items[1].vault);
            (page.items[1].vault, page.items[0].vault) = vaults;
        },
        |page| page.items[0].item.details = cut(&page.items[0].item.details),
        |page| page.items[0].item.details = Sealed::default(),
        |page| {
            let mut bytes = page.items[0].item.details.as_bytes().to_vec();
            bytes[20] ^= 1;
            page.items[0].item.details = Sealed::from_bytes(bytes);
        },
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut page = scene.page();
        change(&mut page);
        let (vault, id) = (page.items[0].vault, page.items[0].item.id);
        let host = scene.host_of(page);
        let access = scene.grant(&host, &scene.token).read(&vault).unwrap();
        let details = host.details(&vault, &id).unwrap();
        assert!(
            access.open_part(Kind::Details, &details).is_err(),
            "change {at}"
        );
    }
    let mut page = scene.page();
    let attributes = page.vaults[1].attributes.clone();
    page.vaults[0].attributes = attributes;
    let record = page.vaults[0].clone();
    let host = scene.host_of(page);
    assert!(
        scene
            .grant(&host, &scene.token)
            .open_attributes(&record)
            .is_err()
    );
}

fn cut(sealed: &Sealed) -> Sealed {
    let bytes = sealed.as_bytes();
    Sealed::from_bytes(bytes[..bytes.len() - 1].to_vec())
}

#[test]
fn chunks_stand_where_they_were_put() {
    let scene = scene();
    let (vault, item) = (scene.vaults[0], scene.items[0]);
    let size = 2 * sekisho_core::file::CHUNK as usize;
    let put = |byte| {
        let file = NewFile {
            id: FileId::generate(&mut SystemRng),
            name: "f".into(),
            section: None,
            size: size as u64,
        };
        scene
            .world
            .owner
            .put_file(vault, item, file, &mut vec![byte; size].as_slice())
            .unwrap()
    };
    let (one, two) = (put(1), put(2));
    let chunk = |entry: &sekisho_core::file::FileEntry, index| {
        scene
            .host
            .chunk(&vault, &item, &entry.stored(), index)
            .unwrap()
    };
    assert!(one.open_chunk(vault, item, 0, &chunk(&one, 0)).is_ok());
    assert!(
        one.open_chunk(vault, item, 1, &chunk(&one, 0)).is_err(),
        "reordered"
    );
    assert!(
        one.open_chunk(vault, item, 0, &chunk(&two, 0)).is_err(),
        "swapped"
    );
    assert!(
        one.open_chunk(vault, scene.items[1], 0, &chunk(&one, 0))
            .is_err(),
        "moved"
    );
    let whole = chunk(&one, 1);
    assert!(
        one.open_chunk(vault, item, 1, &whole[..whole.len() - 1])
            .is_err(),
        "cut"
    );
}

#[test]
fn pages_out_of_order_do_no_harm() {
    let mut scene = scene();
    for _ in 0..5 {
        scene.world.item(scene.vaults[0], "more");
    }
    let mut pages = vec![scene.host.page("", 2)];
    while pages.last().unwrap().more {
        pages.push(scene.host.page(&pages.last().unwrap().cursor, 2));
    }
    let expected = scene.host_of(scene.page()).contents();
    let trust = scene.host.credentials.trust();
    let mut tries = vec![
        pages.clone(),
        pages.iter().rev().cloned().collect(),
        pages.clone(),
    ];
    tries[2].extend(pages.clone());
    tries.extend((0..pages.len()).map(|at| {
        let mut some = pages.clone();
        some.remove(at);
        some
    }));
    for attempt in tries {
        let mut host = scene.host.fresh();
        // Either it is refused, or what is taken is genuine: reading on from the start mends the rest.
        if let Ok(plan) =
            Incoming::parse(attempt, &trust).and_then(|incoming| incoming.plan(&host.snapshot))
        {
            host.snapshot = host.snapshot.apply(&plan);
            let (_, items, _) = host.contents();
            assert!(items.iter().all(|item| expected.1.contains(item)));
        }
        host.sync();
        assert_eq!(host.contents(), expected);
    }
    scene.host.sync();
}

#[test]
fn a_signing_key_needs_the_word_of_one_before() {
    let scene = scene();
    let own = EnvironmentKey::generate(&mut SystemRng);
    let record = SigningKeyRecord {
        id: own.id(),
        public: own.public(),
    };
    let known = scene.host.credentials.signing_keys();
    let mut by_old = own.endorse(&scene.host.id(), record);
    by_old.by = known[0].id;
    let mut page = scene.page();
    page.signing_keys = vec![by_old, own.endorse(&scene.host.id(), record)];
    let incoming = Incoming::parse(vec![page], &scene.host.credentials.trust()).unwrap();
    assert_eq!(incoming.signing_keys(known), known);
}

/// Does what `change` makes of requests and answers.
struct Proxy<C> {
    account: Account,
    change: C,
}

impl<C> AccountApi for Proxy<C>
where
    C: Fn(&Account, SignedRequest) -> Result<Response, AccountError> + Send + Sync,
{
    fn call(&self, request: SignedRequest) -> Result<Response, AccountError> {
        (self.change)(&self.account, request)
    }
}

impl Scene {
    fn owner(
        &self,
        change: impl Fn(&Account, SignedRequest) -> Result<Response, AccountError>
        + Send
        + Sync
        + 'static,
    ) -> sekisho_account::Operator {
        let account = self.world.account.clone();
        self.world.owner_through(Proxy { account, change })
    }
}

#[test]
fn a_request_is_taken_once_and_unaltered() {
    let scene = scene();
    let twice = scene.owner(|account, request| {
        account.call(request.clone())?;
        account.call(request)
    });
    assert!(matches!(refused(twice.whoami()), AccountError::Replayed));
    let altered = scene.owner(|account, mut request| {
        request.body = serde_json::to_vec(&Request::Users).unwrap();
        account.call(request)
    });
    assert!(matches!(
        refused(altered.whoami()),
        AccountError::NotAuthenticated
    ));
}

#[test]
fn an_operator_opens_only_what_was_asked_for() {
    let scene = scene();
    let owner = scene.world.owner.user();
    let other = scene.vaults[1];
    // The account has its own ways to look into another vault's rows.
    let foreign_keys = scene.owner(move |account, request| match request.request()? {
        Request::VaultKeys { .. } => {
            let caller = sekisho_account::Caller {
                user: owner,
                from: "x".into(),
                now: now(),
            };
            account.execute(&caller, Request::VaultKeys { vault: other })
        }
        _ => account.call(request),
    });
    let swapped = foreign_keys.read_access(scene.vaults[0]);
    assert!(matches!(swapped, Err(OperatorError::DoesNotOpen { .. })));
    let wrong = scene
        .world
        .owner
        .sealed_item(other, scene.items[1])
        .unwrap();
    let foreign_item = scene.owner(move |account, request| match request.request()? {
        Request::Item { .. } => Ok(Response::Item(Box::new(wrong.clone()))),
        _ => account.call(request),
    });
    let swapped = foreign_item.open_item(scene.vaults[0], scene.items[0]);
    assert!(matches!(swapped, Err(OperatorError::DoesNotOpen { .. })));
    let nonsense = scene.owner(|_, _| Ok(Response::Done));
    assert!(matches!(nonsense.whoami(), Err(OperatorError::Unexpected)));
}

#[test]
fn a_rotation_wraps_to_nobody_the_account_made_up() {
    let scene = scene();
    let vault = scene.vaults[0];
    let key = TokenKey::generate(&mut SystemRng).public();
    let own = OperatorKey::generate(&mut SystemRng).public();
    type Change = Box<dyn Fn(&mut sekisho_account::protocol::VaultHolders) + Send + Sync>;
    let changes: [Change; 4] = [
        Box::new(move |held| held.tokens[0].public = key),
        Box::new(|held| held.tokens[0].rights = Rights::READ_WRITE),
        Box::new(move |held| {
            let first: TokenHolder = held.tokens[0].clone();
            let token = TokenId::generate(&mut SystemRng);
            held.tokens.push(TokenHolder {
                token,
                public: key,
                proof: HolderProof([0; 32]),
                ..first
            });
        }),
        Box::new(move |held| {
            let mut user = held.users[0].clone();
            user.user = UserId::generate(&mut SystemRng);
            user.public = own.clone();
            held.users.push(user);
        }),
    ];
    for change in changes {
        let owner = scene.owner(move |account, request| {
            let mut answer = account.call(request)?;
            if let Response::VaultHolders(held) = &mut answer {
                change(held);
            }
            Ok(answer)
        });
        let refused = owner.rotate_vault_key(vault);
        assert!(
            matches!(refused, Err(OperatorError::Unvouched { .. })),
            "{refused:?}"
        );
        assert!(!scene.world.owner.is_rotating(vault).unwrap());
    }
    scene.world.owner.rotate_vault_key(vault).unwrap();
}
