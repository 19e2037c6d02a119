//! `sekisho usage`.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use sekisho_account::{
    Operator, clock,
    protocol::{UsageQuery, UsageRow},
};
use sekisho_core::{
    id::{ItemId, VaultId},
    rest::Action,
    time::{Timestamp, parse_date},
};
use serde_json::{Value, json};

use super::{
    Session, choose,
    duration::Seconds,
    failure::{Done, Failure},
    item,
};

#[derive(Subcommand)]
pub(super) enum LowUsage {
    /// What was read and written, by which Connect server, how often and when.
    #[command(
        after_help = "The action is the manual's: every read is a \"Display\"; what was truly done stands beside it.

Examples:\n  sekisho usage report --server default --since 7d\n  sekisho usage report --vault Production --since 2026-01-01 --format csv"
    )]
    Report(LowReport),
}

#[derive(Args)]
pub(super) struct LowReport {
    /// Only through this Connect server, by name or id.
    #[arg(long)]
    server: Option<String>,
    /// Only in this vault, by name or id.
    #[arg(long)]
    vault: Option<String>,
    /// Only of this item, by title or id.
    #[arg(long)]
    item: Option<String>,
    /// From then on: 7d, 12h, 2026-01-31 or 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before then.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl LowUsage {
    pub(super) fn run(self, session: &Session) -> Done {
        let Self::Report(wanted) = self;
        let now = clock::now();
        let when = |text: &Option<String>| text.as_deref().map(|t| parse_when(t, now)).transpose();
        let (since, until) = (when(&wanted.since)?, when(&wanted.until)?);
        let operator = session.operator()?;
        let environment = match &wanted.server {
            Some(server) => Some(choose::server(&operator, server)?.id),
            None => None,
        };
        let mut vault = match &wanted.vault {
            Some(vault) => Some(choose::vault(&operator, vault)?.id),
            None => None,
        };
        let item = match &wanted.item {
            // One that was deleted has accesses all the same.
            Some(wanted) if ItemId::parse(wanted).is_ok() => ItemId::parse(wanted).ok(),
            Some(title) => {
                let (found, item) = item::find(&operator, wanted.vault.as_deref(), title)?;
                vault = Some(found.id);
                Some(item)
            }
            None => None,
        };
        let rows = operator.usage_report(UsageQuery {
            environment,
            vault,
            item,
            since,
            until,
        })?;
        let names = Names::of(&operator, &rows)?;
        session.print_rows(
            || rows.iter().map(|row| to_json(row, &names)).collect(),
            HEAD,
            || rows.iter().map(|row| to_row(row, &names)).collect(),
        )
    }
}

fn parse_when(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(Seconds(ago)) = text.parse() {
        return Ok(Timestamp::from_seconds(now.seconds().saturating_sub(ago)));
    }
    let day = || {
        let days = u64::try_from(parse_date(text)?).ok()?;
        Some(Timestamp::from_seconds(days * 86_400))
    };
    Timestamp::parse_rfc3339(text).or_else(day).ok_or_else(|| {
        Failure::usage(
            "a time is not understood",
            "write 7d or 12h for so long ago, a date such as 2026-01-31, or 2026-01-31T12:00:00Z",
        )
    })
}

/// Names of vaults and titles of items, as far as this operator may know them.
struct Names {
    vaults: HashMap<VaultId, String>,
    items: HashMap<ItemId, String>,
}

impl Names {
    fn of(operator: &Operator, rows: &[UsageRow]) -> Result<Self, Failure> {
        let (mut vaults, mut items) = (HashMap::new(), HashMap::new());
        for vault in operator.vaults()? {
            if !rows.iter().any(|row| row.vault == vault.id) {
                continue;
            }
            for (id, title) in item::titles(operator, &vault)? {
                items.insert(id, title);
            }
            vaults.insert(vault.id, vault.attributes.name);
        }
        Ok(Self { vaults, items })
    }

    fn vault(&self, id: &VaultId) -> Option<&str> {
        self.vaults.get(id).map(String::as_str)
    }

    fn item(&self, row: &UsageRow) -> Option<&str> {
        self.items.get(row.item.as_ref()?).map(String::as_str)
    }
}

const fn true_action(row: &UsageRow) -> &'static str {
    match row.action {
        Action::Read => "READ",
        Action::Create => "CREATE",
        Action::Update => "UPDATE",
        Action::Delete => "DELETE",
    }
}

fn to_json(row: &UsageRow, names: &Names) -> Value {
    json!({
        "action": row.shown_action(),
        "true_action": true_action(row),
        "allowed": row.allowed,
        "used_by": row.used_by,
        "server": row.environment,
        "vault": { "id": row.vault, "name": names.vault(&row.vault) },
        "item": row.item.map(|id| json!({ "id": id, "title": names.item(row) })),
        "count": row.count,
        "first": row.first.to_rfc3339(),
        "last": row.last.to_rfc3339(),
    })
}

const HEAD: [&str; 9] = [
    "ITEM",
    "VAULT",
    "ACTION",
    "TRUE ACTION",
    "ALLOWED",
    "USED BY",
    "COUNT",
    "FIRST",
    "LAST",
];

fn to_row(row: &UsageRow, names: &Names) -> [String; 9] {
    let item = row.item.map(|id| id.to_string()).unwrap_or_default();
    [
        names.item(row).map_or(item, str::to_owned),
        names
            .vault(&row.vault)
            .map_or_else(|| row.vault.to_string(), str::to_owned),
        row.shown_action().to_owned(),
        true_action(row).to_owned(),
        if row.allowed { "yes" } else { "no" }.to_owned(),
        row.used_by.clone(),
        row.count.to_string(),
        row.first.to_rfc3339(),
        row.last.to_rfc3339(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let seconds = |text: &str| parse_when(text, now).ok().map(Timestamp::seconds);
        assert_eq!(seconds("1d"), Some(1_000_000_000 - 86_400));
        assert_eq!(seconds("1970-01-02"), Some(86_400));
        assert_eq!(seconds("1970-01-02T00:00:01Z"), Some(86_401));
        assert_eq!(seconds("yesterday"), None);
    }
}
