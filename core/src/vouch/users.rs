//! Users whose keys may be wrapped to, though only the account names them: a chain of endorsements from the first owner.
//!
//! An account's id is the digest of its first owner ([`account_of`]), so whoever knows the id knows where the chain
//! begins; it stands in every operator's key file. A standing is only ever raised, so that an endorsement never stops
//! being good because its endorser fell: an account could show the older one anyway.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    cipher::hash,
    encoding,
    id::{AccountId, UserId},
    key::{OperatorKey, OperatorPublic},
};

/// How far a user is trusted, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Vault keys may be wrapped to them.
    User,
    /// They endorse others, too.
    Administrator,
    /// They endorse owners, too, and every new shared vault is wrapped to them.
    Owner,
}

impl Standing {
    /// The word of the JSON form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Administrator => "ADMINISTRATOR",
            Self::Owner => "OWNER",
        }
    }

    /// From that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Administrator, Self::Owner]
            .into_iter()
            .find(|standing| standing.as_str() == word)
    }

    const fn byte(self) -> u8 {
        match self {
            Self::User => 0,
            Self::Administrator => 1,
            Self::Owner => 2,
        }
    }

    /// Whether users of this standing may give that one.
    pub fn may_give(self, given: Self) -> bool {
        self >= Self::Administrator && self >= given
    }
}

/// One user's word for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// Who gives it.
    pub by: UserId,
    /// How far the other is trusted.
    pub standing: Standing,
    /// See [`crate::vouch`].
    #[serde(with = "encoding::array")]
    pub signature: [u8; 64],
}

/// A user as the account tells of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCard {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub name: String,
    /// Public halves of their key.
    pub public: OperatorPublic,
    /// Why to believe it; the first owner has none.
    pub endorsement: Option<Endorsement>,
}

impl OperatorKey {
    /// Gives this operator's word for a user, in place of whatever word there was.
    pub fn endorse_user(
        &self,
        account: &AccountId,
        me: UserId,
        card: UserCard,
        standing: Standing,
    ) -> UserCard {
        let signature = self.sign(&message(account, standing, &card));
        let endorsement = Endorsement {
            by: me,
            standing,
            signature,
        };
        UserCard {
            endorsement: Some(endorsement),
            ..card
        }
    }
}

impl UserCard {
    /// Whether the endorsement is by the holder of this key.
    pub fn is_endorsed_by(&self, account: &AccountId, public: &OperatorPublic) -> bool {
        self.endorsement.is_some_and(|word| {
            let message = message(account, word.standing, self);
            public.signing.verify(&message, &word.signature).is_ok()
        })
    }
}

/// The id of the account that this user is the first owner of.
pub fn account_of(user: &UserId, public: &OperatorPublic, name: &str) -> AccountId {
    let digest = hash::sha256(&[
        b"sekisho/v1/account\0",
        user.as_bytes(),
        &public.wrapping,
        public.signing.as_bytes(),
        name.as_bytes(),
    ]);
    let mut entropy = [0; 16];
    for (slot, byte) in entropy.iter_mut().zip(digest) {
        *slot = byte;
    }
    AccountId::from_entropy(entropy)
}

/// The users to believe and how far: the account's first owner, and whom the chain leads to from there.
pub fn believe_users(account: &AccountId, offered: Vec<UserCard>) -> Vec<(UserCard, Standing)> {
    let (mut believed, mut left): (Vec<_>, Vec<_>) = offered
        .into_iter()
        .map(|card| (card, Standing::Owner))
        .partition(|(card, _)| account_of(&card.id, &card.public, &card.name) == *account);
    // Each round believes those that the round before made believable; a chain may come in any order.
    loop {
        let before = believed.len();
        left.retain(|(card, _)| {
            let standing = standing(account, card, &believed);
            believed.extend(standing.map(|standing| (card.clone(), standing)));
            standing.is_none()
        });
        if believed.len() == before {
            return believed;
        }
    }
}

