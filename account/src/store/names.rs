//! Names that people give: not blank, not too long, each once.

use rusqlite::Connection;
use sekisho_core::vault::equal_folded;

use crate::AccountError;

/// Longest name, in bytes.
const MAX_NAME: usize = 256;

/// The name as it is kept, if it can be one. `others` selects `id` and `name` of all that count; `id` is its own.
pub(super) fn check(
    db: &Connection,
    what: &'static str,
    others: &'static str,
    id: &str,
    name: &str,
) -> Result<String, AccountError> {
    let name = plain(name)?;
    let mut statement = db.prepare_cached(others)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (other, taken): (String, String) = (row.get("id")?, row.get("name")?);
        // Names that differ in case only would be ambiguous where a name may stand for an id.
        if other != id && equal_folded(&taken, &name) {
            return Err(AccountError::NameTaken {
                what: what.into(),
                name,
            });
        }
    }
    Ok(name)
}

/// A name that need not be unique.
pub(super) fn plain(name: &str) -> Result<String, AccountError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(AccountError::invalid("a name cannot be empty"));
    }
    if name.len() > MAX_NAME {
        return Err(AccountError::TooLarge { limit: MAX_NAME });
    }
    if name.chars().any(char::is_control) {
        return Err(AccountError::invalid("a name has no control characters"));
    }
    Ok(name.to_owned())
}
