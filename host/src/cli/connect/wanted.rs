//! `VAULT[,r|w|rw]`: a vault and what a token may do in it.

use std::collections::BTreeSet;

use sekisho_account::Operator;
use sekisho_core::{id::VaultId, token::Rights};

use super::super::{choose, failure::Failure};

/// As typed. A name may have commas of its own: only an ending that is a right is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct WantedVault {
    name: String,
    rights: Rights,
}

impl From<&str> for WantedVault {
    fn from(text: &str) -> Self {
        let split = text
            .rsplit_once(',')
            .and_then(|(name, word)| Some((name, Rights::parse(word.trim())?)));
        // Without one, everything: as the vendor's tool does.
        let (name, rights) = split.unwrap_or((text, Rights::READ_WRITE));
        Self {
            name: name.to_owned(),
            rights,
        }
    }
}

/// The vaults that are meant, each once.
pub(super) fn decide(
    operator: &Operator,
    wanted: &[WantedVault],
) -> Result<Vec<(VaultId, Rights)>, Failure> {
    let ids = choose::vaults(operator, wanted.iter().map(|wanted| wanted.name.as_str()))?;
    let mut seen = BTreeSet::new();
    let decided = ids.into_iter().zip(wanted).map(|(id, wanted)| {
        if seen.insert(id) {
            Ok((id, wanted.rights))
        } else {
            Err(Failure::usage(
                format!("vault {} is named twice", choose::quoted(&wanted.name)),
                "name each vault once",
            ))
        }
    });
    decided.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_the_last_word_if_it_is_one() {
        let rows = [
            ("Demo", "Demo", Rights::READ_WRITE),
            ("Demo,r", "Demo", Rights::READ),
            ("Demo,w", "Demo", Rights::WRITE),
            ("Demo,rw", "Demo", Rights::READ_WRITE),
            ("A, B", "A, B", Rights::READ_WRITE),
            ("A, B,r", "A, B", Rights::READ),
        ];
        for (text, name, rights) in rows {
            let wanted = WantedVault::from(text);
            assert_eq!(
                (wanted.name.as_str(), wanted.rights),
                (name, rights),
                "{text}"
            );
        }
    }
}
