//! What answers a request: core in a sandbox, or core itself. Both give the same bytes (invariant 8).

mod body;
mod component;
mod kept;
mod link;
mod native;

use std::{fmt, str::FromStr, sync::Arc};

use http::{Request, Response};
use sekisho_core::{rest::Route, token::Grant};

pub use self::{
    body::{AnswerBody, BodyError, Pieces, RequestBody},
    component::{ComponentEngine, Sandbox, compile_if_asked},
    link::{Backing, Settings},
    native::NativeEngine,
};
pub(crate) use self::{component::Prepared, kept::KeptAnswers};

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// Each request in a sandbox of its own, whose memory is gone afterwards.
    #[default]
    Component,
    /// In this process; faster.
    Native,
}

impl EngineKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    Component(Box<ComponentEngine>),
    /// In this process.
    Native(NativeEngine),
}

impl Engine {
    /// Answers one request, which asks for this if it asks for anything that there is.
    pub async fn answer(
        &self,
        request: Request<RequestBody>,
        asked: Option<&Route>,
    ) -> Response<AnswerBody> {
        match self {
            Self::Component(engine) => engine.answer(request, asked).await,
            Self::Native(engine) => engine.answer(request).await,
        }
    }

    /// Which one it is.
    pub const fn kind(&self) -> EngineKind {
        match self {
            Self::Component(_) => EngineKind::Component,
            Self::Native(_) => EngineKind::Native,
        }
    }

    /// Sandboxes in use, and how many there are.
    pub(crate) fn instances(&self) -> Option<(usize, usize)> {
        match self {
            Self::Component(engine) => Some(engine.instances()),
            Self::Native(_) => None,
        }
    }

    /// Whose request it is, as core says, for what the host answers itself.
    #[allow(
        clippy::result_large_err,
        reason = "moved once for each stream of events, not for each read"
    )]
    pub(crate) fn authenticate(&self, head: &Request<()>) -> Result<Grant, Response<AnswerBody>> {
        native::authenticate(self.backing(), head)
    }

    /// What its requests stand on.
    pub fn backing(&self) -> &Arc<Backing> {
        match self {
            Self::Component(engine) => engine.backing(),
            Self::Native(engine) => engine.backing(),
        }
    }
}
