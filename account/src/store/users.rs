//! Users: who they are, whether their requests are taken.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sekisho_core::{
    id::{UserId, VaultId},
    key::{OperatorPublic, PublicKey},
    vouch::{Endorsement, Standing, UserCard},
};

use super::{
    change::Change,
    columns::{self, damaged},
    managers, names, permission,
};
use crate::{
    AccountError,
    protocol::{Role, UserInfo, UserState},
};

/// Puts a user into a built-in group.
pub(super) fn join(change: &Change<'_>, user: &UserId, role: Role) -> Result<(), AccountError> {
    change.run(
        "INSERT OR IGNORE INTO group_members (group_id, user) SELECT id, ?1 FROM groups WHERE role = ?2",
        params![user.as_str(), role.as_str()],
    )?;
    Ok(())
}

/// Adds a user. The name is signed with the rest: it is taken as it is or not at all.
pub(super) fn create(change: &Change<'_>, user: &UserCard) -> Result<(), AccountError> {
    if names::plain(&user.name)? != user.name {
        return Err(AccountError::invalid(
            "a user's name begins and ends with a blank",
        ));
    }
    let word = user.endorsement.as_ref();
    let added = change.run(
        "INSERT OR IGNORE INTO users (id, name, wrapping, signing, state, created, seq, endorser, standing, endorsement)
         VALUES (?, ?, ?, ?, 'ACTIVE', ?, ?, ?, ?, ?)",
        params![
            user.id.as_str(),
            user.name,
            user.public.wrapping,
            user.public.signing.as_bytes(),
            change.now(),
            change.seq(),
            word.map(|word| word.by.to_string()),
            word.map(|word| word.standing.as_str()),
            word.map(|word| word.signature)
        ],
    )?;
    if added == 1 {
        Ok(())
    } else {
        Err(AccountError::conflict("user", user.id, None))
    }
}

/// Raises a user's standing; never lowers it, see [`sekisho_core::vouch`].
pub(super) fn endorse(
    change: &Change<'_>,
    caller: &UserId,
    user: &UserId,
    word: Endorsement,
) -> Result<(), AccountError> {
    present(change, user)?;
    let mut card = card_of(change, user)?;
    let held = card.endorsement.map(|word| word.standing);
    if held.is_none_or(|held| held >= word.standing) {
        return Err(AccountError::conflict("the standing of user", user, None));
    }
    card.endorsement = Some(word);
    check_word(change, caller, &card)?;
    change.run(
        "UPDATE users SET endorser = ?, standing = ?, endorsement = ? WHERE id = ?",
        params![
            word.by.as_str(),
            word.standing.as_str(),
            word.signature,
            user.as_str()
        ],
    )?;
    Ok(())
}

/// The word is the caller's own, and theirs to give.
pub(super) fn check_word(
    db: &Connection,
    caller: &UserId,
    card: &UserCard,
) -> Result<(), AccountError> {
    if card
        .endorsement
        .is_some_and(|word| word.standing == Standing::Owner)
    {
        permission::owner(db, caller)?;
    }
    let (account, _) = super::identity(db)?;
    let me = card_of(db, caller)?;
    let is_mine = card.endorsement.is_some_and(|word| word.by == *caller);
    if is_mine && card.is_endorsed_by(&account, &me.public) {
        Ok(())
    } else {
        Err(AccountError::invalid(
            "a user is endorsed by the one who adds them",
        ))
    }
}

/// Every user there ever was.
pub(super) fn cards(db: &Connection) -> Result<Vec<UserCard>, AccountError> {
    let mut statement = db.prepare_cached("SELECT * FROM users ORDER BY id")?;
    let cards = statement.query_map([], card)?;
    Ok(cards.collect::<Result<_, _>>()?)
}

fn card_of(db: &Connection, user: &UserId) -> Result<UserCard, AccountError> {
    let mut statement = db.prepare_cached("SELECT * FROM users WHERE id = ?")?;
    let found = statement.query_row([user.as_str()], card).optional()?;
    found.ok_or_else(|| AccountError::missing("user", user))
}

fn card(row: &Row<'_>) -> rusqlite::Result<UserCard> {
    let standing: Option<String> = row.get("standing")?;
    let endorsement = match standing {
        None => None,
        Some(word) => Some(Endorsement {
            by: columns::id(row, "endorser")?,
            standing: Standing::parse(&word).ok_or_else(|| damaged("standing"))?,
            signature: columns::array(row, "endorsement")?,
        }),
    };
    Ok(UserCard {
        id: columns::id(row, "id")?,
        name: row.get("name")?,
        public: public(row)?,
        endorsement,
    })
}

fn public(row: &Row<'_>) -> rusqlite::Result<OperatorPublic> {
    Ok(OperatorPublic {
        wrapping: columns::array(row, "wrapping")?,
        signing: columns::public_key(row, "signing")?,
    })
}

