//! Accesses as bytes: how a guest tells its runtime of them, and an edge the host that feeds it.
//!
//! ```text
//!  0        1         2                 19      45      71          98             107  115
//! +--------+---------+-----------------+-------+-------+-----------+--------------+----+------------+------------+
//! | action | allowed | peer            | token | vault | item      | item version | at | request id | user agent |
//! |        | 0, 1    | 0, 4, 6 ‖ 16    | 26    | 26    | 0, 1 ‖ 26 | 0, 1 ‖ 8     | ms | after its  | after its  |
//! |        |         | (IPv4: first 4) |       |       |           |              | 8  | length (4) | length (4) |
//! +--------+---------+-----------------+-------+-------+-----------+--------------+----+------------+------------+
//!
//! action: 1 read, 2 create, 3 update, 4 delete; numbers are big-endian, what is not there is zeros
//! ```
//!
//! Each says where it ends, so several stand one after the other. Ids are the texts of the Connect API.

use alloc::{borrow::ToOwned, vec::Vec};
use core::{iter, mem, net::IpAddr, str};

use super::{Action, Caller, UsageEvent};
use crate::{
    id::{ID_LENGTH, ItemId},
    records::Fault,
    time::Timestamp,
    wire::{MALFORMED, Reader, Writer},
};

/// Where the peer begins.
const PEER: usize = 2;
const ADDRESS: usize = 16;
/// Bytes before the two texts.
const FIXED: usize = PEER + 1 + ADDRESS + 3 * ID_LENGTH + 1 + 1 + 8 + 8;
/// Bytes of the lengths of both.
const LENGTHS: usize = 2 * 4;

impl UsageEvent {
    /// Appends it.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let Caller {
            request_id,
            user_agent,
            peer,
        } = &self.caller;
        let mut address = [0; ADDRESS];
        let kind = match peer {
            None => 0,
            Some(IpAddr::V4(peer)) => {
                address = peer.to_ipv6_compatible().octets();
                address.rotate_left(ADDRESS - 4);
                4
            }
            Some(IpAddr::V6(peer)) => {
                address = peer.octets();
                6
            }
        };
        let action = match self.action {
            Action::Read => 1,
            Action::Create => 2,
            Action::Update => 3,
            Action::Delete => 4,
        };
        let item = self.item.as_ref().map_or(&[0; ID_LENGTH], ItemId::as_bytes);
        out.reserve(FIXED + LENGTHS + request_id.len() + user_agent.len());
        let mut writer = Writer(mem::take(out));
        writer
            .byte(action)
            .byte(u8::from(self.allowed))
            .byte(kind)
            .raw(&address)
            .raw(self.token.as_bytes())
            .raw(self.vault.as_bytes())
            .byte(u8::from(self.item.is_some()))
            .raw(item)
            .byte(u8::from(self.item_version.is_some()))
            .number(self.item_version.unwrap_or_default())
            .number(self.at.millis())
            .bytes(request_id.as_bytes())
            .bytes(user_agent.as_bytes());
        *out = writer.0;
    }

    /// The one that these bytes are, no more and no less.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::of(bytes);
        let event = read(&mut reader).ok()?;
        reader.is_empty().then_some(event)
    }

    /// Those that were written one after the other, each as it was written; what is cut off is none.
    pub fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = bytes;
        iter::from_fn(move || {
            let mut after = Reader::of(rest);
            after.raw(FIXED).ok()?;
            let texts = after.bytes().ok()?.len() + after.bytes().ok()?.len();
            let (one, more) = rest.split_at_checked(FIXED + LENGTHS + texts)?;
            rest = more;
            Some(one)
        })
    }

    /// Takes the peer out of one that was written: who vouches for it is not known.
    pub fn hide_peer(written: &mut [u8]) {
        let peer = written.get_mut(PEER..PEER + 1 + ADDRESS);
        peer.unwrap_or_default().fill(0);
    }
}

