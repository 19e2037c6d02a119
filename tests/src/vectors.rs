//! `vectors/**`: sealed things as files that never change (invariant 12).
//!
//! A file is header lines `name: value`, first of all `expect:`, an empty line, then the bytes in hexadecimal digits.
//! The folder says what the bytes are. [`outcome`] says in one word what core makes of them; every header must be
//! used, so that nothing in a file is there only for show.

mod judge;

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

pub use judge::{Exactly, outcome};

/// What core may say of bytes that it takes.
pub const GOOD: [&str; 4] = ["opens", "accepted", "genuine", "equal"];

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// Its folder: what the bytes are.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// The word core must say.
    pub expect: String,
    /// The other headers.
    pub headers: BTreeMap<String, String>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Vector {
    /// Whether core must take it.
    pub fn is_good(&self) -> bool {
        GOOD.contains(&self.expect.as_str())
    }

    /// Reads a file's text.
    pub fn parse(folder: &str, name: &str, text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\n\n")?;
        let mut headers: BTreeMap<String, String> = head
            .lines()
            .map(|line| line.split_once(": "))
            .map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect::<Option<_>>()?;
        Some(Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            expect: headers.remove("expect")?,
            headers,
            bytes: from_hex(body)?,
        })
    }

    /// The file's text.
    pub fn print(&self) -> String {
        let mut out = format!("expect: {}\n", self.expect);
        for (name, value) in &self.headers {
            let _ = writeln!(out, "{name}: {value}");
        }
        for (at, byte) in self.bytes.iter().enumerate() {
            let _ = write!(out, "{}{byte:02x}", if at % 32 == 0 { "\n" } else { "" });
        }
        if self.bytes.is_empty() {
            out.push('\n');
        }
        out.push('\n');
        out
    }
}

/// The folder of all vectors.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every file in every folder there; panics at one that is not a vector.
pub fn read_all() -> Vec<Vector> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap().path();
        if !entry.is_dir() {
            assert!(
                entry.ends_with("README.md"),
                "{} is in no folder",
                entry.display()
            );
            continue;
        }
        for file in std::fs::read_dir(&entry).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let name =
                |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
            let vector = Vector::parse(&name(&entry), &name(&path), &text);
            all.push(vector.unwrap_or_else(|| panic!("{} is no vector", path.display())));
        }
    }
    all.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    all
}

/// Hexadecimal digits, blanks passed over.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some((high << 4 | low) as u8),
        _ => None,
    });
    pairs.collect()
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
