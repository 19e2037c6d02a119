//! Identifiers: 26 characters of base32, parsed once at the border and `Copy` afterwards.
//!
//! Connect's pattern is `^[0-9a-z]{26}$` (connect-contract.md §3); really they are 16 random bytes in unpadded
//! base32. Ids of accounts, users and servers appear in upper case. A type accepts only its own case.

use alloc::string::String;
use core::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Length of every identifier, in ASCII characters.
pub const ID_LENGTH: usize = 26;

/// The text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier has 26 letters and digits")]
pub struct IdError;

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident $case:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_LENGTH]);

        impl $name {
            /// Sorts before every identifier: a bound for ranges, not an identifier.
            pub const MIN: Self = Self([0; ID_LENGTH]);
            /// Sorts after every identifier: a bound for ranges, not an identifier.
            pub const MAX: Self = Self([0x7f; ID_LENGTH]);

            /// Parses the 26-character form.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let bytes: [u8; ID_LENGTH] = text.as_bytes().try_into().map_err(|_| IdError)?;
                if bytes.iter().all(|b| b.is_ascii_digit() || identifiers!(@is $case b)) {
                    Ok(Self(bytes))
                } else {
                    Err(IdError)
                }
            }

            /// Generates a fresh identifier of 128 random bits.
            pub fn generate(rng: &mut dyn CryptoRng) -> Self {
                let mut entropy = [0; 16];
                rng.fill_bytes(&mut entropy);
                Self::from_entropy(entropy)
            }

            /// The identifier that spells these 128 bits.
            pub fn from_entropy(entropy: [u8; 16]) -> Self {
                Self(identifiers!(@spell $case base32(entropy)))
            }

            /// The 26 ASCII characters.
            pub fn as_str(&self) -> &str {
                core::str::from_utf8(&self.0).unwrap_or_default()
            }

            /// The same as bytes, as they stand in associated data.
            pub const fn as_bytes(&self) -> &[u8; ID_LENGTH] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Text(Self::parse))
            }
        }
    )+};
    (@is lower $b:ident) => { $b.is_ascii_lowercase() };
    (@is upper $b:ident) => { $b.is_ascii_uppercase() };
    (@spell lower $bytes:expr) => { $bytes };
    (@spell upper $bytes:expr) => { { let mut bytes = $bytes; bytes.make_ascii_uppercase(); bytes } };
}

identifiers! {
    /// Names a vault.
    VaultId lower;
    /// Names an item.
    ItemId lower;
    /// Names a file attached to an item.
    FileId lower;
    /// Names an access token (the claim `jti`).
    TokenId lower;
    /// Names a signing key (the header `kid`).
    KeyId lower;
    /// Names a group of operators.
    GroupId lower;
    /// Names an environment, that is one Connect server (the claim `sub`).
    EnvironmentId upper;
    /// Names an account (the claim `1password.com/auuid`).
    AccountId upper;
    /// Names an operator.
    UserId upper;
}

/// A fresh id for things of our making inside an item (fields, sections), in the form the vendor's server gives them.
pub fn generate_member_id(rng: &mut dyn CryptoRng) -> String {
    String::from(ItemId::generate(rng).as_str())
}

/// Reads an id where it lies: a feed has a hundred thousand.
struct Text<T>(fn(&str) -> Result<T, IdError>);

impl<T> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an identifier of {ID_LENGTH} letters and digits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

fn base32(entropy: [u8; 16]) -> [u8; ID_LENGTH] {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits = u128::from_be_bytes(entropy);
    let mut out = [0u8; ID_LENGTH];
    // 26 × 5 = 130 bits: the last character carries the three lowest bits, then two zero bits.
    for (position, slot) in out.iter_mut().enumerate().rev() {
        let (take, pad) = if position == ID_LENGTH - 1 {
            (3, 2)
        } else {
            (5, 0)
        };
        let value = (bits & ((1 << take) - 1)) << pad;
        *slot = ALPHABET.get(value as usize).copied().unwrap_or(b'a');
        bits >>= take;
    }
    out
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::cipher::test_rng;

    #[test]
    fn parses_only_its_own_case_and_length() {
        assert!(VaultId::parse("aaaaaaaaaaaaaaaaaaaaaaaaa2").is_ok());
        assert!(VaultId::parse("AAAAAAAAAAAAAAAAAAAAAAAAA2").is_err());
        assert!(EnvironmentId::parse("AAAAAAAAAAAAAAAAAAAAAAAAA2").is_ok());
        for bad in [
            "",
            "a",
            "aaaaaaaaaaaaaaaaaaaaaaaaaa2",
            "aaaaaaaaaaaaaaaaaaaaaaaa-2",
            "ääääääääääääa",
        ] {
            assert!(VaultId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn generated_ids_parse_and_differ() {
        let mut rng = test_rng(1);
        let (a, b) = (ItemId::generate(&mut rng), ItemId::generate(&mut rng));
        assert_ne!(a, b);
        assert_eq!(ItemId::parse(&a.to_string()), Ok(a));
        assert!(
            matches!(
                a.as_bytes()[25],
                b'a' | b'e' | b'i' | b'm' | b'q' | b'u' | b'y' | b'4'
            ),
            "two zero bits end it"
        );
        assert!(UserId::parse(UserId::generate(&mut rng).as_str()).is_ok());
    }
}
