//! Answers that are kept (ADR 25): what they are of, and that nothing opens them for anybody else, for anything else or
//! after a change. That they change no answer is shown by every case (`native.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics is a test that fails"
)]

use std::cell::Cell;

use http::Request;
use sekisho_core::{
    id::{EnvironmentId, FileId, ItemId, TokenId, VaultId},
    records::{
        Fault, Head, ItemRecord, PartRecord, PutRequest, Records, SigningKeyRecord, TitleMark,
        TokenRecord, VaultRecord,
    },
    rest::{Before, Kept, Name},
    time::Timestamp,
};
use sekisho_tests::{
    cases::RawAnswer,
    memory::MemoryRecords,
    native::{Notes, answer_again_over},
    rng::labelled,
    world::{MAX_STALE, NOW, World},
};
use serde_json::json;

/// Bytes of the part that holds the facts alone.
const SEALED_FACTS: usize = 94 + 16 + 12;

/// The world's records under a head that a test sets; it sees whether a token's record was asked for, which no answer
/// that was kept needs.
struct Watched {
    records: MemoryRecords,
    head: Head,
    tokens: Cell<u32>,
}

impl Watched {
    fn new() -> Self {
        let records = MemoryRecords::new(World::get(), NOW);
        let head = records.head().unwrap();
        Self {
            records,
            head,
            tokens: Cell::new(0),
        }
    }

    fn ask(&self, request: &Request<Vec<u8>>, now: Timestamp, before: Before) -> Asked {
        let notes = Notes::default();
        self.tokens.set(0);
        // Another draft gets another id.
        let mut rng = labelled(&String::from_utf8_lossy(request.body()));
        let asked = answer_again_over(self, &notes, now, &mut rng, request, before);
        let (answer, kept) = asked.unwrap();
        Asked {
            answer,
            kept,
            is_recalled: self.tokens.get() == 0,
            noted: notes,
        }
    }

    fn kept(&self, request: &Request<Vec<u8>>) -> Option<Kept> {
        let asked = self.ask(request, NOW, Before::Answered);
        assert!(!asked.is_recalled);
        asked.kept
    }
}

struct Asked {
    answer: RawAnswer,
    kept: Option<Kept>,
    is_recalled: bool,
    noted: Notes,
}

impl Records for Watched {
    fn head(&self) -> Result<Head, Fault> {
        Ok(self.head.clone())
    }

    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        self.records.signing_keys()
    }

    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        self.tokens.set(self.tokens.get() + 1);
        self.records.token(id)
    }

    fn vault(&self, id: &VaultId) -> Result<VaultRecord, Fault> {
        self.records.vault(id)
    }

    fn list(
        &self,
        vault: &VaultId,
        after: Option<&ItemId>,
        limit: u32,
    ) -> Result<Vec<PartRecord>, Fault> {
        self.records.list(vault, after, limit)
    }

    fn find(&self, vault: &VaultId, mark: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        self.records.find(vault, mark)
    }

    fn details(&self, vault: &VaultId, item: &ItemId) -> Result<PartRecord, Fault> {
        self.records.details(vault, item)
    }

    fn item(&self, vault: &VaultId, item: &ItemId) -> Result<ItemRecord, Fault> {
        self.records.item(vault, item)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, Fault> {
        self.records.chunk(vault, item, file, index)
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.records.put(request)
    }
}

fn get(token: &str, target: &str) -> Request<Vec<u8>> {
    let token = World::get().tokens.get(token).map_or(token, String::as_str);
    Request::get(target)
        .header("authorization", format!("Bearer {token}"))
        .body(Vec::new())
        .unwrap()
}

fn path(item: &str) -> String {
    let (vault, item) = World::get().items[item];
    format!("/v1/vaults/{vault}/items/{item}")
}