fn read(reader: &mut Reader<'_>) -> Result<UsageEvent, Fault> {
    let action = match reader.byte()? {
        1 => Action::Read,
        2 => Action::Create,
        3 => Action::Update,
        4 => Action::Delete,
        _ => return Err(MALFORMED),
    };
    let allowed = reader.flag()?;
    let kind = reader.byte()?;
    let address: [u8; ADDRESS] = reader.array()?;
    let peer = match (kind, address) {
        (0, _) => None,
        (4, [a, b, c, d, ..]) => Some(IpAddr::from([a, b, c, d])),
        (6, address) => Some(IpAddr::from(address)),
        _ => return Err(MALFORMED),
    };
    let (token, vault) = (reader.id()?, reader.id()?);
    let item = if reader.flag()? {
        Some(reader.id()?)
    } else {
        reader.raw(ID_LENGTH)?;
        None
    };
    let has_version = reader.flag()?;
    let item_version = reader.number()?;
    let at = Timestamp::from_millis(reader.number()?);
    let mut text = || {
        let text = str::from_utf8(reader.bytes()?).map_err(|_| MALFORMED)?;
        Ok(text.to_owned())
    };
    Ok(UsageEvent {
        token,
        action,
        allowed,
        vault,
        item,
        item_version: has_version.then_some(item_version),
        at,
        caller: Caller {
            request_id: text()?,
            user_agent: text()?,
            peer,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{TokenId, VaultId};

    fn events() -> Vec<UsageEvent> {
        let all = UsageEvent {
            token: TokenId::parse("ccccccccccccccccccccccccc2").unwrap(),
            action: Action::Read,
            allowed: true,
            vault: VaultId::parse("aaaaaaaaaaaaaaaaaaaaaaaaa2").unwrap(),
            item: Some(ItemId::parse("bbbbbbbbbbbbbbbbbbbbbbbbb2").unwrap()),
            item_version: Some(7),
            at: Timestamp::from_millis(1_767_225_600_123),
            caller: Caller {
                request_id: "one".into(),
                user_agent: "ein Ägent".into(),
                peer: Some(IpAddr::from([127, 0, 0, 1])),
            },
        };
        let mut bare = all.clone();
        bare.action = Action::Delete;
        bare.allowed = false;
        (bare.item, bare.item_version) = (None, None);
        bare.caller = Caller::default();
        let mut v6 = all.clone();
        v6.action = Action::Update;
        v6.caller.peer = Some(IpAddr::from([9; 16]));
        let mut created = all.clone();
        created.action = Action::Create;
        [all, bare, v6, created].into()
    }

    fn written(events: &[UsageEvent]) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            event.write(&mut out);
        }
        out
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_or_damaged_is_not() {
        let events = events();
        let bytes = written(&events);
        let read: Vec<_> = UsageEvent::split(&bytes).map(UsageEvent::read).collect();
        let wanted: Vec<_> = events.iter().cloned().map(Some).collect();
        assert_eq!(read, wanted);
        let one = written(&events[..1]);
        for cut in 0..one.len() {
            assert_eq!(UsageEvent::read(&one[..cut]), None, "cut at {cut}");
            assert_eq!(UsageEvent::split(&one[..cut]).count(), 0, "cut at {cut}");
        }
        assert_eq!(UsageEvent::read(&bytes), None, "more than one");
        // Neither an action, nor a flag, nor a kind of address, nor the text of an id.
        for (at, byte) in [(0, 0), (0, 5), (1, 2), (2, 5), (19, b'!'), (71, 2), (98, 2)] {
            let mut damaged = one.clone();
            damaged[at] = byte;
            assert_eq!(UsageEvent::read(&damaged), None, "{byte} at {at}");
        }
        // A length that reaches beyond the end.
        let mut damaged = one;
        damaged[FIXED..FIXED + 4].fill(0xff);
        assert_eq!(UsageEvent::split(&damaged).count(), 0);
    }

    #[test]
    fn a_peer_is_hidden_and_nothing_else() {
        for mut event in events() {
            let mut bytes = written(core::slice::from_ref(&event));
            UsageEvent::hide_peer(&mut bytes);
            event.caller.peer = None;
            assert_eq!(UsageEvent::read(&bytes), Some(event));
        }
        UsageEvent::hide_peer(&mut [0; 3]);
    }
}
