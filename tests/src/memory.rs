//! `Records` in memory, with the rules an account has for writes: the token must be good for it, the version must be
//! the expected one, counters and dates move. Each write arrives as a feed page, as it does in a host.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use sekisho_core::{
    cache::Snapshot,
    id::{FileId, ItemId, TokenId, VaultId},
    records::{
        DeleteRequest, Expect, Fault, Head, ItemRecord, PartRecord, PutChunkRequest, PutRequest,
        Records, SigningKeyRecord, TitleMark, TokenRecord, TokenState, VaultRecord,
    },
    sync::{FeedItem, GoneItem, Incoming},
    time::Timestamp,
};

use crate::world::{MAX_INLINE, MAX_STALE, World, blank_page};

/// What goes wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Nothing.
    Well,
    /// Nothing was ever synchronised.
    Empty,
    /// Reads work, the account is out of reach.
    Offline,
    /// Reads work, writes are not offered.
    ReadOnly,
}

/// A double of a host's records over one world.
#[derive(Debug)]
pub struct MemoryRecords {
    world: &'static World,
    now: Timestamp,
    mood: Mood,
    state: RefCell<State>,
}

/// Chunks by vault, item, file and position.
pub type Chunks = BTreeMap<(VaultId, ItemId, FileId, u32), Vec<u8>>;

#[derive(Debug)]
struct State {
    snapshot: Snapshot,
    chunks: Chunks,
    staged: Chunks,
    gone: Vec<(VaultId, ItemId)>,
}

impl MemoryRecords {
    /// Fresh records of the world at a time.
    pub fn new(world: &'static World, now: Timestamp) -> Self {
        Self::in_mood(world, now, Mood::Well)
    }

    /// The same, with something going wrong.
    pub fn in_mood(world: &'static World, now: Timestamp, mood: Mood) -> Self {
        let snapshot = if mood == Mood::Empty {
            Snapshot::default()
        } else {
            world.snapshot()
        };
        let chunks = world.chunks.iter().map(|chunk| {
            let key = (chunk.vault, chunk.item, chunk.file, chunk.index);
            (key, chunk.sealed.clone())
        });
        Self {
            world,
            now,
            mood,
            state: RefCell::new(State {
                snapshot,
                chunks: chunks.collect(),
                staged: Chunks::new(),
                gone: Vec::new(),
            }),
        }
    }

    /// What is served now.
    pub fn snapshot(&self) -> Snapshot {
        self.state.borrow().snapshot.clone()
    }

    /// Every chunk that counts, by vault, item, file and position.
    pub fn chunks(&self) -> Chunks {
        self.state.borrow().chunks.clone()
    }

    fn may_write(&self, token: &TokenId, vault: &VaultId) -> Result<VaultRecord, Fault> {
        match self.mood {
            Mood::Well => {}
            Mood::Empty => return Err(Fault::NotSynchronised),
            Mood::Offline => return Err(Fault::Unavailable),
            Mood::ReadOnly => return Err(Fault::ReadOnly),
        }
        let state = self.state.borrow();
        let token = state.snapshot.token(token).map_err(|_| Fault::Denied)?;
        let is_good = token.state == TokenState::Active
            && token.expires_at.is_none_or(|at| at > self.now)
            && token
                .grants
                .iter()
                .any(|grant| grant.vault == *vault && grant.rights.can_write());
        if !is_good {
            return Err(Fault::Denied);
        }
        state.snapshot.vault(vault).map(|vault| (**vault).clone())
    }

    fn held(&self, vault: &VaultId, item: &ItemId) -> Option<Arc<ItemRecord>> {
        self.state.borrow().snapshot.item(vault, item).ok().cloned()
    }

    /// Takes a vault's next state the way a host does: page, plan, apply.
    fn land(&self, vault: VaultRecord, item: Option<ItemRecord>, gone: Option<ItemId>) {
        let mut state = self.state.borrow_mut();
        let version = state.snapshot.head().map_or(1, |head| head.version + 1);
        let head = self.world.head(version, self.now, state.snapshot.tokens());
        let mut page = blank_page(version, &head);
        let id = vault.id;
        page.vaults.push(vault);
        page.items
            .extend(item.map(|item| FeedItem { vault: id, item }));
        page.gone_items
            .extend(gone.map(|item| GoneItem { vault: id, item }));
        let incoming = Incoming::parse(vec![page], &self.world.trust()).unwrap();
        let plan = incoming.plan(&state.snapshot).unwrap();
        state.snapshot = state.snapshot.apply(&plan);
    }

