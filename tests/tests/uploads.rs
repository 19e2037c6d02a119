//! Files over a real socket: what goes in comes out, whole or in parts; what breaks off was never there.
#![cfg(feature = "host")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::{
    io::{BufReader, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use sekisho_host::engine::EngineKind;
use sekisho_tests::{
    cases::{Given, RawAnswer, Request},
    hosted::{Connection, Hosted, Serving, read_answer},
    world::World,
};
use serde_json::{Value, json};

const SIZE: usize = 20 * 1024 * 1024 + 7;

struct Client {
    connection: Connection,
    item: String,
}

impl Client {
    fn of(serving: &Serving) -> Self {
        let (vault, item) = World::get().items["x"];
        Self {
            connection: serving.connect(),
            item: format!("/v1/vaults/{vault}/items/{item}"),
        }
    }

    fn ask(&mut self, method: &str, target: &str, more: &[(&str, &str)], body: &[u8]) -> RawAnswer {
        let mut headers = vec![("authorization".to_owned(), bearer())];
        headers.extend(more.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
        self.connection.send(&Request {
            method: method.into(),
            target: target.into(),
            headers,
            body: body.to_vec(),
        })
    }

    fn json(&mut self, method: &str, target: &str, more: &[(&str, &str)], body: &[u8]) -> Value {
        let answer = self.ask(method, target, more, body);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{method} {target}: {text}");
        answer.json().unwrap()
    }

    fn files(&mut self) -> Value {
        let target = format!("{}/files", self.item);
        self.json("GET", &target, &[], b"")
    }
}

fn bearer() -> String {
    format!("Bearer {}", World::get().tokens["rw"])
}

/// Bytes of which no two stretches are alike.
fn content(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let byte = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    (0..size).map(byte).collect()
}

fn on_both(test: impl Fn(&Serving)) {
    for engine in [EngineKind::Native, EngineKind::Component] {
        let hosted = Hosted::new(engine);
        // Short, for what never comes is waited for.
        let serving = hosted.serve(&Given::default(), |limits| {
            limits.stall_time = Duration::from_secs(3);
        });
        test(&serving);
    }
}

#[test]
fn twenty_megabytes_there_and_back() {
    let content = content(SIZE);
    on_both(|serving| {
        let mut client = Client::of(serving);
        let files = format!("{}/files", client.item);
        let file = client.json("POST", &format!("{files}?name=big.bin"), &[], &content);
        assert_eq!(
            (&file["name"], &file["size"]),
            (&json!("big.bin"), &json!(SIZE))
        );
        let path = file["content_path"].as_str().unwrap();
        let whole = client.ask("GET", path, &[], b"");
        assert_eq!((whole.status, whole.body.len()), (200, SIZE));
        assert!(whole.body == content, "what went in comes out");
        read_ranges(&mut client, path, &content);
        // Other content under the same id.
        let target = format!("{files}/{}", file["id"].as_str().unwrap());
        let replaced = client.json("PUT", &target, &[], &content[..100_000]);
        assert_eq!(
            (&replaced["id"], &replaced["size"]),
            (&file["id"], &json!(100_000))
        );
        assert_eq!(client.files().as_array().unwrap().len(), 1);
        assert!(client.ask("GET", path, &[], b"").body == content[..100_000]);
        assert_eq!(client.ask("DELETE", &target, &[], b"").status, 204);
        assert_eq!(client.files(), json!([]));
        assert_eq!(client.ask("GET", path, &[], b"").status, 404);
    });
}

fn read_ranges(client: &mut Client, path: &str, content: &[u8]) {
    let last = SIZE - 1;
    let ranges = [
        (format!("bytes=0-{last}"), 0..SIZE),
        ("bytes=0-0".into(), 0..1),
        ("bytes=65535-65536".into(), 65_535..65_537),
        ("bytes=65536-131071".into(), 65_536..131_072),
        (format!("bytes={last}-"), last..SIZE),
        (format!("bytes=19000000-{}", SIZE + 1000), 19_000_000..SIZE),
        ("bytes=-7".into(), SIZE - 7..SIZE),
    ];
    for (range, wanted) in ranges {
        let answer = client.ask("GET", path, &[("range", &range)], b"");
        assert_eq!(answer.status, 206, "{range}");
        let told = format!("bytes {}-{}/{SIZE}", wanted.start, wanted.end - 1);
        assert_eq!(answer.header("content-range"), Some(told.as_str()));
        assert!(answer.body == content[wanted], "{range}");
    }
    let beyond = client.ask("GET", path, &[("range", &format!("bytes={SIZE}-"))], b"");
    assert_eq!(beyond.status, 416);
    let told = format!("bytes */{SIZE}");
    assert_eq!(beyond.header("content-range"), Some(told.as_str()));
    // A range of what it no longer is would be of no use: the whole comes.
    let other = [("range", "bytes=0-0"), ("if-range", "\"other\"")];
    assert_eq!(client.ask("GET", path, &other, b"").body.len(), SIZE);
}

#[test]
fn names_are_any_text() {
    let name = "Schlüssel für Müller 名.txt";
    let encoded = "Schl%C3%BCssel%20f%C3%BCr%20M%C3%BCller%20%E5%90%8D.txt";
    on_both(|serving| {
        let mut client = Client::of(serving);
        let files = format!("{}/files", client.item);
        let disposition = format!("attachment; filename=\"x\"; filename*=UTF-8''{encoded}");
        let ways: [(String, &[(&str, &str)]); 4] = [
            (format!("{files}?name={encoded}"), &[]),
            (format!("{files}?name={}", encoded.replace("%20", "+")), &[]),
            // Not encoded, as careless clients send it.
            (format!("{files}?name={}", name.replace(' ', "%20")), &[]),
            (files, &[("content-disposition", &disposition)]),
        ];
        for (target, headers) in ways {
            let file = client.json("POST", &target, headers, b"content");
            assert_eq!(file["name"], name, "{target}");
            let shown = client.ask("GET", file["content_path"].as_str().unwrap(), &[], b"");
            let told = shown.header("content-disposition").unwrap();
            assert!(
                told.ends_with("''Schl%C3%BCssel%20f%C3%BCr%20M%C3%BCller%20%E5%90%8D%2Etxt"),
                "{told}"
            );
        }
        assert_eq!(client.files().as_array().unwrap().len(), 4);
    });
}

#[test]
fn a_form_is_no_content() {
    on_both(|serving| {
        let mut client = Client::of(serving);
        let target = format!("{}/files?name=x", client.item);
        let form = [("content-type", "multipart/form-data; boundary=b")];
        for method in ["POST", "PUT"] {
            let file = if method == "PUT" {
                "/aaaaaaaaaaaaaaaaaaaaaaaaa2"
            } else {
                ""
            };
            let target = target.replace('?', &format!("{file}?"));
            let answer = client.ask(method, &target, &form, b"--b\r\n\r\nx\r\n--b--\r\n");
            assert_eq!(answer.status, 415, "{method}");
            assert_eq!(answer.json().unwrap()["status"], 415);
        }
        assert_eq!(client.files(), json!([]));
    });
}

/// Sends a head and what comes of its body, then no more.
fn cut(serving: &Serving, head: &str, sent: &[u8], end: Option<Shutdown>) -> Option<RawAnswer> {
    let mut stream = TcpStream::connect(serving.addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let bearer = bearer();
    let (vault, item) = World::get().items["x"];
    let head = format!(
        "POST /v1/vaults/{vault}/items/{item}/files?name=cut HTTP/1.1\r\nhost: x\r\nauthorization: {bearer}\r\n{head}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(sent);
    match end {
        Some(Shutdown::Both) => None,
        Some(how) => {
            stream.shutdown(how).unwrap();
            Some(read_answer(&mut BufReader::new(stream), false).0)
        }
        None => Some(read_answer(&mut BufReader::new(stream), false).0),
    }
}

#[test]
fn what_breaks_off_was_never_there() {
    on_both(|serving| {
        let mut client = Client::of(serving);
        let target = client.item.clone();
        let before = client.json("GET", &target, &[], b"")["version"].clone();
        let sent = content(300_000);
        let chunked = [b"493e0\r\n".as_slice(), &sent, b"\r\n10\r\nhalf"].concat();
        let badly = [b"493e0\r\n".as_slice(), &sent, b"\r\nno length\r\n"].concat();
        let length = "content-length: 400000";
        let pieces = "transfer-encoding: chunked";
        // The other side is still there to be told, or is not.
        for end in [Some(Shutdown::Write), Some(Shutdown::Both), None] {
            for (head, sent) in [(length, &sent), (pieces, &chunked), (pieces, &badly)] {
                // One who says that no more comes is told; so is one who falls silent.
                if let Some(answer) = cut(serving, head, sent, end) {
                    let told = answer.json().unwrap_or_default();
                    assert!(
                        (400..500).contains(&answer.status),
                        "{head} {end:?}: {} {told}",
                        answer.status
                    );
                    assert_eq!(told["status"], answer.status);
                }
            }
        }
        // Time for what was left alone to come to its end.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(client.files(), json!([]));
        let after = client.json("GET", &target, &[], b"");
        assert_eq!(after["version"], before);
        // And the place is good for a whole one.
        let target = format!("{target}/files?name=whole");
        assert_eq!(client.json("POST", &target, &[], &sent)["size"], 300_000);
    });
}
