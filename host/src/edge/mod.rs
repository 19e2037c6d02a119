//! What serves the API where this host is not: the component for its runtime, and sealed records brought there.
//!
//! | module | holds |
//! |---|---|
//! | [`build`] | the edge component with a plug, for one runtime |
//! | `feed` | the live snapshot, for edges that read it from this host |
//! | [`publish`] | a snapshot into a store, and each next one |

pub mod build;
mod feed;
pub mod publish;

pub use feed::FeedConfig;
pub(crate) use feed::{Feed, PREFIX as FEED_PREFIX, is_write as is_feed_write};
