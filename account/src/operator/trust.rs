//! Whose keys this operator wraps to: nobody's on the account's word alone ([`sekisho_core::vouch`]).

use sekisho_core::{
    id::UserId,
    key::OperatorPublic,
    vouch::{Standing, UserCard, believe_users},
};

use super::{Operator, OperatorError};
use crate::{
    AccountError, NewUser, Request, Response,
    protocol::{Role, UserInfo, UserState},
};

/// Users the chain of endorsements leads to.
pub(super) struct Believed(Vec<(UserCard, Standing)>);

impl Believed {
    /// The user as the account shows them, if the name and the keys are the endorsed ones.
    fn check(&self, user: &UserInfo) -> Result<(&UserCard, Standing), OperatorError> {
        self.0
            .iter()
            .find(|(card, _)| card.id == user.id)
            .filter(|(card, _)| card.name == user.name && card.public == user.public)
            .map(|(card, standing)| (card, *standing))
            .ok_or_else(|| OperatorError::Unendorsed(user.id))
    }

    /// The same for one whom the account calls an owner.
    fn check_owner(&self, user: &UserInfo) -> Result<(), OperatorError> {
        match self.check(user)? {
            (_, Standing::Owner) => Ok(()),
            _ => Err(OperatorError::Unendorsed(user.id)),
        }
    }
}

/// To whom a new key is wrapped.
#[derive(Debug)]
pub(super) struct Recipient {
    pub(super) id: UserId,
    pub(super) public: OperatorPublic,
}

impl Operator {
    pub(super) fn believed(&self) -> Result<Believed, OperatorError> {
        let Response::UserCards(cards) = self.call(&Request::UserCards)? else {
            return Err(OperatorError::Unexpected);
        };
        Ok(Believed(believe_users(&self.account(), cards)))
    }

    /// This operator, and those active users that `also` names. One whom nobody vouches for, or who is called an owner
    /// and is not vouched for as one, stops it: the account may have made them up.
    pub(super) fn recipients(
        &self,
        also: impl Fn(&UserInfo) -> bool,
    ) -> Result<Vec<Recipient>, OperatorError> {
        let mut users = self.users()?;
        let me = self.user();
        users.retain(|user| user.state == UserState::Active && user.id != me && also(user));
        let mine = Recipient {
            id: me,
            public: self.key().public(),
        };
        if users.is_empty() {
            return Ok(vec![mine]);
        }
        let believed = self.believed()?;
        let others = users.into_iter().map(|user| {
            if user.roles.contains(&Role::Owners) {
                believed.check_owner(&user)?;
            }
            believed.check(&user)?;
            let (id, public) = (user.id, user.public);
            Ok(Recipient { id, public })
        });
        std::iter::once(Ok(mine)).chain(others).collect()
    }

    /// An active user's key, vouched for.
    pub(super) fn user_public(&self, user: UserId) -> Result<OperatorPublic, OperatorError> {
        if user == self.user() {
            return Ok(self.key().public());
        }
        let users = self.users()?;
        let known = users
            .into_iter()
            .find(|known| known.id == user && known.state == UserState::Active)
            .ok_or_else(|| AccountError::missing("active user", user))?;
        self.believed()?.check(&known)?;
        Ok(known.public)
    }

    /// This operator's word for a user whose keys they know from elsewhere than the account: a join code.
    pub fn endorse(&self, user: NewUser, standing: Standing) -> UserCard {
        let card = UserCard {
            id: user.id,
            name: user.name,
            public: user.public,
            endorsement: None,
        };
        self.give_word(card, standing)
    }

    fn give_word(&self, card: UserCard, standing: Standing) -> UserCard {
        self.key()
            .endorse_user(&self.account(), self.user(), card, standing)
    }

    /// Raises a user's standing, if it is not that high yet.
    pub(super) fn raise(&self, user: UserId, standing: Standing) -> Result<(), OperatorError> {
        let believed = self.believed()?;
        let held = believed.0.into_iter().find(|(card, _)| card.id == user);
        let (card, held) = held.ok_or(OperatorError::Unendorsed(user))?;
        if held >= standing {
            return Ok(());
        }
        let endorsement = self.give_word(card, standing).endorsement;
        let endorsement = endorsement.ok_or(OperatorError::Unexpected)?;
        self.command(&Request::EndorseUser { user, endorsement })
    }
}
