//! Exchanges as data: `cases/*.json` (format: `cases/README.md`), run over any [`Carrier`].
//!
//! Besides what a case asks for, every answer must keep the contract's general promises ([`invariants`]). A run hands
//! back everything that went over the wire, unchanged, so that two runtimes can be compared byte for byte.

mod check;
mod invariants;
mod run;

use std::{collections::BTreeMap, path::PathBuf};

use sekisho_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

pub use self::{
    check::fits,
    invariants::invariants,
    run::{Exchange, Outcome, differences, run, run_case},
};
use crate::{memory::Mood, world};

/// A file of cases.
#[derive(Debug)]
pub struct CaseFile {
    /// Its name without `.json`.
    pub name: String,
    /// What is in it.
    pub cases: Vec<Case>,
}

/// A conversation on a fresh world.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Where the contract asks for it.
    pub about: String,
    /// What is unusual about the server.
    #[serde(default)]
    pub given: Given,
    /// In order.
    pub steps: Vec<Step>,
}

/// What is unusual about the server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Its clock, RFC 3339.
    #[serde(default)]
    pub now: Option<String>,
    /// `empty`, `offline` or `read-only`.
    #[serde(default)]
    pub records: Option<String>,
}

impl Given {
    /// Its clock.
    pub fn now(&self) -> Option<Timestamp> {
        self.now
            .as_deref()
            .map(|now| Timestamp::parse_rfc3339(now).unwrap())
    }

    /// Its records' mood.
    pub fn mood(&self) -> Option<Mood> {
        self.records.as_deref().map(|word| match word {
            "empty" => Mood::Empty,
            "offline" => Mood::Offline,
            "read-only" => Mood::ReadOnly,
            other => panic!("records can be empty, offline or read-only, not {other}"),
        })
    }
}

/// One exchange.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is sent.
    pub request: CaseRequest,
    /// What must come back.
    pub answer: CaseAnswer,
    /// Variables for later steps, by JSON Pointer into the answer.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

/// What is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The method.
    pub method: String,
    /// Path and query, sent as they stand.
    pub path: String,
    /// The name of a token of the world.
    #[serde(default)]
    pub token: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Value>,
    /// A body that need not be JSON.
    #[serde(default)]
    pub text: Option<String>,
    /// A body of any bytes, as hexadecimal digits.
    #[serde(default)]
    pub hex: Option<String>,
    /// A text repeated this often: for bodies too large to stand here.
    #[serde(default)]
    pub times: Option<usize>,
}

/// What must come back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseAnswer {
    /// The status.
    pub status: u16,
    /// Headers; null = must be absent.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// The whole JSON body; members in any order.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Value>,
    /// What the JSON body must have, among other members. Arrays are compared whole, position by position.
    #[serde(default, deserialize_with = "present")]
    pub like: Option<Value>,
    /// The body as text.
    #[serde(default)]
    pub text: Option<String>,
    /// That text repeated this often.
    #[serde(default)]
    pub times: Option<usize>,
    /// JSON Pointers that must point to nothing.
    #[serde(default)]
    pub missing: Vec<String>,
    /// JSON Pointers and what must be there, by kind.
    #[serde(default)]
    pub kinds: BTreeMap<String, String>,
}

/// A member that is there, even as null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A request with every variable replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Carries requests to one server.
pub trait Carrier {
    /// Sends one and waits for its answer.
    fn exchange(&mut self, request: &Request) -> RawAnswer;
}

/// Starts servers.
pub trait Runtime {
    /// What failures call it.
    fn name(&self) -> &'static str;

    /// A server of a fresh [`world::World`]; `None` = this runtime cannot be given that.
    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>>;
}

/// Every file of cases, by name.
pub fn read_all() -> Vec<CaseFile> {
    let mut files: Vec<CaseFile> = case_paths().into_iter().map(read).collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

/// Every `.json` of the folder that holds cases.
pub fn case_paths() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world::cases_folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "world"))
        .collect()
}

fn read(path: PathBuf) -> CaseFile {
    let text = std::fs::read(&path).unwrap();
    let cases =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    CaseFile {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        cases,
    }
}
