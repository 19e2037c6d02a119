//! How many requests a second: one server thread, loopback, 16 connections that are kept, an item of 1 KB read by its
//! id with a real token. `-- asleep` asks with a client that sleeps between answers.
#![allow(clippy::print_stdout, reason = "what a bench finds it prints")]

use std::{sync::Arc, time::Duration};

use sekisho_benches::{
    load::{Client, get, load},
    report::{Row, aside, at_least, rounds},
    server::{Server, config},
    upstream::Account,
};
use sekisho_edge_artifact::{HELLO_WASM, LEAST_WASM};
use sekisho_host::{HostConfig, engine::EngineKind};

const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(1000);
const ITEMS: usize = 1000;
const HEARTBEAT: &[u8] = b"GET /heartbeat HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn main() {
    println!("\n== serve: an item of 1 KB by its id, one server thread, 16 connections ==");
    let bare = Server::hyper_hello();
    let (hello, _) = host(EngineKind::Component, |config| {
        config.component = Some(HELLO_WASM.to_vec());
    });
    let (least, _) = host(EngineKind::Component, |config| {
        config.component = Some(LEAST_WASM.to_vec());
    });
    let (component, request) = host(EngineKind::Component, |_| {});
    let (forgetful, first_request) = host(EngineKind::Component, |config| config.kept = 0);
    let (native, native_request) = host(EngineKind::Native, |_| {});
    let (forgetful_native, first_native_request) =
        host(EngineKind::Native, |config| config.kept = 0);
    let asleep = std::env::args().any(|argument| argument == "asleep");
    let client = if asleep {
        Client::Sleeps
    } else {
        Client::StaysAwake
    };
    let at = |server: &Server, request: &[u8]| {
        let (addr, requests) = (server.addr, [request.to_vec()]);
        move || load(client, addr, &requests, 200, TIME)
    };
    let mut rows = [
        Row::new("bare hyper hello", at(&bare, &request)),
        Row::new("hello component", at(&hello, &request)),
        Row::new("ciphers and an answer alone", at(&least, &request)),
        Row::new("component engine", at(&component, &request)),
        Row::new("component: nothing kept", at(&forgetful, &first_request)),
        Row::new("component: a heartbeat", at(&component, HEARTBEAT)),
        Row::new("native engine", at(&native, &native_request)),
        Row::new(
            "native: nothing kept",
            at(&forgetful_native, &first_native_request),
        ),
    ];
    rounds(&mut rows, ROUNDS);
    let [
        bare,
        hello,
        least,
        component,
        forgetful,
        heartbeat,
        native,
        forgetful_native,
    ] = &rows;
    at_least(
        "component engine ÷ hello component",
        component.ratio(hello),
        0.6,
    );
    aside(
        "component engine, nothing kept (ADR 0025) ÷ hello component",
        forgetful.ratio(hello),
    );
    aside(
        "what no read can do without ÷ hello component",
        least.ratio(hello),
    );
    aside(
        "component engine ÷ its own heartbeat, carried the same way (ADR 0024)",
        component.ratio(heartbeat),
    );
    at_least("native engine ÷ bare hyper hello", native.ratio(bare), 0.3);
    aside(
        "native engine, nothing kept ÷ bare hyper hello",
        forgetful_native.ratio(bare),
    );
}

fn host(engine: EngineKind, change: impl FnOnce(&mut HostConfig)) -> (Server, Vec<u8>) {
    let account = Arc::new(Account::new(ITEMS, 0));
    let mut config = config(&account, engine, None);
    change(&mut config);
    let request = get(&account.item_path(ITEMS / 2), &account.token, "");
    (Server::host(config), request)
}
