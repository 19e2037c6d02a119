//! Ids for what cannot keep its own: the same whenever the same export is imported into the same account, so that an
//! import that failed in the middle goes on where it was.

use sekisho_core::id::{AccountId, ItemId, VaultId};
use sha2::{Digest, Sha256};

/// What an id is derived from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    account: AccountId,
    place: String,
}

impl Seed {
    pub(super) const fn new(account: AccountId, place: String) -> Self {
        Self { account, place }
    }

    pub(super) fn vault(&self, attempt: u32) -> VaultId {
        VaultId::from_entropy(self.entropy("vault", attempt))
    }

    pub(super) fn item(&self, attempt: u32) -> ItemId {
        ItemId::from_entropy(self.entropy("item", attempt))
    }

    fn entropy(&self, kind: &str, attempt: u32) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(format!(
            "sekisho/v1/import\0{kind}\0{}\0{attempt}\0",
            self.account
        ));
        hash.update(&self.place);
        let mut out = [0; 16];
        for (slot, byte) in out.iter_mut().zip(hash.finalize()) {
            *slot = byte;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_places_give_equal_ids() {
        let account = AccountId::from_entropy([7; 16]);
        let seed = |place: &str| Seed::new(account, place.to_owned());
        assert_eq!(seed("a").item(0), seed("a").item(0));
        assert_ne!(seed("a").item(0), seed("a").item(1));
        assert_ne!(seed("a").item(0), seed("b").item(0));
        assert_ne!(seed("a").item(0).as_str(), seed("a").vault(0).as_str());
    }
}
