//! What was written is what the next read shows (invariant 10): by id, in the list, by title. And parallel writers all
//! get through.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Barrier,
    thread,
};

use rand_core::TryRng;
use sekisho_host::engine::EngineKind;
use sekisho_tests::{
    cases::{Given, RawAnswer, Request},
    hosted::{Connection, Hosted, Serving},
    rng::{LabelledRng, labelled},
    world::World,
};
use serde_json::{Value, json};

/// Rounds of one thread; two run at once, each in a vault of its own.
const NATIVE: usize = 4_800;
const COMPONENT: usize = 200;
/// Items of a test's making that are there at once.
const MOST: usize = 8;

/// One client with one token.
struct Client {
    connection: Connection,
    items: String,
}

impl Client {
    fn of(serving: &Serving, vault: &str) -> Self {
        Self {
            connection: serving.connect(),
            items: format!("/v1/vaults/{}/items", World::get().vaults[vault].id),
        }
    }

    fn ask(&mut self, method: &str, target: &str, more: &[(&str, &str)], body: Value) -> RawAnswer {
        let token = &World::get().tokens["both"];
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
        headers.extend(more.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
        let body = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(&body).unwrap()
        };
        self.connection.send(&Request {
            method: method.into(),
            target: target.into(),
            headers,
            body,
        })
    }

    /// An answer that must be this one.
    fn must(&mut self, method: &str, target: &str, body: Value, status: u16) -> Value {
        let answer = self.ask(method, target, &[], body);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{method} {target}: {text}");
        answer.json().unwrap_or_default()
    }

    fn get(&mut self, target: &str) -> Value {
        self.must("GET", target, Value::Null, 200)
    }
}

fn draft(title: &str, value: &str) -> Value {
    json!({ "title": title, "category": "LOGIN", "fields": [
        { "purpose": "PASSWORD", "value": value }, { "id": "note", "label": "note", "value": value },
    ] })
}

/// What must be read.
#[derive(Clone)]
struct Expected {
    title: String,
    value: String,
    version: u64,
}

/// Writes and reads on connections of their own, and a naive model of what must be there.
struct Rounds {
    writer: Client,
    reader: Client,
    model: BTreeMap<String, Expected>,
    before: usize,
    dice: LabelledRng,
    count: usize,
}

impl Rounds {
    fn new(serving: &Serving, vault: &str) -> Self {
        let mut reader = Client::of(serving, vault);
        let items = reader.items.clone();
        Self {
            writer: Client::of(serving, vault),
            before: reader.get(&items).as_array().unwrap().len(),
            reader,
            model: BTreeMap::new(),
            dice: labelled(&format!("rounds {vault}")),
            count: 0,
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        let Ok(word) = self.dice.try_next_u32();
        word as usize % sides
    }

    fn any(&mut self) -> (String, Expected) {
        let at = self.roll(self.model.len());
        let (id, expected) = self.model.iter().nth(at).unwrap();
        (id.clone(), expected.clone())
    }

    fn round(&mut self) {
        self.count += 1;
        let (title, value) = (
            format!("Round {}", self.count),
            format!("value {}", self.count),
        );
        match (self.model.len(), self.roll(4)) {
            (0, _) | (1..MOST, 0) => self.create(title, value),
            (MOST, 0) | (_, 1) => self.delete(),
            (_, 2) => self.replace(title, value),
            _ => self.patch(value),
        }
    }

    fn create(&mut self, title: String, value: String) {
        let target = self.writer.items.clone();
        let made = self
            .writer
            .must("POST", &target, draft(&title, &value), 200);
        let id = made["id"].as_str().unwrap().to_owned();
        let expected = Expected {
            title,
            value,
            version: 1,
        };
        self.expect(id, expected, None);
    }

    fn replace(&mut self, title: String, value: String) {
        let (id, old) = self.any();
        let target = format!("{}/{id}", self.writer.items);
        self.writer.must("PUT", &target, draft(&title, &value), 200);
        let expected = Expected {
            title,
            value,
            version: old.version + 1,
        };
        self.expect(id, expected, Some(&old.title));
    }

    fn patch(&mut self, value: String) {
        let (id, old) = self.any();
        let target = format!("{}/{id}", self.writer.items);
        let patch = json!([{ "op": "replace", "path": "/fields/note/value", "value": value }]);
        self.writer.must("PATCH", &target, patch, 200);
        let expected = Expected {
            value,
            version: old.version + 1,
            ..old
        };
        self.expect(id, expected, None);
    }

    fn delete(&mut self) {
        let (id, old) = self.any();
        let target = format!("{}/{id}", self.writer.items);
        self.writer.must("DELETE", &target, Value::Null, 204);
        self.model.remove(&id);
        self.reader.must("GET", &target, Value::Null, 404);
        assert_eq!(self.titled(&old.title), Vec::<String>::new(), "by title");
        self.compare_list();
    }

    /// The three reads after a write.
    fn expect(&mut self, id: String, expected: Expected, gone: Option<&str>) {
        let item = self.reader.get(&format!("{}/{id}", self.reader.items));
        let note = |field: &&Value| field["id"] == "note";
        let found = item["fields"].as_array().unwrap().iter().find(note);
        let shown = (&item["title"], &item["version"], &found.unwrap()["value"]);
        let wanted = (
            &json!(expected.title),
            &json!(expected.version),
            &json!(expected.value),
        );
        assert_eq!(shown, wanted, "by id, round {}", self.count);
        assert_eq!(
            self.titled(&expected.title),
            std::slice::from_ref(&id),
            "by title"
        );
        if let Some(gone) = gone {
            assert_eq!(self.titled(gone), Vec::<String>::new(), "the old title");
        }
        self.model.insert(id, expected);
        self.compare_list();
    }

    fn titled(&mut self, title: &str) -> Vec<String> {
        let title = title.replace(' ', "%20");
        let target = format!("{}?filter=title%20eq%20%22{title}%22", self.reader.items);
        ids(&self.reader.get(&target))
    }

    /// Every fourth time: a list costs more than all the other reads of a round.
    fn compare_list(&mut self) {
        if !self.count.is_multiple_of(4) {
            return;
        }
        let target = self.reader.items.clone();
        let list = self.reader.get(&target);
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), self.before + self.model.len(), "the list");
        for summary in list {
            if let Some(expected) = self.model.get(summary["id"].as_str().unwrap()) {
                let shown = (&summary["title"], &summary["version"]);
                let wanted = (&json!(expected.title), &json!(expected.version));
                assert_eq!(shown, wanted, "in the list, round {}", self.count);
            }
        }
    }
}

