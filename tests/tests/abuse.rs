//! Whatever a client sends, it is answered in Connect's shape and at once, and nothing of it is the server's fault. What
//! the limits of `serve` refuse is in `host/tests/limits.rs`; refusals by path and method are in `cases/errors.json`.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::time::{Duration, Instant};

use sekisho_host::engine::EngineKind;
use sekisho_tests::{
    cases::{Given, RawAnswer},
    hosted::{Connection, Hosted, Serving},
    world::World,
};

/// Longer than any answer may take here, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(15);

struct Client {
    connection: Connection,
    items: String,
    item: String,
}

impl Client {
    fn of(serving: &Serving) -> Self {
        let (vault, item) = World::get().items["login"];
        Self {
            connection: serving.connect(),
            items: format!("/v1/vaults/{vault}/items"),
            item: format!("/v1/vaults/{vault}/items/{item}"),
        }
    }

    /// A request line and headers as they stand; the length is put in.
    fn ask(&mut self, line: &str, headers: &str, body: &[u8]) -> RawAnswer {
        let token = &World::get().tokens["rw"];
        let mut bytes =
            format!("{line}\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}").into_bytes();
        if !headers.contains("transfer-encoding") {
            bytes.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        let began = Instant::now();
        let answer = self.connection.raw(&bytes);
        assert!(
            began.elapsed() < AT_ONCE,
            "{line} took {:?}",
            began.elapsed()
        );
        answer
    }

    fn refused(&mut self, line: &str, headers: &str, body: &[u8], status: u16) {
        let answer = self.ask(line, headers, body);
        let shown = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{line} {headers}: {shown}");
        let told = answer
            .json()
            .unwrap_or_else(|| panic!("{line}: not JSON: {shown}"));
        assert_eq!(told["status"], status, "{line}");
        assert!(
            told["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("1password-connect-version"), Some("1.8.2"));
    }

    fn is_well(&mut self) {
        let line = format!("GET {} HTTP/1.1", self.item);
        assert_eq!(self.ask(&line, "", b"").status, 200);
    }
}

fn on_both(test: impl Fn(&mut Client)) {
    for engine in [EngineKind::Native, EngineKind::Component] {
        let hosted = Hosted::new(engine);
        let serving = hosted.serve(&Given::default(), |limits| {
            limits.stall_time = Duration::from_millis(500);
            limits.body_time = Duration::from_secs(5);
        });
        let mut client = Client::of(&serving);
        test(&mut client);
        client.is_well();
    }
}

#[test]
fn bodies_that_are_no_item() {
    let mebibytes = |count: usize, piece: &str| piece.repeat(count * 1024 * 1024 / piece.len());
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let member = |value: &str| format!(r#"{{"category":"LOGIN","title":"t","tags":{value}}}"#);
    let bodies: Vec<(&str, Vec<u8>, u16)> = vec![
        ("ten megabytes of arrays", mebibytes(10, "[").into(), 413),
        (
            "nearly four megabytes of arrays",
            mebibytes(3, "[").into(),
            400,
        ),
        (
            "flat, but far too many",
            format!("[{}1]", "1,".repeat(1_900_000)).into(),
            413,
        ),
        ("too deep", deep(200).into(), 400),
        ("too deep inside", member(&deep(5000)).into(), 400),
        (
            "objects too deep",
            format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)).into(),
            400,
        ),
        (
            "invalid UTF-8",
            [
                br#"{"category":"LOGIN","title":""#.as_slice(),
                b"\xff\xfe\"}",
            ]
            .concat(),
            400,
        ),
        (
            "a lone surrogate",
            br#"{"category":"LOGIN","title":"\ud800"}"#.to_vec(),
            400,
        ),
        (
            "a member twice",
            br#"{"category":"LOGIN","title":"a","title":"b"}"#.to_vec(),
            400,
        ),
        (
            "a member twice, deep",
            br#"{"category":"LOGIN","vault":{"id":"a","id":"b"}}"#.to_vec(),
            400,
        ),
        ("nothing", Vec::new(), 400),
        ("blanks", b" \n".to_vec(), 400),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec(), 400),
        ("half", br#"{"category":"LOGIN","title":"#.to_vec(), 400),
        (
            "more than one",
            br#"{"category":"LOGIN"}{"category":"LOGIN"}"#.to_vec(),
            400,
        ),
        (
            "a number that is none",
            br#"{"category":"LOGIN","favorite":1e999}"#.to_vec(),
            400,
        ),
        ("nul", vec![0; 100], 400),
        ("not an object", b"[]".to_vec(), 400),
        ("null", b"null".to_vec(), 400),
    ];
    on_both(|client| {
        let (items, item) = (client.items.clone(), client.item.clone());
        for (what, body, status) in &bodies {
            for line in [
                format!("POST {items} HTTP/1.1"),
                format!("PUT {item} HTTP/1.1"),
                "POST /v1/batch HTTP/1.1".into(),
            ] {
                client.refused(
                    &line,
                    &format!("x-what: {what}\r\ncontent-type: application/json\r\n"),
                    body,
                    *status,
                );
            }
            // An empty list of operations is a patch that changes nothing.
            if body != b"[]" {
                client.refused(
                    &format!("PATCH {item} HTTP/1.1"),
                    &format!("x-what: {what}\r\n"),
                    body,
                    *status,
                );
            }
        }
    });
}

#[test]
fn kinds_of_content_that_are_not_taken() {
    on_both(|client| {
        let (items, item) = (client.items.clone(), client.item.clone());
        let kinds = [
            "application/xml",
            "multipart/form-data; boundary=x",
            "image/png",
            "application/x-yaml",
            "nonsense",
        ];
        for kind in kinds {
            let kind = format!("content-type: {kind}\r\n");
            client.refused(&format!("POST {items} HTTP/1.1"), &kind, b"{}", 415);
            client.refused(&format!("PUT {item} HTTP/1.1"), &kind, b"{}", 415);
            client.refused(&format!("PATCH {item} HTTP/1.1"), &kind, b"[]", 415);
            client.refused("POST /v1/batch HTTP/1.1", &kind, b"{}", 415);
        }
    });
}

#[test]
fn methods_that_are_not_meant() {
    on_both(|client| {
        let (items, item) = (client.items.clone(), client.item.clone());
        for method in ["OPTIONS", "TRACE", "PROPFIND", "get", "M-SEARCH"] {
            for path in [
                items.as_str(),
                item.as_str(),
                "/v1/vaults",
                "/heartbeat",
                "/openapi.json",
            ] {
                client.refused(&format!("{method} {path} HTTP/1.1"), "", b"", 405);
            }
            client.refused(&format!("{method} /nowhere HTTP/1.1"), "", b"", 404);
        }
        client.refused("OPTIONS * HTTP/1.1", "", b"", 404);
        // What CONNECT names is a host, not a path.
        client.refused("CONNECT example.com:443 HTTP/1.1", "", b"", 404);
        // A body where none belongs is not read as anything.
        client.refused(
            &format!("GET {items}/nope HTTP/1.1"),
            "",
            &[b'x'; 100_000],
            400,
        );
        let with_body = client.ask(
            &format!("GET {item} HTTP/1.1"),
            "",
            b"{\"not\":\"asked for\"}",
        );
        assert_eq!(with_body.status, 200);
        client.refused(
            &format!("GET {item} HTTP/1.1"),
            "",
            &vec![b'['; 10 << 20],
            413,
        );
    });
}

#[test]
fn request_lines_that_are_not_to_the_letter() {
    on_both(|client| {
        let items = client.items.clone();
        // RFC 3986 has no such bytes in a target; a client that pastes a filter sends them all the same.
        let line = format!("GET {items}?filter=title%20eq%20\"x\" HTTP/1.1");
        client.refused(&line, "", b"", 400);
        client.refused(&format!("GET {items}?filter=<x> HTTP/1.1"), "", b"", 400);
        client.refused(
            &format!("GET {items}?filter=title eq HTTP/1.1"),
            "",
            b"",
            400,
        );
        client.refused(&format!("GET {items}/\\x HTTP/1.1"), "", b"", 400);
        client.refused(&format!("GET {items}/%00 HTTP/1.1"), "", b"", 400);
        client.refused(&format!("GET {items}/%ff%fe HTTP/1.1"), "", b"", 400);
        client.refused(&format!("GET {items}?filter=%ff%fe HTTP/1.1"), "", b"", 400);
        client.refused(
            &format!("GET {items}/{} HTTP/1.1", "a".repeat(60_000)),
            "",
            b"",
            400,
        );
        client.refused(
            &format!("GET {items}?filter={} HTTP/1.1", "(".repeat(60_000)),
            "",
            b"",
            400,
        );
        client.refused(
            &format!("GET /v1{} HTTP/1.1", "/a".repeat(20_000)),
            "",
            b"",
            404,
        );
        client.refused("GET http://other.example/nowhere HTTP/1.1", "", b"", 404);
        client.refused("GET /nowhere HTTP/1.0", "", b"", 404);
        client.refused("GET /nowhere HTTP/3.0", "", b"", 400);
        client.refused("GET nowhere HTTP/1.1", "", b"", 404);
    });
}

#[test]
fn framing_that_could_be_read_in_two_ways() {
    on_both(|client| {
        let line = format!("POST {} HTTP/1.1", client.items);
        client.refused(&line, "transfer-encoding: chunked\r\n", b"zz\r\n", 400);
        client.refused(
            &line,
            "transfer-encoding: chunked\r\n",
            b"2\r\n{}0\r\n\r\n",
            400,
        );
        client.refused(&line, "transfer-encoding: gzip\r\n", b"0\r\n\r\n", 400);
        client.refused(&line, "content-length: 5\r\n", b"{}", 400);
        client.refused(&line, "content-length: -1\r\n", b"{}", 400);
        client.refused(&line, "bad header\r\n", b"{}", 400);
        client.refused(
            &line,
            "transfer-encoding: chunked\r\n",
            b"ffffffffffffffffff\r\n",
            400,
        );
        // One who never sends the body: after the time for it.
        client.refused(&line, "transfer-encoding: chunked\r\n", b"5\r\n{", 408);
        let (vault, item) = World::get().items["login"];
        let upload = format!("POST /v1/vaults/{vault}/items/{item}/files?name=slow HTTP/1.1");
        client.refused(&upload, "transfer-encoding: chunked\r\n", b"5\r\nx", 400);
    });
}

/// An answer is put together in memory: what does not fit is refused by itself, and what is smaller still answered.
#[test]
fn a_batch_larger_than_an_answer() {
    on_both(|client| {
        let line = format!("POST {} HTTP/1.1", client.items);
        let notes = "n".repeat(3 * 1024 * 1024);
        let body = format!(
            r#"{{"category":"SECURE_NOTE","title":"large","fields":[{{"purpose":"NOTES","value":"{notes}"}}]}}"#
        );
        let made = client.ask(&line, "content-type: application/json\r\n", body.as_bytes());
        assert_eq!(made.status, 200);
        let id = made.json().unwrap()["id"].as_str().unwrap().to_owned();
        let (vault, small) = World::get().items["login"];
        let entry = |item: &str| format!(r#"{{"vault":"{vault}","item":"{item}"}}"#);
        let entries = [&id, &id, &id, small.as_str()].map(entry).join(",");
        let answer = client.ask(
            "POST /v1/batch HTTP/1.1",
            "content-type: application/json\r\n",
            format!(r#"{{"requests":[{entries}]}}"#).as_bytes(),
        );
        assert_eq!(answer.status, 200);
        let answer = answer.json().unwrap();
        let told: Vec<_> = answer["responses"].as_array().unwrap().iter().collect();
        let statuses: Vec<_> = told
            .iter()
            .map(|one| one["status"].as_u64().unwrap())
            .collect();
        assert_eq!(statuses, [200, 200, 413, 200]);
        assert_eq!(told[2]["code"], "batch_full");
        assert!(told[2]["hint"].as_str().unwrap().contains("fewer"));
    });
}
