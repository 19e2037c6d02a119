//! What runs where this host is not: components for other runtimes, and what they are fed with.

pub mod build;
