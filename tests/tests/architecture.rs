//! The arrows of design.md §1 and the limits of style.md §12, read from the tree itself (invariant 2).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sekisho_tests::cases;
use serde_json::Value;

/// A package and what it may never depend on, however far away.
const NEVER: [(&str, &[&str]); 7] = [
    (
        "sekisho-core",
        &[
            "tokio",
            "tracing",
            "wasmtime",
            "rusqlite",
            "wit-bindgen",
            "reqwest",
            "hyper",
            "getrandom",
            "anyhow",
            "sekisho-account",
            "sekisho-host",
            "sekisho-edge",
        ],
    ),
    (
        "sekisho-edge",
        &[
            "tokio",
            "tracing",
            "wasmtime",
            "rusqlite",
            "reqwest",
            "hyper",
            "sekisho-account",
            "sekisho-host",
        ],
    ),
    (
        "sekisho-account",
        &["wasmtime", "wit-bindgen", "sekisho-edge", "sekisho-host"],
    ),
    ("sekisho-bridge", &["sekisho-edge", "sekisho-host"]),
    ("sekisho-host", &["sekisho-edge", "sekisho-plug-exports"]),
    ("sekisho-plug-feed", PLUG_NEVER),
    ("sekisho-plug-bundle", PLUG_NEVER),
];

/// They carry bytes to the component, and are as small.
const PLUG_NEVER: &[&str] = &[
    "tokio",
    "tracing",
    "wasmtime",
    "rusqlite",
    "hyper",
    "sekisho-account",
    "sekisho-edge",
    "sekisho-host",
];

/// What the component may name in its manifests.
const EDGE_MAY: [(&str, &[&str]); 2] = [
    (
        "sekisho-edge",
        &["http", "rand_core", "sekisho-core", "wit-bindgen"],
    ),
    ("sekisho-component", &["sekisho-edge", "talc"]),
];
/// Where a store lives.
const MAY_STORE: [&str; 2] = ["sekisho-account", "sekisho-host"];

const LONG: usize = 500;
const TOO_LONG: usize = 700;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .canonicalize()
        .unwrap()
        .parent()
        .unwrap()
        .to_path_buf()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        // One platform: the others' packages need not be at hand.
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Names of everything a package is built from, tests aside.
fn closure(metadata: &Value, package: &str) -> BTreeSet<String> {
    let packages: Vec<&Value> = array(metadata, "packages").collect();
    let find = |id: &str| {
        packages
            .iter()
            .find(|package| text(package, "id") == id)
            .unwrap()
    };
    let nodes: Vec<&Value> = array(&metadata["resolve"], "nodes").collect();
    let first = packages
        .iter()
        .find(|candidate| text(candidate, "name") == package);
    let mut waiting = vec![text(
        first.unwrap_or_else(|| panic!("no package {package}")),
        "id",
    )];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let node = nodes.iter().find(|node| text(node, "id") == id).unwrap();
        for dependency in array(node, "deps") {
            let is_normal = array(dependency, "dep_kinds").any(|kind| kind["kind"].is_null());
            let id = text(dependency, "pkg");
            if is_normal && seen.insert(text(find(id), "name").to_owned()) {
                waiting.push(id);
            }
        }
    }
    seen
}

/// What a package's own manifest names, tests aside.
fn named<'a>(metadata: &'a Value, package: &str) -> BTreeSet<&'a str> {
    let package = array(metadata, "packages").find(|candidate| text(candidate, "name") == package);
    array(package.unwrap(), "dependencies")
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| text(dependency, "name"))
        .collect()
}

#[test]
fn arrows_point_where_the_design_says() {
    let metadata = metadata();
    for (package, never) in NEVER {
        let closure = closure(&metadata, package);
        let found: Vec<_> = never
            .iter()
            .filter(|name| closure.contains(**name))
            .collect();
        assert!(found.is_empty(), "{package} may never depend on {found:?}");
    }
    for (package, may) in EDGE_MAY {
        let named = named(&metadata, package);
        let more: Vec<_> = named.iter().filter(|name| !may.contains(name)).collect();
        assert!(more.is_empty(), "{package} names {more:?}");
    }
    for package in array(&metadata, "packages").map(|package| text(package, "name")) {
        if package.starts_with("sekisho-") && named(&metadata, package).contains("rusqlite") {
            assert!(MAY_STORE.contains(&package), "{package} names rusqlite");
        }
    }
}

