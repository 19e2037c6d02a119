//! What an import did, in numbers and ids.

use sekisho_host::import::Report;
use serde_json::{Value, json};

use super::{
    super::{Session, failure::Done, output},
    write::WrittenVault,
};

pub(super) fn show(session: &Session, vaults: &[WrittenVault], report: &Report) -> Done {
    session.print(
        || json!({ "vaults": vaults.iter().map(to_json).collect::<Value>(), "report": report }),
        || {
            output::table(
                ["ID", "NAME", "TYPE", "WRITTEN", "THERE ALREADY", "NOTE"],
                vaults.iter().map(row).collect(),
            )?;
            for (wanted, became) in vaults.iter().flat_map(|vault| &vault.renamed) {
                output::line(&format!("{wanted} was taken, it is {became} now"))?;
            }
            output::line(&format!("\n{}", report.to_string().trim_end()))
        },
    )
}

fn to_json(vault: &WrittenVault) -> Value {
    let renamed = vault
        .renamed
        .iter()
        .map(|(wanted, became)| json!({ "id": wanted, "new_id": became }));
    json!({
        "id": vault.id,
        "name": vault.name,
        "type": vault.kind.as_str(),
        "grantable": vault.kind.is_grantable(),
        "written": vault.written,
        "there_already": vault.passed_over,
        "renamed": renamed.collect::<Value>(),
    })
}

fn row(vault: &WrittenVault) -> [String; 6] {
    let note = if vault.kind.is_grantable() {
        ""
    } else {
        "cannot be granted"
    };
    [
        vault.id.to_string(),
        vault.name.clone(),
        vault.kind.as_str().to_owned(),
        vault.written.to_string(),
        vault.passed_over.to_string(),
        note.to_owned(),
    ]
}