fn standing(
    account: &AccountId,
    card: &UserCard,
    believed: &[(UserCard, Standing)],
) -> Option<Standing> {
    let word = card.endorsement?;
    // A second card under a name that is believed would leave it to chance which of them counts.
    if believed.iter().any(|(known, _)| known.id == card.id) {
        return None;
    }
    let (by, held) = believed.iter().find(|(known, _)| known.id == word.by)?;
    let follows = held.may_give(word.standing) && card.is_endorsed_by(account, &by.public);
    follows.then_some(word.standing)
}

fn message(account: &AccountId, standing: Standing, card: &UserCard) -> Vec<u8> {
    let parts: [&[u8]; 7] = [
        b"sekisho/v1/user\0",
        account.as_bytes(),
        &[standing.byte()],
        card.id.as_bytes(),
        &card.public.wrapping,
        card.public.signing.as_bytes(),
        card.name.as_bytes(),
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec};

    use super::*;
    use crate::cipher::test_rng;

    struct Person {
        key: OperatorKey,
        card: UserCard,
    }

    fn person(name: &str, seed: u32) -> Person {
        let rng = &mut test_rng(seed);
        let key = OperatorKey::generate(rng);
        let card = UserCard {
            id: UserId::generate(rng),
            name: name.to_string(),
            public: key.public(),
            endorsement: None,
        };
        Person { key, card }
    }

    #[test]
    fn the_chain_begins_with_the_accounts_own_id_and_never_climbs() {
        let [root, admin, user, eve] =
            [("Olive", 1), ("Adam", 2), ("Una", 3), ("Eve", 4)].map(|(n, seed)| person(n, seed));
        let account = account_of(&root.card.id, &root.card.public, "Olive");
        let by = |by: &Person, of: &UserCard, standing| {
            by.key
                .endorse_user(&account, by.card.id, of.clone(), standing)
        };
        let adam = by(&root, &admin.card, Standing::Administrator);
        let una = by(&admin, &user.card, Standing::User);
        let held = |offered: Vec<UserCard>| -> Vec<(String, Standing)> {
            let believed = believe_users(&account, offered);
            believed
                .into_iter()
                .map(|(card, s)| (card.name, s))
                .collect()
        };
        let whole = [
            ("Olive".to_string(), Standing::Owner),
            ("Adam".to_string(), Standing::Administrator),
            ("Una".to_string(), Standing::User),
        ];
        assert_eq!(
            held(vec![una.clone(), adam.clone(), root.card.clone()]),
            whole
        );
        // Another first owner, or none: nothing is believed.
        let renamed = UserCard {
            name: "Olivia".into(),
            ..root.card.clone()
        };
        assert!(held(vec![renamed, adam.clone(), una.clone()]).is_empty());
        assert!(held(vec![eve.card.clone(), adam.clone()]).is_empty());
        // Each of these comes beside the genuine chain and changes nothing of it.
        let raised = |standing| {
            let mut card = by(&root, &eve.card, Standing::User);
            card.endorsement = card
                .endorsement
                .map(|word| Endorsement { standing, ..word });
            card
        };
        let mut swapped = by(&root, &eve.card, Standing::User);
        swapped.public = user.card.public.clone();
        let mut named = by(&root, &eve.card, Standing::User);
        named.name = "Una".into();
        let forged = [
            eve.card.clone(),
            by(&eve, &eve.card, Standing::Owner),
            by(&user, &eve.card, Standing::User),
            by(&admin, &eve.card, Standing::Owner),
            raised(Standing::Owner),
            swapped,
            named,
            UserCard {
                id: user.card.id,
                ..by(&eve, &eve.card, Standing::User)
            },
        ];
        for card in forged {
            let offered = vec![card, root.card.clone(), adam.clone(), una.clone()];
            assert_eq!(held(offered), whole);
        }
    }
}
