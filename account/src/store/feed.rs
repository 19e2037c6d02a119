//! An environment's change feed: everything that changed after a cursor, in its newest state.
//!
//! A thing's effective number is the larger of its own last change and of the grant that made it visible, so a vault
//! that is granted late is told whole. A page is made from one consistent set, and its head is of that very set: once
//! a host has read to the end, its tokens are the ones the head names. What changes between two pages gets a larger
//! number and is told again; nothing is told from the past.
//!
//! Each page carries the record of every vault of which it has items, for a host drops items of an unknown vault.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use sekisho_core::{
    id::{EnvironmentId, ItemId, VaultId},
    records::{ItemRecord, TokenRecord},
    seal::Sealed,
    sync::{FeedItem, FeedPage, GoneItem, SignedHead, token_list_digest},
    time::Timestamp,
};

use super::{
    Account,
    columns::{self, int},
    cursor::{AFTER_EVERY_ID, Position, Told},
    environments,
    grants::{self, VaultGrant},
    items, tokens, vaults,
};
use crate::AccountError;

/// Most things in a page.
const MAX_THINGS: u32 = 2000;

/// Bytes of ciphertext after which a page ends.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A thing to be told.
#[derive(Debug, Clone, Copy)]
enum Thing {
    GoneVault(VaultId),
    Vault(VaultId),
    Item(VaultId, ItemId),
    /// Index into the list of tokens.
    Token(usize),
}

struct Feed<'a> {
    db: &'a Connection,
    grants: Vec<VaultGrant>,
    tokens: Vec<(u64, TokenRecord)>,
    /// Where it goes on.
    from: Position,
    limit: usize,
}

impl Account {
    /// The next page for a host that stands at `cursor` (empty = at the beginning).
    pub fn changes(
        &self,
        environment: &EnvironmentId,
        cursor: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<FeedPage, AccountError> {
        self.read(|db| {
            let version = version(db, environment)?;
            let known = Position::parse(cursor, environment).filter(|at| at.seq <= version);
            let reset = known.is_none() && !cursor.is_empty();
            let feed = Feed {
                db,
                grants: grants::list(db, environment)?,
                tokens: tokens::records(db, environment)?,
                from: known.unwrap_or_else(Position::start),
                limit: limit.clamp(1, MAX_THINGS) as usize,
            };
            let head = SignedHead::sign(
                self.id(),
                *environment,
                version,
                now,
                token_list_digest(feed.tokens.iter().map(|(_, token)| token)),
                self.head_key(),
            );
            let (mut page, at) = feed.page(head)?;
            page.after = Some(cursor.to_owned());
            page.cursor = at.cursor(environment);
            page.reset = reset;
            page.signing_keys = environments::endorsed_keys(db, environment)?;
            Ok(page)
        })
    }
}

impl Account {
    /// What the head of an environment's next page says: a cheap probe for changes.
    pub fn version(&self, environment: &EnvironmentId) -> Result<u64, AccountError> {
        self.read(|db| version(db, environment))
    }
}

/// Rises with each change that the environment can see: the largest effective number there is.
fn version(db: &Connection, environment: &EnvironmentId) -> Result<u64, AccountError> {
    let version = db
        .prepare_cached(
            "SELECT max(e.seq,
                 coalesce((SELECT max(seq) FROM environment_vaults WHERE environment = e.id), 0),
                 coalesce((SELECT max(seq) FROM tokens WHERE environment = e.id), 0),
                 coalesce((SELECT max(v.seq) FROM environment_vaults ev JOIN vaults v ON v.id = ev.vault
                           WHERE ev.environment = e.id AND ev.granted = 1), 0)) AS version
             FROM environments e WHERE e.id = ?",
        )?
        .query_row([environment.as_str()], |row| columns::number(row, "version"))
        .optional()?;
    version.ok_or_else(|| AccountError::missing("environment", environment))
}

