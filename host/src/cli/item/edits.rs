//! What the command line says of an item, whether it is made or changed.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use sekisho_account::{Operator, operator::NewFile, random::SystemRng, store::MAX_ITEM};
use sekisho_core::{
    id::FileId,
    item::{ItemError, json as item_json, stored::StoredItem},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    super::{attach::attach, choose::quoted, failure::Failure},
    assignment::{Assignment, Deed},
    body::Body,
    recipe::LowRecipe,
};

#[derive(Args)]
pub(super) struct LowEdits {
    /// Its title.
    #[arg(long)]
    pub(super) title: Option<String>,
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
    /// Attach a file under its own name; may be repeated. A document's content is its first file.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Vec<PathBuf>,
}

/// Files that come and go.
#[derive(Default)]
pub(super) struct Files {
    new: Vec<NewContent>,
    gone: Vec<(Option<String>, String)>,
}

struct NewContent {
    path: PathBuf,
    name: String,
    section: Option<String>,
}

impl LowEdits {
    /// The template, if there is one.
    pub(super) fn template(&self, assignments: &[String]) -> Result<Option<Value>, Failure> {
        let from_stdin = assignments.iter().any(|text| text == "-");
        match (&self.template, from_stdin) {
            (Some(_), true) => Err(Failure::usage(
                "there are two templates",
                "give one, by --template FILE or by `-`",
            )),
            (Some(path), false) => read_template(path).map(Some),
            (None, true) => read_template("-").map(Some),
            (None, false) => Ok(None),
        }
    }

    /// Puts everything into the body that has a place there; files have not.
    pub(super) fn apply(&self, assignments: &[String], body: &mut Body) -> Result<Files, Failure> {
        let mut files = Files::default();
        for (position, text) in assignments
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
            files.take(assignment, body)?;
        }
        for path in &self.file {
            files.new.push(NewContent {
                path: path.clone(),
                name: file_name(path)?,
                section: None,
            });
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
        Ok(files)
    }

    /// Whether there is a URL that takes the place of those there are.
    pub(super) const fn has_urls(&self) -> bool {
        !self.url.is_empty()
    }
}

impl Files {
    fn take(&mut self, assignment: Assignment, body: &mut Body) -> Result<(), Failure> {
        match assignment.deed {
            Deed::Set => body.assign(&assignment),
            Deed::Attach => {
                // EXPOSE: it is a path.
                let path = PathBuf::from(assignment.value.expose());
                let name = if assignment.field.is_empty() {
                    file_name(&path)?
                } else {
                    assignment.field
                };
                let section = assignment.section.map(|label| body.section(&label));
                self.new.push(NewContent {
                    path,
                    name,
                    section,
                });
            }
            Deed::Delete => {
                if !body.remove(assignment.section.as_deref(), &assignment.field) {
                    self.gone.push((assignment.section, assignment.field));
                }
            }
        }
        Ok(())
    }

    /// Removes and attaches them; the item is stored afterwards.
    pub(super) fn apply(self, operator: &Operator, stored: &mut StoredItem) -> Result<(), Failure> {
        for (section, name) in self.gone {
            remove(stored, section.as_deref(), &name)?;
        }
        for new in self.new {
            let unread = |error: io::Error| Failure::io(&new.path, &error);
            let mut content = File::open(&new.path).map_err(unread)?;
            let meta = content.metadata().map_err(unread)?;
            if !meta.is_file() {
                return Err(Failure::new(
                    format!("{} is no file", new.path.display()),
                    "name a file",
                ));
            }
            let file = NewFile {
                id: FileId::generate(&mut SystemRng),
                name: new.name,
                section: new.section,
                size: meta.len(),
            };
            attach(operator, stored, file, &mut content)?;
        }
        Ok(())
    }

    /// Whether a file is attached.
    pub(super) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }
}

fn remove(stored: &mut StoredItem, section: Option<&str>, name: &str) -> Result<(), Failure> {
    let damaged = |_| Failure::new("the item's files are damaged", "write the item again");
    let mut entries = stored.file_entries().map_err(damaged)?;
    let label = |id: &str| {
        let found = stored.item.sections.iter().find(|known| known.id == id);
        found.and_then(|found| found.label.clone())
    };
    let is_meant = |entry: &sekisho_core::file::FileEntry| {
        let in_section = section.is_none_or(|wanted| {
            entry
                .section
                .as_deref()
                .is_some_and(|id| id == wanted || label(id).as_deref() == Some(wanted))
        });
        in_section && (entry.name == name || entry.id.as_str() == name)
    };
    let before = entries.len();
    entries.retain(|entry| !is_meant(entry));
    if entries.len() == before {
        return Err(Failure::new(
            format!("the item has no field or file {}", quoted(name)),
            "`sekisho item get ITEM` shows what it has",
        ));
    }
    stored.set_file_entries(&entries);
    Ok(())
}

fn file_name(path: &Path) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::usage(
            format!("{} has no name that an item could show", path.display()),
            "give one: NAME[file]=PATH",
        )
    })
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

/// What core does not take.
pub(super) fn refused(error: ItemError) -> Failure {
    Failure::new(
        error.to_string(),
        "`sekisho item template get CATEGORY` shows a whole item; `sekisho item create --help` shows examples",
    )
}
