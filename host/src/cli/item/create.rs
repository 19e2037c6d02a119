//! `sekisho item create`: the rules are the API's, for the item is built by the same function.

use clap::Args;
use sekisho_account::{Operator, clock, operator::OpenVault, random::SystemRng};
use sekisho_core::item::{Category, build, draft::Draft, json as item_json, stored::StoredItem};

use super::{
    super::{
        Session, attach, choose,
        failure::{Done, Failure},
        output,
    },
    body::Body,
    edits::{self, LowEdits},
    get,
    template::parse_category,
};

#[derive(Args)]
#[command(
    after_help = "Assignments set fields: [section.]field[[type]]=value. A backslash before . = [ ] or \\ makes it part of a name.
Types: password, text, email, url, date, monthYear, phone, otp; a new field without a type is concealed.
[file]=PATH and name[file]=PATH attach a file.
Other users of this machine can see arguments: give secrets by a template on stdin.

Examples:
  sekisho item create --vault Demo --title Mail username=wendy --generate-password --url https://mail.example
  sekisho item create --vault Demo --category database --title Orders hostname=db.internal 'replica.port[text]=5433'
  sekisho item create --vault Demo - < item.json
  sekisho item create --vault Demo --category document --file report.pdf"
)]
pub(in super::super) struct LowCreate {
    /// The vault, by name or id; may be left out when there is only one.
    #[arg(long)]
    vault: Option<String>,
    /// What it is [default: login, or what the template says]
    #[arg(long)]
    category: Option<String>,
    #[command(flatten)]
    edits: LowEdits,
    /// Fields to set, or `-` for a template on stdin.
    #[arg(value_name = "ASSIGNMENT")]
    assignments: Vec<String>,
}

impl LowCreate {
    pub(super) fn run(self, session: &Session) -> Done {
        let mut body = self.begin()?;
        let files = self.edits.apply(&self.assignments, &mut body)?;
        if body.is_document() && !files.has_new() {
            return Err(Failure::usage(
                "a document without content is none",
                "name its file: --file FILE",
            ));
        }
        let operator = session.operator()?;
        let vault = choose::vault_or_only(&operator, self.vault.as_deref())?;
        let mut stored = build_item(&operator, &vault, body)?;
        files.apply(&operator, &mut stored)?;
        attach::put_new(&operator, &stored)?;
        let mut item = get::open(&operator, &vault, stored.item.id)?;
        let done = session.print(|| item.clone(), || show(&stored, &vault));
        item_json::wipe(&mut item);
        done
    }

    /// The template, or the skeleton of the category.
    fn begin(&self) -> Result<Body, Failure> {
        let document = |word: &String| {
            word.eq_ignore_ascii_case("document")
                .then_some(Category::Document)
        };
        let category = match &self.category {
            Some(word) => Some(document(word).map_or_else(|| parse_category(word), Ok)?),
            None => None,
        };
        let Some(template) = self.edits.template(&self.assignments)? else {
            let mut body = Body::of_category(category.unwrap_or(Category::Login));
            // A document is called as its file is.
            let file = self
                .edits
                .file
                .first()
                .and_then(|path| path.file_name()?.to_str());
            if let (Some(Category::Document), Some(name)) = (category, file) {
                body.put("title", name.into());
            }
            return Ok(body);
        };
        let mut body = Body::of_template(template);
        if let Some(category) = category {
            body.put("category", category.as_str().into());
        }
        Ok(body)
    }
}

fn build_item(operator: &Operator, vault: &OpenVault, body: Body) -> Result<StoredItem, Failure> {
    let editor = operator.user();
    let writing = build::Writing {
        vault: vault.id,
        now: clock::now(),
        editor: editor.as_str(),
    };
    let draft = Draft::parse(body.finish()).map_err(edits::refused)?;
    let item = build::create(draft, &writing, &mut SystemRng).map_err(edits::refused)?;
    Ok(StoredItem::new(item))
}

pub(super) fn show(stored: &StoredItem, vault: &OpenVault) -> Done {
    output::facts(&[
        ("ID:", stored.item.id.to_string()),
        ("Title:", stored.item.title.clone()),
        (
            "Vault:",
            format!("{} ({})", vault.attributes.name, vault.id),
        ),
        ("Category:", stored.item.category.as_str().to_owned()),
    ])
}
