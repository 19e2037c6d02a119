//! AES-256-GCM (NIST SP 800-38D), 96-bit nonces, 128-bit tags.

use alloc::vec::Vec;

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, Nonce, Tag, consts::U12, consts::U16, consts::U32},
};

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
    seal::<Aes256Gcm>(key, nonce, aad, buffer, from);
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
    open::<Aes256Gcm>(key, nonce, aad, sealed)
}

/// ChaCha20-Poly1305 (RFC 8439), with keys, nonces and tags as long: for what is sealed and opened only where there are
/// no instructions for AES. WebAssembly has none, and it is three times as quick there.
pub mod chacha {
    use alloc::vec::Vec;

    use chacha20poly1305::ChaCha20Poly1305;

    use super::{NONCE_LENGTH, OpenError};

    /// [`super::seal_in_place`].
    pub fn seal_in_place(
        key: &[u8; 32],
        nonce: &[u8; NONCE_LENGTH],
        aad: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) {
        super::seal::<ChaCha20Poly1305>(key, nonce, aad, buffer, from);
    }

    /// [`super::open_in_place`].
    pub fn open_in_place(
        key: &[u8; 32],
        nonce: &[u8; NONCE_LENGTH],
        aad: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        let length = super::open::<ChaCha20Poly1305>(key, nonce, aad, buffer)?;
        buffer.truncate(length);
        Ok(())
    }
}

fn seal<A: Cipher>(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    buffer: &mut Vec<u8>,
    from: usize,
) {
    let text = buffer.get_mut(from..).unwrap_or_default();
    // Fails only beyond 64 GiB, which no caller can hold: every body is limited to MAX_BODY long before.
    let tag: Tag<A> = A::new(key.into())
        .encrypt_inout_detached(nonce.into(), aad, text.into())
        .unwrap_or_default();
    buffer.extend_from_slice(&tag);
}

fn open<A: Cipher>(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    aad: &[u8],
    sealed: &mut [u8],
) -> Result<usize, OpenError> {
    let length = sealed.len().checked_sub(TAG_LENGTH).ok_or(OpenError)?;
    let (text, tag) = sealed.split_at_mut(length);
    let tag: [u8; TAG_LENGTH] = (&*tag).try_into().map_err(|_| OpenError)?;
    let (nonce, tag): (&Nonce<A>, &Tag<A>) = (nonce.into(), (&tag).into());
    A::new(key.into())
        .decrypt_inout_detached(nonce, aad, text.into(), tag)
        .map_err(|_| OpenError)?;
    Ok(length)
}

/// What both are: keys of 256 bit, nonces of 96, tags of 128.
trait Cipher: KeyInit<KeySize = U32> + AeadInOut<NonceSize = U12, TagSize = U16> {}

impl<A: KeyInit<KeySize = U32> + AeadInOut<NonceSize = U12, TagSize = U16>> Cipher for A {}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439 §2.8.2.
    #[test]
    fn chacha_is_that_of_the_rfc() {
        let mut key = [0; 32];
        for (byte, n) in key.iter_mut().zip(0x80..) {
            *byte = n;
        }
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let text = b"Ladies and Gentlemen of the class of '99: \
            If I could offer you only one tip for the future, sunscreen would be it.";
        let mut sealed = text.to_vec();
        chacha::seal_in_place(&key, &nonce, &aad, &mut sealed, 0);
        let (ciphertext, tag) = sealed.split_at(text.len());
        let begin = 0xd31a_8d34_648e_60db_7b86_afbc_53ef_7ec2_u128.to_be_bytes();
        assert_eq!(ciphertext[..16], begin);
        assert_eq!(
            tag,
            0x1ae1_0b59_4f09_e26a_7e90_2ecb_d060_0691_u128.to_be_bytes()
        );
        let mut opened = sealed.clone();
        chacha::open_in_place(&key, &nonce, &aad, &mut opened).unwrap();
        assert_eq!(opened, text);
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(
                chacha::open_in_place(&key, &nonce, &aad, &mut damaged).is_err(),
                "{at}"
            );
        }
        let mut cut = sealed[..TAG_LENGTH - 1].to_vec();
        assert!(chacha::open_in_place(&key, &nonce, &aad, &mut cut).is_err());
    }
}