#[test]
fn core_promises_no_std_and_no_unsafe() {
    for lib in ["core/src/lib.rs", "core/cipher/src/lib.rs"] {
        let text = fs::read_to_string(root().join(lib)).unwrap();
        for promise in ["#![no_std]", "#![forbid(unsafe_code)]"] {
            assert!(text.lines().any(|line| line == promise), "{lib}: {promise}");
        }
    }
    for file in sources(&root().join("core")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let is_std =
            |line: &&str| line.trim_start().starts_with("use std::") || line.contains(" std::");
        let found = code.lines().find(is_std);
        assert_eq!(found, None, "{} names std", file.display());
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return out;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let skipped = path
            .file_name()
            .is_some_and(|name| name == "target" || name == "node_modules");
        if path.is_dir() && !skipped {
            out.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
    out
}

#[test]
fn files_are_small() {
    let folders = [
        "core",
        "account",
        "bridge",
        "host",
        "edge-wasm",
        "tests",
        "benches",
        "fuzz",
    ];
    let mut lengths: Vec<(usize, PathBuf)> = folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > LONG)
        .collect();
    lengths.sort();
    for (lines, file) in &lengths {
        eprintln!("{lines} lines: {}", file.display());
    }
    let too_long: Vec<_> = lengths
        .iter()
        .filter(|(lines, _)| *lines > TOO_LONG)
        .collect();
    assert!(too_long.is_empty(), "over {TOO_LONG} lines: {too_long:?}");
}

#[test]
fn every_file_of_cases_is_read() {
    let read: BTreeSet<String> = cases::read_all()
        .into_iter()
        .map(|file| file.name)
        .collect();
    let folder = sekisho_tests::world::cases_folder();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let known = matches!(name.as_str(), "README.md" | "world.json")
            || name
                .strip_suffix(".json")
                .is_some_and(|stem| read.contains(stem));
        assert!(known, "nothing reads cases/{name}");
    }
}

/// Every deviation a case names is explained, and every explained one has its case.
#[test]
fn gaps_and_cases_agree() {
    let gaps = fs::read_to_string(root().join("tests/gaps.toml")).unwrap();
    let ids: BTreeSet<&str> = gaps
        .lines()
        .filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'))
        .collect();
    let reasons = gaps
        .lines()
        .filter(|line| line.starts_with("reason = \""))
        .count();
    assert_eq!(reasons, ids.len(), "each gap has one id and one reason");
    for file in cases::read_all() {
        for case in file.cases {
            if let Some((_, id)) = case.about.split_once("gaps.toml ") {
                assert!(ids.contains(id), "{}: no gap {id}", case.name);
            }
        }
    }
}

/// The WIT interface and the trait are one port, spelled twice.
#[test]
fn the_wit_records_are_the_trait() {
    let wit = fs::read_to_string(root().join("wit/world.wit")).unwrap();
    let wit = block(&wit, "interface records {");
    let mut in_wit: Vec<String> = wit
        .lines()
        .filter_map(|line| line.trim().split_once(": func("))
        .map(|(name, _)| name.trim_start_matches('%').replace('-', "_"))
        // `head` is a type there.
        .map(|name| {
            name.strip_prefix("get_")
                .map(ToOwned::to_owned)
                .unwrap_or(name)
        })
        .collect();
    let rust = fs::read_to_string(root().join("core/src/records.rs")).unwrap();
    let rust = block(&rust, "pub trait Records {");
    let mut in_rust: Vec<String> = rust
        .lines()
        .filter_map(|line| line.trim().strip_prefix("fn ")?.split_once('('))
        .map(|(name, _)| name.to_owned())
        .collect();
    in_wit.sort();
    in_rust.sort();
    assert_eq!(in_wit, in_rust);
}

/// What stands between a heading line and the closing brace in its column.
fn block<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n}").next().unwrap()
}
