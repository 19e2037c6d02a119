//! What serves the API where this host is not: sealed records brought to a store that the component reads.
//!
//! | module | holds |
//! |---|---|
//! | [`publish`] | a snapshot into a store, and each next one |

pub mod publish;
