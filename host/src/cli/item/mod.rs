//! `sekisho item`.

mod assignment;
mod body;
mod create;
mod edit;
mod edits;
mod find;
mod get;
mod list;
mod recipe;
mod template;

use clap::Subcommand;
use sekisho_account::{Operator, operator::OpenVault};
use sekisho_core::id::ItemId;

use super::{
    Session,
    failure::{Done, Failure},
};

/// An item by title or id.
pub(super) fn find(
    operator: &Operator,
    vault: Option<&str>,
    wanted: &str,
) -> Result<(OpenVault, ItemId), Failure> {
    find::item(operator, vault, wanted)
}

/// Ids and titles of a vault's items.
pub(super) fn titles(
    operator: &Operator,
    vault: &OpenVault,
) -> Result<Vec<(ItemId, String)>, Failure> {
    let items = find::items(operator, vault)?;
    let titled = |item: find::Listed| (item.id, item.text("title").to_owned());
    Ok(items.into_iter().map(titled).collect())
}

#[derive(Subcommand)]
pub(super) enum LowItem {
    /// Make an item.
    Create(create::LowCreate),
    /// Show an item.
    Get(get::LowGet),
    /// Change an item.
    Edit(edit::LowEdit),
    /// Delete an item for good.
    #[command(visible_aliases = ["rm", "remove"])]
    Delete(edit::LowDelete),
    /// Put an item away: lists leave it out.
    Archive(edit::LowArchive),
    /// List items.
    #[command(visible_alias = "ls")]
    List(list::LowList),
    /// Skeletons to fill.
    #[command(subcommand)]
    Template(template::LowTemplate),
}

impl LowItem {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            Self::Create(low) => low.run(session),
            Self::Get(low) => low.run(session),
            Self::Edit(low) => low.run(session),
            Self::Delete(low) => low.run(session),
            Self::Archive(low) => low.run(session),
            Self::List(low) => low.run(session),
            Self::Template(low) => low.run(session),
        }
    }
}
