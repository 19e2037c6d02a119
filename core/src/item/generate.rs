//! Passwords from Connect's generator recipes, and estimates of strength (connect-contract.md §2.4, §2.5).

use alloc::{string::String, vec::Vec};

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ItemError;
use crate::secret::SecretText;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const SYMBOLS: &[u8] = b"!@.-_*";

/// A set of characters to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterSet {
    /// `a`–`z`, `A`–`Z`.
    Letters,
    /// `0`–`9`.
    Digits,
    /// `!@.-_*`: those that need no quoting in most places.
    Symbols,
}

impl CharacterSet {
    const ALL: [Self; 3] = [Self::Letters, Self::Digits, Self::Symbols];

    /// Reads Connect's word in any case.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "LETTERS" => Some(Self::Letters),
            "DIGITS" => Some(Self::Digits),
            "SYMBOLS" => Some(Self::Symbols),
            _ => None,
        }
    }

    const fn characters(self) -> &'static [u8] {
        match self {
            Self::Letters => LETTERS,
            Self::Digits => DIGITS,
            Self::Symbols => SYMBOLS,
        }
    }
}

/// How to make a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// 1 to 64 characters.
    pub length: usize,
    /// Each of these occurs; none = all three.
    pub sets: Vec<CharacterSet>,
    /// Characters that do not occur.
    pub exclude: String,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            length: 32,
            sets: Vec::new(),
            exclude: String::new(),
        }
    }
}

/// Generates a password in which every set asked for occurs.
pub fn password(recipe: &Recipe, rng: &mut dyn CryptoRng) -> Result<SecretText, ItemError> {
    if !(1..=64).contains(&recipe.length) {
        return Err(ItemError::Recipe("length must be 1 to 64"));
    }
    let sets = allowed_sets(recipe)?;
    if sets.len() > recipe.length {
        return Err(ItemError::Recipe(
            "length is smaller than the number of character sets",
        ));
    }
    let all: Vec<u8> = sets.concat();
    loop {
        let candidate: Zeroizing<Vec<u8>> =
            Zeroizing::new((0..recipe.length).map(|_| pick(&all, rng)).collect());
        // Drawing again until every set occurs keeps all remaining passwords equally likely; placing one of each
        // set first would not. The odds are bad only for tiny lengths, where a draw costs nothing.
        if sets
            .iter()
            .all(|set| candidate.iter().any(|c| set.contains(c)))
        {
            return Ok(SecretText::new(
                String::from_utf8_lossy(&candidate).into_owned(),
            ));
        }
    }
}

fn allowed_sets(recipe: &Recipe) -> Result<Vec<Vec<u8>>, ItemError> {
    let wanted = if recipe.sets.is_empty() {
        CharacterSet::ALL.to_vec()
    } else {
        recipe.sets.clone()
    };
    let mut sets = Vec::with_capacity(3);
    for set in CharacterSet::ALL
        .into_iter()
        .filter(|set| wanted.contains(set))
    {
        let allowed: Vec<u8> = set
            .characters()
            .iter()
            .copied()
            .filter(|c| !recipe.exclude.contains(char::from(*c)))
            .collect();
        if allowed.is_empty() {
            return Err(ItemError::Recipe(
                "excludeCharacters leaves nothing of a character set",
            ));
        }
        sets.push(allowed);
    }
    Ok(sets)
}

/// A uniformly random element: bytes above the largest multiple of the length are drawn again.
fn pick(from: &[u8], rng: &mut dyn CryptoRng) -> u8 {
    let count = from.len().clamp(1, 256);
    let limit = 256 / count * count;
    loop {
        let mut byte = [0];
        rng.fill_bytes(&mut byte);
        let at = usize::from(byte[0]);
        if at < limit {
            return from.get(at % count).copied().unwrap_or_default();
        }
    }
}

/// A kind of characters, and how many there are for an estimate.
struct Class {
    holds: fn(char) -> bool,
    size: u32,
}

const CLASSES: [Class; 5] = [
    Class {
        holds: |c| c.is_ascii_lowercase(),
        size: 26,
    },
    Class {
        holds: |c| c.is_ascii_uppercase(),
        size: 26,
    },
    Class {
        holds: |c| c.is_ascii_digit(),
        size: 10,
    },
    Class {
        holds: |c| c.is_ascii() && !c.is_ascii_alphanumeric(),
        size: 33,
    },
    Class {
        holds: |c| !c.is_ascii(),
        size: 100,
    },
];

/// Bits of a password, estimated from its length and the kinds of characters in it, each repeated character counting
/// a quarter. An estimate for display; nothing here decides by it.
pub fn entropy(password: &str) -> f64 {
    let mut seen: Vec<char> = Vec::new();
    let mut alphabet = 0u32;
    let mut weight = 0.0;
    for class in CLASSES {
        if password.chars().any(class.holds) {
            alphabet += class.size;
        }
    }
    for c in password.chars() {
        let times = seen.iter().filter(|s| **s == c).count();
        weight += if times < 2 { 1.0 } else { 0.25 };
        seen.push(c);
    }
    zeroize::Zeroize::zeroize(&mut seen);
    if alphabet == 0 {
        0.0
    } else {
        weight * libm::log2(f64::from(alphabet))
    }
}

/// The vendor's word for so many bits.
pub fn strength(entropy: f64) -> &'static str {
    match entropy {
        bits if bits < 20.0 => "TERRIBLE",
        bits if bits < 35.0 => "WEAK",
        bits if bits < 50.0 => "FAIR",
        bits if bits < 65.0 => "GOOD",
        bits if bits < 80.0 => "VERY_GOOD",
        bits if bits < 110.0 => "EXCELLENT",
        _ => "FANTASTIC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::test_rng;

    #[test]
    fn every_set_asked_for_occurs_and_no_other() {
        let rng = &mut test_rng(9);
        for length in [1, 2, 3, 32, 64] {
            for sets in [
                &[CharacterSet::Letters][..],
                &[CharacterSet::Digits, CharacterSet::Letters],
                &[],
            ] {
                let recipe = Recipe {
                    length,
                    sets: sets.to_vec(),
                    exclude: "aA0".into(),
                };
                let Ok(made) = password(&recipe, rng) else {
                    assert!(length < allowed_sets(&recipe).unwrap().len());
                    continue;
                };
                assert_eq!(made.expose().len(), length);
                let occurs = |set: CharacterSet| {
                    made.expose().bytes().any(|c| set.characters().contains(&c))
                };
                for set in CharacterSet::ALL {
                    assert_eq!(occurs(set), sets.is_empty() || sets.contains(&set));
                }
                assert!(!made.expose().contains(['a', 'A', '0']));
            }
        }
    }

    #[test]
    fn impossible_recipes_are_refused() {
        let rng = &mut test_rng(10);
        let bad = [
            Recipe {
                length: 0,
                ..Recipe::default()
            },
            Recipe {
                length: 65,
                ..Recipe::default()
            },
            Recipe {
                length: 2,
                ..Recipe::default()
            },
            Recipe {
                exclude: "0123456789".into(),
                ..Recipe::default()
            },
        ];
        for recipe in bad {
            assert!(
                matches!(password(&recipe, rng), Err(ItemError::Recipe(_))),
                "{recipe:?}"
            );
        }
    }

    #[test]
    fn entropy_grows_and_strength_follows() {
        assert_eq!((entropy(""), strength(0.0)), (0.0, "TERRIBLE"));
        assert!(entropy("aaaaaaaa") < entropy("abcdefgh"));
        assert_eq!(
            strength(entropy("correct horse battery staple!9X")),
            "FANTASTIC"
        );
    }
}
