//! JSON against docs/command-line.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

/// What the document says of each command: its members; `?` marks what may be absent.
pub(crate) struct Documented(BTreeMap<String, Vec<String>>);

impl Documented {
    pub(crate) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command-line.md");
        let text = fs::read_to_string(path).unwrap();
        let rows = text.lines().filter_map(|line| {
            let (command, rest) = line.strip_prefix("| `")?.split_once("` |")?;
            let members = rest.split('`').skip(1).step_by(2);
            Some((command.to_owned(), members.map(str::to_owned).collect()))
        });
        Self(rows.collect())
    }

    /// What the document has wrong about what a command printed.
    pub(crate) fn misses(&self, command: &str, printed: &Value) -> Option<String> {
        let printed = members(printed);
        let none = Vec::new();
        let said = self.0.get(command).unwrap_or(&none);
        let bare = |member: &String| member.trim_end_matches('?').to_owned();
        let all: BTreeSet<String> = said.iter().map(bare).collect();
        let mut always = said.iter().filter(|member| !member.ends_with('?'));
        let is_told = !said.is_empty()
            && printed.is_subset(&all)
            && always.all(|member| printed.contains(member));
        (!is_told).then(|| format!("docs/command-line.md does not tell `{command}`: {printed:?}"))
    }
}

/// Of an object, or of the first one of a list.
fn members(value: &Value) -> BTreeSet<String> {
    let object = match value {
        Value::Array(list) => list.first(),
        other => Some(other),
    };
    let object = object.and_then(Value::as_object);
    object.into_iter().flat_map(|o| o.keys().cloned()).collect()
}
