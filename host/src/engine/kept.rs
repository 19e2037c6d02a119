//! Answers that core sealed for the bearers that got them, to be offered when the same is asked again (ADR 25).
//!
//! They are kept in memory only, as long as the records are the same to the last one, and nothing here can open them:
//! core can, from the token that a request brings. A first answer only leaves its name, so that what is asked once
//! costs nothing to seal.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hashlink::LruCache;
use http::{StatusCode, request};
use sekisho_core::{
    cache::Snapshot,
    rest::{self, Before, Kept, Name},
};

use super::link::Link;

/// What is kept.
pub struct KeptAnswers {
    most: usize,
    held: Mutex<Held>,
}

struct Held {
    /// The records that they were made from.
    of: Weak<Snapshot>,
    version: u64,
    /// None: answered, and nothing kept yet.
    answers: LruCache<Name, Option<Kept>>,
}

/// A request whose answer may be kept.
pub(super) struct Question {
    name: Name,
    of: Weak<Snapshot>,
    version: u64,
}

impl KeptAnswers {
    /// Keeps so many at most. Core says which are small enough.
    pub(crate) fn new(most: usize) -> Self {
        let held = Held {
            of: Weak::new(),
            version: 0,
            answers: LruCache::new(most),
        };
        Self {
            most,
            held: Mutex::new(held),
        }
    }

    /// None if the answer is none to be kept.
    pub(super) fn question(&self, head: &request::Parts, link: &Link) -> Option<Question> {
        if self.most == 0 {
            return None;
        }
        let name = Name::of(&head.method, &head.uri, &head.headers)?;
        let of = link.snapshot();
        Some(Question {
            name,
            version: of.head()?.version,
            of: Arc::downgrade(&of),
        })
    }

    /// What is remembered of it.
    pub(super) fn recall(&self, question: &Question) -> Before {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.is_of(question) {
            // Who began before the records changed is the last to ask for those of before.
            if question.version < held.version {
                return Before::Never;
            }
            held.of = Weak::clone(&question.of);
            held.version = question.version;
            held.answers.clear();
        }
        match held.answers.get(&question.name) {
            None => Before::Never,
            Some(None) => Before::Answered,
            Some(Some(kept)) => Before::Kept(kept.clone()),
        }
    }

    /// It was answered, with something to be kept or without.
    pub(super) fn learn(&self, question: Question, status: StatusCode, kept: Option<Kept>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = kept.is_some() || !held.answers.contains_key(&question.name);
        if rest::is_worth_remembering(status) && is_news && held.is_of(&question) {
            held.answers.insert(question.name, kept);
        }
    }
}

impl Held {
    fn is_of(&self, question: &Question) -> bool {
        Weak::ptr_eq(&self.of, &question.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: StatusCode = StatusCode::OK;

    fn question(of: &Arc<Snapshot>, version: u64, name: u64) -> Question {
        Question {
            name: Name {
                bearer: 1,
                target: name,
            },
            of: Arc::downgrade(of),
            version,
        }
    }

    fn some(byte: u8) -> Option<Kept> {
        Some(Kept::from_bytes(vec![byte]))
    }

    fn seen(kept: &KeptAnswers, question: &Question) -> Option<Vec<u8>> {
        match kept.recall(question) {
            Before::Never => None,
            Before::Answered => Some(Vec::new()),
            Before::Kept(kept) => Some(kept.into_bytes()),
        }
    }

    #[test]
    fn what_is_kept_goes_with_its_records_and_with_newer_answers() {
        let kept = KeptAnswers::new(2);
        let [old, new] = [Arc::default(), Arc::default()];
        let ask = |name| question(&old, 7, name);
        assert_eq!(seen(&kept, &ask(1)), None);
        kept.learn(ask(1), StatusCode::UNAUTHORIZED, None);
        assert_eq!(seen(&kept, &ask(1)), None);
        kept.learn(ask(1), OK, None);
        assert_eq!(seen(&kept, &ask(1)), Some(vec![]));
        kept.learn(ask(1), OK, some(1));
        assert_eq!(seen(&kept, &ask(1)), Some(vec![1]));
        // Answered from what was kept: nothing to learn.
        kept.learn(ask(1), OK, None);
        assert_eq!(seen(&kept, &ask(1)), Some(vec![1]));
        assert_eq!(seen(&kept, &ask(2)), None);

        // No more than two: the one that was asked for last stays.
        kept.learn(ask(2), OK, some(2));
        assert_eq!(seen(&kept, &ask(1)), Some(vec![1]));
        kept.learn(ask(3), OK, some(3));
        let held = [1, 2, 3].map(|name| seen(&kept, &ask(name)).is_some());
        assert_eq!(held, [true, false, true]);

        // Other records, even if they bear the same version.
        assert_eq!(seen(&kept, &question(&new, 7, 1)), None);
        kept.learn(ask(1), OK, some(9));
        assert_eq!(seen(&kept, &question(&new, 7, 1)), None);
        // Who comes late with those of before clears nothing.
        kept.learn(question(&new, 7, 1), OK, some(4));
        assert_eq!(seen(&kept, &question(&old, 6, 1)), None);
        assert_eq!(seen(&kept, &question(&new, 7, 1)), Some(vec![4]));
    }

    #[test]
    fn nothing_is_kept_when_nothing_is_to_be_kept() {
        let kept = KeptAnswers::new(0);
        let records = Arc::default();
        assert_eq!(seen(&kept, &question(&records, 1, 1)), None);
        kept.learn(question(&records, 1, 1), OK, some(1));
        assert_eq!(seen(&kept, &question(&records, 1, 1)), None);
    }
}
