//! The tables, in prose and in SQL.
//!
//! **account** has one row: who this account is, the seed of its head key (the one secret it owns), and `seq`, the
//! last number given to a change. Every change takes the next one under the write lock, so numbers rise in the order
//! of commits: `seq` is at once the feed's cursor and, by its maximum over what an environment sees, its head version.
//!
//! **users** are known by name and public keys, and by who vouches for these ([`sekisho_core::vouch::UserCard`]); one
//! that was removed stays as a row, so that its id is never used again and those it vouched for stay vouched for. **groups** and **group_members** say who belongs together; the two built-in groups have a `role`.
//! **manager_grants** says which groups manage Connect servers: those under the empty environment manage every one
//! that has no list of its own (`own_managers`). The view **server_managers** spells out who that is.
//!
//! **vault_keys** holds a vault's key wrapped to users, a row per generation: having a row is having access. Keys of
//! the generations from `oldest` to `generation` are in use; both are equal but for the time of a rotation. `proof` is
//! a [`sekisho_core::vouch::HolderProof`] under the key that is wrapped beside it.
//!
//! **vaults**, **items** and **chunks** are ciphertext and counters. A deleted item stays as a tombstone without
//! content, so that hosts hear of it; its id is used again only by an operator and at no lower version (a mirrored item
//! that came back upstream). A deleted vault stays as one row, its items do not. Chunks do not point to items: they are stored before the item that names them, and are not `settled` until then;
//! those of a broken upload go after a day.
//!
//! **environments** are Connect servers. **environment_devices** keeps digests of device secrets;
//! **environment_keys** the public token signing keys; **environment_key_wraps** the private ones, wrapped to users.
//! **environment_vaults** says which vaults an environment has and since which `seq`: what it is given counts as
//! changed then. A vault taken back stays as a row with `granted = 0`.
//!
//! **tokens** and **token_grants** are what hosts need to check a token; `keys` is a JSON array of wrapped keys. A
//! revoked token stays, its wrapped keys do not.
//!
//! **mirrors** are vaults whose truth is a 1Password account: only the user who mirrors them writes there. **parked** has
//! a row for each client's write to one, until it was done upstream: `request` is the sealed write as JSON, emptied when
//! it ended; `reason` is why 1Password refused it, in words that hold nothing of the item; rows go after a day. `moved` says
//! that contents changed since the mirrored vault was last given 1Password's counter.
//!
//! **nonces** remembers operators' requests for as long as they
//! could be replayed. **audit** has a row for each change. **accesses** has a row for each access that hosts reported,
//! under the host's own number for it, or for several equal ones that a host added up; **access_days** adds them up by day, so that a report reads thousands of rows
//! and not millions. **token_uses** has each token's last one.
//!
//! Small columns stand before blobs: SQLite reads a row from its start. Times are milliseconds since 1970.

use rusqlite::Connection;

use crate::AccountError;

/// `SEKI`, so that other programs can tell the file.
const APPLICATION_ID: i64 = 0x5345_4b49;

/// Number n brings a database from version n to n + 1. Committed ones never change.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5];

