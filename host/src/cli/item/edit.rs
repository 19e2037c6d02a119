//! `sekisho item edit`, `delete` and `archive`: what is edited is replaced as a PUT would, by the same function.

use clap::Args;
use sekisho_account::{Operator, OperatorError, clock, operator::OpenVault, random::SystemRng};
use sekisho_core::{
    id::ItemId,
    item::{build, draft::Draft, json as item_json, stored::StoredItem},
    records::Expect,
    token::WriteAccess,
};
use serde_json::json;

use super::{
    super::{
        Session,
        failure::{Done, Failure},
        output,
    },
    body::Body,
    create, edits,
    edits::LowEdits,
    find, get,
};

#[derive(Args)]
#[command(
    after_help = "Assignments set fields as `item create` does; field[delete]= removes a field or a file, [file]=PATH attaches one.
What is not named stays as it is. With a template, the template is what the item becomes.
Other users of this machine can see arguments: give secrets by a template on stdin.

Examples:
  sekisho item edit Mail --vault Demo username=wanda --generate-password
  sekisho item edit Mail 'old pin[delete]=' 'Keys.backup\\.txt[file]=backup.txt'
  sekisho item get Mail --format json | jq '.tags += [\"mail\"]' | sekisho item edit Mail -"
)]
pub(in super::super) struct LowEdit {
    /// Its title or id.
    item: String,
    /// The vault it is in, by name or id.
    #[arg(long)]
    vault: Option<String>,
    #[command(flatten)]
    edits: LowEdits,
    /// Fields to set, or `-` for a template on stdin.
    #[arg(value_name = "ASSIGNMENT")]
    assignments: Vec<String>,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  sekisho item delete Mail --vault Demo")]
pub(in super::super) struct LowDelete {
    #[command(flatten)]
    which: LowWhich,
    /// Archive it instead.
    #[arg(long)]
    archive: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  sekisho item archive Mail --vault Demo\n  sekisho item archive Mail --undo"
)]
pub(in super::super) struct LowArchive {
    #[command(flatten)]
    which: LowWhich,
    /// Take it back.
    #[arg(long)]
    undo: bool,
}

#[derive(Args)]
struct LowWhich {
    /// Its title or id.
    item: String,
    /// The vault it is in, by name or id.
    #[arg(long)]
    vault: Option<String>,
}

impl LowWhich {
    fn find(&self, operator: &Operator) -> Result<(OpenVault, ItemId), Failure> {
        find::item(operator, self.vault.as_deref(), &self.item)
    }
}

impl LowEdit {
    pub(super) fn run(self, session: &Session) -> Done {
        let template = self.edits.template(&self.assignments)?;
        let operator = session.operator()?;
        let (vault, id) = find::item(&operator, self.vault.as_deref(), &self.item)?;
        let access = operator.write_access(vault.id)?;
        let mut stored = open(&operator, &access, id)?;
        let before = stored.item.version;
        let mut body = Body::of_template(match template {
            Some(template) => template,
            None => item_json::details(&stored.item),
        });
        body.forget_place();
        if self.edits.has_urls() {
            body.put("urls", json!([]));
        }
        let files = self.edits.apply(&self.assignments, &mut body)?;
        let editor = operator.user();
        let writing = build::Writing {
            vault: vault.id,
            now: clock::now(),
            editor: editor.as_str(),
        };
        let draft = Draft::parse(body.finish()).map_err(edits::refused)?;
        let next = build::replace(&stored.item, draft, &writing, &mut SystemRng);
        stored.item = next.map_err(edits::refused)?;
        files.apply(&operator, &mut stored)?;
        let record = stored
            .seal(&access, &mut SystemRng)
            .map_err(|_| unopened(id))?;
        operator.put_item(&access, record, Expect::Version(before))?;
        let mut item = get::open(&operator, &vault, id)?;
        let done = session.print(|| item.clone(), || create::show(&stored, &vault));
        item_json::wipe(&mut item);
        done
    }
}

fn open(operator: &Operator, access: &WriteAccess, id: ItemId) -> Result<StoredItem, Failure> {
    let record = operator.sealed_item(access.vault(), id)?;
    Ok(StoredItem::open(access.current(), &record).map_err(|_| unopened(id))?)
}

fn unopened(id: ItemId) -> OperatorError {
    OperatorError::DoesNotOpen {
        what: "item",
        id: id.to_string(),
    }
}

impl LowDelete {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let (vault, id) = self.which.find(&operator)?;
        if self.archive {
            return archive(session, &operator, &vault, id, true);
        }
        operator.delete_item(vault.id, id, None)?;
        session.print(
            || json!({ "id": id, "vault": vault.id, "state": "DELETED" }),
            || output::line(&format!("Deleted: {id}")),
        )
    }
}

impl LowArchive {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let (vault, id) = self.which.find(&operator)?;
        archive(session, &operator, &vault, id, !self.undo)
    }
}

fn archive(
    session: &Session,
    operator: &Operator,
    vault: &OpenVault,
    id: ItemId,
    archived: bool,
) -> Done {
    operator.archive_item(vault.id, id, archived)?;
    let (state, word) = if archived {
        ("ARCHIVED", "Archived")
    } else {
        ("ACTIVE", "Taken back")
    };
    session.print(
        || json!({ "id": id, "vault": vault.id, "state": state }),
        || output::line(&format!("{word}: {id}")),
    )
}
