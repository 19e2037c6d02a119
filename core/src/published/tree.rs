//! A search tree of objects. Its shape follows from its entries alone, so equal sets have equal trees, and a change
//! makes new nodes only on its way from the root.

use alloc::vec::Vec;

use super::{Digest, Objects, load};
use crate::{
    records::Fault,
    wire::{MALFORMED, Reader, Writer},
};

const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// A byte and a name.
const CHILD: usize = 33;
/// No key is longer.
const DEEPEST: usize = 64;

/// A key and what stands there.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// Builds a tree of entries by ascending key, all keys of one length; every node goes to `emit`. Entries that together
/// have no more than `leaf` bytes are one node.
pub(super) fn build<E>(
    entries: &[Entry],
    leaf: usize,
    emit: &mut impl FnMut(Digest, &[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    node(entries, 0, leaf, emit)
}

fn node<E>(
    entries: &[Entry],
    depth: usize,
    leaf: usize,
    emit: &mut impl FnMut(Digest, &[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    let size: usize = entries
        .iter()
        .map(|(key, value)| key.len() + value.len() + 5)
        .sum();
    let mut out;
    if size <= leaf || entries.len() < 2 {
        out = Writer::new(LEAF);
        out.count(entries.len());
        for (key, value) in entries {
            // Keys are one or two identifiers.
            out.byte(u8::try_from(key.len()).unwrap_or(u8::MAX))
                .raw(key)
                .bytes(value);
        }
    } else {
        let at = |entry: &Entry| entry.0.get(depth).copied();
        let groups = entries.chunk_by(|one, other| at(one) == at(other));
        out = Writer::new(BRANCH);
        out.count(groups.clone().count());
        for group in groups {
            let name = node(group, depth + 1, leaf, emit)?;
            let byte = group.first().and_then(at).unwrap_or_default();
            out.byte(byte).raw(name.as_bytes());
        }
    }
    let name = Digest::of(&out.0);
    emit(name, &out.0)?;
    Ok(name)
}

/// A node taken apart; it borrows from the object.
enum Node<'a> {
    Leaf(Vec<(&'a [u8], &'a [u8])>),
    Branch(Vec<(u8, Digest)>),
}

fn parse(bytes: &[u8]) -> Result<Node<'_>, Fault> {
    match bytes.first() {
        Some(&LEAF) => {
            let mut reader = Reader::new(bytes, LEAF)?;
            let entries = reader.many(entry)?;
            reader.end(())?;
            Ok(Node::Leaf(entries))
        }
        _ => {
            let children = children(bytes)?.iter();
            let child = |[byte, name @ ..]: &[u8; CHILD]| (*byte, Digest::from_bytes(*name));
            Ok(Node::Branch(children.map(child).collect()))
        }
    }
}

/// A key and what stands there.
fn entry<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Fault> {
    let length = reader.byte()?;
    Ok((reader.raw(usize::from(length))?, reader.bytes()?))
}

/// The children of a branch, each as it is written.
fn children(bytes: &[u8]) -> Result<&[[u8; CHILD]], Fault> {
    let mut reader = Reader::new(bytes, BRANCH)?;
    let count = reader.count()?;
    let (children, rest) = reader.rest().as_chunks();
    if children.len() == count && rest.is_empty() {
        Ok(children)
    } else {
        Err(MALFORMED)
    }
}

/// What stands at a key.
pub(super) fn find<T>(
    objects: &(impl Objects + ?Sized),
    root: &Digest,
    key: &[u8],
    take: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if let Some(value) = objects.recall(root, key) {
        return take(&value).map(Some);
    }
    let mut name = *root;
    for depth in 0..DEEPEST {
        let bytes = load(objects, &name)?;
        if bytes.first() == Some(&LEAF) {
            let Some(value) = in_leaf(&bytes, key)? else {
                return Ok(None);
            };
            let taken = take(value)?;
            objects.keep(root, key, value);
            return Ok(Some(taken));
        }
        let byte = *key.get(depth).ok_or(MALFORMED)?;
        match in_branch(&bytes, byte)? {
            Some(child) => name = child,
            None => return Ok(None),
        }
    }
    Err(MALFORMED)
}

/// What stands at a key of one node. All of the node is looked at: one that is not whole is damaged.
fn in_leaf<'a>(bytes: &'a [u8], key: &[u8]) -> Result<Option<&'a [u8]>, Fault> {
    let mut reader = Reader::new(bytes, LEAF)?;
    let mut found = None;
    for _ in 0..reader.count()? {
        let (held, value) = entry(&mut reader)?;
        if held == key {
            found.get_or_insert(value);
        }
    }
    reader.end(())?;
    Ok(found)
}

/// The child of one byte.
fn in_branch(bytes: &[u8], byte: u8) -> Result<Option<Digest>, Fault> {
    let found = children(bytes)?.iter().find(|[held, ..]| *held == byte);
    Ok(found.map(|[_, name @ ..]| Digest::from_bytes(*name)))
}

/// Whether a walk goes on.
pub(super) enum Walk {
    On,
    Enough,
}

/// Shows every entry from `from` on by ascending key, until `visit` has enough. Nodes that lie wholly before are not
/// read.
pub(super) fn walk(
    objects: &(impl Objects + ?Sized),
    root: &Digest,
    from: &[u8],
    visit: &mut impl FnMut(&[u8], &[u8]) -> Result<Walk, Fault>,
) -> Result<(), Fault> {
    walk_node(objects, root, from, 0, &mut |_| (), visit).map(drop)
}

/// The same over every entry, showing every node's name too.
pub(super) fn walk_all(
    objects: &(impl Objects + ?Sized),
    root: &Digest,
    node: &mut impl FnMut(Digest),
    visit: &mut impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut all = |key: &[u8], value: &[u8]| visit(key, value).map(|()| Walk::On);
    walk_node(objects, root, &[], 0, node, &mut all).map(drop)
}

fn walk_node(
    objects: &(impl Objects + ?Sized),
    name: &Digest,
    from: &[u8],
    depth: usize,
    node: &mut impl FnMut(Digest),
    visit: &mut impl FnMut(&[u8], &[u8]) -> Result<Walk, Fault>,
) -> Result<Walk, Fault> {
    if depth > DEEPEST {
        return Err(MALFORMED);
    }
    let bytes = load(objects, name)?;
    node(*name);
    match parse(&bytes)? {
        Node::Leaf(entries) => {
            for (key, value) in entries {
                if key >= from
                    && let Walk::Enough = visit(key, value)?
                {
                    return Ok(Walk::Enough);
                }
            }
        }
        Node::Branch(children) => {
            for (byte, child) in children {
                // The bound counts only on the path that begins as it does.
                let from = match from.get(depth) {
                    Some(bound) if byte < *bound => continue,
                    Some(bound) if byte == *bound => from,
                    _ => &[],
                };
                if let Walk::Enough = walk_node(objects, &child, from, depth + 1, node, visit)? {
                    return Ok(Walk::Enough);
                }
            }
        }
    }
    Ok(Walk::On)
}
