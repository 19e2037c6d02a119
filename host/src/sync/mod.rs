//! The sync core: keeps what is served equal to what the account says.
//!
//! One thread does it, so that there is one order of things. A tick is: ask for changes, check them, plan (pure),
//! write the plan to the replica, swap what is served. A client's write goes to the account first and then through
//! the same tick before the client is answered, so what was written is read (invariant 10).

mod account;
mod breaker;
mod chunks;
mod pace;
mod replica;
mod tick;
mod ticker;
mod upstream;
mod usage;
mod watch;
mod writer;

pub use self::{
    account::AccountUpstream,
    chunks::Chunks,
    pace::Pace,
    upstream::{Times, Upstream, UpstreamError, UsageReport},
    usage::UsageQueue,
    writer::Writer,
};
pub(crate) use self::{
    breaker::Breaker,
    tick::{IDLE_WRITE, Parts, SyncCore, TickError},
    ticker::{Habit, Ticker, Ticks, Wake},
    usage::UsageReporter,
    watch::watch,
    writer::{Turn, WriteRefused},
};
