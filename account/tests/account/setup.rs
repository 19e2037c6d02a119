//! An account with an owner, and a host that follows it.

use std::path::PathBuf;

use sekisho_account::{
    Account, AccountApi, AccountError, Caller, Credentials, KeyFile, NewUser, Operator,
    OperatorError, Request, Response, random::SystemRng,
};
use sekisho_core::{
    cache::Snapshot,
    id::{EnvironmentId, FileId, ItemId, TokenId, UserId, VaultId},
    key::OperatorKey,
    records::{
        Expect, Fault, Head, ItemRecord, PartRecord, PutRequest, Records, SigningKeyRecord,
        TitleMark, TokenRecord, VaultRecord, VaultType,
    },
    seal::Kind,
    secret::SecretBytes,
    sync::{FeedPage, Incoming},
    time::Timestamp,
    token::{IssuedToken, Rights},
    vault::TitleIndex,
    vouch::{Standing, UserCard},
};
use tempfile::TempDir;

/// Everything at once.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) account: Account,
    pub(crate) owner: Operator,
    seed: SecretBytes<32>,
}

pub(crate) fn new_user(name: &str, key: &OperatorKey) -> NewUser {
    NewUser {
        id: UserId::generate(&mut SystemRng),
        name: name.into(),
        public: key.public(),
    }
}

pub(crate) fn operator(account: &Account, user: UserId, key: OperatorKey) -> Operator {
    let identity = KeyFile {
        account: account.id(),
        user,
        key,
    };
    Operator::new(identity, Box::new(account.clone()))
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = OperatorKey::generate(&mut SystemRng);
        let user = new_user("Olive", &key);
        let path = dir.path().join("account.sqlite");
        let account = Account::init(&path, "Test", &user, now(), &mut SystemRng).unwrap();
        let seed = key.seed().clone();
        let owner = operator(&account, user.id, key);
        Self {
            dir,
            account,
            owner,
            seed,
        }
    }

    /// The owner, by another way to the account.
    pub(crate) fn owner_through(&self, api: impl AccountApi + 'static) -> Operator {
        let identity = KeyFile {
            account: self.account.id(),
            user: self.owner.user(),
            key: OperatorKey::from_seed(self.seed.clone()),
        };
        Operator::new(identity, Box::new(api))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.account.path().to_path_buf()
    }

    /// The owner's word for a user.
    pub(crate) fn card(&self, user: NewUser) -> UserCard {
        self.owner.endorse(user, Standing::User)
    }

    /// Another user, in no group.
    pub(crate) fn user(&self, name: &str) -> Operator {
        let key = OperatorKey::generate(&mut SystemRng);
        let user = new_user(name, &key);
        let id = user.id;
        self.owner
            .call(&Request::CreateUser(self.card(user)))
            .unwrap();
        operator(&self.account, id, key)
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            user: self.owner.user(),
            from: "test".into(),
            now: now(),
        }
    }

    pub(crate) fn execute(&self, request: Request) -> Result<Response, AccountError> {
        self.account.execute(&self.caller(), request)
    }

    pub(crate) fn vault(&self, name: &str) -> VaultId {
        let kind = VaultType::UserCreated;
        self.owner.create_vault(name, "", kind, None).unwrap()
    }

    pub(crate) fn environment(&self, vaults: &[VaultId]) -> Host {
        let name = EnvironmentId::generate(&mut SystemRng).to_string();
        let (id, credentials) = self.owner.create_environment(&name, vaults).unwrap();
        assert_eq!(
            self.account
                .authenticate_device(credentials.device())
                .unwrap(),
            id
        );
        Host::new(self.account.clone(), credentials)
    }

    pub(crate) fn token(&self, host: &Host, vault: VaultId, rights: Rights) -> IssuedToken {
        let vaults = [(vault, rights)];
        self.owner
            .create_token(host.id(), "app", &vaults, None)
            .unwrap()
    }

    /// An item with this title, at version 1.
    pub(crate) fn item(&self, vault: VaultId, title: &str) -> ItemRecord {
        let record = self.sealed(vault, ItemId::generate(&mut SystemRng), 1, title);
        let access = self.owner.write_access(vault).unwrap();
        self.owner
            .put_item(&access, record.clone(), Expect::Absent)
            .unwrap();
        record
    }

    pub(crate) fn sealed(
        &self,
        vault: VaultId,
        id: ItemId,
        version: u64,
        title: &str,
    ) -> ItemRecord {
        let access = self.owner.write_access(vault).unwrap();
        let overview = format!("{{\"title\":\"{title}\"}}");
        let details = format!("{{\"title\":\"{title}\",\"password\":\"hunter2\"}}");
        let seal = |kind, text: &str| {
            access
                .seal_item(kind, id, version, text.as_bytes(), &mut SystemRng)
                .unwrap()
        };
        let index = TitleIndex::derive(access.current().newest_key().unwrap());
        ItemRecord {
            id,
            version,
            archived: false,
            marks: index.marks(title),
            overview: seal(Kind::Overview, &overview),
            details: seal(Kind::Details, &details),
            extra: None,
            files: None,
        }
    }
}

