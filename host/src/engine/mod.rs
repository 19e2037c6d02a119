//! What answers a request: core in a sandbox, or core itself. Both give the same bytes (invariant 8).

mod body;
mod component;
mod link;
mod native;

use std::{fmt, str::FromStr, sync::Arc};

use http::{Request, Response};

pub use self::{
    body::{AnswerBody, BodyError, Pieces, RequestBody},
    component::{ComponentEngine, Sandbox},
    link::{Backing, Settings},
    native::NativeEngine,
};

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// Each request in a sandbox of its own, whose memory is gone afterwards.
    #[default]
    Component,
    /// In this process; faster.
    Native,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "component",
            Self::Native => "native",
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "component" => Ok(Self::Component),
            "native" => Ok(Self::Native),
            _ => Err("the engines are `component` and `native`".to_owned()),
        }
    }
}

/// Why no engine could be made. Nothing that is served depends on it.
#[derive(Debug, thiserror::Error)]
#[error("the component cannot be made ready: {0}")]
pub struct EngineError(pub(crate) String);

/// What answers requests.
pub enum Engine {
    /// In a sandbox.
    Component(ComponentEngine),
    /// In this process.
    Native(NativeEngine),
}

impl Engine {
    /// Answers one request.
    pub async fn answer(&self, request: Request<RequestBody>) -> Response<AnswerBody> {
        match self {
            Self::Component(engine) => engine.answer(request).await,
            Self::Native(engine) => engine.answer(request).await,
        }
    }

    /// What its requests stand on.
    pub fn backing(&self) -> &Arc<Backing> {
        match self {
            Self::Component(engine) => engine.backing(),
            Self::Native(engine) => engine.backing(),
        }
    }
}
