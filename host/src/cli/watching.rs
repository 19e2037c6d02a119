//! Options that every server has alike: who sees its metrics, what it logs, which engine answers.

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use sekisho_core::secret::SecretText;
use sekisho_host::{engine::EngineKind, metrics::MetricsAccess};

use super::{
    duration::parse_listen,
    failure::{Done, Failure},
    log,
};

#[derive(Args)]
pub(super) struct LowWatching {
    /// Show /metrics only to who brings this bearer; without it, to everybody, as 1Password Connect does.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SEKISHO_METRICS_TOKEN",
        hide_env_values = true
    )]
    metrics_token: Option<String>,
    /// Serve /metrics here and not beside the API.
    #[arg(long, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// What is logged: error, warn, info, debug, trace [env: OP_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl LowWatching {
    pub(super) fn start_log(&self) -> Done {
        log::start(self.log_level.as_deref())
    }

    pub(super) fn metrics(&self) -> Result<MetricsAccess, Failure> {
        let token = self.metrics_token.as_deref();
        let listen = self.metrics_listen.as_deref();
        Ok(MetricsAccess {
            token: token.filter(|token| !token.is_empty()).map(SecretText::new),
            listen: listen
                .map(|text| parse_listen("--metrics-listen", text))
                .transpose()?,
        })
    }
}

/// The parser of `--engine`.
pub(super) fn engine() -> impl TypedValueParser<Value = EngineKind> {
    PossibleValuesParser::new(["component", "native"]).try_map(|word| word.parse::<EngineKind>())
}