pub(crate) fn now() -> Timestamp {
    sekisho_account::clock::now()
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, OperatorError>) -> AccountError {
    match result.unwrap_err() {
        OperatorError::Account(error) => error,
        other => panic!("{other}"),
    }
}

/// A host: credentials, a cursor, a snapshot.
pub(crate) struct Host {
    pub(crate) account: Account,
    pub(crate) credentials: Credentials,
    pub(crate) snapshot: Snapshot,
    pub(crate) cursor: String,
}

impl Host {
    pub(crate) fn new(account: Account, credentials: Credentials) -> Self {
        Self {
            account,
            credentials,
            snapshot: Snapshot::default(),
            cursor: String::new(),
        }
    }

    /// The same server with nothing in store.
    pub(crate) fn fresh(&self) -> Self {
        Self::new(self.account.clone(), self.credentials.clone())
    }

    pub(crate) fn id(&self) -> EnvironmentId {
        self.credentials.environment()
    }

    pub(crate) fn page(&self, cursor: &str, limit: u32) -> FeedPage {
        self.account
            .changes(&self.id(), cursor, limit, now())
            .unwrap()
    }

    /// One tick, with something happening after each page.
    pub(crate) fn sync_while(&mut self, limit: u32, mut between: impl FnMut()) {
        let mut pages = vec![self.page(&self.cursor, limit)];
        while pages.last().unwrap().more {
            between();
            pages.push(self.page(&pages.last().unwrap().cursor, limit));
        }
        let incoming = Incoming::parse(pages, &self.credentials.trust()).unwrap();
        let plan = incoming.plan(&self.snapshot).unwrap();
        self.snapshot = self.snapshot.apply(&plan);
        self.cursor = plan.cursor().to_owned();
    }

    pub(crate) fn sync(&mut self) {
        self.sync_while(100, || ());
    }

    pub(crate) fn put(
        &self,
        token: &IssuedToken,
        vault: VaultId,
        expect: Expect,
        item: ItemRecord,
    ) -> Result<(), AccountError> {
        let request = PutRequest {
            token: token.record.id,
            vault,
            expect,
            item,
            added: Vec::new(),
            dropped: Vec::new(),
        };
        self.account.put(&self.id(), &request, now())
    }

    /// Everything served, to be compared.
    pub(crate) fn contents(&self) -> Contents {
        let vaults: Vec<_> = self.snapshot.vaults().cloned().collect();
        let items = vaults
            .iter()
            .flat_map(|vault| {
                let items = self.snapshot.items(&vault.id);
                items.map(|item| (vault.id, item.clone()))
            })
            .collect();
        let tokens = self.snapshot.tokens().cloned().collect();
        (vaults, items, tokens)
    }
}

pub(crate) type Contents = (
    Vec<VaultRecord>,
    Vec<(VaultId, ItemRecord)>,
    Vec<TokenRecord>,
);

/// The port over what a host holds; enough for checking tokens and reading.
impl Records for Host {
    fn head(&self) -> Result<Head, Fault> {
        let head = self.snapshot.head().ok_or(Fault::NotSynchronised)?;
        Ok(Head {
            environment: head.environment,
            account: head.account,
            version: head.version,
            issued_at: head.issued_at,
            max_stale: 60,
            max_inline: 0,
        })
    }
    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        Ok(self.credentials.signing_keys().to_vec())
    }
    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.snapshot.token(id).map(|token| (**token).clone())
    }
    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.snapshot.vault(id).map(|vault| (**vault).clone())
    }
    fn list(&self, v: &VaultId, a: Option<&ItemId>, l: u32) -> Result<Vec<PartRecord>, Fault> {
        self.snapshot.list(v, a, l)
    }
    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.snapshot.find(vault, mark)
    }
    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        let item = self.snapshot.item(vault, item)?;
        Ok(PartRecord {
            id: item.id,
            version: item.version,
            archived: item.archived,
            sealed: item.details.clone(),
        })
    }
    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.snapshot.item(vault, item).map(|item| (**item).clone())
    }
    fn chunk(&self, v: &VaultId, i: &ItemId, f: &FileId, index: u32) -> Result<Vec<u8>, Fault> {
        let chunk = self.account.chunk(&self.id(), v, i, f, index);
        chunk
            .map(|sealed| sealed.into_bytes())
            .map_err(|error| error.fault())
    }
}