impl Feed<'_> {
    /// The page, and where the next one goes on.
    fn page(&self, head: SignedHead) -> Result<(FeedPage, Position), AccountError> {
        let mut end = Position::end(head.version);
        let mut page = Page::new(head);
        for (taken, (position, thing)) in self.things()?.into_iter().enumerate() {
            if taken == self.limit || page.bytes >= MAX_BYTES {
                page.page.more = true;
                break;
            }
            self.tell(thing, &mut page)?;
            end = position;
        }
        if !page.page.more {
            end = Position::end(page.page.head.version);
        }
        Ok((page.page, end))
    }

    /// What comes next, in order: at least one more than fits, if there is more.
    fn things(&self) -> Result<Vec<(Position, Thing)>, AccountError> {
        let mut things = Vec::new();
        for grant in &self.grants {
            self.find_vault(grant, &mut things)?;
            if grant.granted {
                self.find_items_of_grant(grant, &mut things)?;
                self.find_items_since(grant, &mut things)?;
            }
        }
        for (index, (seq, token)) in self.tokens.iter().enumerate() {
            let position = Position::new(*seq, Told::Token, "", token.id.as_str());
            self.add(position, Thing::Token(index), &mut things);
        }
        things.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(things)
    }

    fn add(&self, position: Position, thing: Thing, things: &mut Vec<(Position, Thing)>) {
        if position > self.from {
            things.push((position, thing));
        }
    }

    fn find_vault(
        &self,
        grant: &VaultGrant,
        things: &mut Vec<(Position, Thing)>,
    ) -> Result<(), AccountError> {
        let vault = grant.vault.as_str();
        if !grant.granted {
            let position = Position::new(grant.seq, Told::GoneVault, vault, "");
            self.add(position, Thing::GoneVault(grant.vault), things);
            return Ok(());
        }
        let seq = self
            .db
            .prepare_cached("SELECT seq FROM vaults WHERE id = ?")?
            .query_row([vault], |row| columns::number(row, "seq"))?;
        let position = Position::new(seq.max(grant.seq), Told::Vault, vault, "");
        self.add(position, Thing::Vault(grant.vault), things);
        Ok(())
    }

    /// Items older than the grant: all of them have the grant's number.
    fn find_items_of_grant(
        &self,
        grant: &VaultGrant,
        things: &mut Vec<(Position, Thing)>,
    ) -> Result<(), AccountError> {
        let vault = grant.vault.as_str();
        let floor = match grant.seq.cmp(&self.from.seq) {
            std::cmp::Ordering::Less => return Ok(()),
            std::cmp::Ordering::Equal => self.from.item_floor(vault),
            std::cmp::Ordering::Greater => "",
        };
        let mut statement = self.db.prepare_cached(
            "SELECT id FROM items WHERE vault = ? AND id > ? AND seq <= ? ORDER BY id LIMIT ?",
        )?;
        let mut rows = statement.query(params![vault, floor, int(grant.seq), self.window()])?;
        while let Some(row) = rows.next()? {
            let id: ItemId = columns::id(row, "id")?;
            let position = Position::new(grant.seq, Told::Item, vault, id.as_str());
            things.push((position, Thing::Item(grant.vault, id)));
        }
        Ok(())
    }

    /// Items that changed after the grant: by their own numbers.
    fn find_items_since(
        &self,
        grant: &VaultGrant,
        things: &mut Vec<(Position, Thing)>,
    ) -> Result<(), AccountError> {
        let vault = grant.vault.as_str();
        let (seq, floor) = if self.from.seq > grant.seq {
            (self.from.seq, self.from.item_floor(vault))
        } else {
            (grant.seq, AFTER_EVERY_ID)
        };
        let mut statement = self.db.prepare_cached(
            "SELECT seq, id FROM items WHERE vault = ? AND (seq, id) > (?, ?) ORDER BY seq, id LIMIT ?",
        )?;
        let mut rows = statement.query(params![vault, int(seq), floor, self.window()])?;
        while let Some(row) = rows.next()? {
            let id: ItemId = columns::id(row, "id")?;
            let seq = columns::number(row, "seq")?;
            let position = Position::new(seq, Told::Item, vault, id.as_str());
            things.push((position, Thing::Item(grant.vault, id)));
        }
        Ok(())
    }

    /// One more than a page takes, to know whether there is more.
    fn window(&self) -> i64 {
        i64::try_from(self.limit).map_or(i64::MAX, |limit| limit + 1)
    }

    fn tell(&self, thing: Thing, page: &mut Page) -> Result<(), AccountError> {
        match thing {
            Thing::GoneVault(vault) => page.page.gone_vaults.push(vault),
            Thing::Vault(vault) => self.tell_vault(vault, page)?,
            Thing::Item(vault, item) => {
                self.tell_vault(vault, page)?;
                match items::record(self.db, &vault, &item)? {
                    Some(record) => page.add_item(vault, record),
                    None => page.page.gone_items.push(GoneItem { vault, item }),
                }
            }
            Thing::Token(index) => page
                .page
                .tokens
                .extend(self.tokens.get(index).map(|(_, token)| token.clone())),
        }
        Ok(())
    }

    fn tell_vault(&self, vault: VaultId, page: &mut Page) -> Result<(), AccountError> {
        if page.told.insert(vault) {
            let record = vaults::record(self.db, &vault)?;
            page.bytes += record.as_ref().map_or(0, |r| r.attributes.as_bytes().len());
            page.page.vaults.extend(record);
        }
        Ok(())
    }
}

/// A page being filled.
struct Page {
    page: FeedPage,
    bytes: usize,
    told: BTreeSet<VaultId>,
}

impl Page {
    fn new(head: SignedHead) -> Self {
        Self {
            page: FeedPage {
                after: None,
                cursor: String::new(),
                more: false,
                reset: false,
                head,
                vaults: Vec::new(),
                gone_vaults: Vec::new(),
                items: Vec::new(),
                gone_items: Vec::new(),
                tokens: Vec::new(),
                gone_tokens: Vec::new(),
                signing_keys: Vec::new(),
            },
            bytes: 0,
            told: BTreeSet::new(),
        }
    }

    fn add_item(&mut self, vault: VaultId, item: ItemRecord) {
        let parts = [&item.overview, &item.details].into_iter();
        let parts = parts.chain(&item.extra).chain(&item.files);
        self.bytes += parts.map(Sealed::as_bytes).map(<[u8]>::len).sum::<usize>();
        self.page.items.push(FeedItem { vault, item });
    }
}
