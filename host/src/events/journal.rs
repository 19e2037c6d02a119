//! The last changes, so that a client that was away for a while can go on where it was.

use std::collections::VecDeque;

use sekisho_core::changes::Change;

/// Changes kept.
const MOST: usize = 10_000;

/// Where a change stands. The second number begins with the time of the start and rises by one with each change, so
/// that an id of another start, or of another server, is not taken for one of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) version: u64,
    pub(super) number: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.version, self.number)
    }
}

impl Position {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (version, number) = text.trim().split_once('-')?;
        Some(Self {
            version: version.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

#[derive(Debug)]
pub(super) struct Journal {
    entries: VecDeque<(Position, Change)>,
    /// The last one that is not among the entries.
    floor: u64,
    last: Position,
}

impl Journal {
    pub(super) const fn new(last: Position) -> Self {
        Self {
            entries: VecDeque::new(),
            floor: last.number,
            last,
        }
    }

    pub(super) const fn last(&self) -> Position {
        self.last
    }

    pub(super) fn add(&mut self, version: u64, changes: Vec<Change>) {
        for change in changes {
            self.last = Position {
                version,
                number: self.last.number + 1,
            };
            if self.entries.len() == MOST
                && let Some((dropped, _)) = self.entries.pop_front()
            {
                self.floor = dropped.number;
            }
            self.entries.push_back((self.last, change));
        }
        // What changed only tokens has a version too.
        self.last.version = version.max(self.last.version);
    }

    /// At most so many of the changes after a position; `None` = some of them are not kept any more, or never were.
    pub(super) fn after(&self, number: u64, most: usize) -> Option<Vec<(Position, Change)>> {
        if !(self.floor..=self.last.number).contains(&number) {
            return None;
        }
        let skipped = usize::try_from(number - self.floor).ok()?;
        Some(
            self.entries
                .iter()
                .skip(skipped)
                .take(most)
                .copied()
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use sekisho_core::{changes::ChangeKind, id::VaultId};

    use super::*;

    #[test]
    fn what_is_too_old_or_from_elsewhere_is_not_gone_on_from() {
        let change = Change {
            kind: ChangeKind::Updated,
            vault: VaultId::from_entropy([1; 16]),
            item: None,
            version: Some(1),
        };
        let mut journal = Journal::new(Position {
            version: 3,
            number: 100,
        });
        assert_eq!(journal.after(100, 10), Some(Vec::new()));
        journal.add(4, vec![change; 2]);
        journal.add(5, vec![change; MOST]);
        assert_eq!(journal.last().to_string(), format!("5-{}", 102 + MOST));
        assert_eq!(journal.after(101, 10), None, "dropped");
        let next = journal.after(102, 1).unwrap();
        assert_eq!(next[0].0.number, 103);
        assert_eq!(journal.after(102, usize::MAX).unwrap().len(), MOST);
        assert_eq!(journal.after(103 + MOST as u64, 1), None, "of the future");
        assert_eq!(Position::parse("5-7").map(|p| p.number), Some(7));
        assert_eq!(Position::parse("5"), None);
    }
}
