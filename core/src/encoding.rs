//! Binary values on the way: base64url without padding (RFC 4648 §5), in constant time, in our JSON; themselves in formats
//! that know bytes (CBOR).

use alloc::{string::String, vec::Vec};

use sekisho_cipher::base64url as base64;

/// The text is not base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url")]
pub struct EncodingError;

/// Encodes bytes.
pub fn base64url(bytes: &[u8]) -> String {
    base64::encode(bytes)
}

/// Decodes text, padding tolerated.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, EncodingError> {
    base64::decode(text.trim_end_matches('=')).ok_or(EncodingError)
}

/// Decodes text of exactly `N` bytes.
pub fn array_from_base64url<const N: usize>(text: &str) -> Result<[u8; N], EncodingError> {
    from_base64url(text)?.try_into().map_err(|_| EncodingError)
}

/// `#[serde(with = "encoding::bytes")]`: a byte vector, in JSON as base64url text.
pub mod bytes {
    use alloc::vec::Vec;
    use core::fmt;

    use serde::{Deserializer, Serializer, de};

    /// Writes bytes.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&super::base64url(bytes))
        } else {
            serializer.serialize_bytes(bytes)
        }
    }

    /// Reads bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_byte_buf(Visitor)
        }
    }

    /// Takes either: what serde holds back for a flattened struct forgets of which format it came.
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes, or base64url")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
            super::from_base64url(text).map_err(E::custom)
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

/// `#[serde(with = "encoding::array")]`: a byte array, in JSON as base64url text.
pub mod array {
    use core::fmt;

    use serde::{Deserializer, Serializer, de};

    /// Writes bytes.
    pub fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::bytes::serialize(bytes, serializer)
    }

    /// Reads bytes.
    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }

    struct Visitor<const N: usize>;

    impl<const N: usize> de::Visitor<'_> for Visitor<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{N} bytes, or base64url of so many")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
            super::array_from_base64url(text).map_err(E::custom)
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; N], E> {
            bytes
                .try_into()
                .map_err(|_| E::invalid_length(bytes.len(), &self))
        }
    }
}
