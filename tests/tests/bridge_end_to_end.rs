//! From one end to the other: a stand-in of 1Password → the vendor's unmodified core → bridge → account → host → a client
//! of the Connect API, with the real binary and real sockets. And what must be found nowhere afterwards.
#![cfg(feature = "host")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use sekisho_bridge::vendor::{self, CoreFile};
use sekisho_core::id::{ItemId, VaultId};
use sekisho_op_stand_in::{Fault, StandIn, When};
use sekisho_tests::{
    binary::{Place, Server, wait},
    cases::RawAnswer,
    sdk,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(240);
/// Must be found in no file and in no log.
const CANARIES: [&str; 5] = [
    "canary-password-7f3a",
    "canary-changed-91cc",
    "canary-title-55aa",
    "canary-note-e0e0",
    "canary-vault-1b1b",
];

/// The vendor's core, or why there is none.
fn core() -> Result<CoreFile, String> {
    if let Ok(path) = std::env::var("SEKISHO_OP_CORE") {
        return CoreFile::read(Path::new(&path)).map_err(|error| error.to_string());
    }
    if !sdk::is_there("go", "version") {
        return Err("neither Go's module cache nor SEKISHO_OP_CORE gives the core".into());
    }
    vendor::fetch(None).map_err(|error| error.to_string())
}

struct Client<'a> {
    server: &'a Server,
    bearer: String,
}

