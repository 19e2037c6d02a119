//! The one place that prints. Tables and JSON go to stdout, everything else to stderr.

use std::io::{self, BufRead, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::failure::{Done, Failure};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    // For programs.
    Json,
    // For spreadsheets; reports only.
    Csv,
    // For people.
    #[value(alias = "human-readable")]
    Table,
}

impl Format {
    /// From an environment variable.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "table" | "human-readable" => Some(Self::Table),
            _ => None,
        }
    }
}

/// One line (or several) of text.
pub(crate) fn line(text: &str) -> Done {
    bytes(format!("{text}\n").as_bytes())
}

/// Bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Done {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(()),
        // `sekisho item list | head -1`: the reader has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(
            format!("the result could not be printed: {}", error.kind()),
            "check where the output goes",
        )),
    }
}

/// JSON, indented.
pub(crate) fn json(value: &Value) -> Done {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    serde_json::to_writer_pretty(&mut *text, value)
        .map_err(|_| Failure::new("the result has no JSON form", "report this as a bug"))?;
    text.push(b'\n');
    bytes(&text)
}

/// A table without lines, as wide as it must be: ids are there to be copied.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Done {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    // Margins are no use without lines.
    let text = table.to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    line(&lines.join("\n"))
}

/// RFC 4180, with a line of names.
pub(crate) fn csv<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Done {
    let row = |cells: Vec<String>| format!("{}\r\n", cells.join(","));
    let mut text = row(head
        .iter()
        .map(|name| name.to_lowercase().replace(' ', "_"))
        .collect());
    for cells in rows {
        text.push_str(&row(cells.iter().map(|cell| csv_cell(cell)).collect()));
    }
    bytes(text.as_bytes())
}

fn csv_cell(text: &str) -> String {
    // Spreadsheets compute what begins so: names come from anyone.
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// What a terminal would obey is not shown: titles come from anyone.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A remark on stderr.
pub(crate) fn remark(text: &str) {
    // Who cannot be told of a remark cannot be told of that either.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A failure on stderr.
pub(crate) fn complain(failure: &Failure) {
    remark(&failure.to_string());
}

/// Asks on a terminal; `None` = there is nobody to ask.
pub(crate) fn confirm(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Names and what they are, one to a line; what is empty is left out.
pub(crate) fn facts(rows: &[(&str, String)]) -> Done {
    let shown = rows.iter().filter(|(_, value)| !value.is_empty());
    let width = rows
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let lines: Vec<String> = shown
        .map(|(name, value)| format!("{name:<width$}  {}", plain(value)))
        .collect();
    line(&lines.join("\n"))
}
