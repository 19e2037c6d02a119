//! Tokens, signed heads, token lists.

use sekisho_core::{
    encoding::{base64url, from_base64url},
    id::{AccountId, EnvironmentId, VaultId},
    key::{EnvironmentKey, SigningKey},
    records::{SigningKeyRecord, TokenRecord, TokenState},
    secret::SecretBytes,
    sync::{SignedHead, token_list_digest},
    time::Timestamp,
    token::{self, Rights, TokenOrder},
};
use sekisho_tests::{
    rng::labelled,
    vectors::{Vector, to_hex},
};

use crate::{Family, key_of, rng};

fn resign(text: &str, header: &str) -> Vec<u8> {
    let (_, rest) = text.split_once('.').unwrap();
    format!("{}.{rest}", base64url(header.as_bytes())).into_bytes()
}

pub(crate) fn tokens(all: &mut Vec<Vector>) {
    let rng = &mut rng("tokens");
    let (account, environment) = (AccountId::generate(rng), EnvironmentId::generate(rng));
    let (key, other_key) = (EnvironmentKey::generate(rng), EnvironmentKey::generate(rng));
    let (vault, absent) = (VaultId::generate(rng), VaultId::generate(rng));
    let (vault_key, _) = key_of("tokens vault", 1);
    let keys = [vault_key];
    let vaults = [(vault, Rights::READ, keys.as_slice())];
    let order = TokenOrder {
        account,
        environment,
        issued_at: Timestamp::from_seconds(1_748_779_200),
        expires_at: Some(Timestamp::from_seconds(1_767_225_600)),
        vaults: &vaults,
    };
    let issued = token::issue(&order, &key, rng).unwrap();
    let text = issued.text.expose().to_owned();
    let record = |change: &dyn Fn(&mut TokenRecord)| {
        let mut record = issued.record.clone();
        change(&mut record);
        serde_json::to_string(&record).unwrap()
    };
    let signing = |key: &EnvironmentKey| {
        serde_json::to_string(&[SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        }])
        .unwrap()
    };
    let headers = [
        ("environment", environment.to_string()),
        ("account", account.to_string()),
        ("signing-keys", signing(&key)),
        ("record", record(&|_| {})),
        ("now", "2025-12-31T23:59:59Z".into()),
        ("reads", vault.to_string()),
    ];
    let unknown = |vector: &mut Vector| {
        vector.headers.remove("record");
    };
    let bend_signature = |bytes: &mut Vec<u8>| {
        let at = bytes.iter().rposition(|b| *b == b'.').unwrap() + 5;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    };
    let (header_text, rest) = text.split_once('.').unwrap();
    let header_json = String::from_utf8(from_base64url(header_text).unwrap()).unwrap();
    let other_server = token::issue(
        &TokenOrder {
            environment: EnvironmentId::generate(rng),
            ..order
        },
        &key,
        rng,
    )
    .unwrap();
    let none = resign(&text, &header_json.replace("ES256", "none"));
    let hs256 = resign(&text, &header_json.replace("ES256", "HS256"));
    let lower = resign(&text, &header_json.replace("ES256", "es256"));
    Family::of(all, "token", "known", &headers, text.clone().into_bytes())
        .good("accepted")
        .with(
            "at-expiry",
            "expired",
            "at its very second",
            "now",
            "2026-01-01T00:00:00Z",
        )
        .with(
            "after-expiry",
            "expired",
            "a year later",
            "now",
            "2027-01-01T00:00:00Z",
        )
        .with(
            "revoked",
            "revoked",
            "the record says so",
            "record",
            record(&|r| r.state = TokenState::Revoked),
        )
        .with(
            "other-digest",
            "forged",
            "the record is of another text",
            "record",
            record(&|r| r.digest[0] ^= 1),
        )
        .with(
            "other-kid",
            "forged",
            "the record names another key",
            "record",
            record(&|r| r.key = other_key.id()),
        )
        .with(
            "more-rights",
            "damaged",
            "the record gives more than was wrapped",
            "record",
            record(&|r| r.grants[0].rights = Rights::READ_WRITE),
        )
        .spoilt(
            "swapped-vault",
            "damaged",
            "the grant was moved to another vault",
            |v| {
                v.headers
                    .insert("record".into(), record(&|r| r.grants[0].vault = absent));
                v.headers.insert("reads".into(), absent.to_string());
            },
        )
        .with(
            "no-keys",
            "damaged",
            "the grant has no key",
            "record",
            record(&|r| r.grants[0].keys.clear()),
        )
        .with(
            "out-of-scope",
            "out of scope",
            "a vault that is not its own",
            "reads",
            absent,
        )
        .with(
            "other-server",
            "other server",
            "asked of another server",
            "environment",
            EnvironmentId::generate(rng),
        )
        .spoilt("write", "not permitted", "it may only read", |v| {
            let vault = v.headers.remove("reads").unwrap();
            v.headers.insert("writes".into(), vault);
        })
        .spoilt(
            "unknown",
            "not synchronised",
            "genuine, but no record",
            unknown,
        )
        .spoilt(
            "unknown-bent",
            "forged",
            "no record and another signature",
            |v| {
                unknown(v);
                bend_signature(&mut v.bytes);
            },
        )
        .spoilt(
            "unknown-key",
            "forged",
            "no record and a key that is not known",
            |v| {
                unknown(v);
                v.headers.insert("signing-keys".into(), signing(&other_key));
            },
        )
        .spoilt(
            "unknown-short-signature",
            "forged",
            "no record and a signature too short",
            |v| {
                unknown(v);
                v.bytes.truncate(v.bytes.len() - 4);
            },
        )
        .spoilt(
            "unknown-other-server",
            "other server",
            "another server's, signed by a key we know",
            |v| {
                unknown(v);
                v.bytes = other_server.text.expose().into();
            },
        )
        .bytes("bent", "forged", "another signature", bend_signature)
        .bytes("unsigned", "forged", "no signature", |b| {
            b.truncate(b.iter().rposition(|c| *c == b'.').unwrap() + 1)
        })
        .bytes("alg-none", "malformed", "alg none", |b| *b = none)
        .bytes(
            "alg-hs256",
            "malformed",
            "alg HS256, as in the confusion of keys",
            |b| *b = hs256,
        )
        .bytes("alg-lower", "malformed", "alg in lower case", |b| {
            *b = lower
        })
        .bytes("two-parts", "malformed", "header and claims only", |b| {
            b.truncate(b.iter().rposition(|c| *c == b'.').unwrap())
        })
        .bytes("claims-only", "malformed", "not three parts", |b| {
            *b = rest.as_bytes().to_vec()
        })
        .bytes("padded", "malformed", "a blank before it", |b| {
            b.insert(0, b' ')
        })
        .bytes("nothing", "malformed", "no text", Vec::clear)
        .bytes(
            "not-base64",
            "malformed",
            "a character outside base64url",
            |b| b[3] = b'*',
        );
}

