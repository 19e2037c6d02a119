//! `sekisho item create`: the rules are the API's, for the item is built by the same function.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use clap::Args;
use sekisho_account::{Operator, clock, operator::OpenVault, random::SystemRng, store::MAX_ITEM};
use sekisho_core::item::{
    Category, ItemError, build, draft::Draft, json as item_json, stored::StoredItem,
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    super::{
        Session, attach, choose,
        failure::{Done, Failure},
        output,
    },
    assignment::Assignment,
    body::Body,
    get,
    recipe::LowRecipe,
    template::parse_category,
};

#[derive(Args)]
#[command(
    after_help = "Assignments set fields: [section.]field[[type]]=value. A backslash before . = [ ] or \\ makes it part of a name.
Types: password, text, email, url, date, monthYear, phone, otp; a new field without a type is concealed.
Other users of this machine can see arguments: give secrets by a template on stdin.

Examples:
  sekisho item create --vault Demo --title Mail username=wendy --generate-password --url https://mail.example
  sekisho item create --vault Demo --category database --title Orders hostname=db.internal 'replica.port[text]=5433'
  sekisho item create --vault Demo - < item.json"
)]
pub(in super::super) struct LowCreate {
    /// The vault, by name or id; may be left out when there is only one.
    #[arg(long)]
    vault: Option<String>,
    /// What it is [default: login, or what the template says]
    #[arg(long)]
    category: Option<String>,
    /// Its title.
    #[arg(long)]
    title: Option<String>,
    /// JSON in Connect's shape to begin from; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    template: Option<String>,
    /// Words it is found by.
    #[arg(long, value_delimiter = ',', value_name = "TAG")]
    tags: Vec<String>,
    /// Where it is used; may be repeated.
    #[arg(long, value_name = "URL")]
    url: Vec<String>,
    /// Generate its password; recipes are like letters,digits,symbols,32.
    #[arg(long, value_name = "RECIPE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    generate_password: Option<LowRecipe>,
    /// Fields to set, or `-` for a template on stdin.
    #[arg(value_name = "ASSIGNMENT")]
    assignments: Vec<String>,
}

impl LowCreate {
    pub(super) fn run(self, session: &Session) -> Done {
        let body = self.body()?;
        let operator = session.operator()?;
        let vault = choose::vault_or_only(&operator, self.vault.as_deref())?;
        let stored = build_item(&operator, &vault, body)?;
        attach::put_new(&operator, &stored)?;
        let mut item = get::open(&operator, &vault, stored.item.id)?;
        let done = session.print(|| item.clone(), || show(&stored, &vault));
        item_json::wipe(&mut item);
        done
    }

    fn body(&self) -> Result<Body, Failure> {
        let mut body = self.begin()?;
        for (position, text) in self
            .assignments
            .iter()
            .enumerate()
            .filter(|(_, text)| *text != "-")
        {
            let assignment = Assignment::parse(text).map_err(|wrong| {
                Failure::usage(
                    format!("assignment {} cannot be read: {wrong}", position + 1),
                    "write [section.]field[[type]]=value, see `sekisho item create --help`",
                )
            })?;
            body.assign(&assignment);
        }
        if let Some(recipe) = &self.generate_password {
            body.generate_password(recipe);
        }
        if let Some(title) = &self.title {
            body.put("title", title.as_str().into());
        }
        if !self.tags.is_empty() {
            body.put("tags", self.tags.iter().map(String::as_str).collect());
        }
        if !self.url.is_empty() {
            body.add_urls(&self.url);
        }
        Ok(body)
    }

    /// The template, or the skeleton of the category.
    fn begin(&self) -> Result<Body, Failure> {
        let category = self.category.as_deref().map(parse_category).transpose()?;
        let from_stdin = self.assignments.iter().any(|text| text == "-");
        let template = match (&self.template, from_stdin) {
            (Some(_), true) => {
                return Err(Failure::usage(
                    "there are two templates",
                    "give one, by --template FILE or by `-`",
                ));
            }
            (Some(path), false) => Some(read_template(path)?),
            (None, true) => Some(read_template("-")?),
            (None, false) => None,
        };
        let Some(template) = template else {
            return Ok(Body::of_category(category.unwrap_or(Category::Login)));
        };
        let mut body = Body::of_template(template);
        if let Some(category) = category {
            body.put("category", category.as_str().into());
        }
        Ok(body)
    }
}

fn read_template(path: &str) -> Result<Value, Failure> {
    let mut text = Zeroizing::new(Vec::new());
    let limit = MAX_ITEM as u64 + 1;
    let read = match path {
        "-" => io::stdin().lock().take(limit).read_to_end(&mut text),
        path => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut text)),
    };
    read.map_err(|error| Failure::io(Path::new(path), &error))?;
    if text.len() > MAX_ITEM {
        return Err(Failure::new(
            format!("the template is larger than {MAX_ITEM} bytes"),
            "no item may be so large",
        ));
    }
    let value = item_json::parse(&text).map_err(refused)?;
    if !value.is_object() {
        return Err(Failure::new(
            "the template is no JSON object",
            "`sekisho item template get login` shows one",
        ));
    }
    Ok(value)
}

fn refused(error: ItemError) -> Failure {
    Failure::new(
        error.to_string(),
        "`sekisho item template get CATEGORY` shows a whole item; `sekisho item create --help` shows examples",
    )
}

fn build_item(operator: &Operator, vault: &OpenVault, body: Body) -> Result<StoredItem, Failure> {
    let editor = operator.user();
    let writing = build::Writing {
        vault: vault.id,
        now: clock::now(),
        editor: editor.as_str(),
    };
    let draft = Draft::parse(body.finish()).map_err(refused)?;
    let item = build::create(draft, &writing, &mut SystemRng).map_err(refused)?;
    Ok(StoredItem::new(item))
}

fn show(stored: &StoredItem, vault: &OpenVault) -> Done {
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
