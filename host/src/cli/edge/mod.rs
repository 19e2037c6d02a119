//! `sekisho edge`: the API where this host is not.

mod publish;

use clap::Subcommand;

use super::{Session, failure::Done};

#[derive(Subcommand)]
pub(super) enum LowEdge {
    /// Bring sealed records to a store that edges read.
    Publish(publish::LowPublish),
}

impl LowEdge {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Publish(low) => low.run(session),
        }
    }
}
