//! `GET /v1/events`, our addition (pains.md no. 12): changes of items and vaults as server-sent events.
//!
//! The sync core hands in what each swap changed; a stream tells what lies in vaults that its token may read at that
//! moment. Ids and versions only: nothing is opened for it.

mod journal;
mod stream;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use sekisho_core::{changes::Change, id::TokenId, time::Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use self::{
    journal::{Journal, Position},
    stream::Stream,
};
use crate::{clock::Clock, live::Live};

/// Where changes go and streams begin.
#[derive(Debug)]
pub struct Events {
    journal: Mutex<Journal>,
    /// Moves with each swap: a token may have been revoked by it.
    swaps: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    places: Arc<Semaphore>,
    most: usize,
}

impl Events {
    /// With room for so many streams; what is served then has this version.
    pub(crate) fn new(most: usize, version: u64, now: Timestamp) -> Self {
        let number = now.millis();
        Self {
            journal: Mutex::new(Journal::new(Position { version, number })),
            swaps: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            places: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// What the swap that was just made changed.
    pub(crate) fn add(&self, version: u64, changes: Vec<Change>) {
        self.journal().add(version, changes);
        self.swaps
            .send_modify(|swaps| *swaps = swaps.wrapping_add(1));
    }

    /// Ends all streams; there will be no others.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Streams that are open.
    pub(crate) fn open(&self) -> usize {
        self.most.saturating_sub(self.places.available_permits())
    }

    /// A stream for a token that was checked; `None` = there are too many.
    pub(crate) fn stream(
        self: &Arc<Self>,
        token: TokenId,
        after: Option<&str>,
        live: &Arc<Live>,
        clock: &Arc<dyn Clock>,
    ) -> Option<EventBody> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        // One piece: what waits for a slow client is made when it can be sent, in the scope of that moment.
        let (sender, receiver) = mpsc::channel(1);
        let stream = Stream::new(self, token, after, live, clock);
        tokio::spawn(stream.run(sender));
        Some(EventBody {
            receiver,
            _place: place,
        })
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        // A journal is whole after every statement of its methods.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream's end at the client's side.
pub struct EventBody {
    receiver: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl EventBody {
    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Pin::new(&mut self.receiver).poll_recv(context)
    }
}
