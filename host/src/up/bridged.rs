//! What `up --bridge` adds to a run: the Connect server gets the mirrored vaults, and there is a token for them.

use std::collections::BTreeSet;

use sekisho_account::{Operator, protocol::TokenStanding};
use sekisho_bridge::state::StateDir;
use sekisho_core::{id::VaultId, secret::SecretText, token::Rights};

use super::{Place, Prepared, private};
use crate::cli::Failure;

const TOKEN: &str = "bridge";

/// Grants what is mirrored to the server that `up` runs. A token's vaults are fixed when it is made: if they are not
/// those any more, another one takes its place.
pub(crate) fn grant(
    place: &Place,
    prepared: &mut Prepared,
    operator: &Operator,
    writes: bool,
) -> Result<(), Failure> {
    let environment = prepared.credentials.environment();
    let state = StateDir::find(&place.bridge()).map(|dir| dir.load());
    let vaults: BTreeSet<VaultId> = state
        .into_iter()
        .flat_map(|state| state.vaults.into_keys())
        .collect();
    let held = operator.environment(environment)?.vaults;
    for vault in vaults.iter().filter(|vault| !held.contains(vault)) {
        operator.grant_vault(environment, *vault)?;
    }
    if vaults.is_empty() {
        return Ok(());
    }
    let rights = Rights::parse(if writes { "rw" } else { "r" });
    let rights = rights.expect("two words of its own");
    let wanted: BTreeSet<(VaultId, u8)> =
        vaults.iter().map(|vault| (*vault, rights.bits())).collect();
    let tokens = operator.tokens(Some(environment))?;
    let ours: Vec<_> = tokens
        .into_iter()
        .filter(|token| token.name == TOKEN && token.state == TokenStanding::Active)
        .collect();
    let is_good = ours.iter().any(|token| {
        let has = token
            .vaults
            .iter()
            .map(|(vault, rights)| (*vault, rights.bits()));
        has.collect::<BTreeSet<_>>() == wanted
    });
    let path = place.bridge_token();
    if is_good && let Ok(text) = std::fs::read_to_string(&path) {
        prepared.token = Some(SecretText::new(text.trim()));
        return Ok(());
    }
    let granted: Vec<_> = vaults.iter().map(|vault| (*vault, rights)).collect();
    let issued = operator.create_token(environment, TOKEN, &granted, None)?;
    // EXPOSE: into a file for its owner, as the demo token.
    private::write(&path, issued.text.expose().as_bytes())?;
    for old in ours {
        operator.revoke_token(old.id)?;
    }
    prepared.token = Some(issued.text);
    Ok(())
}
