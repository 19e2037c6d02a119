//! base64url without padding (RFC 4648 §5), in constant time: keys and tokens are written so.
//!
//! Not inlined, because it would be compiled for size where its caller is (ADR 0023).

use alloc::{string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding};

/// Encodes bytes.
#[inline(never)]
pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Decodes text; `None` if it is not base64url.
#[inline(never)]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}