impl Client<'_> {
    fn ask(&self, method: &str, target: &str, body: &Value) -> RawAnswer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let headers = [
            ("Authorization", self.bearer.as_str()),
            ("Content-Type", "application/json"),
        ];
        self.server.ask(method, target, &headers, &body)
    }

    fn get(&self, target: &str) -> Value {
        let answer = self.ask("GET", target, &Value::Null);
        assert_eq!(answer.status, 200, "{target}");
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn password(&self, target: &str) -> String {
        let item = self.get(target);
        let fields = item["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["id"] == "password");
        field.unwrap()["value"].as_str().unwrap().to_owned()
    }
}

#[test]
fn from_1password_to_a_client_and_back() {
    let core = match core() {
        Ok(core) => core,
        Err(why) => return sdk::skip("bridge_end_to_end", &why),
    };
    let service = StandIn::default();
    let _loopback = service.serve();
    let vault = service.add_vault("canary-vault-1b1b", "what runs", "U");
    service.add_vault("Private", "", "P");
    let item = service.add_item(
        vault,
        "001",
        &json!({"title": "canary-title-55aa", "tags": ["b", "a"]}),
        &json!({"notesPlain": "canary-note-e0e0", "fields": [
            {"type": "T", "name": "username", "value": "wendy", "designation": "username", "id": "username"},
            {"type": "P", "name": "password", "value": CANARIES[0], "designation": "password", "id": "password"}],
            "sections": [{"name": "s", "title": "S", "fields": [
                {"k": "concealed", "n": "TOTP_x", "t": "code", "v": "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"}]}]}),
    );
    let place = Place::new();
    let (core_file, token_file) = (place.dir().join("core.wasm"), place.dir().join("op-token"));
    fs::write(&core_file, core.bytes()).unwrap();
    let token = service.token();
    fs::write(&token_file, &token).unwrap();
    let args = [
        "--bridge",
        "--write",
        "--plan",
        "business",
        "--dangerous-loopback",
        "--log-level",
        "trace",
        "--core",
        core_file.to_str().unwrap(),
        "--token-file",
        token_file.to_str().unwrap(),
    ];
    let server = place.up("up", &args);
    let bearer = fs::read_to_string(place.data().join("bridge.token")).unwrap();
    let client = Client {
        server: &server,
        bearer: format!("Bearer {}", bearer.trim()),
    };
    server.knows(bearer.trim(), 1, 1);

    // Same ids, titles, versions.
    let vaults = client.get("/v1/vaults");
    assert_eq!(vaults[0]["id"], vault.as_str());
    assert_eq!(vaults[0]["name"], "canary-vault-1b1b");
    assert_eq!(vaults[0]["type"], "USER_CREATED");
    let found = client.get(&format!(
        "/v1/vaults/{vault}/items?filter=title%20eq%20%22canary-title-55aa%22"
    ));
    assert_eq!(found[0]["id"], item.as_str());
    let target = format!("/v1/vaults/{vault}/items/{item}");
    let shown = client.get(&target);
    assert_eq!(
        (&shown["version"], &shown["category"]),
        (&json!(1), &json!("LOGIN"))
    );
    assert_eq!(client.password(&target), CANARIES[0]);
    let otp = shown["fields"].as_array().unwrap().last().unwrap();
    assert_eq!(otp["totp"].as_str().unwrap().len(), 6);

    let password = (CANARIES[2], CANARIES[0]);
    by_the_vendors_sdks(&service, &client, bearer.trim(), (vault, item), password);
    changes(&service, &client, &target, vault, item);
    conflicts(&service, &client, &target);
    refusals(&place, &service, &client, vault);
    is_seen(&client);
    follows(&place, &service, &client, &target, vault, item);

    let status = place.run(&["bridge", "status", "--check"]);
    assert_eq!(status["well"], true);
    assert_eq!(status["vaults"].as_array().unwrap().len(), 1);
    server.stop();
    refuses_without_write(&place, &args, &service, vault);
    found_nowhere(place.dir(), &token, &token_file);
}

/// The vendor's SDKs, unmodified, read by 1Password's ids and titles, and make an item that is then upstream.
fn by_the_vendors_sdks(
    service: &StandIn,
    client: &Client<'_>,
    token: &str,
    (vault, item): (VaultId, ItemId),
    (title, password): (&str, &str),
) {
    for (language, program) in sdk::mirror_programs() {
        let mut program = match program {
            Ok(program) => program,
            Err(why) => {
                sdk::skip(&format!("bridge_end_to_end, {language} SDK"), &why);
                continue;
            }
        };
        let told = program
            .args([vault.as_str(), item.as_str(), title, password])
            .env("OP_CONNECT_HOST", client.server.host())
            .env("OP_CONNECT_TOKEN", token)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{language}: {said}");
        let made = String::from_utf8(told.stdout).unwrap();
        let made: ItemId = made.trim().parse().unwrap();
        let (overview, details, _) = service.item(vault, made).unwrap();
        assert_eq!(overview["title"], format!("made by {language}"));
        let generated = details["fields"][1]["value"].as_str().unwrap();
        assert!(generated.len() > 8, "{language}: a password was made");
        let made = format!("/v1/vaults/{vault}/items/{made}");
        assert_eq!(client.ask("DELETE", &made, &Value::Null).status, 204);
    }
}

/// In a process of its own, killed and started again: nothing doubled, nothing lost.
#[test]
fn a_bridge_apart_is_killed_and_goes_on() {
    let core = match core() {
        Ok(core) => core,
        Err(why) => return sdk::skip("bridge_end_to_end, apart", &why),
    };
    let service = StandIn::default();
    let _loopback = service.serve();
    let vaults: Vec<_> = (0..3)
        .map(|n| service.add_vault(&n.to_string(), "", "U"))
        .collect();
    for vault in &vaults {
        for n in 0..60 {
            service.add_login(*vault, &n.to_string(), CANARIES[0]);
        }
    }
    let place = Place::new();
    let server = place.up("up", &["--no-demo"]);
    let (core_file, token_file) = (place.dir().join("core.wasm"), place.dir().join("op-token"));
    let (token, log) = (service.token(), place.dir().join("bridge.log"));
    fs::write(&core_file, core.bytes()).unwrap();
    fs::write(&token_file, &token).unwrap();
    // Compiled and kept before: what is killed then is mirroring, not compiling.
    place.run(&["bridge", "fetch-core", core_file.to_str().unwrap()]);
    let bridge = || {
        let mut bridge = place.command(&["bridge", "run", "--plan", "business"]);
        let log = fs::File::options().create(true).append(true).open(&log);
        bridge
            .args([
                "--dangerous-loopback",
                "--log-level",
                "trace",
                "--listen",
                "127.0.0.1:0",
            ])
            .arg("--token-file")
            .arg(&token_file)
            .stderr(log.unwrap());
        bridge.spawn().unwrap()
    };
    for (moment, signal) in [(700, "KILL"), (1_500, "ABRT"), (2_200, "SYS")] {
        let mut killed = bridge();
        std::thread::sleep(Duration::from_millis(moment));
        let mut kill = Command::new("kill");
        kill.args([format!("-{signal}"), killed.id().to_string()]);
        assert!(kill.status().unwrap().success());
        killed.wait().unwrap();
    }
    let mut last = bridge();
    wait("everything to be mirrored", PATIENCE, || {
        let status = place.command(&["bridge", "status"]).output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).ok()?;
        let is_done = status["vaults"].as_array()?.len() == 3
            && status["last_success"].is_string()
            && status["trouble"].is_null();
        is_done.then_some(())
    });
    for vault in vaults {
        let listed = place.run(&["item", "list", "--vault", vault.as_str()]);
        let mut found: Vec<ItemId> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().parse().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, service.item_ids(vault));
    }
    has_a_page(&log);
    let limits = fs::read_to_string(format!("/proc/{}/limits", last.id())).unwrap();
    let mut limits = limits
        .lines()
        .filter(|line| line.starts_with("Max core file size"));
    let limit: Vec<&str> = limits.next().unwrap().split_whitespace().collect();
    assert_eq!(
        limit[4..6],
        ["0", "0"],
        "a crash leaves no image of the memory"
    );
    last.kill().unwrap();
    last.wait().unwrap();
    server.stop();
    found_nowhere(place.dir(), &token, &token_file);
}

