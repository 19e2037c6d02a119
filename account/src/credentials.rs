//! `1password-credentials.json`: what makes a host one particular Connect server.
//!
//! The five members are the vendor's (connect-contract.md §5), for the tools that look for them; their content is ours:
//!
//! ```json
//! {
//!   "verifier": {
//!     "account": "<26 upper>",
//!     "environment": "<26 upper>",
//!     "keys": [
//!       { "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "head",       "x": "…", "y": "…" },
//!       { "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "<26 lower>", "x": "…", "y": "…" }
//!     ]
//!   },
//!   "encCredentials": {
//!     "environment": "<26 upper>",
//!     "name": "<the environment's name>",
//!     "device": "<base64url, 32 bytes: the device secret>",
//!     "url": "<where the account is; absent = said elsewhere>",
//!     "ca": "<PEM of the CA to trust there; absent = the public ones>"
//!   },
//!   "uniqueKey": { "kid": "<26 lower>" },
//!   "version": "2",
//!   "deviceUuid": "<26 lower>"
//! }
//! ```
//!
//! * `verifier` is public: the JWK set (RFC 7517) of whom to believe. The key named `head` signs the account's heads,
//!   every other one signs tokens under its name; a rotation adds one.
//! * `encCredentials` holds the one secret. Stolen, it fetches ciphertext: what opens it is in the tokens. It is not
//!   encrypted, whatever its name says, for there is nothing on a host that could keep a key better than this file.
//! * `uniqueKey` and `deviceUuid` tell servers apart in logs; they prove nothing.
//!
//! Reading is tolerant: unknown members are passed over, `uniqueKey` and `deviceUuid` may be absent, `version` may be
//! a number, a JWK of a kind that is not ours is passed over.

use std::{fmt, path::Path};

use rand_core::CryptoRng;
use sekisho_core::{
    id::{AccountId, EnvironmentId, KeyId},
    key::{DeviceSecret, PublicKey},
    records::SigningKeyRecord,
    sync::Trust,
};
use zeroize::Zeroizing;

use crate::{FileError, private_file};

mod json;

/// The file, decided.
#[derive(Clone)]
pub struct Credentials {
    trust: Trust,
    signing_keys: Vec<SigningKeyRecord>,
    name: String,
    device: DeviceSecret,
    url: Option<String>,
    ca: Option<String>,
    unique: Option<KeyId>,
    device_id: Option<KeyId>,
}

impl Credentials {
    /// For a new environment, with fresh ids for the device.
    pub fn new(
        trust: Trust,
        name: &str,
        device: DeviceSecret,
        key: SigningKeyRecord,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        Self {
            trust,
            signing_keys: vec![key],
            name: name.to_owned(),
            device,
            url: None,
            ca: None,
            unique: Some(KeyId::generate(rng)),
            device_id: Some(KeyId::generate(rng)),
        }
    }

    /// The same, saying where the account is, and the PEM of the CA to trust there if it is a private one.
    #[must_use]
    pub fn with_account(mut self, url: &str, ca: Option<&str>) -> Self {
        self.url = Some(url.to_owned());
        self.ca = ca.map(str::to_owned);
        self
    }

    /// The same, believing one more key: tokens of before and after a rotation are both good.
    #[must_use]
    pub fn with_signing_key(mut self, key: SigningKeyRecord) -> Self {
        self.signing_keys.retain(|known| known.id != key.id);
        self.signing_keys.insert(0, key);
        self
    }

    /// From the file's JSON.
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        json::parse(json)
    }

    /// Reads a file. For the other forms of `OP_SESSION` decode, then [`Credentials::parse`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::parse(&private_file::read(path)?)
    }

    /// Writes the file, mode 0600. One that exists is refused unless `overwrite`.
    pub fn write(&self, path: &Path, overwrite: bool) -> Result<(), FileError> {
        let json = self.to_json()?;
        if overwrite {
            private_file::replace(path, &json)
        } else {
            private_file::write_new(path, &json)
        }
    }

    /// The file's content.
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, FileError> {
        json::write(self)
    }

    /// Whom to believe.
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// The account.
    pub const fn account(&self) -> AccountId {
        self.trust.account
    }

    /// The environment.
    pub const fn environment(&self) -> EnvironmentId {
        self.trust.environment
    }

    /// The environment's name when the file was made.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys that verify tokens, newest first.
    pub fn signing_keys(&self) -> &[SigningKeyRecord] {
        &self.signing_keys
    }

    /// What authenticates the host to the account.
    pub const fn device(&self) -> &DeviceSecret {
        &self.device
    }

    /// Where the account is, if the file says it.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// PEM of the CA to trust there.
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("account", &self.trust.account)
            .field("environment", &self.trust.environment)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The head's key id in the JWK set. No [`KeyId`] is that short.
