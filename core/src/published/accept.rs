//! What is too slow for each read, and is done once for each set: by who publishes it and by who takes it in.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{
    Digest, EdgeKeys, Objects, Pointer,
    codec::{self, ItemEntry, Root, VaultEntry},
    load, tree,
};
use crate::{
    records::{Fault, TokenRecord},
    sync::{SyncError, token_list_digest},
};

/// Why a pointer is not taken. The one before stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// It was not written with these keys, or is damaged.
    #[error(
        "the pointer was not published with this environment's keys: publish with the credentials of the same Connect server"
    )]
    NotOurs,
    /// The account did not sign its head, or names other tokens, or it is older.
    #[error(transparent)]
    Head(#[from] SyncError),
    /// An object is missing or is not what its name says.
    #[error("the store lacks an object of the set, or holds a damaged one: publish again")]
    Incomplete,
}

/// Checks a pointer whose objects lie in the store already: the MAC, the account's signature, that it is not older
/// than the one held, and that the tokens are those the account vouches for.
pub fn accept(
    bytes: &[u8],
    held: Option<&Pointer>,
    objects: &(impl Objects + ?Sized),
    keys: &EdgeKeys,
) -> Result<Pointer, AcceptError> {
    let pointer = Pointer::read(bytes, keys).map_err(|_| AcceptError::NotOurs)?;
    pointer.head.verify(&keys.trust().head_key)?;
    if let Some(held) = held
        && pointer.is_older_than(held)
    {
        return Err(AcceptError::Head(SyncError::OlderHead {
            offered: pointer.head.version,
            held: held.head.version,
        }));
    }
    let tokens = tokens(objects, &pointer).map_err(|_| AcceptError::Incomplete)?;
    if token_list_digest(tokens.iter()) != pointer.head.tokens {
        return Err(AcceptError::Head(SyncError::TokenList));
    }
    Ok(pointer)
}

fn tokens(objects: &(impl Objects + ?Sized), pointer: &Pointer) -> Result<Vec<TokenRecord>, Fault> {
    let root = Root::read(&load(objects, &pointer.root)?)?;
    root.keys()?;
    let mut tokens = Vec::new();
    tree::walk_all(objects, &root.tokens, &mut |_| (), &mut |key, value| {
        tokens.push(codec::read_token(key, value)?);
        Ok(())
    })?;
    Ok(tokens)
}

/// Every object that a set names, itself read only where it names others: not details, not chunks.
pub fn names(objects: &(impl Objects + ?Sized), root: &Digest) -> Result<BTreeSet<Digest>, Fault> {
    let mut names = BTreeSet::from([*root]);
    let mut nodes = Vec::new();
    let (mut vaults, mut items) = (Vec::new(), Vec::new());
    let root = Root::read(&load(objects, root)?)?;
    let nothing = &mut |_: &[u8], _: &[u8]| Ok(());
    tree::walk_all(objects, &root.tokens, &mut |name| nodes.push(name), nothing)?;
    tree::walk_all(
        objects,
        &root.vaults,
        &mut |name| nodes.push(name),
        &mut |key, value| {
            vaults.push(VaultEntry::read(key, value)?);
            Ok(())
        },
    )?;
    for vault in &vaults {
        for plain in [&vault.overviews, &vault.marks] {
            tree::walk_all(objects, plain, &mut |name| nodes.push(name), nothing)?;
        }
        tree::walk_all(
            objects,
            &vault.items,
            &mut |name| nodes.push(name),
            &mut |_, value| {
                items.push(ItemEntry::read(value)?);
                Ok(())
            },
        )?;
    }
    names.extend(nodes);
    for item in items {
        names.insert(item.details);
        names.extend(item.rest);
        if let Some(table) = item.chunks {
            names.insert(table);
            let files = codec::read_chunks(&load(objects, &table)?)?;
            names.extend(files.into_iter().flat_map(|(_, chunks)| chunks));
        }
    }
    Ok(names)
}

/// Shows what stands at each key of the trees of tokens, vaults and items: what [`Objects::recall`] may be asked for.
pub fn values(
    objects: &(impl Objects + ?Sized),
    root: &Digest,
    visit: &mut impl FnMut(&Digest, &[u8], &[u8]),
) -> Result<(), Fault> {
    let root = Root::read(&load(objects, root)?)?;
    let mut trees = Vec::from([root.tokens, root.vaults]);
    tree::walk_all(objects, &root.vaults, &mut |_| (), &mut |key, value| {
        trees.push(VaultEntry::read(key, value)?.items);
        Ok(())
    })?;
    for tree in trees {
        tree::walk_all(objects, &tree, &mut |_| (), &mut |key, value| {
            visit(&tree, key, value);
            Ok(())
        })?;
    }
    Ok(())
}
