//! What core makes of a vector, in one word.

use std::{collections::BTreeMap, convert::Infallible};

use rand_core::{TryCryptoRng, TryRng};
use sekisho_core::{
    file::FileEntry,
    id::{EnvironmentId, ItemId, KeyId, TokenId, UserId, VaultId},
    key::{OpenError, OperatorKey, PublicKey, TokenKey, TokenPlace, VaultKey, WrappedKey},
    records::{
        Fault, Head, ItemRecord, PartRecord, Records, SigningKeyRecord, TitleMark, TokenRecord,
        VaultRecord,
    },
    seal::{self, Kind, Place, Sealed},
    secret::SecretBytes,
    sync::{SignedHead, token_list_digest},
    time::Timestamp,
    token::{AccessError, RawToken, Rights, TokenError},
    vault::TitleIndex,
};

use super::{Vector, from_hex, to_hex};

/// The word; an error when the file itself makes no sense or has a header that nothing looks at.
pub fn outcome(vector: &Vector) -> Result<&'static str, String> {
    let mut headers = Headers(vector.headers.clone());
    headers.0.remove("about");
    let word = judge(vector, &mut headers);
    match (word, headers.0.keys().next()) {
        (None, _) => Err(format!(
            "a header is missing or wrong; left: {:?}",
            headers.0
        )),
        (Some(_), Some(unused)) => Err(format!("nothing looks at the header {unused}")),
        (Some(word), None) => Ok(word),
    }
}

fn judge(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    match vector.folder.as_str() {
        "sealed" => sealed(vector, headers),
        "wrapped-to-operator" => wrapped_to_operator(vector, headers),
        "environment-key" => environment_key(vector, headers),
        "wrapped-for-token" => wrapped_for_token(vector, headers),
        "token" => token(vector, headers),
        "head" => head(vector, headers),
        "token-list" => token_list(vector, headers),
        "file-chunk" => file_chunk(vector, headers),
        "title-mark" => title_mark(vector, headers),
        _ => None,
    }
}

struct Headers(BTreeMap<String, String>);

impl Headers {
    fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn parse<T: std::str::FromStr>(&mut self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    fn bytes(&mut self, name: &str) -> Option<Vec<u8>> {
        from_hex(&self.text(name)?)
    }

    fn array<const N: usize>(&mut self, name: &str) -> Option<[u8; N]> {
        self.bytes(name)?.try_into().ok()
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        serde_json::from_str(&self.text(name)?).ok()
    }

    fn vault_key(&mut self) -> Option<VaultKey> {
        let generation = self.parse("generation")?;
        Some(VaultKey::dangerous_from_bytes(
            generation,
            self.array("key")?,
        ))
    }
}

/// Opened to what was expected, opened to something else (always wrong), or not opened.
fn opened(plain: Result<&[u8], OpenError>, wanted: Option<Vec<u8>>) -> &'static str {
    match (plain, wanted) {
        (Ok(plain), Some(wanted)) if plain == wanted => "opens",
        (Ok(_), _) => "opens to something else",
        (Err(OpenError), _) => "does not open",
    }
}

fn sealed(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let (vault, version) = (
        headers.parse::<VaultId>("vault")?,
        headers.parse("version")?,
    );
    let kind = headers.text("kind")?;
    let place = match kind.as_str() {
        "vault" => Place::vault(vault, version),
        kind => {
            let kind = match kind {
                "overview" => Kind::Overview,
                "details" => Kind::Details,
                "extra" => Kind::Extra,
                "files" => Kind::Files,
                _ => return None,
            };
            Place::item(kind, vault, headers.parse::<ItemId>("item")?, version)
        }
    };
    let plain = seal::open(
        &headers.vault_key()?,
        &place,
        &Sealed::from_bytes(vector.bytes.clone()),
    );
    let wanted = headers.bytes("plaintext");
    Some(opened(
        plain.as_ref().map(|plain| plain.as_slice()).map_err(|e| *e),
        wanted,
    ))
}

/// Vault keys hide their bytes; equal keys make equal marks.
fn is_key(key: &VaultKey, bytes: [u8; 32]) -> bool {
    let other = VaultKey::dangerous_from_bytes(key.generation(), bytes);
    TitleIndex::derive(key).exact("") == TitleIndex::derive(&other).exact("")
}

fn unwrapped(key: Result<VaultKey, OpenError>, wanted: Option<[u8; 32]>) -> &'static str {
    match (key, wanted) {
        (Ok(key), Some(wanted)) if is_key(&key, wanted) => "opens",
        (Ok(_), _) => "opens to something else",
        (Err(OpenError), _) => "does not open",
    }
}

fn wrapped_to_operator(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let operator = OperatorKey::from_seed(SecretBytes::new(headers.array("seed")?));
    let (user, vault) = (
        headers.parse::<UserId>("user")?,
        headers.parse::<VaultId>("vault")?,
    );
    let wrapped = WrappedKey::from_bytes(vector.bytes.clone());
    let key = operator.unwrap_vault_key(&user, &vault, &wrapped);
    Some(unwrapped(key, headers.array("key")))
}

fn environment_key(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let operator = OperatorKey::from_seed(SecretBytes::new(headers.array("seed")?));
    let (user, id) = (
        headers.parse::<UserId>("user")?,
        headers.parse::<KeyId>("kid")?,
    );
    let environment = headers.parse::<EnvironmentId>("environment")?;
    let wrapped = WrappedKey::from_bytes(vector.bytes.clone());
    let key = operator.unwrap_environment_key(&user, &environment, id, &wrapped);
    let key = key.map(|key| *key.public().as_bytes());
    Some(opened(
        key.as_ref().map(|key| key.as_slice()).map_err(|e| *e),
        headers.bytes("public"),
    ))
}

