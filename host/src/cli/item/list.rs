//! `sekisho item list`.

use clap::Args;
use sekisho_core::item::Category;
use serde_json::{Value, json};

use super::{
    super::{
        Session,
        failure::{Done, Failure},
        output,
    },
    find::{self, Listed},
    template::parse_category,
};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  sekisho item list --vault Demo\n  sekisho item list --categories login,database --tags prod"
)]
pub(in super::super) struct LowList {
    /// Only of this vault, by name or id.
    #[arg(long)]
    vault: Option<String>,
    /// Only of these categories.
    #[arg(long, value_delimiter = ',', value_name = "CATEGORY")]
    categories: Vec<String>,
    /// Only with one of these tags.
    #[arg(long, value_delimiter = ',', value_name = "TAG")]
    tags: Vec<String>,
    /// Archived items too.
    #[arg(long)]
    include_archive: bool,
}

impl LowList {
    pub(super) fn run(self, session: &Session) -> Done {
        let operator = session.operator()?;
        let categories = self
            .categories
            .iter()
            .map(|word| parse_category(word))
            .collect::<Result<Vec<Category>, Failure>>()?;
        let mut items = Vec::new();
        for vault in find::vaults(&operator, self.vault.as_deref())? {
            items.extend(find::items(&operator, &vault)?);
        }
        items.retain(|item| {
            (self.include_archive || !item.archived)
                && (categories.is_empty()
                    || categories
                        .iter()
                        .any(|category| item.text("category") == category.as_str()))
                && (self.tags.is_empty()
                    || tags(item).any(|tag| self.tags.iter().any(|wanted| wanted == tag)))
        });
        session.print(
            || items.iter().map(to_json).collect(),
            || {
                output::table(
                    ["ID", "TITLE", "VAULT", "CATEGORY", "TAGS", "UPDATED"],
                    items.iter().map(row).collect(),
                )
            },
        )
    }
}

fn tags(item: &Listed) -> impl Iterator<Item = &str> {
    let tags = item.overview.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str)
}

/// Connect's summary, and the vault's name as `op` has it.
fn to_json(item: &Listed) -> Value {
    let mut value = item.overview.clone();
    if let Some(vault) = value.get_mut("vault").and_then(Value::as_object_mut) {
        vault.insert("name".into(), json!(item.vault));
    }
    value
}

fn row(item: &Listed) -> [String; 6] {
    [
        item.id.to_string(),
        item.text("title").to_owned(),
        item.vault.clone(),
        item.text("category").to_owned(),
        tags(item).collect::<Vec<_>>().join(","),
        item.text("updatedAt").to_owned(),
    ]
}