fn ids(list: &Value) -> Vec<String> {
    let ids = list.as_array().unwrap().iter();
    ids.map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

fn rounds(engine: EngineKind, rounds: usize) {
    let hosted = Hosted::new(engine);
    let serving = hosted.serve(&Given::default(), |_| {});
    thread::scope(|scope| {
        for vault in ["demo", "ops"] {
            let mut client = Rounds::new(&serving, vault);
            scope.spawn(move || (0..rounds).for_each(|_| client.round()));
        }
    });
}

#[test]
fn no_read_is_stale_natively() {
    rounds(EngineKind::Native, NATIVE);
}

#[test]
fn no_read_is_stale_in_components() {
    rounds(EngineKind::Component, COMPONENT);
}

/// Asks all at once, each client on a connection of its own, and hands back the answers.
fn at_once(
    serving: &Serving,
    count: usize,
    ask: impl Fn(usize, &mut Client) -> RawAnswer + Sync,
) -> Vec<RawAnswer> {
    let start = Barrier::new(count);
    let (start, ask) = (&start, &ask);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = Client::of(serving, "demo");
                    start.wait();
                    ask(number, &mut client)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    })
}

fn parallel_writers(engine: EngineKind) {
    let hosted = Hosted::new(engine);
    let serving = hosted.serve(&Given::default(), |_| {});
    let mut reader = Client::of(&serving, "demo");
    let target = reader.items.clone();
    let before = ids(&reader.get(&target)).len();
    let answers = at_once(&serving, 64, |number, client| {
        let target = client.items.clone();
        client.ask(
            "POST",
            &target,
            &[],
            draft(&format!("Writer {number}"), "x"),
        )
    });
    let statuses: BTreeSet<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, BTreeSet::from([200]));
    let made: BTreeSet<String> = answers
        .iter()
        .map(|answer| answer.json().unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let there: BTreeSet<String> = ids(&reader.get(&target)).into_iter().collect();
    assert_eq!(made.len(), 64);
    assert!(made.is_subset(&there));
    assert_eq!(there.len(), before + 64);
}

#[test]
fn sixty_four_writers_get_through_natively() {
    parallel_writers(EngineKind::Native);
}

#[test]
fn sixty_four_writers_get_through_in_components() {
    parallel_writers(EngineKind::Component);
}

fn retries_and_preconditions(engine: EngineKind) {
    let hosted = Hosted::new(engine);
    let serving = hosted.serve(&Given::default(), |_| {});
    let answers = at_once(&serving, 8, |_, client| {
        let target = client.items.clone();
        let key = [("idempotency-key", "the same")];
        client.ask("POST", &target, &key, draft("Once", "x"))
    });
    let made: BTreeSet<String> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{:?}", answer.json());
            answer.json().unwrap()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(made.len(), 1, "one item");
    let mut client = Client::of(&serving, "demo");
    let target = client.items.clone();
    let list = client.get(&format!("{target}?filter=title%20eq%20%22Once%22"));
    assert_eq!(ids(&list).len(), 1);
    // Two writers who both saw version 1: the second is told so, whatever it does.
    let item = format!("{target}/{}", made.first().unwrap());
    let seen = client.ask("GET", &item, &[], Value::Null);
    let seen = [("if-match", seen.header("etag").unwrap())];
    let patch = json!([{ "op": "replace", "path": "/title", "value": "Twice" }]);
    assert_eq!(client.ask("PATCH", &item, &seen, patch.clone()).status, 200);
    for (method, body) in [
        ("PUT", draft("Late", "x")),
        ("PATCH", patch),
        ("DELETE", Value::Null),
    ] {
        let answer = client.ask(method, &item, &seen, body);
        assert_eq!(answer.status, 412, "{method}");
        assert_eq!(answer.json().unwrap()["status"], 412);
    }
    assert_eq!(client.get(&item)["title"], "Twice");
    let current = [("if-match", "\"2\"")];
    assert_eq!(
        client.ask("DELETE", &item, &current, Value::Null).status,
        204
    );
}

#[test]
fn retries_and_preconditions_natively() {
    retries_and_preconditions(EngineKind::Native);
}

#[test]
fn retries_and_preconditions_in_components() {
    retries_and_preconditions(EngineKind::Component);
}