fn wrapped_for_token(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let token_key = TokenKey::generate(&mut Exactly(headers.bytes("secret")?));
    let (environment, token) = (
        headers.parse::<EnvironmentId>("environment")?,
        headers.parse::<TokenId>("token")?,
    );
    let place = TokenPlace {
        environment: &environment,
        token: &token,
        vault: &headers.parse::<VaultId>("vault")?,
        rights: Rights::parse(&headers.text("rights")?)?,
    };
    let key = token_key.unwrap(&place, &WrappedKey::from_bytes(vector.bytes.clone()));
    Some(unwrapped(key, headers.array("key")))
}

fn token(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let head = Head {
        environment: headers.parse("environment")?,
        account: headers.parse("account")?,
        version: 1,
        issued_at: Timestamp::from_seconds(0),
        max_stale: u64::MAX,
        max_inline: 0,
    };
    let records = Known {
        record: headers.json("record"),
        keys: headers.json("signing-keys")?,
    };
    let now = Timestamp::parse_rfc3339(&headers.text("now")?)?;
    let reads = headers.parse::<VaultId>("reads");
    let writes = headers.parse::<VaultId>("writes");
    let text = String::from_utf8_lossy(&vector.bytes);
    let grant = match RawToken::parse(&text).and_then(|token| token.check(&head, &records, now)) {
        Ok(grant) => grant,
        Err(error) => return Some(token_word(error)),
    };
    let access = match (reads, writes) {
        (Some(vault), _) => grant.read(&vault).map(drop),
        (None, Some(vault)) => grant.write(&vault).map(drop),
        (None, None) => Ok(()),
    };
    Some(access.map_or_else(access_word, |()| "accepted"))
}

const fn token_word(error: TokenError) -> &'static str {
    match error {
        TokenError::Malformed => "malformed",
        TokenError::Forged => "forged",
        TokenError::OtherServer => "other server",
        TokenError::NotSynchronised => "not synchronised",
        TokenError::Revoked => "revoked",
        TokenError::Expired => "expired",
        _ => "no records",
    }
}

const fn access_word(error: AccessError) -> &'static str {
    match error {
        AccessError::OutOfScope => "out of scope",
        AccessError::NotPermitted => "not permitted",
        _ => "damaged",
    }
}

fn head(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let head: SignedHead = serde_json::from_slice(&vector.bytes).ok()?;
    let key = PublicKey::parse(&headers.bytes("key")?).ok()?;
    Some(if head.verify(&key).is_ok() {
        "genuine"
    } else {
        "forged"
    })
}

fn token_list(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let tokens: Vec<TokenRecord> = serde_json::from_slice(&vector.bytes).ok()?;
    let digest = headers.text("digest")?;
    let is_equal = to_hex(&token_list_digest(tokens.iter())) == digest;
    Some(if is_equal { "equal" } else { "different" })
}

fn file_chunk(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let entry: FileEntry = headers.json("entry")?;
    let (vault, item) = (
        headers.parse::<VaultId>("vault")?,
        headers.parse::<ItemId>("item")?,
    );
    let plain = entry.open_chunk(vault, item, headers.parse("index")?, &vector.bytes);
    let wanted = headers.bytes("plaintext");
    Some(opened(
        plain.as_ref().map(|plain| plain.as_slice()).map_err(|e| *e),
        wanted,
    ))
}

fn title_mark(vector: &Vector, headers: &mut Headers) -> Option<&'static str> {
    let index = TitleIndex::derive(&headers.vault_key()?);
    let title = String::from_utf8(headers.bytes("title")?).ok()?;
    let TitleMark(mark) = match headers.text("form")?.as_str() {
        "exact" => index.exact(&title),
        "folded" => index.folded(&title),
        _ => return None,
    };
    Some(if mark.as_slice() == vector.bytes {
        "equal"
    } else {
        "different"
    })
}

/// Gives these bytes, then nothing more: puts a known secret where one would be generated.
#[derive(Debug)]
pub struct Exactly(pub Vec<u8>);

impl TryRng for Exactly {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Exactly {}

/// Records that know one token, or none.
struct Known {
    record: Option<TokenRecord>,
    keys: Vec<SigningKeyRecord>,
}

impl Records for Known {
    fn head(&self) -> Result<Head, Fault> {
        Err(Fault::Unavailable)
    }
    fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, Fault> {
        Ok(self.keys.clone())
    }
    fn token(&self, id: &TokenId) -> Result<TokenRecord, Fault> {
        let known = self.record.clone().filter(|record| record.id == *id);
        known.ok_or(Fault::Missing)
    }
    fn vault(&self, _: &VaultId) -> Result<VaultRecord, Fault> {
        Err(Fault::Missing)
    }
    fn list(&self, _: &VaultId, _: Option<&ItemId>, _: u32) -> Result<Vec<PartRecord>, Fault> {
        Err(Fault::Missing)
    }
    fn find(&self, _: &VaultId, _: &TitleMark) -> Result<Vec<PartRecord>, Fault> {
        Err(Fault::Missing)
    }
    fn details(&self, _: &VaultId, _: &ItemId) -> Result<PartRecord, Fault> {
        Err(Fault::Missing)
    }
    fn item(&self, _: &VaultId, _: &ItemId) -> Result<ItemRecord, Fault> {
        Err(Fault::Missing)
    }
    fn chunk(
        &self,
        _: &VaultId,
        _: &ItemId,
        _: &sekisho_core::id::FileId,
        _: u32,
    ) -> Result<Vec<u8>, Fault> {
        Err(Fault::Missing)
    }
}
