//! Answers that are kept: a read of an item, sealed for the bearer that got it (ADR 25).
//!
//! Whoever runs core may keep them, in memory, and offer one when the same bearer asks the same again. What was checked
//! then holds as long as nothing has changed since, so that one key is derived and one thing opened, where else a token
//! is taken apart, a vault's key unwrapped and an item opened.
//!
//! ```text
//!  0..       94..      110..     122..                     n-28..    n-12..
//! +---------+---------+---------+-------------------------+---------+---------+
//! | facts   | tag     | nonce   | body ‖ facts            | tag     | nonce   |
//! | sealed  |         | random  | sealed; not after a 304 |         | random  |
//! +---------+---------+---------+-------------------------+---------+---------+
//!
//! facts: expires at, in ms (8 BE; all ones: never) ‖ item version (8 BE) ‖ token id (26) ‖ vault id (26) ‖ item id (26)
//! sealed: ChaCha20-Poly1305 (RFC 8439), because what seals and opens has no instructions for AES
//! key:   SHA-256(00 00 00 01 ‖ the bearer's text ‖ "sekisho/v1/kept") (NIST SP 800-56C rev. 2, §4.1)
//! associated data: "sekisho/v1/kept" 00 ‖ part (1: facts alone, 2: with the body) ‖ environment id (26)
//!                  ‖ version of the head (8 BE) ‖ path and query
//! ```
//!
//! The key is derived from the text of the token, of which a runtime holds no more than a digest. A head's version moves
//! with everything that a token or an item depends on, so that nothing opens after a change, whatever is offered; what
//! moves with time alone (is the token expired, is the head fresh) is looked at each time.
//!
//! What meets a kept answer is `#[inline]`, here and in `rest`: so it is compiled for speed in the component that carries,
//! where all else of core is for size (ADR 23).

use alloc::vec::Vec;

use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Action, Caller, Ports, Reply, UsageEvent, Verdict, bearer, read, status};
use crate::{
    cipher::{
        aead::{NONCE_LENGTH, TAG_LENGTH, chacha},
        kdf,
    },
    id::{ID_LENGTH, ItemId, TokenId, VaultId},
    records::Head,
    secret::SecretBytes,
    time::Timestamp,
};

/// Bytes of the largest body that is kept: an item of some KB. Larger ones are rare, and opening them is what they cost.
const MOST: usize = 4 * 1024;
const FACTS: usize = 8 + 8 + 3 * ID_LENGTH;
/// Bytes of the facts when they are sealed.
const SEALED: usize = FACTS + TAG_LENGTH + NONCE_LENGTH;
const NEVER: u64 = u64::MAX;

/// What a runtime remembers of the request it brings.
#[derive(Debug)]
pub enum Before {
    /// Nothing.
    Never,
    /// It was answered: its answer is worth keeping.
    Answered,
    /// It was answered with this.
    Kept(Kept),
}

/// What a runtime keeps an answer under: a hash of who asks and one of what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Of who asks.
    pub bearer: u64,
    /// Of what for.
    pub target: u64,
}

impl Name {
    /// None if it is no item that is asked for: other answers are not kept. Whether there is such an item is not looked at.
    ///
    /// Of the bearer it takes the end alone, which in a token is part of its signature: no two tokens share it. Whoever
    /// makes up another request of that name meets what is kept and opens nothing, so that the hash need not be one that
    /// withstands who wants that.
    #[inline]
    pub fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        const END: usize = 32;
        let mut from_end = uri.path().trim_end_matches('/').rsplit('/').skip(1);
        if *method != Method::GET || from_end.next() != Some("items") {
            return None;
        }
        let bearer = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (_, end) = bearer.split_at(bearer.len().saturating_sub(END));
        Some(Self {
            bearer: fnv(end),
            target: fnv(target(uri).as_bytes()),
        })
    }
}

