//! The body of an engine's answer, as hyper pulls it.
//!
//! A short answer is all there. A long one is driven by being read: the guest, or core, goes on only when the client
//! takes the next piece, so a large file needs the memory of one piece, and a client that leaves stops everything.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use sekisho_core::{records::Fault, rest};
use zeroize::Zeroizing;

use super::{component::GuestBody, link::Link};
use crate::events::EventBody;

/// The body of a request.
pub enum RequestBody {
    /// All of it.
    Whole(Vec<u8>),
    /// As it comes: a file's content.
    Pieces(Pieces),
}

/// A body that is still on its way in.
pub type Pieces = UnsyncBoxBody<Bytes, BodyError>;

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(bytes)
    }
}

impl RequestBody {
    /// As one kind of body for whoever pulls it.
    pub(crate) fn pieces(self) -> Pieces {
        match self {
            Self::Whole(bytes) => Full::new(Bytes::from(bytes))
                .map_err(|never| match never {})
                .boxed_unsync(),
            Self::Pieces(pieces) => pieces,
        }
    }
}

/// A body that is not whole. An answer's: the connection is cut, so that the client sees it. A request's: it was cut.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub struct BodyError;

/// The body of an answer.
pub enum AnswerBody {
    /// All of it; empty once it was taken.
    Whole(Bytes),
    /// Core's, piece by piece.
    Native(Box<NativeBody>),
    /// A guest's, piece by piece.
    Guest(Box<GuestBody>),
    /// Changes, as they happen.
    Events(EventBody),
}

impl AnswerBody {
    pub(crate) fn of_core(mut body: rest::Body, link: Link) -> Result<Self, Fault> {
        if let Some(whole) = body.take_full() {
            return Ok(Self::Whole(Bytes::from_owner(whole)));
        }
        // Begun before the head is sent: what cannot be had at all is refused, not broken off.
        let ahead = body.next_chunk(&link)?;
        Ok(Self::Native(Box::new(NativeBody { ahead, body, link })))
    }
}

/// Core's body and the view it reads from.
pub struct NativeBody {
    ahead: Option<Zeroizing<Vec<u8>>>,
    body: rest::Body,
    link: Link,
}

impl NativeBody {
    fn next(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BodyError> {
        match self.ahead.take() {
            Some(piece) => Ok(Some(piece)),
            None => self.body.next_chunk(&self.link).map_err(|_| BodyError),
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Native(native) => {
                let frame = native.next().transpose();
                Poll::Ready(
                    frame.map(|piece| piece.map(|piece| Frame::data(Bytes::from_owner(piece)))),
                )
            }
            Self::Guest(guest) => guest.poll_frame(context),
            Self::Events(events) => events
                .poll_piece(context)
                .map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
