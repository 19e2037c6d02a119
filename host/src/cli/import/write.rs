//! An import's plan, written. Items go one by one, each whole; a second run finds them and passes over.

use std::collections::HashMap;

use indicatif::{ProgressBar, ProgressStyle};
use sekisho_account::{
    AccountError, Operator, OperatorError, operator::NewFile, random::SystemRng,
};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    item::stored::StoredItem,
    records::VaultType,
    token::WriteAccess,
};
use sekisho_host::import::{Archive, ImportedFile};

use super::{
    super::{
        attach::{attach, put_sealed},
        failure::Failure,
    },
    convert::{self, Target},
    plan::{Plan, PlannedItem, PlannedVault, file_ids},
};

/// Ids are tried until one is free. That many clashes are no accident.
const ATTEMPTS: u32 = 16;

/// What was done to one vault.
pub(super) struct WrittenVault {
    pub(super) id: VaultId,
    pub(super) name: String,
    pub(super) kind: VaultType,
    pub(super) written: u64,
    pub(super) passed_over: u64,
    /// Ids that clashed with what is in the account: what was wanted, what it became.
    pub(super) renamed: Vec<(String, String)>,
}

pub(super) fn write(
    operator: &Operator,
    archive: &mut Archive,
    plan: Plan,
) -> Result<Vec<WrittenVault>, Failure> {
    let total: usize = plan.vaults.iter().map(|vault| vault.items.len()).sum();
    let progress = progress(total as u64);
    let mut written = Vec::new();
    for vault in &plan.vaults {
        let done = write_vault(operator, archive, vault, &plan, &progress);
        written.push(done.map_err(|failure| {
            progress.abandon();
            failure.with_cause(&format!("{} of {total} items are imported", progress.position())).with_help(
                "remove the cause, then run the same command again: what is there is passed over",
            )
        })?);
    }
    progress.finish_and_clear();
    Ok(written)
}

/// Shown on a terminal's stderr only; indicatif sees to that.
fn progress(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} items {eta}") {
        bar.set_style(style);
    }
    bar
}

fn write_vault(
    operator: &Operator,
    archive: &mut Archive,
    vault: &PlannedVault,
    plan: &Plan,
    progress: &ProgressBar,
) -> Result<WrittenVault, Failure> {
    let mut done = make_vault(operator, vault)?;
    let access = operator.write_access(done.id)?;
    let editor = operator.user();
    let items = operator.items(done.id)?;
    let mut writer = Writer {
        operator,
        archive,
        access,
        target: Target {
            vault: done.id,
            editor: editor.as_str(),
            now: plan.now,
        },
        there: items
            .into_iter()
            .map(|item| (item.id, item.version))
            .collect(),
    };
    for item in &vault.items {
        let (id, is_new) = writer.item(item)?;
        if is_new {
            done.written += 1;
        } else {
            done.passed_over += 1;
        }
        if let Some(wanted) = item.wanted.filter(|wanted| *wanted != id) {
            done.renamed.push((wanted.to_string(), id.to_string()));
        }
        progress.inc(1);
    }
    Ok(done)
}

/// The vault that is there, or a new one under its own id or, if that was used before, a derived one.
fn make_vault(operator: &Operator, vault: &PlannedVault) -> Result<WrittenVault, Failure> {
    let done = |id: VaultId| WrittenVault {
        id,
        name: vault.name.clone(),
        kind: vault.kind,
        written: 0,
        passed_over: 0,
        renamed: vault
            .wanted
            .filter(|wanted| *wanted != id)
            .map(|wanted| (wanted.to_string(), id.to_string()))
            .into_iter()
            .collect(),
    };
    if let Some(id) = vault.there {
        return Ok(done(id));
    }
    for attempt in 0..ATTEMPTS {
        let id = vault.id(attempt);
        match operator.create_vault(&vault.name, &vault.description, vault.kind, Some(id)) {
            Ok(id) => return Ok(done(id)),
            // It may be ours, of an import before.
            Err(error) if is_conflict(&error) => {
                if operator.vault(id).is_ok() {
                    return Ok(done(id));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(taken())
}

fn taken() -> Failure {
    Failure::new("no free id was found", "report this as a bug")
}

const fn is_conflict(error: &OperatorError) -> bool {
    matches!(error, OperatorError::Account(AccountError::Conflict { .. }))
}

struct Writer<'a> {
    operator: &'a Operator,
    archive: &'a mut Archive,
    access: WriteAccess,
    target: Target<'a>,
    /// Items of the vault, deleted ones not included.
    there: HashMap<ItemId, u64>,
}

impl Writer<'_> {
    /// Where the item is now, and whether it was not before.
    fn item(&mut self, item: &PlannedItem) -> Result<(ItemId, bool), Failure> {
        for attempt in 0..ATTEMPTS {
            let id = item.id(attempt);
            let mut stored = item.stored(id, &self.target)?;
            if self.there.contains_key(&id) {
                if convert::is_same(&self.open(id)?, &stored, &item.imported) {
                    return Ok((id, false));
                }
                continue;
            }
            self.attach_files(&mut stored, &item.imported.files)?;
            match put_sealed(self.operator, &self.access, &stored) {
                Ok(()) => return Ok((id, true)),
                // One of this id was deleted.
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(taken())
    }

    fn open(&self, id: ItemId) -> Result<StoredItem, Failure> {
        let record = self.operator.sealed_item(self.target.vault, id)?;
        StoredItem::open(self.access.current(), &record).map_err(|_| {
            Failure::new(
                format!("item '{id}', which is there already, does not open"),
                "check which operator key file is used",
            )
        })
    }

    fn attach_files(
        &mut self,
        stored: &mut StoredItem,
        files: &[ImportedFile],
    ) -> Result<(), Failure> {
        for (file, id) in files.iter().zip(file_ids(files)) {
            let id = id.unwrap_or_else(|| FileId::generate(&mut SystemRng));
            match self.attach_file(stored, file, id)? {
                Ok(()) => {}
                // Chunks of an import that broke off; they never change, so the file gets another id.
                Err(error) if is_conflict(&error) => {
                    let id = FileId::generate(&mut SystemRng);
                    self.attach_file(stored, file, id)??;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn attach_file(
        &mut self,
        stored: &mut StoredItem,
        file: &ImportedFile,
        id: FileId,
    ) -> Result<Result<(), OperatorError>, Failure> {
        let new = NewFile {
            id,
            name: file.name.clone(),
            section: file.section.clone(),
            size: file.size,
        };
        let mut content = self.archive.open_file(file)?;
        Ok(attach(self.operator, stored, new, &mut content))
    }
}
