//! A fresh Ed25519 key for the sample (RFC 8032 §5.1.5), as 1Password keeps one: PKCS #8 (RFC 8410), and for people
//! its public half and fingerprint as OpenSSH writes them.

use curve25519_dalek::EdwardsPoint;
use sekisho_core::{CryptoRng, encoding, secret::SecretText};
use sha2::{Digest, Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

/// Everything before the seed in the DER of a PKCS #8 Ed25519 key.
const DER_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

pub(super) struct SshKey {
    pub(super) private: SecretText,
    pub(super) public: String,
    pub(super) fingerprint: String,
}

impl SshKey {
    pub(super) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::of_seed(&seed)
    }

    fn of_seed(seed: &[u8; 32]) -> Self {
        let blob = public_blob(&public_half(seed));
        let der = Zeroizing::new([DER_HEAD.as_slice(), seed].concat());
        let pem = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64(&der)
        ));
        Self {
            private: SecretText::new(pem.as_str()),
            public: format!("ssh-ed25519 {}", base64(&blob)),
            fingerprint: format!(
                "SHA256:{}",
                base64(&Sha256::digest(&blob)).trim_end_matches('=')
            ),
        }
    }
}

/// The public half of a seed (RFC 8032 §5.1.5).
pub(crate) fn public_half(seed: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha512::digest(seed);
    let mut scalar = [0; 32];
    for (slot, byte) in scalar.iter_mut().zip(hash.iter()) {
        *slot = *byte;
    }
    let point = EdwardsPoint::mul_base_clamped(scalar).compress().to_bytes();
    scalar.zeroize();
    hash.as_mut_slice().zeroize();
    point
}

/// RFC 8709 §4.
fn public_blob(public: &[u8; 32]) -> Vec<u8> {
    let name = b"ssh-ed25519";
    let mut blob = Vec::new();
    for part in [name.as_slice(), public] {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
        blob.extend_from_slice(part);
    }
    blob
}

/// RFC 4648 §4, from the form this program has already.
fn base64(bytes: &[u8]) -> String {
    let mut text = encoding::base64url(bytes)
        .replace('-', "+")
        .replace('_', "/");
    text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 1.
    #[test]
    fn the_public_half_is_the_rfcs() {
        let bytes = |hex: &str| -> [u8; 32] {
            let number =
                |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            let digits: Vec<u8> = hex.as_bytes().chunks(2).map(number).collect();
            digits.try_into().unwrap()
        };
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(public_half(&seed), public);
        let key = SshKey::of_seed(&seed);
        assert!(
            key.public
                .starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI")
        );
        assert_eq!(key.fingerprint.len(), 7 + 43);
        // EXPOSE: the RFC's own key.
        assert!(
            key.private
                .expose()
                .starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI")
        );
    }
}
