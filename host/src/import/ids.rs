//! Ids: which are kept, and how a replacement is made.

use std::collections::HashSet;

use super::report::IdFault;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// `^[0-9a-z]{26}$`
fn well_formed(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// Claims an id that must be of the form of an id.
pub(super) fn claim(found: Option<&str>, taken: &mut HashSet<String>) -> Result<String, IdFault> {
    match claim_any(found, taken) {
        Ok(id) if well_formed(&id) => Ok(id),
        Ok(_) => Err(IdFault::Malformed),
        Err(fault) => Err(fault),
    }
}

/// Claims an id of any form, as fields and sections have them.
pub(super) fn claim_any(
    found: Option<&str>,
    taken: &mut HashSet<String>,
) -> Result<String, IdFault> {
    let id = found
        .filter(|text| !text.is_empty())
        .ok_or(IdFault::Missing)?;
    if taken.insert(id.to_owned()) {
        Ok(id.to_owned())
    } else {
        Err(IdFault::Duplicate)
    }
}

/// Makes an id out of a place, so that importing twice gives the same one.
pub(super) fn derive(place: &str, taken: &mut HashSet<String>) -> String {
    let mut id = base32(fnv(place));
    while !taken.insert(id.clone()) {
        id = base32(fnv(&id));
    }
    id
}

/// FNV-1a, 128 bits: equal places must give equal ids, nobody need be kept from guessing them.
fn fnv(text: &str) -> u128 {
    // The zeros spread the last letters of the place over all bits.
    text.bytes()
        .chain([0; 16])
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
        })
}

/// 16 bytes as 26 letters: 1Password refuses ids whose last letter has either of the two spare bits set.
fn base32(number: u128) -> String {
    let quintets = (0..25)
        .map(|at| number >> (123 - 5 * at))
        .chain([number << 2]);
    quintets
        .map(|bits| {
            ALPHABET
                .get((bits & 31) as usize)
                .map_or('a', |letter| char::from(*letter))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_well_formed_stable_and_distinct() {
        let mut taken = HashSet::new();
        let (first, again) = (derive("a", &mut taken), derive("a", &mut taken));
        assert!(well_formed(&first) && well_formed(&again));
        assert_ne!(first, again);
        assert_eq!(first, derive("a", &mut HashSet::new()));
    }

    #[test]
    fn base32_spells_all_bits() {
        assert_eq!(base32(0), "a".repeat(26));
        assert_eq!(base32(u128::MAX), format!("{}4", "7".repeat(25)));
    }
}
