//! `sekisho bridge status`.

use clap::Args;
use sekisho_account::clock;
use sekisho_bridge::{
    report::{self, Summary},
    state::State,
};
use sekisho_core::time::Timestamp;

use super::{
    super::{
        Session,
        failure::{Done, Failure},
        output,
    },
    find,
};

#[derive(Args)]
pub(in crate::cli) struct LowStatus {
    /// Fail if the mirror is older than it should be: for health checks.
    #[arg(long)]
    check: bool,
    /// Print metrics as Prometheus reads them.
    #[arg(long)]
    metrics: bool,
}

impl LowStatus {
    pub(super) fn run(self, session: &Session) -> Done {
        let state = find(session)?.load();
        let now = clock::now();
        if self.metrics {
            output::bytes(report::metrics(&Summary::from(&state), now).as_bytes())?;
        } else {
            session.print(|| report::json(&state, now), || print(&state, now))?;
        }
        if self.check && !report::is_well(&state.report, now) {
            return Err(Failure::new(
                "the mirror is older than it should be",
                "look at its log, and at `sekisho bridge status`",
            ));
        }
        Ok(())
    }
}

fn print(state: &State, now: Timestamp) -> Done {
    let told = &state.report;
    let date = |millis: u64| {
        if millis == 0 {
            "never".to_owned()
        } else {
            Timestamp::from_millis(millis).truncated().to_rfc3339()
        }
    };
    output::facts(&[
        ("last poll", date(told.last_success)),
        ("next poll", date(told.next_poll)),
        ("trouble", told.trouble.clone().unwrap_or_default()),
        (
            "requests today",
            format!("{} of {}", told.used_today, told.per_day),
        ),
        ("vaults", state.vaults.len().to_string()),
        ("files to come", state.files.len().to_string()),
        ("vaults not read", state.closed.len().to_string()),
        ("items not read", state.quarantine.len().to_string()),
        ("writes refused", state.refusals.len().to_string()),
    ])?;
    let rows: Vec<[String; 3]> = state
        .vaults
        .iter()
        .map(|(id, vault)| {
            let seen = vault.checked.max(told.last_success);
            let age = now.millis().saturating_sub(seen) / 1000;
            [id.to_string(), date(vault.checked), format!("{age} s")]
        })
        .collect();
    if !rows.is_empty() {
        output::line("")?;
        output::table(["VAULT", "COMPARED", "AGE"], rows)?;
    }
    let rows: Vec<[String; 3]> = state
        .quarantine
        .iter()
        .map(|(item, held)| {
            [
                item.to_string(),
                held.vault.to_string(),
                held.reason.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::line("")?;
        output::table(["ITEM NOT READ", "VAULT", "REASON"], rows)?;
    }
    let rows: Vec<[String; 3]> = state
        .refusals
        .iter()
        .map(|held| [held.item.to_string(), date(held.at), held.reason.clone()])
        .collect();
    if !rows.is_empty() {
        output::line("")?;
        output::table(["WRITE REFUSED", "AT", "REASON"], rows)?;
    }
    Ok(())
}
