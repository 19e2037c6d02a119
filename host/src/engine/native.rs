//! Core called directly. What only reads is answered on the spot; a write waits for the account, so it waits elsewhere.

use std::sync::Arc;

use http::{Method, Request, Response, request};
use http_body_util::BodyExt;
use sekisho_core::{
    rest::{self, Intake, Ports},
    token::Grant,
};
use tokio::runtime::Handle;

use super::{
    body::{AnswerBody, BodyError, Pieces, RequestBody},
    link::{Backing, Link},
};
use crate::{random::CoreRng, refusal};

/// Core in this process.
pub struct NativeEngine {
    backing: Arc<Backing>,
}

impl NativeEngine {
    /// An engine on this backing.
    pub const fn new(backing: Arc<Backing>) -> Self {
        Self { backing }
    }

    pub(super) fn backing(&self) -> &Arc<Backing> {
        &self.backing
    }

    pub(super) async fn answer(&self, request: Request<RequestBody>) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        match body {
            RequestBody::Whole(bytes) => self.answer_whole(head, bytes).await,
            RequestBody::Pieces(pieces) => {
                self.take_in(Request::from_parts(head, ()), pieces).await
            }
        }
    }

    async fn take_in(&self, head: Request<()>, pieces: Pieces) -> Response<AnswerBody> {
        let link = Link::new(Arc::clone(&self.backing));
        let runtime = self.backing.runtime.clone();
        tokio::task::spawn_blocking(move || take_in(&head, pieces, link, &runtime))
            .await
            .unwrap_or_else(|_| refusal::broken(&*self.backing.random))
    }

    async fn answer_whole(&self, head: request::Parts, body: Vec<u8>) -> Response<AnswerBody> {
        let link = Link::new(Arc::clone(&self.backing));
        if matches!(head.method, Method::GET | Method::HEAD) {
            return answer(head, body, link);
        }
        tokio::task::spawn_blocking(move || answer(head, body, link))
            .await
            .unwrap_or_else(|_| refusal::broken(&*self.backing.random))
    }
}

fn answer(head: request::Parts, body: Vec<u8>, link: Link) -> Response<AnswerBody> {
    let (backing, reason) = (Arc::clone(link.backing()), link.reason());
    let question = backing.kept.question(&head, &link);
    let before = backing.recall(question.as_ref());
    let request = Request::from_parts(head, body);
    let rng = &mut CoreRng(&*backing.random);
    let (response, kept) = rest::answer_again(&request, before, &mut ports(&link, rng));
    if let Some(question) = question {
        backing.kept.learn(question, response.status(), kept);
    }
    refusal::explained(carry(response, link), &reason, &*backing.random)
}

/// Whose request it is; a refusal is core's.
#[allow(
    clippy::result_large_err,
    reason = "moved once for each stream of events, not for each read"
)]
pub(super) fn authenticate(
    backing: &Arc<Backing>,
    head: &Request<()>,
) -> Result<Grant, Response<AnswerBody>> {
    let link = Link::new(Arc::clone(backing));
    let rng = &mut CoreRng(&*backing.random);
    rest::authenticate(head, &mut ports(&link, rng)).map_err(refusal::whole)
}

/// Hands a file's content on as it comes; the first piece that is refused ends it.
fn take_in(
    head: &Request<()>,
    mut pieces: Pieces,
    link: Link,
    runtime: &Handle,
) -> Response<AnswerBody> {
    let (backing, reason) = (Arc::clone(link.backing()), link.reason());
    let rng = &mut CoreRng(&*backing.random);
    let mut ports = ports(&link, rng);
    let mut upload = match rest::intake(head, &mut ports) {
        Intake::Pieces(upload) => upload,
        Intake::Answered(response) => return carry(*response, link),
        // Only uploads come in pieces.
        Intake::Whole(_) => return refusal::broken(&*backing.random),
    };
    let response = loop {
        match runtime.block_on(pieces.frame()) {
            None => break upload.finish(&mut ports),
            Some(Err(BodyError)) => break upload.broken(),
            Some(Ok(frame)) => {
                let piece = frame.into_data().unwrap_or_default();
                if let Err(refusal) = upload.push(&piece, &ports) {
                    break upload.refuse(&refusal);
                }
            }
        }
    };
    refusal::explained(carry(response, link), &reason, &*backing.random)
}

fn ports<'a>(link: &'a Link, rng: &'a mut CoreRng<'_>) -> Ports<'a> {
    Ports {
        records: link,
        usage: link,
        now: link.now(),
        rng,
    }
}

fn carry(response: rest::Response, link: Link) -> Response<AnswerBody> {
    let backing = Arc::clone(link.backing());
    let (head, body) = response.into_parts();
    match AnswerBody::of_core(body, link) {
        Ok(body) => Response::from_parts(head, body),
        Err(fault) => {
            tracing::warn!(%fault, "a file's content could not be had");
            refusal::broken(&*backing.random)
        }
    }
}
