//! An account with an owner, a double of 1Password, and a mirror between them under a clock that tests set.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sekisho_account::{Account, KeyFile, NewUser, Operator, clock, random::SystemRng};
use sekisho_bridge::{
    OpClient,
    budget::Plan,
    client::Double,
    mirror::{Mirror, MirrorConfig, MirrorError, Polled},
    state::StateDir,
};
use sekisho_core::{
    id::{ItemId, UserId, VaultId},
    item::{Item, stored::StoredItem},
    key::OperatorKey,
    secret::SecretBytes,
    time::Timestamp,
};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) account: Account,
    user: UserId,
    seed: SecretBytes<32>,
    pub(crate) double: Double,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) plan: Plan,
    pub(crate) writes: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = OperatorKey::generate(&mut SystemRng);
        let user = NewUser {
            id: UserId::generate(&mut SystemRng),
            name: "Olive".into(),
            public: key.public(),
        };
        let path = dir.path().join("account.sqlite");
        let account = Account::init(&path, "Test", &user, clock::now(), &mut SystemRng).unwrap();
        let world = Self {
            account,
            user: user.id,
            seed: key.seed().clone(),
            double: Double::default(),
            clock: Arc::new(AtomicU64::new(0)),
            stop: Arc::default(),
            plan: Plan::BUSINESS,
            writes: false,
            dir,
        };
        world.at(clock::now().millis());
        world
    }

    /// Sets both clocks, in milliseconds.
    pub(crate) fn at(&self, millis: u64) {
        self.clock.store(millis, Ordering::Relaxed);
        self.double.at(millis);
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Lets so many seconds pass.
    pub(crate) fn pass(&self, seconds: u64) {
        self.at(self.now() + seconds * 1000);
    }

    pub(crate) fn operator(&self) -> Operator {
        let identity = KeyFile {
            account: self.account.id(),
            user: self.user,
            key: OperatorKey::from_seed(self.seed.clone()),
        };
        Operator::new(identity, Box::new(self.account.clone()))
    }

    pub(crate) fn bridge_dir(&self) -> PathBuf {
        self.dir.path().join("bridge")
    }

    pub(crate) fn mirror_of<C: OpClient>(&self, client: C) -> Mirror<C> {
        let clock = Arc::clone(&self.clock);
        Mirror::new(MirrorConfig {
            client,
            operator: Arc::new(self.operator()),
            dir: StateDir::open(&self.bridge_dir()).unwrap(),
            plan: self.plan,
            token_mark: "mark".into(),
            now: Box::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed))),
            writes: self.writes,
            stop: Arc::clone(&self.stop),
        })
    }

    pub(crate) fn mirror(&self) -> Mirror<Double> {
        self.mirror_of(self.double.clone())
    }

    /// Polls a minute later with a mirror that knows nothing but what was kept.
    pub(crate) fn poll(&self) -> Result<Polled, MirrorError> {
        self.pass(60);
        self.mirror().poll()
    }

    /// An item as the account has it.
    pub(crate) fn stored(&self, vault: VaultId, item: ItemId) -> Option<StoredItem> {
        let operator = self.operator();
        let record = operator.sealed_item(vault, item).ok()?;
        let access = operator.read_access(vault).unwrap();
        Some(StoredItem::open(&access, &record).unwrap())
    }

    pub(crate) fn item(&self, vault: VaultId, item: ItemId) -> Option<Item> {
        self.stored(vault, item).map(|stored| stored.item.clone())
    }

    /// A field's value as the account has it.
    pub(crate) fn secret(&self, vault: VaultId, item: ItemId) -> Option<String> {
        let item = self.item(vault, item)?;
        let field = item.fields.iter().find(|field| field.id == "password")?;
        Some(field.value.as_ref()?.expose().to_owned())
    }
}
