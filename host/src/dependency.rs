//! What runs beside a host and has a state of its own, such as a bridge to 1Password: shown in `/health` and `/metrics`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::engine::{AnswerBody, BodyError};

/// How something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyState {
    /// A word, `ACTIVE` when all is well.
    pub status: &'static str,
    /// For people; no secret and no content.
    pub message: String,
}

/// Something beside the host.
pub trait Dependency: Send + Sync {
    /// Its name.
    fn service(&self) -> &'static str;
    /// How it is now.
    fn state(&self) -> DependencyState;
    /// Its figures in Prometheus' text format, all under names of its own.
    fn metrics(&self) -> String;
}

/// The answer of `GET /health`, which is core's, with what core does not know of. Whatever is no such answer stays as it
/// is.
pub(crate) async fn told(
    response: Response<AnswerBody>,
    dependencies: &[Arc<dyn Dependency>],
) -> Result<Response<AnswerBody>, BodyError> {
    let (mut head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = with(&body, dependencies).map_or(body, Bytes::from);
    let length = HeaderValue::from(body.len());
    head.headers.insert(header::CONTENT_LENGTH, length);
    Ok(Response::from_parts(head, AnswerBody::Whole(body)))
}

fn with(body: &[u8], dependencies: &[Arc<dyn Dependency>]) -> Option<Vec<u8>> {
    let mut health: Value = serde_json::from_slice(body).ok()?;
    let list = health.get_mut("dependencies")?.as_array_mut()?;
    list.extend(dependencies.iter().map(|dependency| {
        let state = dependency.state();
        json!({ "service": dependency.service(), "status": state.status, "message": state.message })
    }));
    serde_json::to_vec(&health).ok()
}