/// A bridge in a process of its own says by itself how it is.
fn has_a_page(log: &Path) {
    // Bridges that were killed said where they listened too; the last one may be about to.
    let ask = |path: &str| -> Option<String> {
        let said = fs::read_to_string(log).ok()?;
        let mut lines = said.lines().rev();
        let line = lines.find(|line| line.contains("/health and /metrics"))?;
        let mut parts = line.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        let address = parts.find(|part| part.starts_with("127.0.0.1:"))?;
        let mut stream = TcpStream::connect(address).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    let health = wait("the bridge to be well", PATIENCE, || {
        ask("/health").filter(|page| page.starts_with("HTTP/1.1 200 "))
    });
    assert!(
        health.contains("\"status\":\"ACTIVE\"") && health.contains("3 vaults"),
        "{health}"
    );
    let metrics = ask("/metrics").unwrap();
    assert!(metrics.contains("\nsekisho_bridge_up 1\n"), "{metrics}");
    assert!(metrics.contains("\nsekisho_bridge_vaults 3\n"), "{metrics}");
    assert!(ask("/v1/vaults").unwrap().starts_with("HTTP/1.1 404 "));
}

/// A client's writes are upstream before they are answered.
fn changes(service: &StandIn, client: &Client<'_>, target: &str, vault: VaultId, item: ItemId) {
    let patch = json!([{"op": "replace", "path": "/fields/password/value", "value": CANARIES[1]}]);
    let answer = client.ask("PATCH", target, &patch);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let (_, details, version) = service.item(vault, item).unwrap();
    assert_eq!(version, 2);
    assert_eq!(details["fields"][1]["value"], CANARIES[1]);
    assert_eq!(
        client.password(target),
        CANARIES[1],
        "what was written is read"
    );

    let body = json!({"title": "made by a client", "category": "LOGIN", "vault": {"id": vault},
        "fields": [{"id": "username", "purpose": "USERNAME", "value": "u"}, {"id": "password", "purpose": "PASSWORD", "value": "p"}]});
    let answer = client.ask("POST", &format!("/v1/vaults/{vault}/items"), &body);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    let id: ItemId = made["id"].as_str().unwrap().parse().unwrap();
    let (overview, ..) = service.item(vault, id).unwrap();
    assert_eq!(
        overview["title"], "made by a client",
        "under 1Password's id"
    );
    let made = format!("/v1/vaults/{vault}/items/{id}");
    assert_eq!(client.get(&made)["title"], "made by a client");
    let listed = client.get(&format!("/v1/vaults/{vault}/items"));
    assert_eq!(listed.as_array().unwrap().len(), 2);

    assert_eq!(client.ask("DELETE", &made, &Value::Null).status, 204);
    assert!(service.item(vault, id).is_none());
    assert_eq!(client.ask("GET", &made, &Value::Null).status, 404);
}

/// A conflict upstream brings the item here to what it is there, and the write is tried on that once. Then it is 409.
fn conflicts(service: &StandIn, client: &Client<'_>, target: &str) {
    let patch = patch_to("c");
    let tries = |times| {
        let fault = When {
            times,
            path: "/items",
            method: "PATCH",
        };
        service.fail(fault, Fault::Status(409));
        service.take_seen();
        let answer = client.ask("PATCH", target, &patch);
        let seen = service.take_seen();
        let sent = seen.iter().filter(|seen| seen.method == "PATCH");
        service.heal();
        (answer.status, sent.count())
    };
    assert_eq!(tries(1), (200, 2));
    assert_eq!(tries(9), (409, 2));
    // The core breaks on the answer to what it did: that is looked up, and the log says so.
    let fault = When {
        times: 1,
        path: "/items",
        method: "PATCH",
    };
    service.fail(fault, Fault::Malformed);
    assert_eq!(client.ask("PATCH", target, &patch_to("d")).status, 200);
}

fn patch_to(tag: &str) -> Value {
    json!([{"op": "replace", "path": "/tags", "value": [tag]}])
}

/// What 1Password refuses is refused with its sentence; one that repeats the item is not told.
fn refusals(place: &Place, service: &StandIn, client: &Client<'_>, vault: VaultId) {
    let hidden = service.add_item(
        vault,
        "001",
        &json!({"title": "from a form"}),
        &json!({"notesPlain": "", "sections": [], "fields": [
            {"type": "T", "name": "username", "value": "wendy", "designation": "username", "id": "username"},
            {"type": "T", "name": "remember", "value": "on", "designation": "", "id": "x"}]}),
    );
    let target = format!("/v1/vaults/{vault}/items/{hidden}");
    assert!(
        place
            .command(&["bridge", "poke"])
            .status()
            .unwrap()
            .success()
    );
    wait("the item to be mirrored", PATIENCE, || {
        (client.ask("GET", &target, &Value::Null).status == 200).then_some(())
    });
    let refused = |title: &str| {
        let patch = json!([{"op": "replace", "path": "/title", "value": title}]);
        let answer = client.ask("PATCH", &target, &patch);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &told["code"]),
            (400, &json!("refused_upstream"))
        );
        assert_eq!(told["status"], 400);
        assert!(told["requestId"].is_string());
        told["message"].as_str().unwrap().to_owned()
    };
    let told = refused("another");
    assert!(
        told.contains("Editing is not supported for unsupported fields"),
        "{told}"
    );
    let told = refused("unsupported fields");
    assert_eq!(told, "1Password refuses this change of the item");
    assert_eq!(client.ask("GET", &target, &Value::Null).status, 200);
    service.set_state(vault, hidden, "D");
}