#[test]
fn an_answer_that_was_kept_is_the_same_and_noted_the_same() {
    let watched = Watched::new();
    let request = get("rw", &path("api"));
    let first = watched.ask(&request, NOW, Before::Never);
    assert_eq!((first.answer.status, &first.kept), (200, &None));
    let kept = watched.kept(&request).unwrap();
    let again = watched.ask(&request, NOW.plus_seconds(60), Before::Kept(kept.clone()));
    assert!(again.is_recalled);
    assert_eq!(again.kept, None);
    assert_eq!(first.answer, again.answer);
    let shown = first.answer.body.clone();
    let [mut one, other] = [first, again].map(|asked| asked.noted.events().remove(0));
    one.at = NOW.plus_seconds(60);
    assert_eq!(one, other);
    // Sealed: neither what is shown nor whose it is can be found in it.
    let bytes = kept.into_bytes();
    let token = &World::get().tokens["rw"];
    for secret in [shown.as_slice(), token.as_bytes()] {
        for piece in secret.windows(8).step_by(8) {
            assert!(!bytes.windows(8).any(|held| held == piece));
        }
    }
}

/// A client that asks for changes only is told that there are none from the facts alone, which show no body.
#[test]
fn that_nothing_changed_is_recalled_too() {
    let watched = Watched::new();
    let request = get("rw", &path("api"));
    let whole = watched.kept(&request).unwrap();
    let first = watched.ask(&request, NOW, Before::Never);
    let conditional = |tag: &str| {
        let mut request = request.clone();
        let tag = http::HeaderValue::from_str(tag).unwrap();
        request.headers_mut().insert("if-none-match", tag);
        request
    };
    let same = conditional(first.answer.header("etag").unwrap());
    let expected = watched.ask(&same, NOW, Before::Never).answer;
    assert_eq!(expected.status, 304);
    let facts = watched.kept(&same).unwrap();
    assert!(facts.clone().into_bytes().len() < 128);
    for kept in [&whole, &facts] {
        let again = watched.ask(&same, NOW, Before::Kept(kept.clone()));
        assert!(again.is_recalled && again.noted.events().is_empty());
        assert_eq!(again.answer, expected);
        let other = watched.ask(&conditional("\"0\""), NOW, Before::Kept(kept.clone()));
        assert_eq!((other.is_recalled, other.answer.status), (false, 200));
    }
    // Asked for the body, it is decided, and kept with the body from then on.
    let asked = watched.ask(&request, NOW, Before::Kept(facts));
    assert!(!asked.is_recalled);
    assert_eq!(asked.answer, first.answer);
    let now = watched.ask(&request, NOW, Before::Kept(asked.kept.unwrap()));
    assert!(now.is_recalled);
    assert_eq!(now.answer, first.answer);
}

#[test]
fn nobody_else_and_nothing_else_opens_it() {
    let watched = Watched::new();
    let target = path("api");
    let kept = watched.kept(&get("rw", &target)).unwrap();
    let others = [
        get("both", &target),
        get("tampered", &target),
        get("forged", &target),
        get("garbage", &target),
        get("", &target),
        get("rw", &path("database")),
        get("rw", &format!("{target}/")),
        get("rw", &format!("{target}?a=b")),
        Request::get(&target).body(Vec::new()).unwrap(),
    ];
    for other in others {
        let expected = watched.ask(&other, NOW, Before::Never);
        let asked = watched.ask(&other, NOW, Before::Kept(kept.clone()));
        let looked = expected.is_recalled == asked.is_recalled;
        assert!(looked && expected.answer == asked.answer, "{other:?}");
    }
    let mut head = get("rw", &target);
    *head.method_mut() = http::Method::HEAD;
    let asked = watched.ask(&head, NOW, Before::Kept(kept));
    assert!(!asked.is_recalled && asked.answer.status == 200);
}