/// Takes a user's requests, or refuses them. What is wrapped to them stays.
pub(super) fn suspend(
    change: &Change<'_>,
    caller: &UserId,
    user: &UserId,
    suspended: bool,
) -> Result<(), AccountError> {
    if permission::is_owner(change, user)? {
        permission::owner(change, caller)?;
    }
    present(change, user)?;
    let state = if suspended {
        UserState::Suspended
    } else {
        UserState::Active
    };
    set_state(change, user, state)?;
    require_owner(change)
}

/// Removes a user, and every key wrapped to them. What they read they may have kept: the vaults that are handed back
/// should get new keys.
pub(super) fn remove(
    change: &Change<'_>,
    caller: &UserId,
    user: &UserId,
) -> Result<Vec<VaultId>, AccountError> {
    if permission::is_owner(change, user)? {
        permission::owner(change, caller)?;
    }
    present(change, user)?;
    set_state(change, user, UserState::Removed)?;
    let held = held_vaults(change, user)?;
    for sql in [
        "DELETE FROM group_members WHERE user = ?",
        "DELETE FROM vault_keys WHERE user = ?",
    ] {
        change.run(sql, [user.as_str()])?;
    }
    require_owner(change)?;
    managers::prune(change)?;
    Ok(held)
}

fn set_state(change: &Change<'_>, user: &UserId, state: UserState) -> Result<(), AccountError> {
    change.run(
        "UPDATE users SET state = ?, seq = ? WHERE id = ?",
        params![state.as_str(), change.seq(), user.as_str()],
    )?;
    Ok(())
}

fn held_vaults(db: &Connection, user: &UserId) -> Result<Vec<VaultId>, AccountError> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT vault FROM vault_keys WHERE user = ? ORDER BY vault")?;
    let vaults = statement.query_map([user.as_str()], |row| columns::id(row, "vault"))?;
    Ok(vaults.collect::<Result<_, _>>()?)
}

/// The user was added and not removed.
pub(super) fn present(db: &Connection, user: &UserId) -> Result<(), AccountError> {
    let found = db
        .prepare_cached("SELECT 1 FROM users WHERE id = ? AND state <> 'REMOVED'")?
        .exists([user.as_str()])?;
    found
        .then_some(())
        .ok_or_else(|| AccountError::missing("user", user))
}

/// There is still an active owner.
pub(super) fn require_owner(db: &Connection) -> Result<(), AccountError> {
    let found = db
        .prepare_cached(
            "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user
             WHERE g.role = 'OWNERS' AND u.state = 'ACTIVE'",
        )?
        .exists([])?;
    found.then_some(()).ok_or(AccountError::LastOwner)
}

/// The key that verifies an active user's requests.
pub(super) fn signing_key(
    db: &Connection,
    user: &UserId,
) -> Result<Option<PublicKey>, AccountError> {
    Ok(db
        .prepare_cached("SELECT signing FROM users WHERE id = ? AND state = 'ACTIVE'")?
        .query_row([user.as_str()], |row| columns::public_key(row, "signing"))
        .optional()?)
}

pub(super) fn list(db: &Connection) -> Result<Vec<UserInfo>, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT id, name, wrapping, signing, state FROM users WHERE state <> 'REMOVED' ORDER BY id",
    )?;
    let users: Vec<UserInfo> = statement.query_map([], info)?.collect::<Result<_, _>>()?;
    users.into_iter().map(|user| with_roles(db, user)).collect()
}

pub(super) fn one(db: &Connection, user: &UserId) -> Result<UserInfo, AccountError> {
    let found = db
        .prepare_cached("SELECT id, name, wrapping, signing, state FROM users WHERE id = ?")?
        .query_row([user.as_str()], info)
        .optional()?;
    with_roles(
        db,
        found.ok_or_else(|| AccountError::missing("user", user))?,
    )
}

fn info(row: &Row<'_>) -> rusqlite::Result<UserInfo> {
    Ok(UserInfo {
        id: columns::id(row, "id")?,
        name: row.get("name")?,
        public: public(row)?,
        state: match row.get_ref("state")?.as_str()? {
            "ACTIVE" => UserState::Active,
            "SUSPENDED" => UserState::Suspended,
            "REMOVED" => UserState::Removed,
            _ => return Err(damaged("state")),
        },
        roles: Vec::new(),
    })
}

fn with_roles(db: &Connection, mut user: UserInfo) -> Result<UserInfo, AccountError> {
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user = ? AND g.role = ?",
    )?;
    for role in [Role::Owners, Role::Administrators] {
        if statement.exists(params![user.id.as_str(), role.as_str()])? {
            user.roles.push(role);
        }
    }
    Ok(user)
}
