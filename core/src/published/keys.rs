//! What an edge is told, once: whom it serves for, and how it knows what was published for it.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    cipher::{OpenError, hash, kdf},
    encoding,
    id::{AccountId, EnvironmentId, ID_LENGTH},
    key::{DeviceSecret, PublicKey},
    secret::{SecretBytes, SecretText},
    sync::Trust,
};

const VERSION: u8 = 1;
const POINT: usize = 65;

/// The keys of an edge: enough to read and to publish, not enough to be a host, for what the account asks for, the
/// device secret, cannot be had from them.
///
/// ```text
/// text: base64url of 0x01 ‖ account (26) ‖ environment (26) ‖ head key's point (65) ‖ MAC key (32) ‖ read bearer (32) ‖ publish bearer (32)
/// ```
#[derive(Clone)]
pub struct EdgeKeys {
    trust: Trust,
    mac: SecretBytes<32>,
    read: SecretBytes<32>,
    publish: SecretBytes<32>,
}

impl EdgeKeys {
    /// From what a credentials file holds.
    pub fn derive(trust: Trust, device: &DeviceSecret) -> Self {
        let derive = |what: &[u8]| kdf::derive(device.bytes(), &[b"sekisho/v1/", what]);
        Self {
            trust,
            mac: derive(b"published"),
            read: derive(b"edge-read"),
            publish: derive(b"edge-publish"),
        }
    }

    /// From the text that [`EdgeKeys::to_text`] gives.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let bytes = Zeroizing::new(encoding::from_base64url(text.trim()).map_err(|_| OpenError)?);
        Self::take_apart(&bytes).ok_or(OpenError)
    }

    fn take_apart(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let mut take = |length: usize| {
            let (taken, left) = rest.split_at_checked(length)?;
            rest = left;
            Some(taken)
        };
        let account = AccountId::parse(core::str::from_utf8(take(ID_LENGTH)?).ok()?).ok()?;
        let environment =
            EnvironmentId::parse(core::str::from_utf8(take(ID_LENGTH)?).ok()?).ok()?;
        let keys = Self {
            trust: Trust {
                account,
                environment,
                head_key: PublicKey::parse(take(POINT)?).ok()?,
            },
            mac: SecretBytes::from_slice(take(32)?)?,
            read: SecretBytes::from_slice(take(32)?)?,
            publish: SecretBytes::from_slice(take(32)?)?,
        };
        rest.is_empty().then_some(keys)
    }

    /// As one line of text, for an edge's configuration.
    pub fn to_text(&self) -> SecretText {
        // EXPOSE: written where the operator asked for it.
        let parts: [&[u8]; 7] = [
            &[VERSION],
            self.trust.account.as_bytes(),
            self.trust.environment.as_bytes(),
            self.trust.head_key.as_bytes(),
            self.mac.expose(),
            self.read.expose(),
            self.publish.expose(),
        ];
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(parts.concat());
        SecretText::new(encoding::base64url(&bytes))
    }

    /// Whom to believe.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// What proves an edge to a host that it reads from, as a bearer's text.
    pub fn read_bearer(&self) -> SecretText {
        // EXPOSE: sent as a bearer, or compared with one.
        SecretText::new(encoding::base64url(self.read.expose()))
    }

    /// What proves a publisher to an edge that keeps the set itself, as a bearer's text.
    pub fn publish_bearer(&self) -> SecretText {
        // EXPOSE: sent as a bearer, or compared with one.
        SecretText::new(encoding::base64url(self.publish.expose()))
    }

    /// The MAC over these bytes.
    pub(super) fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        // EXPOSE: the key goes to the MAC.
        hash::hmac_sha256(self.mac.expose(), &[bytes])
    }

    /// Whether these bytes bear this MAC.
    pub(super) fn has_mac(&self, bytes: &[u8], mac: &[u8; 32]) -> bool {
        self.mac(bytes).ct_eq(mac).into()
    }
}

impl fmt::Debug for EdgeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeKeys")
            .field("account", &self.trust.account)
            .field("environment", &self.trust.environment)
            .finish_non_exhaustive()
    }
}
