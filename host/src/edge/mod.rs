//! What runs where this host is not: components for other runtimes, and what they are fed with.
//!
//! | module | holds |
//! |---|---|
//! | [`build`] | the component for a runtime |
//! | [`publish`] | a snapshot into a store, and each next one |

pub mod build;
pub mod publish;
