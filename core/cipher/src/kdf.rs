//! HKDF with SHA-256 (RFC 5869).

use hkdf::Hkdf;
use sha2::Sha256;

use crate::secret::SecretBytes;

/// `HKDF-Expand(HKDF-Extract(salt: none, secret), info[0] ‖ info[1] ‖ …, 32)`.
pub fn derive(secret: &SecretBytes<32>, info: &[&[u8]]) -> SecretBytes<32> {
    // EXPOSE: the input of the derivation.
    extract_and_expand(secret.expose(), info)
}

/// The same from a text that holds enough that is secret: a token.
pub fn derive_from_text(secret: &str, info: &[&[u8]]) -> SecretBytes<32> {
    extract_and_expand(secret.as_bytes(), info)
}

fn extract_and_expand(secret: &[u8], info: &[&[u8]]) -> SecretBytes<32> {
    let mut out = [0u8; 32];
    // 32 bytes are far below HKDF's limit of 255 blocks, so expanding cannot fail.
    let _ = Hkdf::<Sha256>::new(None, secret).expand_multi_info(info, &mut out);
    SecretBytes::new(out)
}