    /// Staged chunks count from the write on that adds their file; those of dropped files go.
    fn settle(&self, request: &PutRequest) {
        let is_of = |place: &(VaultId, ItemId, FileId, u32), files: &[FileId]| {
            place.1 == request.item.id && files.contains(&place.2)
        };
        let state = &mut *self.state.borrow_mut();
        let staged = std::mem::take(&mut state.staged);
        let (added, left) = staged
            .into_iter()
            .partition(|(place, _)| is_of(place, &request.added));
        state.staged = left;
        state.chunks.append(&mut { added });
        state
            .chunks
            .retain(|place, _| !is_of(place, &request.dropped));
    }

    fn touched(&self, vault: VaultRecord, before: bool, after: bool) -> VaultRecord {
        VaultRecord {
            content_version: vault.content_version + 1,
            items: vault.items + u64::from(after) - u64::from(before),
            updated_at: self.now,
            ..vault
        }
    }
}

impl Records for MemoryRecords {
    fn head(&self) -> Result<Head, Fault> {
        let state = self.state.borrow();
        let signed = state.snapshot.head().ok_or(Fault::NotSynchronised)?;
        Ok(Head {
            environment: signed.environment,
            account: signed.account,
            version: signed.version,
            issued_at: signed.issued_at,
            max_stale: MAX_STALE,
            max_inline: MAX_INLINE,
        })
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        Ok(self.world.signing_keys())
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        let state = self.state.borrow();
        state.snapshot.token(id).map(|token| (**token).clone())
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        let state = self.state.borrow();
        state.snapshot.vault(id).map(|vault| (**vault).clone())
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.state.borrow().snapshot.list(vault, after, limit)
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.state.borrow().snapshot.find(vault, mark)
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        self.item(vault, item).map(|record| PartRecord {
            id: record.id,
            version: record.version,
            archived: record.archived,
            sealed: record.details,
        })
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        let state = self.state.borrow();
        state
            .snapshot
            .item(vault, item)
            .map(|item| (**item).clone())
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        let state = self.state.borrow();
        let chunk = state.chunks.get(&(*vault, *item, *file, index));
        chunk.cloned().ok_or(Fault::Missing)
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        let vault = self.may_write(&request.token, &request.vault)?;
        let held = self.held(&request.vault, &request.item.id);
        let was = self
            .state
            .borrow()
            .gone
            .contains(&(request.vault, request.item.id));
        match (request.expect, &held) {
            (Expect::Absent, Some(_)) => return Err(Fault::Conflict),
            (Expect::Absent, None) if was => return Err(Fault::Conflict),
            (Expect::Version(_), None) => return Err(Fault::Missing),
            (Expect::Version(wanted), Some(held)) if held.version != wanted => {
                return Err(Fault::Conflict);
            }
            _ => {}
        }
        let before = held.is_some_and(|held| !held.archived);
        let vault = self.touched(vault, before, !request.item.archived);
        self.settle(&request);
        self.land(vault, Some(request.item), None);
        Ok(())
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        self.may_write(&request.token, &request.vault)?;
        self.held(&request.vault, &request.item)
            .ok_or(Fault::Missing)?;
        let place = (request.vault, request.item, request.file, request.index);
        let staged = &mut self.state.borrow_mut().staged;
        staged.entry(place).or_insert(request.content.into_bytes());
        Ok(())
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        let vault = self.may_write(&request.token, &request.vault)?;
        let held = self
            .held(&request.vault, &request.item)
            .ok_or(Fault::Missing)?;
        if held.version != request.version {
            return Err(Fault::Conflict);
        }
        let vault = self.touched(vault, !held.archived, false);
        let mut state = self.state.borrow_mut();
        state.gone.push((request.vault, request.item));
        state
            .chunks
            .retain(|(_, item, _, _), _| *item != request.item);
        drop(state);
        self.land(vault, None, Some(request.item));
        Ok(())
    }
}
