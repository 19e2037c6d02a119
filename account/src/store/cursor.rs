//! Where a reader of the feed stands. Hosts hold it as opaque text.

use std::fmt;

use sekisho_core::id::EnvironmentId;

/// What kind of thing stands at a position; the order in which things of one number are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Told {
    GoneVault = 1,
    Vault = 2,
    Item = 3,
    Token = 4,
    /// After everything of a number.
    End = 5,
}

/// One thing's place in the feed: by number, then kind, then ids. Things of one number have a fixed order, so that a
/// grant that makes thousands of items new at once can be read in pages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) seq: u64,
    pub(super) told: Told,
    pub(super) vault: String,
    pub(super) id: String,
}

impl Position {
    pub(super) fn new(seq: u64, told: Told, vault: &str, id: &str) -> Self {
        Self {
            seq,
            told,
            vault: vault.to_owned(),
            id: id.to_owned(),
        }
    }

    /// Before everything.
    pub(super) fn start() -> Self {
        Self::new(0, Told::End, "", "")
    }

    /// After everything up to a number.
    pub(super) fn end(seq: u64) -> Self {
        Self::new(seq, Told::End, "", "")
    }

    /// Among a vault's items of the number at hand: the id after which they are still to be told.
    pub(super) fn item_floor(&self, vault: &str) -> &str {
        match (Told::Item, vault).cmp(&(self.told, self.vault.as_str())) {
            std::cmp::Ordering::Less => AFTER_EVERY_ID,
            std::cmp::Ordering::Equal => &self.id,
            std::cmp::Ordering::Greater => "",
        }
    }

    /// The text for a host of this environment.
    pub(super) fn cursor(&self, environment: &EnvironmentId) -> String {
        format!("1.{environment}.{self}")
    }

    /// From a host's text; `None` = not one of ours.
    pub(super) fn parse(cursor: &str, environment: &EnvironmentId) -> Option<Self> {
        let mut parts = cursor.split('.');
        let mut part = || parts.next();
        if part()? != "1" || part()? != environment.as_str() {
            return None;
        }
        let (seq, told) = (part()?.parse().ok()?, part()?);
        let told = [
            Told::GoneVault,
            Told::Vault,
            Told::Item,
            Told::Token,
            Told::End,
        ]
        .into_iter()
        .find(|kind| told == (*kind as u8).to_string())?;
        let position = Self::new(seq, told, part()?, part()?);
        parts.next().is_none().then_some(position)
    }
}

/// ASCII ids sort before it.
pub(super) const AFTER_EVERY_ID: &str = "\u{7f}";

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (told, vault, id) = (self.told as u8, &self.vault, &self.id);
        write!(f, "{}.{told}.{vault}.{id}", self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRng;

    #[test]
    fn cursors_come_back_for_their_environment_only() {
        let rng = &mut SystemRng;
        let (ours, other) = (EnvironmentId::generate(rng), EnvironmentId::generate(rng));
        for position in [Position::end(7), Position::new(9, Told::Item, "v", "i")] {
            let text = position.cursor(&ours);
            assert_eq!(Position::parse(&text, &ours), Some(position));
            assert_eq!(Position::parse(&text, &other), None);
            assert_eq!(Position::parse(&format!("{text}.x"), &ours), None);
        }
        assert_eq!(Position::parse("", &ours), None);
        assert_eq!(Position::parse("1.x", &ours), None);
    }

    #[test]
    fn items_of_one_number_go_on_where_they_stopped() {
        let stopped = Position::new(5, Told::Item, "m", "i");
        assert_eq!(stopped.item_floor("a"), AFTER_EVERY_ID);
        assert_eq!(stopped.item_floor("m"), "i");
        assert_eq!(stopped.item_floor("z"), "");
        assert_eq!(Position::new(5, Told::Vault, "z", "").item_floor("a"), "");
        assert_eq!(Position::end(5).item_floor("a"), AFTER_EVERY_ID);
    }
}