/// FNV-1a of 64 bits.
#[inline]
fn fnv(bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether what was answered with this status is worth remembering: the next time it may be kept.
pub const fn is_worth_remembering(status: StatusCode) -> bool {
    matches!(status, StatusCode::OK | StatusCode::NOT_MODIFIED)
}

/// An answer, sealed for the bearer that got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept(Vec<u8>);

impl Kept {
    /// Bytes that [`Kept::into_bytes`] gave. Others do not open.
    #[inline]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The sealed bytes.
    #[inline]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Part of it, as it was sealed.
    #[inline]
    fn open(self, part: Part, context: &Context<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = self.0;
        match part {
            Part::Facts => bytes.truncate(SEALED),
            Part::Body => bytes = bytes.split_off(SEALED.min(bytes.len())),
        }
        let at = bytes.len().checked_sub(NONCE_LENGTH)?;
        let nonce: [u8; NONCE_LENGTH] = bytes.get(at..)?.try_into().ok()?;
        bytes.truncate(at);
        let place = context.place(part);
        // EXPOSE: the key, to the cipher.
        chacha::open_in_place(context.key.expose(), &nonce, &place, &mut bytes).ok()?;
        Some(Zeroizing::new(bytes))
    }
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Part {
    /// Enough to say that nothing has changed.
    Facts = 1,
    /// Body and facts.
    Body = 2,
}

/// Whose answer it is, and to what.
struct Context<'a> {
    key: SecretBytes<32>,
    head: Head,
    target: &'a str,
}

impl<'a> Context<'a> {
    #[inline]
    fn of(request: &'a Request<Vec<u8>>, head: Head) -> Option<Self> {
        let bearer = bearer(request.headers())?;
        Some(Self {
            key: kdf::derive_from_text(bearer, b"sekisho/v1/kept"),
            head,
            target: target(request.uri()),
        })
    }

    #[inline]
    fn place(&self, part: Part) -> Vec<u8> {
        const CONTEXT: &[u8; 16] = b"sekisho/v1/kept\0";
        let length = CONTEXT.len() + 1 + ID_LENGTH + 8 + self.target.len();
        let mut place = Vec::with_capacity(length);
        place.extend_from_slice(CONTEXT);
        place.push(part as u8);
        place.extend_from_slice(self.head.environment.as_bytes());
        place.extend_from_slice(&self.head.version.to_be_bytes());
        place.extend_from_slice(self.target.as_bytes());
        place
    }

    /// Seals what `out` has from there on.
    fn seal(&self, part: Part, out: &mut Vec<u8>, from: usize, rng: &mut dyn CryptoRng) {
        let mut nonce = [0; NONCE_LENGTH];
        rng.fill_bytes(&mut nonce);
        // EXPOSE: the key, to the cipher.
        chacha::seal_in_place(self.key.expose(), &nonce, &self.place(part), out, from);
        out.extend_from_slice(&nonce);
    }
}

#[inline]
fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

/// What else than the body an answer says and notes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) item_version: u64,
    pub(super) token: TokenId,
    pub(super) vault: VaultId,
    pub(super) item: ItemId,
}

impl Facts {
    fn write(&self, out: &mut Vec<u8>) {
        let expires_at = self.expires_at.map_or(NEVER, Timestamp::millis);
        out.extend_from_slice(&expires_at.to_be_bytes());
        out.extend_from_slice(&self.item_version.to_be_bytes());
        out.extend_from_slice(self.token.as_bytes());
        out.extend_from_slice(self.vault.as_bytes());
        out.extend_from_slice(self.item.as_bytes());
    }

    #[inline]
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (expires_at, rest) = bytes.split_first_chunk()?;
        let (item_version, rest) = rest.split_first_chunk()?;
        let id = |at: usize| str::from_utf8(rest.get(at..at + ID_LENGTH)?).ok();
        let expires_at = u64::from_be_bytes(*expires_at);
        Some(Self {
            expires_at: (expires_at != NEVER).then(|| Timestamp::from_millis(expires_at)),
            item_version: u64::from_be_bytes(*item_version),
            token: TokenId::parse(id(0)?).ok()?,
            vault: VaultId::parse(id(ID_LENGTH)?).ok()?,
            item: ItemId::parse(id(2 * ID_LENGTH)?).ok()?,
        })
    }
}

/// The answer of before, if nothing has changed that it depends on; else the request is to be decided as any other.
#[inline]
pub(super) fn recall(
    kept: Kept,
    request: &Request<Vec<u8>>,
    ports: &Ports<'_>,
    request_id: &str,
) -> Option<Reply> {
    if *request.method() != Method::GET {
        return None;
    }
    let head = status::fresh_head(ports.records, ports.now).ok()?;
    let context = Context::of(request, head)?;
    let tags = request.headers().get(header::IF_NONE_MATCH);
    let part = tags.map_or(Part::Body, |_| Part::Facts);
    let mut body = kept.open(part, &context)?;
    let end = body.len().checked_sub(FACTS)?;
    let facts = Facts::parse(body.get(end..)?)?;
    if facts.expires_at.is_some_and(|at| at <= ports.now) {
        return None;
    }
    if let Some(tags) = tags {
        let reply = read::unchanged(facts.item_version, ports.now, tags.to_str().ok()?)?;
        ports.usage.checked(Verdict::Accepted);
        return Some(reply);
    }
    body.truncate(end);
    ports.usage.checked(Verdict::Accepted);
    ports.usage.note(UsageEvent {
        token: facts.token,
        action: Action::Read,
        allowed: true,
        vault: facts.vault,
        item: Some(facts.item),
        item_version: Some(facts.item_version),
        at: ports.now,
        caller: Caller::of(request.headers(), request_id),
    });
    Some(read::shown(body, &read::tag(facts.item_version)))
}

/// Seals an answer for the bearer that gets it, if it is one to be kept.
pub(super) fn keep(
    reply: &Reply,
    request: &Request<Vec<u8>>,
    ports: &mut Ports<'_>,
) -> Option<Kept> {
    let facts = reply.facts.filter(|_| *request.method() == Method::GET)?;
    let body = reply.body.whole().filter(|body| body.len() <= MOST)?;
    let context = Context::of(request, ports.records.head().ok()?)?;
    let mut out = Vec::with_capacity(2 * SEALED + body.len());
    facts.write(&mut out);
    context.seal(Part::Facts, &mut out, 0, ports.rng);
    if reply.status == StatusCode::OK {
        let from = out.len();
        out.extend_from_slice(body);
        facts.write(&mut out);
        context.seal(Part::Body, &mut out, from, ports.rng);
    }
    Some(Kept(out))
}
