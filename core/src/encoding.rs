//! Base64url without padding (RFC 4648 §5), in constant time: the form of every binary value in our JSON.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64UrlUnpadded, Encoding};

/// The text is not base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url")]
pub struct EncodingError;

/// Encodes bytes.
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Decodes text, padding tolerated.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, EncodingError> {
    Base64UrlUnpadded::decode_vec(text.trim_end_matches('=')).map_err(|_| EncodingError)
}

/// Decodes text of exactly `N` bytes.
pub fn array_from_base64url<const N: usize>(text: &str) -> Result<[u8; N], EncodingError> {
    from_base64url(text)?.try_into().map_err(|_| EncodingError)
}

/// `#[serde(with = "encoding::bytes")]`: a byte vector as base64url text.
pub mod bytes {
    use alloc::{borrow::Cow, vec::Vec};

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes bytes as text.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::base64url(bytes))
    }

    /// Reads text as bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        super::from_base64url(&text).map_err(de::Error::custom)
    }
}

/// `#[serde(with = "encoding::array")]`: a byte array as base64url text.
pub mod array {
    use alloc::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes bytes as text.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::base64url(bytes))
    }

    /// Reads text as bytes.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        super::array_from_base64url(&text).map_err(de::Error::custom)
    }
}
