//! The whole reader over archives made here: what is kept, what is refused, and that nothing is lost or leaks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "tests")]

mod kept;
mod lossless;
mod refused;
mod silent;

use std::collections::HashSet;
use std::io::{Read, Write};

use serde_json::{Value, json};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::fixture::{self, PLAIN, Sample};
use super::*;

fn canary(name: &str) -> String {
    format!("canary-{name}")
}

fn read_sample(sample: &Sample) -> Result<Archive, ImportError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sample.1pux");
    fixture::write(&path, sample).unwrap();
    read(&path, &Limits::default())
}

fn rich() -> Archive {
    read_sample(&fixture::sample(&canary)).unwrap()
}

fn item<'a>(archive: &'a Archive, name: &str) -> &'a ImportedItem {
    let id = Some(fixture::id(name));
    archive
        .export()
        .vaults
        .iter()
        .flat_map(|vault| &vault.items)
        .find(|item| item.id == id)
        .unwrap()
}

/// An export of these items in one vault.
fn export_of(items: Value) -> Sample {
    let attrs = json!({"uuid": fixture::id("v"), "name": "V", "type": "U"});
    Sample {
        data: json!({"accounts": [{"vaults": [{"attrs": attrs, "items": items}]}]}),
        files: Vec::new(),
    }
}

fn one(item: Value) -> ImportedItem {
    let mut archive = read_sample(&export_of(json!([item]))).unwrap();
    archive.export.vaults.remove(0).items.remove(0)
}

fn with_fields(category: &str, fields: Value) -> ImportedItem {
    one(
        json!({"uuid": fixture::id("i"), "categoryUuid": category, "details": {"sections": [
        {"name": "s", "title": "S", "fields": fields}]}}),
    )
}

fn archive_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    pack(entries, zip::CompressionMethod::Stored)
}

fn pack(entries: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(
            *name,
            SimpleFileOptions::default().compression_method(method),
        )
        .unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn read_bytes(bytes: &[u8]) -> Result<Archive, ImportError> {
    read_limited(bytes, &Limits::default())
}

fn read_limited(bytes: &[u8], limits: &Limits) -> Result<Archive, ImportError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    read(file.path(), limits)
}

const EMPTY: &[u8] = br#"{"accounts": []}"#;

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}

/// Offset of the n-th header of the central directory.
fn header(bytes: &[u8], number: usize) -> usize {
    (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"PK\x01\x02"))
        .nth(number)
        .unwrap()
}
