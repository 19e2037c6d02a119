//! The file as it is written; see the module above for the shape.

use sekisho_core::{
    encoding,
    id::{AccountId, EnvironmentId, KeyId},
    key::DeviceSecret,
    records::SigningKeyRecord,
    secret::SecretText,
    sync::Trust,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Credentials, HEAD, public_key};
use crate::{FileError, secret_json};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    verifier: Verifier,
    #[serde(default)]
    enc_credentials: Enc,
    #[serde(default)]
    unique_key: Unique,
    #[serde(default)]
    version: Value,
    #[serde(default)]
    device_uuid: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Verifier {
    #[serde(default)]
    account: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    keys: Vec<Jwk>,
    /// The vendor's mark.
    #[serde(default, rename = "localHash", skip_serializing)]
    local_hash: Option<Value>,
}

#[derive(Default, Serialize, Deserialize)]
struct Jwk {
    #[serde(default)]
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    alg: String,
    #[serde(default, rename = "use")]
    usage: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Enc {
    #[serde(default)]
    environment: String,
    #[serde(default)]
    name: String,
    #[serde(default, with = "secret_json")]
    device: SecretText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Unique {
    #[serde(default)]
    kid: Option<String>,
}

pub(super) fn parse(json: &[u8]) -> Result<Credentials, FileError> {
    let written: Written =
        serde_json::from_slice(json).map_err(|error| FileError::not_json(&error))?;
    if written.version != "2" && written.version != 2 {
        return Err(FileError::Version("2"));
    }
    if written.verifier.local_hash.is_some() {
        return Err(FileError::Vendor);
    }
    decide(written)
}

fn decide(written: Written) -> Result<Credentials, FileError> {
    let Written {
        verifier,
        enc_credentials: enc,
        ..
    } = written;
    Ok(Credentials {
        trust: trust(&verifier, &enc)?,
        signing_keys: signing_keys(&verifier),
        name: enc.name,
        // EXPOSE: parsed.
        device: DeviceSecret::parse(enc.device.expose())
            .map_err(|_| FileError::Member("encCredentials.device"))?,
        url: enc.url,
        ca: enc.ca,
        unique: written.unique_key.kid.and_then(|id| KeyId::parse(&id).ok()),
        device_id: written.device_uuid.and_then(|id| KeyId::parse(&id).ok()),
    })
}

fn trust(verifier: &Verifier, enc: &Enc) -> Result<Trust, FileError> {
    let environment = EnvironmentId::parse(&verifier.environment)
        .map_err(|_| FileError::Member("verifier.environment"))?;
    if enc.environment != environment.as_str() {
        return Err(FileError::Member("encCredentials.environment"));
    }
    let head = verifier.keys.iter().find(|key| key.kid == HEAD);
    Ok(Trust {
        account: AccountId::parse(&verifier.account)
            .map_err(|_| FileError::Member("verifier.account"))?,
        environment,
        head_key: head
            .and_then(Jwk::public)
            .ok_or(FileError::Member("verifier.keys"))?,
    })
}

fn signing_keys(verifier: &Verifier) -> Vec<SigningKeyRecord> {
    let keys = verifier.keys.iter();
    keys.filter_map(|key| {
        let id = KeyId::parse(&key.kid).ok()?;
        let public = key.public()?;
        Some(SigningKeyRecord { id, public })
    })
    .collect()
}

impl Jwk {
    fn new(kid: &str, public: &sekisho_core::key::PublicKey) -> Self {
        let (x, y) = public.coordinates();
        Self {
            kty: "EC".into(),
            crv: "P-256".into(),
            alg: "ES256".into(),
            usage: "sig".into(),
            kid: kid.into(),
            x: encoding::base64url(&x),
            y: encoding::base64url(&y),
        }
    }

    fn public(&self) -> Option<sekisho_core::key::PublicKey> {
        if self.kty != "EC" || self.crv != "P-256" {
            return None;
        }
        let x = encoding::array_from_base64url(&self.x).ok()?;
        let y = encoding::array_from_base64url(&self.y).ok()?;
        public_key(&x, &y)
    }
}

pub(super) fn write(credentials: &Credentials) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let trust = &credentials.trust;
    let head = Jwk::new(HEAD, &trust.head_key);
    let keys = credentials.signing_keys.iter();
    let keys = keys.map(|key| Jwk::new(key.id.as_str(), &key.public));
    let written = Written {
        verifier: Verifier {
            account: trust.account.to_string(),
            environment: trust.environment.to_string(),
            keys: std::iter::once(head).chain(keys).collect(),
            local_hash: None,
        },
        enc_credentials: Enc {
            environment: trust.environment.to_string(),
            name: credentials.name.clone(),
            device: credentials.device.to_text(),
            url: credentials.url.clone(),
            ca: credentials.ca.clone(),
        },
        unique_key: Unique {
            kid: credentials.unique.map(|id| id.to_string()),
        },
        version: "2".into(),
        device_uuid: credentials.device_id.map(|id| id.to_string()),
    };
    serde_json::to_vec_pretty(&written)
        .map(Zeroizing::new)
        .map_err(|error| FileError::not_json(&error))
}
