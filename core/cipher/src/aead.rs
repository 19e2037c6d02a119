//! AES-256-GCM (NIST SP 800-38D), 96-bit nonces, 128-bit tags.

use alloc::vec::Vec;

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};

use super::OpenError;

/// Bytes of a nonce.
pub const NONCE_LENGTH: usize = 12;
/// Bytes of a tag.
pub const TAG_LENGTH: usize = 16;

/// Replaces `buffer[from..]` by its ciphertext and appends the tag: `seal[key, nonce, aad](plaintext)`.
pub fn seal_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    buffer: &mut Vec<u8>,
    from: usize,
) {
    let cipher = Aes256Gcm::new(key.into());
    let text = buffer.get_mut(from..).unwrap_or_default();
    // Fails only beyond 64 GiB, which no caller can hold: every body is limited to MAX_BODY long before.
    let tag = cipher
        .encrypt_inout_detached(nonce.into(), aad, text.into())
        .unwrap_or_default();
    buffer.extend_from_slice(&tag);
}

/// Replaces the ciphertext and tag in `buffer` by the plaintext.
pub fn open_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), OpenError> {
    let length = open_slice(key, nonce, aad, buffer)?;
    buffer.truncate(length);
    Ok(())
}

/// The same on a slice: opens `sealed` (ciphertext then tag) and hands the plaintext's length back.
pub fn open_slice(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    sealed: &mut [u8],
) -> Result<usize, OpenError> {
    let length = sealed.len().checked_sub(TAG_LENGTH).ok_or(OpenError)?;
    let (text, tag) = sealed.split_at_mut(length);
    let tag: [u8; TAG_LENGTH] = (&*tag).try_into().map_err(|_| OpenError)?;
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(nonce.into(), aad, text.into(), (&tag).into())
        .map_err(|_| OpenError)?;
    Ok(length)
}
