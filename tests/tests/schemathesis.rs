//! `schemathesis` over our own `/openapi.json`, against a host that can write: no answer is a fault of the server, and
//! each is as the document says.
#![cfg(feature = "host")]
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
    sync::LazyLock,
};

use sekisho_host::engine::EngineKind;
use sekisho_tests::{
    cases::Given,
    hosted::{Hosted, Serving},
    sdk,
    world::World,
};

const RELEASE: &str = "schemathesis==4.32.5";
/// Those that say whether the document tells the truth. The others ask for strictness towards clients that
/// connect-contract.md §2.9 forbids, or for a document of `HEAD` too.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,ignored_auth";
/// Where every way in must have led to success at least once: or else the run has shown nothing.
const REACHED: [&str; 13] = [
    "GET /health",
    "GET /v1/activity",
    "GET /v1/vaults",
    "GET /v1/vaults/{vaultUuid}",
    "GET /v1/vaults/{vaultUuid}/items",
    "POST /v1/vaults/{vaultUuid}/items",
    "GET /v1/vaults/{vaultUuid}/items/{itemUuid}",
    "PUT /v1/vaults/{vaultUuid}/items/{itemUuid}",
    "PATCH /v1/vaults/{vaultUuid}/items/{itemUuid}",
    "DELETE /v1/vaults/{vaultUuid}/items/{itemUuid}",
    "GET /v1/vaults/{vaultUuid}/items/{itemUuid}/files",
    "POST /v1/vaults/{vaultUuid}/items/{itemUuid}/files",
    "POST /v1/batch",
];
/// Never ends: server-sent events.
const ENDLESS: &str = "/v1/events";

/// The program in an environment of its own.
static PROGRAM: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    if !sdk::is_there("python3", "--version") {
        return Err("no `python3` on PATH".into());
    }
    let folder = sdk::installed("schemathesis");
    let venv = folder.join("venv");
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    let mut fill = Command::new(venv.join("bin/python"));
    fill.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        RELEASE,
    ]);
    sdk::install(&folder, RELEASE, &mut [make, fill])?;
    Ok(venv.join("bin/schemathesis"))
});

/// Ids that lead somewhere, for most of the requests; the others make up their own.
fn settings() -> String {
    let world = World::get();
    let of_demo = |(vault, _): &&(_, _)| *vault == world.vaults["demo"].id;
    let items = world.items.values().filter(of_demo);
    let items: Vec<String> = items.map(|(_, item)| format!("\"{item}\"")).collect();
    let files: Vec<String> = world
        .files
        .values()
        .map(|file| format!("\"{file}\""))
        .collect();
    let (vault, items, files) = (world.vaults["demo"].id, items.join(", "), files.join(", "));
    format!(
        r#"
[dictionaries.vaults]
values = ["{vault}"]
[dictionaries.items]
values = [{items}]
[dictionaries.files]
values = [{files}]
[parameters]
"path.vaultUuid" = {{ dictionary = "vaults", probability = 0.9 }}
"path.itemUuid" = {{ dictionary = "items", probability = 0.8 }}
"path.fileUuid" = {{ dictionary = "files", probability = 0.8 }}
"#
    )
}

fn run(program: &Path, serving: &Serving, examples: &str) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    fs::write(&config, settings()).unwrap();
    let mut run = Command::new(program);
    run.current_dir(folder.path())
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("http://{}/openapi.json", serving.addr()))
        .args(["--checks", CHECKS, "--max-examples", examples])
        .args(["--seed", "4", "--generation-deterministic"])
        .arg("--continue-on-failure")
        .args(["--phases", "examples,coverage,fuzzing"])
        .args([
            "--request-timeout",
            "20",
            "--warnings",
            "off",
            "--suppress-health-check",
            "all",
        ])
        .args(["--exclude-path", ENDLESS, "--no-color"])
        .arg("--header")
        .arg(format!(
            "Authorization: Bearer {}",
            World::get().tokens["rw"]
        ))
        // A proxy of the surroundings must not stand between a client and this machine.
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .env("PYTHONUTF8", "1");
    let done = run.output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success(),
        "{}: {}",
        done.status,
        String::from_utf8_lossy(&said)
    );
}

/// What was answered with success, as the server's own figures say.
fn reached(serving: &Serving) -> BTreeSet<String> {
    let metrics = serving
        .connect()
        .raw(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let text = String::from_utf8(metrics.body).unwrap();
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    text.lines()
        .filter(|line| line.starts_with("sekisho_http_requests_total{"))
        .filter(|line| label(line, "status").is_some_and(|status| status.starts_with('2')))
        .filter_map(|line| {
            Some(format!(
                "{} {}",
                label(line, "method")?,
                label(line, "route")?
            ))
        })
        .collect()
}

fn test(engine: EngineKind, examples: &str) {
    match &*PROGRAM {
        Err(why) => sdk::skip("schemathesis", why),
        Ok(program) => {
            let hosted = Hosted::new(engine);
            let serving = hosted.serve(&Given::default(), |_| {});
            run(program, &serving, examples);
            let reached = reached(&serving);
            let missed: Vec<_> = REACHED
                .iter()
                .filter(|way| !reached.contains(**way))
                .collect();
            assert!(missed.is_empty(), "{missed:?} of {reached:?}");
        }
    }
}

#[test]
fn native() {
    test(EngineKind::Native, "40");
}

/// Both engines give the same bytes; this is about what only a guest can break at.
#[test]
fn component() {
    test(EngineKind::Component, "5");
}