/// The version this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings a database to the newest version, in one transaction.
pub(super) fn migrate(db: &mut Connection) -> Result<(), AccountError> {
    let found = version(db)?;
    if found > VERSION {
        let known = VERSION;
        return Err(AccountError::NewerDatabase { found, known });
    }
    if found == VERSION {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let found = usize::try_from(version(&tx)?).unwrap_or(0);
    for step in MIGRATIONS.iter().skip(found) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.commit()?;
    Ok(())
}

/// The version of a database; 0 = nothing in it.
pub(super) fn version(db: &Connection) -> Result<i64, AccountError> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

const V1: &str = "
CREATE TABLE account (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    id          TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    head_seed   BLOB    NOT NULL CHECK (length(head_seed) = 32),
    created     INTEGER NOT NULL,
    seq         INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    wrapping    BLOB    NOT NULL CHECK (length(wrapping) = 32),
    signing     BLOB    NOT NULL CHECK (length(signing) = 65),
    state       TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'REMOVED')),
    created     INTEGER NOT NULL,
    seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    role        TEXT    UNIQUE CHECK (role IN ('OWNERS', 'ADMINISTRATORS')),
    seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
    group_id    TEXT    NOT NULL REFERENCES groups,
    user        TEXT    NOT NULL REFERENCES users,
    PRIMARY KEY (group_id, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_user ON group_members (user);

CREATE TABLE manager_grants (
    environment TEXT    NOT NULL,
    group_id    TEXT    NOT NULL REFERENCES groups,
    PRIMARY KEY (environment, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE vaults (
    id                  TEXT    PRIMARY KEY,
    kind                TEXT    NOT NULL,
    maker               TEXT    NOT NULL REFERENCES users,
    generation          INTEGER NOT NULL,
    oldest              INTEGER NOT NULL,
    attribute_version   INTEGER NOT NULL,
    content_version     INTEGER NOT NULL,
    items               INTEGER NOT NULL,
    deleted             INTEGER NOT NULL DEFAULT 0,
    created             INTEGER NOT NULL,
    updated             INTEGER NOT NULL,
    seq                 INTEGER NOT NULL,
    attributes          BLOB    NOT NULL
) STRICT;

CREATE TABLE vault_keys (
    vault       TEXT    NOT NULL REFERENCES vaults,
    user        TEXT    NOT NULL REFERENCES users,
    generation  INTEGER NOT NULL,
    wrapped     BLOB    NOT NULL,
    proof       BLOB    NOT NULL CHECK (length(proof) = 32),
    PRIMARY KEY (vault, user, generation)
) STRICT, WITHOUT ROWID;
CREATE INDEX vault_keys_by_user ON vault_keys (user, vault);

CREATE TABLE items (
    vault       TEXT    NOT NULL REFERENCES vaults,
    id          TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    archived    INTEGER NOT NULL DEFAULT 0,
    deleted     INTEGER NOT NULL DEFAULT 0,
    updated     INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    mark_exact  BLOB    NOT NULL,
    mark_folded BLOB    NOT NULL,
    overview    BLOB    NOT NULL,
    details     BLOB    NOT NULL,
    extra       BLOB,
    files       BLOB,
    PRIMARY KEY (vault, id)
) STRICT;
CREATE INDEX items_by_seq ON items (vault, seq, id);
CREATE INDEX items_by_generation ON items (vault, generation, id) WHERE deleted = 0;

CREATE TABLE chunks (
    vault       TEXT    NOT NULL REFERENCES vaults,
    item        TEXT    NOT NULL,
    file        TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    stored      INTEGER NOT NULL,
    settled     INTEGER NOT NULL CHECK (settled IN (0, 1)),
    content     BLOB    NOT NULL,
    PRIMARY KEY (vault, item, file, position)
) STRICT;
CREATE INDEX chunks_unsettled ON chunks (stored) WHERE settled = 0;

CREATE TABLE environments (
    id              TEXT    PRIMARY KEY,
    name            TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'DELETED')),
    created         INTEGER NOT NULL,
    creator         TEXT    NOT NULL REFERENCES users,
    tokens_version  INTEGER NOT NULL DEFAULT 0,
    own_managers    INTEGER NOT NULL DEFAULT 0,
    seq             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIEW server_managers AS
    SELECT e.id AS environment, m.user AS user
    FROM environments e JOIN group_members m JOIN groups g ON g.id = m.group_id
    WHERE g.role = 'OWNERS' OR EXISTS (
        SELECT 1 FROM manager_grants x
        WHERE x.group_id = m.group_id AND x.environment = CASE e.own_managers WHEN 0 THEN '' ELSE e.id END);

CREATE TABLE environment_devices (
    environment TEXT    NOT NULL REFERENCES environments,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    created     INTEGER NOT NULL,
    PRIMARY KEY (environment, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE environment_keys (
    environment TEXT    NOT NULL REFERENCES environments,
    id          TEXT    NOT NULL,
    created     INTEGER NOT NULL,
    public      BLOB    NOT NULL CHECK (length(public) = 65),
    endorser    TEXT,
    endorsement BLOB    CHECK (length(endorsement) = 64),
    PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE environment_key_wraps (
    environment TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    user        TEXT    NOT NULL REFERENCES users,
    wrapped     BLOB    NOT NULL,
    PRIMARY KEY (environment, key, user),
    FOREIGN KEY (environment, key) REFERENCES environment_keys (environment, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE environment_vaults (
    environment TEXT    NOT NULL REFERENCES environments,
    vault       TEXT    NOT NULL REFERENCES vaults,
    granted     INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (environment, vault)
) STRICT, WITHOUT ROWID;
CREATE INDEX environment_vaults_by_vault ON environment_vaults (vault);

CREATE TABLE tokens (
    id          TEXT    PRIMARY KEY,
    environment TEXT    NOT NULL REFERENCES environments,
    name        TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    state       TEXT    NOT NULL CHECK (state IN ('ACTIVE', 'REVOKED')),
    created     INTEGER NOT NULL,
    expires     INTEGER,
    public      BLOB    NOT NULL CHECK (length(public) = 32),
    seq         INTEGER NOT NULL,
    FOREIGN KEY (environment, key) REFERENCES environment_keys (environment, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_environment ON tokens (environment, seq);

CREATE TABLE token_grants (
    token       TEXT    NOT NULL REFERENCES tokens,
    vault       TEXT    NOT NULL REFERENCES vaults,
    rights      INTEGER NOT NULL CHECK (rights BETWEEN 1 AND 3),
    keys        TEXT    NOT NULL,
    proof       BLOB    NOT NULL CHECK (length(proof) = 32),
    PRIMARY KEY (token, vault)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_grants_by_vault ON token_grants (vault);

CREATE TABLE nonces (
    user        TEXT    NOT NULL REFERENCES users,
    nonce       BLOB    NOT NULL,
    issued      INTEGER NOT NULL,
    PRIMARY KEY (user, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_age ON nonces (issued);

CREATE TABLE audit (
    number      INTEGER PRIMARY KEY,
    seq         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    origin      TEXT    NOT NULL,
    what        TEXT    NOT NULL,
    objects     TEXT    NOT NULL
) STRICT;

CREATE TABLE accesses (
    number          INTEGER PRIMARY KEY,
    environment     TEXT    NOT NULL REFERENCES environments,
    id              TEXT    NOT NULL,
    token           TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    action          TEXT    NOT NULL,
    allowed         INTEGER NOT NULL,
    vault           TEXT    NOT NULL,
    item            TEXT,
    item_version    INTEGER,
    UNIQUE (environment, id)
) STRICT;
CREATE INDEX accesses_by_time ON accesses (at);

CREATE TABLE access_days (
    environment     TEXT    NOT NULL,
    day             INTEGER NOT NULL,
    vault           TEXT    NOT NULL,
    item            TEXT    NOT NULL,
    action          TEXT    NOT NULL,
    allowed         INTEGER NOT NULL,
    count           INTEGER NOT NULL,
    first           INTEGER NOT NULL,
    last            INTEGER NOT NULL,
    PRIMARY KEY (environment, day, vault, item, action, allowed)
) STRICT, WITHOUT ROWID;

CREATE TABLE token_uses (
    token           TEXT    PRIMARY KEY,
    last            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Hosts that were cut off for long report many accesses in one row.
const V2: &str = "
ALTER TABLE accesses ADD COLUMN count INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1);
ALTER TABLE accesses ADD COLUMN first INTEGER; -- absent = at
";

/// Users are endorsed by others; absent = the first owner, whom the account's id stands for.
const V3: &str = "
ALTER TABLE users ADD COLUMN endorser    TEXT;
ALTER TABLE users ADD COLUMN standing    TEXT CHECK (standing IN ('USER', 'ADMINISTRATOR', 'OWNER'));
ALTER TABLE users ADD COLUMN endorsement BLOB CHECK (length(endorsement) = 64);
";

/// Vaults that another account is the truth of, and clients' writes to them on their way there.
const V4: &str = "
CREATE TABLE mirrors (
    vault           TEXT    PRIMARY KEY REFERENCES vaults,
    user            TEXT    NOT NULL REFERENCES users,
    writes          INTEGER NOT NULL CHECK (writes IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    vault           TEXT    NOT NULL REFERENCES vaults,
    environment     TEXT    NOT NULL REFERENCES environments,
    state           TEXT    NOT NULL CHECK (state IN ('WAITING', 'TAKEN', 'DONE', 'CONFLICT', 'REFUSED', 'UNAVAILABLE')),
    stored          INTEGER NOT NULL,
    request         TEXT    NOT NULL
) STRICT;
";

/// Mirrored vaults have upstream's counters, and what upstream refuses has its reason.
const V5: &str = "
ALTER TABLE mirrors ADD COLUMN moved INTEGER NOT NULL DEFAULT 0 CHECK (moved IN (0, 1));
ALTER TABLE parked ADD COLUMN reason TEXT;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrates_once_and_refuses_what_is_newer() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        migrate(&mut db).unwrap();
        assert_eq!(version(&db).unwrap(), VERSION);
        db.pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(matches!(
            migrate(&mut db),
            Err(AccountError::NewerDatabase { .. })
        ));
    }
}
