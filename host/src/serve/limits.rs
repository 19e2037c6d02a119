//! How much, how many and how long.

use std::time::Duration;

/// What a client may cost. The body's size is core's ([`sekisho_core::rest::MAX_BODY`]).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; one more is answered 503.
    pub connections: usize,
    /// Bytes of a request's head. A token alone may have 64 KiB.
    pub head_bytes: usize,
    /// From the first byte of a request until its head is there.
    pub head_time: Duration,
    /// For the whole of a request's body.
    pub body_time: Duration,
    /// Between two requests.
    pub idle_time: Duration,
    /// Without a byte taken by the client while there is something to send.
    pub stall_time: Duration,
    /// For the whole of an answer.
    pub answer_time: Duration,
    /// For requests under way when the server is told to stop.
    pub drain_time: Duration,
    /// How long a request waits for the first synchronisation (`OP_SYNC_TIMEOUT`).
    pub sync_time: Duration,
    /// Streams of `/v1/events` at once; one more is answered 503.
    pub event_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            head_bytes: 96 * 1024,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(900),
            drain_time: Duration::from_secs(10),
            sync_time: Duration::from_secs(10),
            event_streams: 256,
        }
    }
}
