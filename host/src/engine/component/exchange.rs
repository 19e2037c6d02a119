//! The export `sekisho:vault/exchange`: one call in, one answer out.
//!
//! To carry the same over `wasi:http` costs two dozen calls across the border, most of what a short read costs.

#[path = "../../../../wit/convert/words.rs"]
mod words;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};
use sekisho_core::rest::{self, Before, Caller, Kept};
use wasmtime::{Store, component::InstancePre};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Place,
    bindings::exchange::{self as wit, GuestIndices},
    state::State,
    usage,
};
use crate::engine::{body::AnswerBody, kept::Question};

/// Where a component has that export.
pub(super) struct Exchange {
    instance: InstancePre<State>,
    indices: GuestIndices,
}

impl Exchange {
    /// None if it has not.
    pub(super) fn of(instance: &InstancePre<State>) -> Option<Self> {
        Some(Self {
            indices: GuestIndices::new(instance).ok()?,
            instance: instance.clone(),
        })
    }

    /// Asks a fresh instance, which is gone when this is done, and its place free after it.
    pub(super) async fn run(
        &self,
        _place: Place,
        mut store: Store<State>,
        head: &request::Parts,
        body: Vec<u8>,
        question: Option<Question>,
    ) -> wasmtime::Result<Response<AnswerBody>> {
        let backing = Arc::clone(store.data().link.backing());
        let before = match backing.recall(question.as_ref()) {
            Before::Never => wit::Before::Never,
            Before::Answered => wit::Before::Answered,
            Before::Kept(kept) => wit::Before::Kept(words::to_words(&kept.into_bytes())),
        };
        let at = store.data().link.now().millis();
        let instance = self.instance.instantiate_async(&mut store).await?;
        let guest = self.indices.load(&mut store, &instance)?;
        let mut given = given(head, body, at, before);
        let answer = guest.call_answer(&mut store, &given).await;
        wipe(&mut given);
        let answer = answer?.map_err(|()| wasmtime::format_err!("the guest gave up"))?;
        usage::note_for(
            &store.data().link,
            &head.headers,
            answer.checked,
            &answer.accesses,
        );
        let status = StatusCode::from_u16(answer.status)?;
        if let Some(question) = question {
            let kept = answer
                .kept
                .map(|kept| Kept::from_bytes(words::to_bytes(&kept)));
            backing.kept.learn(question, status, kept);
        }
        let mut response = Response::new(AnswerBody::Whole(Bytes::from_owner(Zeroizing::new(
            answer.body,
        ))));
        *response.status_mut() = status;
        *response.headers_mut() = headers(answer.headers)?;
        Ok(response)
    }
}

/// As the interface spells it, with those headers that core reads; but for what is only to be noted, which is known here.
fn given(head: &request::Parts, body: Vec<u8>, at: u64, before: wit::Before) -> wit::Request {
    let target = head.uri.path_and_query();
    let read = head
        .headers
        .iter()
        .filter(|(name, _)| rest::HEADERS_READ.contains(name) && !Caller::HEADERS.contains(name));
    let read = read.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned()));
    wit::Request {
        method: head.method.as_str().to_owned(),
        target: target.map_or("/", |target| target.as_str()).to_owned(),
        headers: read.collect(),
        body,
        at,
        before,
    }
}

/// The bearer is among the headers, secrets may be in the body.
fn wipe(given: &mut wit::Request) {
    for (_, value) in &mut given.headers {
        value.zeroize();
    }
    given.body.zeroize();
}

fn headers(answered: Vec<(String, Vec<u8>)>) -> wasmtime::Result<HeaderMap> {
    let mut map = HeaderMap::with_capacity(answered.len());
    for (name, value) in answered {
        map.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(map)
}
