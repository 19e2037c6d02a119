//! A vault's metadata and its blind title index.
//!
//! Titles are sealed. To look one up, a client's title is turned into a mark: the first 16 bytes of
//! `HMAC-SHA-256(index key, form ‖ normalised title)`, where the index key follows from the vault key and the form is
//! `0` for the exact title (NFC, UAX 15) or `1` for the case-folded one. Equal titles have equal marks in one vault;
//! across vaults marks tell nothing. A mark is a hint: what it finds is opened and compared.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::{case, cipher::hash, key::VaultKey, nfc, records::TitleMark, secret::SecretBytes};

/// What a vault's record hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultAttributes {
    /// The name people give it.
    pub name: String,
    /// What it is for; empty = absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Makes marks for one vault.
pub struct TitleIndex(SecretBytes<32>);

impl TitleIndex {
    /// The index of the vault with this key.
    pub fn derive(key: &VaultKey) -> Self {
        Self(key.derive_index_key())
    }

    /// The mark of the exact title.
    pub fn exact(&self, title: &str) -> TitleMark {
        self.mark(0, &nfc::nfc(title))
    }

    /// The mark of the title whatever its case.
    pub fn folded(&self, title: &str) -> TitleMark {
        self.mark(1, &fold(title))
    }

    /// Both, as an item's record carries them.
    pub fn marks(&self, title: &str) -> [TitleMark; 2] {
        [self.exact(title), self.folded(title)]
    }

    fn mark(&self, form: u8, normalised: &str) -> TitleMark {
        // EXPOSE: the index key goes to the MAC.
        let mac = hash::hmac_sha256(self.0.expose(), &[&[form], normalised.as_bytes()]);
        let (mark, _) = mac.split_at(16);
        TitleMark(mark.try_into().unwrap_or_default())
    }
}

impl core::fmt::Debug for TitleIndex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TitleIndex(…)")
    }
}

/// Case folded and normalised: upper- then lower-cased character by character (which takes `ß` to `ss` and `ς` to
/// `σ`, as full case folding does), then NFC.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    nfc::nfc_of(text.chars().flat_map(case::folded))
}

/// Whether two titles are equal but for case and normalisation.
pub fn equal_folded(a: &str, b: &str) -> bool {
    fold(a) == fold(b)
}

/// Whether two titles are equal but for normalisation.
pub fn equal_exact(a: &str, b: &str) -> bool {
    a == b || nfc::nfc(a) == nfc::nfc(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::test_rng;

    #[test]
    fn marks_follow_normalisation_and_case() {
        let rng = &mut test_rng(8);
        let index = TitleIndex::derive(&VaultKey::generate(1, rng));
        assert_eq!(index.exact("Caf\u{e9}"), index.exact("Cafe\u{301}"));
        assert_ne!(index.exact("Café"), index.exact("CAFÉ"));
        assert_eq!(index.folded("Café"), index.folded("CAFE\u{301}"));
        assert_eq!(index.folded("Straße"), index.folded("STRASSE"));
        assert_eq!(index.folded("ΟΔΟΣ"), index.folded("οδος"));
        assert_ne!(
            index.exact("a"),
            index.folded("a"),
            "the form is part of the mark"
        );
        let other = TitleIndex::derive(&VaultKey::generate(1, rng));
        assert_ne!(index.exact("a"), other.exact("a"));
    }
}
