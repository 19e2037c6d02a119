//! Writes the vectors that are not there yet. A file that is there is never changed: if it would be, nothing is
//! written at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "run by hand, once")]

mod data;
mod keys;
mod tokens;

use std::{collections::BTreeMap, fs};

use sekisho_core::{key::VaultKey, secret::SecretBytes};
use sekisho_tests::{
    rng::{LabelledRng, labelled},
    vectors::{Vector, folder, outcome},
};

fn main() {
    let mut all = Vec::new();
    data::sealed(&mut all);
    keys::wrapped_to_operator(&mut all);
    keys::environment_key(&mut all);
    keys::wrapped_for_token(&mut all);
    tokens::tokens(&mut all);
    tokens::heads(&mut all);
    tokens::token_lists(&mut all);
    data::file_chunks(&mut all);
    data::title_marks(&mut all);
    for vector in &all {
        let name = format!("{}/{}", vector.folder, vector.name);
        assert_eq!(
            outcome(vector).as_deref(),
            Ok(vector.expect.as_str()),
            "{name}"
        );
        let path = folder().join(&name);
        let changes = path.exists() && fs::read_to_string(&path).unwrap() != vector.print();
        assert!(
            !changes,
            "{name} is there already and would change: give the new one a new name"
        );
    }
    for vector in &all {
        let path = folder().join(&vector.folder).join(&vector.name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !path.exists() {
            fs::write(path, vector.print()).unwrap();
        }
    }
}

/// A good vector and its spoilt copies.
struct Family<'a> {
    all: &'a mut Vec<Vector>,
    base: Vector,
}

impl<'a> Family<'a> {
    fn of(
        all: &'a mut Vec<Vector>,
        folder: &str,
        name: &str,
        headers: &[(&str, String)],
        bytes: Vec<u8>,
    ) -> Self {
        let headers: BTreeMap<String, String> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let base = Vector {
            folder: folder.into(),
            name: name.into(),
            expect: if matches!(folder, "token-list" | "title-mark") {
                "equal"
            } else {
                "opens"
            }
            .into(),
            headers,
            bytes,
        };
        Self { all, base }
    }

    fn good(&mut self, expect: &str) -> &mut Self {
        self.base.expect = expect.into();
        self.all.push(self.base.clone());
        self
    }

    /// A copy with one header changed.
    fn with(
        &mut self,
        name: &str,
        expect: &str,
        about: &str,
        header: &str,
        value: impl ToString,
    ) -> &mut Self {
        self.spoilt(name, expect, about, |vector| {
            vector.headers.insert(header.into(), value.to_string());
        })
    }

    /// A copy with other bytes.
    fn bytes(
        &mut self,
        name: &str,
        expect: &str,
        about: &str,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> &mut Self {
        self.spoilt(name, expect, about, |vector| change(&mut vector.bytes))
    }

    fn spoilt(
        &mut self,
        name: &str,
        expect: &str,
        about: &str,
        change: impl FnOnce(&mut Vector),
    ) -> &mut Self {
        let mut copy = self.base.clone();
        copy.name = format!("{}-{name}", self.base.name);
        copy.expect = expect.into();
        copy.headers.insert("about".into(), about.into());
        // The plaintext stays only where something is still opened.
        for secret in ["plaintext", "public"] {
            copy.headers.remove(secret);
        }
        if matches!(
            copy.folder.as_str(),
            "wrapped-to-operator" | "wrapped-for-token"
        ) {
            copy.headers.remove("key");
        }
        change(&mut copy);
        self.all.push(copy);
        self
    }
}

fn rng(name: &str) -> LabelledRng {
    labelled(&format!("vector {name}"))
}

fn key_of(name: &str, generation: u32) -> (VaultKey, [u8; 32]) {
    let bytes = *SecretBytes::<32>::generate(&mut rng(name)).expose();
    (VaultKey::dangerous_from_bytes(generation, bytes), bytes)
}

const NO: &str = "does not open";
