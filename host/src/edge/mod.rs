//! What runs where this host is not: components for other runtimes, and what they are fed with.

pub mod build;
mod feed;

pub use feed::FeedConfig;
pub(crate) use feed::{Feed, PREFIX as FEED_PREFIX, is_write as is_feed_write};