#[test]
fn nothing_opens_it_after_a_change_or_when_its_time_is_over() {
    let mut watched = Watched::new();
    let request = get("bounded", &path("api"));
    let kept = watched.kept(&request).unwrap();
    let ask = |watched: &Watched, now| watched.ask(&request, now, Before::Kept(kept.clone()));
    assert!(ask(&watched, NOW).is_recalled);
    // The token's last millisecond, and the first without it.
    let last = Timestamp::from_millis(NOW.plus_seconds(1).millis() - 1);
    assert!(ask(&watched, last).is_recalled);
    let expired = ask(&watched, NOW.plus_seconds(1));
    assert_eq!((expired.is_recalled, expired.answer.status), (false, 401));

    let ours = watched.head.clone();
    watched.head.version += 1;
    assert!(!ask(&watched, NOW).is_recalled);
    watched.head = ours.clone();
    watched.head.environment = EnvironmentId::parse("AAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let asked = ask(&watched, NOW);
    assert_eq!((asked.is_recalled, asked.answer.status), (false, 401));
    watched.head = ours;
    assert!(ask(&watched, NOW).is_recalled);

    let unbounded = get("rw", &path("api"));
    let kept = watched.kept(&unbounded).unwrap();
    let fresh = watched.head.issued_at.plus_seconds(MAX_STALE);
    let asked = watched.ask(&unbounded, fresh, Before::Kept(kept.clone()));
    assert!(asked.is_recalled);
    let late = fresh.plus_seconds(1);
    let asked = watched.ask(&unbounded, late, Before::Kept(kept));
    assert_eq!(asked.answer.status, 503);
}

/// A runtime that offers what was kept before a revocation is refused as any other.
#[test]
fn a_revoked_token_opens_nothing() {
    let watched = Watched::new();
    let request = get("rw", &path("api"));
    let kept = watched.kept(&request).unwrap();
    let revoked = World::get().after_revocation();
    let after = Watched {
        head: Head {
            version: revoked.head().unwrap().version,
            ..watched.head
        },
        ..Watched::new()
    };
    assert!(!after.ask(&request, NOW, Before::Kept(kept)).is_recalled);
}

#[test]
fn what_is_damaged_does_not_open() {
    let watched = Watched::new();
    let request = get("rw", &path("api"));
    let kept = watched.kept(&request).unwrap().into_bytes();
    let expected = watched.ask(&request, NOW, Before::Never).answer;
    // The facts that stand alone are for those who ask for changes only.
    let flipped = (SEALED_FACTS..kept.len()).step_by(7).map(|at| {
        let mut bytes = kept.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = [
        0,
        1,
        12,
        SEALED_FACTS,
        SEALED_FACTS + 12,
        SEALED_FACTS + 28,
        kept.len() - 1,
    ]
    .map(|length| kept[..length].to_vec());
    for bytes in flipped.chain(cut) {
        let asked = watched.ask(&request, NOW, Before::Kept(Kept::from_bytes(bytes)));
        assert!(!asked.is_recalled);
        assert_eq!(asked.answer, expected);
    }
    let mut same = request.clone();
    let tag = http::HeaderValue::from_str(expected.header("etag").unwrap()).unwrap();
    same.headers_mut().insert("if-none-match", tag);
    for at in 0..SEALED_FACTS {
        let mut bytes = kept.clone();
        bytes[at] ^= 1;
        let asked = watched.ask(&same, NOW, Before::Kept(Kept::from_bytes(bytes)));
        assert!(!asked.is_recalled && asked.answer.status == 304);
    }
    // One part in the other's place.
    let turned = [&kept[SEALED_FACTS..], &kept[..SEALED_FACTS]].concat();
    let doubled = [&kept[..SEALED_FACTS], &kept[..SEALED_FACTS]].concat();
    for bytes in [turned, doubled] {
        let asked = watched.ask(&request, NOW, Before::Kept(Kept::from_bytes(bytes)));
        assert!(!asked.is_recalled);
    }
}

#[test]
fn only_items_are_kept_that_change_with_nothing_but_their_version() {
    let watched = Watched::new();
    let target = path("api");
    let (vault, _) = World::get().items["api"];
    let refused = get(
        "rw",
        &format!("/v1/vaults/{vault}/items/aaaaaaaaaaaaaaaaaaaaaaaaaa"),
    );
    let mut head = get("rw", &target);
    *head.method_mut() = http::Method::HEAD;
    let others = [
        get("rw", "/v1/vaults"),
        get("rw", &format!("/v1/vaults/{vault}")),
        get("rw", &format!("/v1/vaults/{vault}/items")),
        get("garbage", &target),
        refused,
        head,
    ];
    for other in others {
        assert_eq!(watched.ask(&other, NOW, Before::Answered).kept, None);
    }
    // Each nonce is used once.
    let mut rng = labelled("two");
    let request = get("rw", &target);
    let mut keep = || {
        let notes = Notes::default();
        let before = Before::Answered;
        let asked = answer_again_over(&watched, &notes, NOW, &mut rng, &request, before);
        asked.unwrap().1.unwrap().into_bytes()
    };
    let [one, other] = [keep(), keep()];
    assert_ne!(one[one.len() - 12..], other[other.len() - 12..]);
}

#[test]
fn codes_and_large_items_are_not_kept() {
    let watched = Watched::new();
    let vault = World::get().vaults["demo"].id;
    let items = format!("/v1/vaults/{vault}/items");
    let secret = |length| "s".repeat(length);
    let drafts = [
        (
            true,
            json!({ "id": "a", "type": "STRING", "value": secret(2048) }),
        ),
        (
            false,
            json!({ "id": "a", "type": "STRING", "value": secret(4096) }),
        ),
        (
            false,
            json!({ "id": "a", "type": "OTP", "value": "JBSWY3DPEHPK3PXP" }),
        ),
    ];
    for (is_kept, field) in drafts {
        let draft = json!({ "title": "T", "category": "SERVER", "vault": { "id": vault }, "fields": [field] });
        let mut create = get("rw", &items);
        *create.method_mut() = http::Method::POST;
        *create.body_mut() = serde_json::to_vec(&draft).unwrap();
        let made = watched.ask(&create, NOW, Before::Never).answer;
        assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
        let id = made.json().unwrap()["id"].as_str().unwrap().to_owned();
        let request = get("rw", &format!("{items}/{id}"));
        let asked = watched.ask(&request, NOW, Before::Answered);
        assert_eq!(asked.answer.status, 200);
        assert_eq!(asked.kept.is_some(), is_kept, "{draft}");
    }
}

/// Two texts of one end, which is all that a name takes of a bearer, meet one name and not one another's answer.
#[test]
fn a_name_is_of_who_asks_and_for_what_and_opens_nothing() {
    let name =
        |request: &Request<Vec<u8>>| Name::of(request.method(), request.uri(), request.headers());
    let request = get("rw", &path("api"));
    let of_request = name(&request).unwrap();
    assert_eq!(name(&get("rw", &path("api"))), Some(of_request));
    for other in [
        get("r", &path("api")),
        get("rw", &path("login")),
        get("rw", &format!("{}/", path("api"))),
        get("rw", &format!("{}?x=1", path("api"))),
    ] {
        assert!(name(&other).is_some_and(|name| name != of_request));
    }
    // What a bearer ends with is not taken for what a target begins with.
    let short = |bearer: &str, more: &str| name(&get(bearer, &format!("{}{more}", path("api"))));
    assert_ne!(short("a/", ""), short("a", "/"));
    let vault = World::get().items["api"].0;
    for none in [
        format!("/v1/vaults/{vault}"),
        format!("/v1/vaults/{vault}/items"),
        format!("/v1/vaults/{vault}/items?filter=title%20pr"),
        format!("{}/files", path("api")),
        format!("{}/files/items", path("api")),
    ] {
        assert_eq!(name(&get("rw", &none)), None, "{none}");
    }
    assert_eq!(
        name(&Request::get(path("api")).body(Vec::new()).unwrap()),
        None
    );
    let mut put = get("rw", &path("api"));
    *put.method_mut() = http::Method::PUT;
    assert_eq!(name(&put), None);

    let watched = Watched::new();
    let kept = watched.kept(&request).unwrap();
    let token = &World::get().tokens["rw"];
    let forged = get(&token.replacen('e', "x", 1), &path("api"));
    assert_eq!(name(&forged), Some(of_request));
    let asked = watched.ask(&forged, NOW, Before::Kept(kept));
    assert_eq!((asked.answer.status, asked.kept), (401, None));
}
