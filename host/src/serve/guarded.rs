//! A socket that does not wait for ever, and that says why in Connect's shape when hyper cannot.
//!
//! hyper has one timeout for heads and none for idle connections or for clients that do not read; and what it refuses
//! on its own (a head too large, no HTTP) it answers with an empty body. Both are mended here, below it: a timer by
//! phase, and an own text for an answer that no request of ours has asked for.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::Limits;
use crate::{random::Random, refusal};

/// What a connection is about. The socket and the service share it.
#[derive(Clone, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

/// Between requests.
const IDLE: u8 = 0;
/// A request's head is coming.
const HEAD: u8 = 1;
/// A request is being answered.
const SERVING: u8 = 2;
/// A request is being answered, and the answer has no end.
const STREAMING: u8 = 3;
/// As long as a stream may last: long enough to be none of this module's business.
const NO_END: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Phase {
    /// A request has come whole; its answer is sent when the guard goes.
    pub(super) fn serve(&self) -> Serving {
        self.0.store(SERVING, Ordering::Relaxed);
        Serving(self.clone())
    }

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }
}

/// Lives as long as an answer is being made and sent.
pub(super) struct Serving(Phase);

impl Serving {
    /// The answer has no end, so it has no time; a client that does not read is still cut off.
    pub(super) fn stream(&self) {
        self.0.0.store(STREAMING, Ordering::Relaxed);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.0.store(IDLE, Ordering::Relaxed);
    }
}

/// What carries HTTP: TCP, or TLS on it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Socket for S {}

/// The socket.
pub(super) struct Guarded<S> {
    stream: S,
    phase: Phase,
    limits: Arc<Limits>,
    random: Arc<dyn Random>,
    /// One for the whole connection: moved only when it goes off or must go off earlier, not with each request.
    timer: Pin<Box<Sleep>>,
    seen: u8,
    since: Instant,
    stalled_since: Option<Instant>,
    /// Our text in place of hyper's.
    instead: Bytes,
}

impl<S: Socket> Guarded<S> {
    pub(super) fn new(
        stream: S,
        phase: Phase,
        limits: Arc<Limits>,
        random: Arc<dyn Random>,
    ) -> Self {
        // A new connection is expected to send at once: it is no idle one.
        phase.0.store(HEAD, Ordering::Relaxed);
        let since = Instant::now();
        let timer = Box::pin(sleep_until(since + limits.head_time));
        Self {
            stream,
            phase,
            limits,
            random,
            timer,
            seen: HEAD,
            since,
            stalled_since: None,
            instead: Bytes::new(),
        }
    }

    /// Ends the connection so that the client can still read the answer: a socket closed with unread bytes in it
    /// would be reset, and the answer lost on its way.
    pub(super) async fn linger(mut self) {
        use tokio::io::AsyncReadExt;
        const MOST: usize = 8 * 1024 * 1024;
        const LONGEST: Duration = Duration::from_secs(2);
        let drain = async {
            let mut sink = [0; 4096];
            let mut taken = 0;
            while taken < MOST {
                match self.stream.read(&mut sink).await {
                    Ok(0) | Err(_) => return,
                    Ok(more) => taken += more,
                }
            }
        };
        // Too long is long enough.
        let _ = tokio::time::timeout(LONGEST, drain).await;
    }

    /// Looks at the clock whenever nothing moves.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let now = self.phase.0.load(Ordering::Relaxed);
        if now != self.seen {
            self.seen = now;
            self.since = Instant::now();
        }
        let by_phase = self.since
            + match self.seen {
                IDLE => self.limits.idle_time,
                HEAD => self.limits.head_time,
                STREAMING => NO_END,
                _ => self.limits.answer_time,
            };
        let by_stall = self
            .stalled_since
            .map(|since| since + self.limits.stall_time);
        let deadline = by_stall.map_or(by_phase, |stall| stall.min(by_phase));
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    fn moved(&mut self) {
        self.stalled_since = None;
    }

    fn poll_stalled<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.stalled_since.get_or_insert_with(Instant::now);
        self.poll_patience(context).map(Err)
    }

    /// An answer while no request was handed on is hyper's own refusal: ours goes instead.
    fn replace(&mut self, bytes: &[u8]) -> bool {
        if !self.phase.is(HEAD) || !self.instead.is_empty() {
            return false;
        }
        let status = bytes
            .strip_prefix(b"HTTP/1.1 ")
            .or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))
            .and_then(|rest| rest.get(..3))
            .and_then(|digits| StatusCode::from_bytes(digits).ok())
            .filter(StatusCode::is_client_error);
        let Some(status) = status else {
            return false;
        };
        self.instead = refusal::wire(&refusal::malformed(status), &*self.random);
        true
    }

    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.instead) {
                Poll::Ready(written) => {
                    self.instead.advance(written?);
                    self.moved();
                }
                Poll::Pending => return self.poll_stalled(context),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(result) => {
                if self.phase.is(IDLE) {
                    self.phase.0.store(HEAD, Ordering::Relaxed);
                    self.seen = HEAD;
                    self.since = Instant::now();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_patience(context).map(Err),
        }
    }
}

impl<S: Socket> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.first().is_some_and(|bytes| self.replace(bytes)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Ready(result) => {
                self.moved();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_stalled(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