/// The host says how the bridge is.
fn is_seen(client: &Client<'_>) {
    let health = client.get("/health");
    let dependencies = health["dependencies"].as_array().unwrap();
    let bridge = dependencies.iter().find(|one| one["service"] == "bridge");
    let bridge = bridge.unwrap();
    assert_eq!(bridge["status"], "ACTIVE", "{bridge}");
    let message = bridge["message"].as_str().unwrap();
    assert!(message.contains("of 50000 requests today"), "{message}");
    assert_eq!(dependencies.len(), 3);
    let page = client.ask("GET", "/metrics", &Value::Null).body;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("\nsekisho_bridge_up 1\n"), "{page}");
    assert!(page.contains("\nsekisho_bridge_vaults 1\n"), "{page}");
}

/// What happens in the app is seen after a poll.
fn follows(
    place: &Place,
    service: &StandIn,
    client: &Client<'_>,
    target: &str,
    vault: VaultId,
    item: ItemId,
) {
    service.edit_item(vault, item, |_, details| {
        details["fields"][1]["value"] = json!("changed in the app");
    });
    assert!(
        place
            .command(&["bridge", "poke"])
            .status()
            .unwrap()
            .success()
    );
    wait("a change to be seen", PATIENCE, || {
        (client.password(target) == "changed in the app").then_some(())
    });
    service.set_state(vault, item, "Y");
    wait("an archived item to vanish", PATIENCE, || {
        (client.ask("GET", target, &Value::Null).status == 404).then_some(())
    });
}

/// The next run finds everything where it was, and a bridge that does not write says so.
fn refuses_without_write(place: &Place, args: &[&str], service: &StandIn, vault: VaultId) {
    let item = service.add_login(vault, "another", "p");
    let args: Vec<&str> = args
        .iter()
        .copied()
        .filter(|arg| *arg != "--write")
        .collect();
    let server = place.up("again", &args);
    let token = place.token("writer", &[format!("{vault},rw")]);
    server.knows(&token, 1, 1);
    let client = Client {
        server: &server,
        bearer: format!("Bearer {token}"),
    };
    let target = format!("/v1/vaults/{vault}/items/{item}");
    assert_eq!(client.password(&target), "p");
    let patch = json!([{"op": "replace", "path": "/title", "value": "mine"}]);
    let answer = client.ask("PATCH", &target, &patch);
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status, &told["code"]),
        (403, &json!("mirrored")),
        "{told}"
    );
    assert_eq!(service.item(vault, item).unwrap().2, 1);
    server.stop();
}

/// No token and no secret in any file, log or output.
fn found_nowhere(folder: &Path, token: &str, token_file: &Path) {
    let mut looked_at = 0;
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        if path == token_file {
            continue;
        }
        looked_at += 1;
        let bytes = fs::read(&path).unwrap();
        let has = |needle: &str| {
            bytes
                .windows(needle.len())
                .any(|part| part == needle.as_bytes())
        };
        for canary in CANARIES {
            assert!(!has(canary), "{canary} in {}", path.display());
        }
        let start: String = token.chars().take(60).collect();
        assert!(!has(&start), "the token in {}", path.display());
        assert!(!has("JBSWY3DPEHPK3PXP"), "a seed in {}", path.display());
    }
    assert!(looked_at > 8, "{looked_at} files");
}
