//! `sekisho edge`: the API where this host is not.

mod build;
mod keys;
mod publish;

pub(super) use self::publish::{LowPlace, follow};

use clap::{Subcommand, ValueEnum};
use sekisho_account::Credentials;
use sekisho_core::published::EdgeKeys;
use sekisho_host::edge::FeedConfig;

use super::{Session, failure::Done};

#[derive(Subcommand)]
pub(super) enum LowEdge {
    /// Make the component for a runtime.
    Build(build::LowBuild),
    /// Bring sealed records to a store that edges read.
    Publish(publish::LowPublish),
    /// Print what an edge of a Connect server is told, once.
    Keys(keys::LowKeys),
}

impl LowEdge {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Build(low) => low.run(session),
            Self::Publish(low) => low.run(session),
            Self::Keys(low) => low.run(),
        }
    }
}

/// What a host does for edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LowFeed {
    // Edges read. No help of its own: with it, the help of every server would take its long form.
    Read,
    // Edges read, and bring their clients' writes.
    Write,
}

impl LowFeed {
    pub(super) fn decide(how: Option<Self>, credentials: &Credentials) -> Option<FeedConfig> {
        how.map(|how| FeedConfig {
            keys: EdgeKeys::derive(credentials.trust(), credentials.device()),
            writes: how == Self::Write,
        })
    }
}
