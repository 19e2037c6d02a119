//! What lists, filters, writes and conditional reads cost, against the read of one item by its id.
#![allow(clippy::print_stdout, reason = "what a bench finds it prints")]

use std::{path::Path, sync::Arc, time::Duration};

use sekisho_benches::{
    load::{Client, get, load, put},
    report::{Row, aside, at_least, at_most, rounds},
    rng::Reproducible,
    server::{Server, config},
    upstream::{Account, plain_item, title},
};
use sekisho_core::item::json;
use sekisho_host::engine::EngineKind;

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_millis(500);
const FEW: usize = 10;
const ITEMS: usize = 1000;
const MANY: usize = 100_000;

fn main() -> std::io::Result<()> {
    for engine in [EngineKind::Component, EngineKind::Native] {
        println!("\n== lists, {engine} engine: one server thread, 16 connections ==");
        measure(engine)?;
    }
    Ok(())
}

/// A host and its account.
struct Hosted {
    account: Arc<Account>,
    server: Server,
}

impl Hosted {
    fn start(engine: EngineKind, items: usize, data_dir: Option<&Path>) -> Self {
        let account = Arc::new(Account::new(items, 0));
        let server = Server::host(config(&account, engine, data_dir));
        Self { account, server }
    }

    fn get(&self, path: &str, extra: &str) -> Vec<u8> {
        get(path, &self.account.token, extra)
    }

    fn titled(&self, n: usize) -> Vec<u8> {
        let title = title(n).replace(' ', "%20");
        let filter = format!("?filter=title%20eq%20%22{title}%22");
        self.get(&(self.account.items_path() + &filter), "")
    }

    /// An item for each connection, written anew each time.
    fn puts(&self) -> Vec<Vec<u8>> {
        (0..sekisho_benches::load::CONNECTIONS)
            .map(|n| {
                let mut item = plain_item(n, self.account.vault, &mut Reproducible(n as u64));
                item.id = self.account.items[n];
                let body = json::to_bytes(&json::details(&item));
                put(&self.account.item_path(n), &self.account.token, &body)
            })
            .collect()
    }
}

fn measure(engine: EngineKind) -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let few = Hosted::start(engine, FEW, None);
    let some = Hosted::start(engine, ITEMS, None);
    let many = Hosted::start(engine, MANY, None);
    let written = Hosted::start(engine, ITEMS, Some(folder.path()));
    let path = some.account.item_path(ITEMS / 2);
    let row = |name, host: &Hosted, requests: Vec<Vec<u8>>, status| {
        let addr = host.server.addr;
        Row::new(name, move || {
            load(Client::StaysAwake, addr, &requests, status, TIME)
        })
    };
    let unchanged = some.get(&path, "if-none-match: \"1\"\r\n");
    let list = some.get(&some.account.items_path(), "");
    let mut rows = [
        row("read by id", &some, vec![some.get(&path, "")], 200),
        row("304 by id", &some, vec![unchanged], 304),
        row("list of 1,000", &some, vec![list], 200),
        row("title among 10", &few, vec![few.titled(FEW / 2)], 200),
        row(
            "title among 100,000",
            &many,
            vec![many.titled(MANY / 2)],
            200,
        ),
        row("put, replica on disk", &written, written.puts(), 200),
    ];
    rounds(&mut rows, ROUNDS);
    let [read, unchanged, list, few, many, put] = &rows;
    match engine {
        EngineKind::Component => at_least("304 ÷ read by id", unchanged.ratio(read), 1.5),
        // A read of 1 KB costs hardly more than carrying any answer here: there is nothing left to spare.
        EngineKind::Native => aside("304 ÷ read by id", unchanged.ratio(read)),
    }
    at_most("title among 10 ÷ among 100,000", few.ratio(many), 1.5);
    aside("read by id ÷ put", read.ratio(put));
    aside(
        "time of an item in a list ÷ read by id",
        read.ratio(list) / ITEMS as f64,
    );
    Ok(())
}