pub(crate) fn heads(all: &mut Vec<Vector>) {
    let rng = &mut rng("head");
    let (account, environment) = (AccountId::generate(rng), EnvironmentId::generate(rng));
    let signing = SigningKey::derive(&SecretBytes::generate(rng), b"vector");
    let other = SigningKey::derive(&SecretBytes::generate(rng), b"vector");
    let head = SignedHead::sign(
        account,
        environment,
        41,
        Timestamp::from_millis(1_767_225_600_123),
        [7; 32],
        &signing,
    );
    let headers = [("key", to_hex(signing.public().as_bytes()))];
    let json = |change: &dyn Fn(&mut SignedHead)| {
        let mut head = head.clone();
        change(&mut head);
        serde_json::to_vec(&head).unwrap()
    };
    Family::of(all, "head", "signed", &headers, json(&|_| {}))
        .good("genuine")
        .with(
            "other-key",
            "forged",
            "another account's key",
            "key",
            to_hex(other.public().as_bytes()),
        )
        .bytes("newer", "forged", "a higher version", |b| {
            *b = json(&|h| h.version += 1)
        })
        .bytes("later", "forged", "a later date", |b| {
            *b = json(&|h| h.issued_at = h.issued_at.plus_seconds(1))
        })
        .bytes("other-tokens", "forged", "another list of tokens", |b| {
            *b = json(&|h| h.tokens[31] ^= 1)
        })
        .bytes(
            "other-environment",
            "forged",
            "moved to another environment",
            |b| *b = json(&|h| h.environment = EnvironmentId::generate(&mut labelled("x"))),
        )
        .bytes("other-account", "forged", "moved to another account", |b| {
            *b = json(&|h| h.account = AccountId::generate(&mut labelled("x")))
        })
        .bytes("bent", "forged", "another signature", |b| {
            *b = json(&|h| h.signature[63] ^= 1)
        })
        .bytes("zeros", "forged", "a signature of zeros", |b| {
            *b = json(&|h| h.signature = [0; 64])
        });
}

