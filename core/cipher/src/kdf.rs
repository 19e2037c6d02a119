//! HKDF with SHA-256 (RFC 5869), and the one-step derivation of NIST SP 800-56C.

use hkdf::Hkdf;
use sha2::Sha256;

use crate::{hash::sha256, secret::SecretBytes};

/// `HKDF-Expand(HKDF-Extract(salt: none, secret), info[0] ‖ info[1] ‖ …, 32)`.
pub fn derive(secret: &SecretBytes<32>, info: &[&[u8]]) -> SecretBytes<32> {
    let mut out = [0u8; 32];
    // EXPOSE: the input of the derivation.
    let extracted = Hkdf::<Sha256>::new(None, secret.expose());
    // 32 bytes are far below HKDF's limit of 255 blocks, so expanding cannot fail.
    let _ = extracted.expand_multi_info(info, &mut out);
    SecretBytes::new(out)
}

/// `SHA-256(00000001 ‖ secret ‖ info)`, from a text that holds enough that is secret: a token. This is SP 800-56C rev. 2,
/// §4.1, option 1; of a long text it needs little more than half of the hashing that HKDF does. Who knows a digest of the
/// text cannot go on from it, because the counter stands before.
pub fn derive_from_text(secret: &str, info: &[u8]) -> SecretBytes<32> {
    SecretBytes::new(sha256(&[&1u32.to_be_bytes(), secret.as_bytes(), info]))
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    #[test]
    fn a_key_from_a_text_is_of_counter_text_and_info() {
        // `printf '\0\0\0\1a tokensekisho/v1/kept' | sha256sum`
        const WANTED: &str = "3de4bbc551062881b2129aa7ef56146449bcf2b50cad607b7adfb62734c92dc2";
        let key = derive_from_text("a token", b"sekisho/v1/kept");
        // EXPOSE: of a text that stands above.
        let digits: String = key.expose().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digits, WANTED);
    }
}