const HEAD: &str = "head";

fn public_key(x: &[u8; 32], y: &[u8; 32]) -> Option<PublicKey> {
    let point = [&[4], x.as_slice(), y].concat();
    PublicKey::parse(&point).ok()
}

#[cfg(test)]
mod tests {
    use sekisho_core::key::{EnvironmentKey, SigningKey};
    use sekisho_core::secret::SecretBytes;

    use super::*;
    use crate::random::SystemRng;

    fn credentials() -> Credentials {
        let rng = &mut SystemRng;
        let head = SigningKey::derive(&SecretBytes::generate(rng), b"test");
        let trust = Trust {
            account: AccountId::generate(rng),
            environment: EnvironmentId::generate(rng),
            head_key: head.public(),
        };
        Credentials::new(trust, "prod", DeviceSecret::generate(rng), record(), rng)
    }

    fn record() -> SigningKeyRecord {
        let key = EnvironmentKey::generate(&mut SystemRng);
        SigningKeyRecord {
            id: key.id(),
            public: key.public(),
        }
    }

    #[test]
    fn comes_back_whole_after_a_rotation() {
        let made = credentials()
            .with_account("https://account.test", Some("PEM"))
            .with_signing_key(record());
        let back = Credentials::parse(&made.to_json().unwrap()).unwrap();
        assert_eq!(back.signing_keys(), made.signing_keys());
        assert_eq!(back.signing_keys().len(), 2);
        assert_eq!(back.trust().head_key, made.trust().head_key);
        assert_eq!(back.environment(), made.environment());
        assert_eq!(back.device().digest(), made.device().digest());
        assert_eq!(
            (back.name(), back.url(), back.ca()),
            ("prod", Some("https://account.test"), Some("PEM"))
        );
    }

    #[test]
    fn has_exactly_the_five_members() {
        let json = credentials().to_json().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let mut members: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        members.sort();
        assert_eq!(
            members,
            [
                "deviceUuid",
                "encCredentials",
                "uniqueKey",
                "verifier",
                "version"
            ]
        );
        assert_eq!(value["version"], "2");
    }

    #[test]
    fn tolerates_more_and_less() {
        let json = credentials().to_json().unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        value["version"] = 2.into();
        value["more"] = true.into();
        value.as_object_mut().unwrap().remove("uniqueKey");
        value.as_object_mut().unwrap().remove("deviceUuid");
        let keys = value["verifier"]["keys"].as_array_mut().unwrap();
        keys.push(serde_json::json!({"kty": "RSA", "kid": "x"}));
        assert!(Credentials::parse(value.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn says_what_is_wrong_and_never_what_is_in_it() {
        let made = credentials();
        let secret = made.device().to_text();
        let error = |json: &str| Credentials::parse(json.as_bytes()).unwrap_err();
        let vendor = r#"{"verifier":{"salt":"a","localHash":"b"},"encCredentials":{"kid":"k"},"version":"2"}"#;
        assert_eq!(error(vendor), FileError::Vendor);
        assert_eq!(error(r#"{"version":"1"}"#), FileError::Version("2"));
        let json = String::from_utf8(made.to_json().unwrap().to_vec()).unwrap();
        let broken = error(&json.replace("\"device\": \"", "\"device\": \"!"));
        assert_eq!(broken, FileError::Member("encCredentials.device"));
        let cut = json.split_at(json.len() - 9).0;
        for text in [
            format!("{:?} {made:?}", error(cut)),
            format!("{broken:?} {broken}"),
        ] {
            assert!(!text.contains(secret.expose()));
        }
    }

    #[test]
    fn is_overwritten_only_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1password-credentials.json");
        let (first, second) = (credentials(), credentials());
        first.write(&path, false).unwrap();
        assert!(matches!(
            second.write(&path, false),
            Err(FileError::Exists(_))
        ));
        second.write(&path, true).unwrap();
        let read = Credentials::read(&path).unwrap();
        assert_eq!(read.environment(), second.environment());
    }
}