pub(crate) fn token_lists(all: &mut Vec<Vector>) {
    let rng = &mut rng("token list");
    let key = EnvironmentKey::generate(rng);
    let (vault_key, _) = key_of("token list", 1);
    let keys = [vault_key];
    let vaults: Vec<_> = (0..2)
        .map(|_| (VaultId::generate(rng), Rights::READ, keys.as_slice()))
        .collect();
    let (account, environment) = (AccountId::generate(rng), EnvironmentId::generate(rng));
    let mut tokens: Vec<TokenRecord> = (0..3u64)
        .map(|n| {
            let expires_at = (n > 0).then(|| Timestamp::from_seconds(n * 1_000_000));
            let order = TokenOrder {
                account,
                environment,
                issued_at: Timestamp::from_seconds(0),
                expires_at,
                vaults: &vaults,
            };
            token::issue(&order, &key, rng).unwrap().record
        })
        .collect();
    let digest = to_hex(&token_list_digest(tokens.iter()));
    let json = |tokens: &[TokenRecord]| serde_json::to_vec(tokens).unwrap();
    let whole = json(&tokens);
    let spoil = |change: &dyn Fn(&mut Vec<TokenRecord>)| {
        let mut copy = tokens.clone();
        change(&mut copy);
        json(&copy)
    };
    let revoked = spoil(&|t| t[1].state = TokenState::Revoked);
    let fewer = spoil(&|t| {
        t.pop();
    });
    let rights = spoil(&|t| t[0].grants[0].rights = Rights::READ_WRITE);
    let expiry = spoil(&|t| t[2].expires_at = None);
    let keys_gone = spoil(&|t| t[0].grants[0].keys.clear());
    let headers = [("digest", digest)];
    tokens.reverse();
    tokens[0].grants.reverse();
    let turned = json(&tokens);
    let empty = to_hex(&token_list_digest(std::iter::empty()));
    Family::of(all, "token-list", "three", &headers, whole)
        .good("equal")
        .bytes("reversed", "equal", "order does not matter", |b| {
            *b = turned
        })
        .bytes("revoked", "different", "one is revoked", |b| *b = revoked)
        .bytes("fewer", "different", "one is gone", |b| *b = fewer)
        .bytes("more-rights", "different", "one may do more", |b| {
            *b = rights
        })
        .bytes("longer-life", "different", "one never expires", |b| {
            *b = expiry
        })
        .bytes("other-keys", "different", "one has lost a key", |b| {
            *b = keys_gone
        });
    Family::of(
        all,
        "token-list",
        "empty",
        &[("digest", empty)],
        b"[]".to_vec(),
    )
    .good("equal");
}
