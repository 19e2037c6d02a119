//! The vendor's SDKs, unmodified, against the real binary: two exports, what a client must find of them, and how a story
//! is told. The stories themselves are in each SDK's own language, in `sdk/`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use sekisho_host::import::fixture::{self, Sample};
use serde_json::{Value, json};

use crate::binary::{Place, Server, target_dir};

/// A base32 seed of one-time codes.
const SEED: &str = "JBSWY3DPEHPK3PXP";
/// A title that two items have.
const TWIN: &str = "Twin";
/// A title of an id's form.
const ID_LIKE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbb2";

/// Titles that clients send in many ways (connect-contract.md §0.2 no. 2).
const AWKWARD: [&str; 15] = [
    "C++",
    "100%",
    "50%20off",
    "DOMAIN\\user",
    "back\\\\slash",
    "Schlüssel für Müller",
    "日本語 🔑",
    "O'Brien",
    "a/b?c=d",
    "x;y,z:@$*()[]{}|^`~",
    " leading and trailing ",
    "Tom & Jerry",
    "Track #1",
    "say \"hi\"",
    ID_LIKE,
];

/// A vault of the story.
struct StoryVault {
    /// Its name in the story, and in the fixture.
    key: &'static str,
    /// Active items in it.
    items: usize,
    /// What the main token may do in it.
    rights: Option<&'static str>,
}

const VAULTS: [StoryVault; 5] = [
    StoryVault {
        key: "personal",
        items: 2,
        rights: Some("rw"),
    },
    StoryVault {
        key: "everyone",
        items: 3,
        rights: Some("rw"),
    },
    StoryVault {
        key: "user",
        items: 19,
        rights: Some("r"),
    },
    StoryVault {
        key: "awkward",
        items: AWKWARD.len() + 2,
        rights: Some("rw"),
    },
    StoryVault {
        key: "wrapped",
        items: 1,
        rights: None,
    },
];

/// The text that the story gives to a name of the fixture.
fn text(name: &str) -> String {
    match name {
        "login.totp" => SEED.into(),
        "login.title" => "Sample Login".into(),
        "login.section" => "Sign-in".into(),
        "login.url" => "https://example.test/second".into(),
        "login.url_label" => "console".into(),
        "vault.everyone" => "Everyone's Übersicht".into(),
        "vault.user" => "R&D: 100% \\ C++".into(),
        "vault.awkward" => "Awkward".into(),
        "vault.awkward.description" => String::new(),
        "document.file.name" => "naïve 名 file".into(),
        "kinds.file.content" => "0123456789abcdef".repeat(5_000),
        name => format!("sample {name}"),
    }
}

/// Starts a server, feeds it both exports, and tells it the story that `sdk` runs with these settings.
pub fn tell(engine: &str, sdk: &mut Command) {
    let (_place, server, told) = prepare(engine, &[]);
    told.tell(engine, server.host(), sdk);
}

/// A server that holds both exports, its place, and what is to be told of it.
pub fn prepare(engine: &str, arguments: &[&str]) -> (Place, Server, Told) {
    let place = Place::new();
    let mut up = vec!["--no-demo", "--engine", engine];
    up.extend(arguments);
    let server = place.up("up", &up);
    for export in write_exports(place.dir()) {
        place.run(&["import", export.to_str().unwrap()]);
    }
    let grants = grants();
    let (main, reader) = (
        place.token("main", &grants),
        place.token("reader", &reader_grants()),
    );
    let granted = VAULTS.iter().filter(|vault| vault.rights.is_some());
    server.knows(
        &main,
        grants.len(),
        granted.map(|vault| vault.items as u64).sum(),
    );
    server.knows(&reader, 1, (AWKWARD.len() + 2) as u64);
    let path = place.dir().join("story.json");
    let told = Told { path, main, reader };
    (place, server, told)
}

/// The story of one server.
#[derive(Debug)]
pub struct Told {
    path: PathBuf,
    main: String,
    reader: String,
}

impl Told {
    /// The token that may only read.
    pub fn reader(&self) -> &str {
        &self.reader
    }

    /// Tells it to whoever serves at `host`.
    pub fn tell(&self, engine: &str, host: &str, sdk: &mut Command) {
        fs::write(
            &self.path,
            story(host, &self.main, &self.reader).to_string(),
        )
        .unwrap();
        // A proxy of the surroundings must not stand between a client and this machine.
        sdk.env("SEKISHO_STORY", &self.path)
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1");
        let told = sdk.output().unwrap();
        assert!(
            told.status.success(),
            "{engine}, {:?}: {}\n{}",
            sdk.get_program(),
            told.status,
            said(&told)
        );
    }
}

/// The folder of one SDK's story.
pub fn folder(sdk: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(sdk)
}

/// Where an SDK is installed, and stays from run to run: the work tree stays clean.
pub fn installed(sdk: &str) -> PathBuf {
    let folder = target_dir().join("sdk").join(sdk);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether a program is there and answers.
pub fn is_there(program: &str, version: &str) -> bool {
    let answer = Command::new(program).arg(version).output();
    answer.is_ok_and(|answer| answer.status.success())
}

/// Says that a test did not run, and why. Where `SEKISHO_NO_SKIP` is set, as in CI, that is a failure.
pub fn skip(test: &str, why: &str) {
    assert!(
        std::env::var_os("SEKISHO_NO_SKIP").is_none(),
        "{test}: {why}"
    );
    eprintln!("SKIPPED {test}: {why}");
}

/// The interpreter of an environment that has the vendor's Python SDK, or why there is none.
pub fn python() -> &'static Result<PathBuf, String> {
    static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
        if !is_there("python3", "--version") {
            return Err("no `python3` on PATH".into());
        }
        let (home, wanted) = (
            installed("python"),
            folder("python").join("requirements.txt"),
        );
        let stamp = fs::read_to_string(&wanted).unwrap();
        let python = home.join("venv/bin/python");
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(home.join("venv"));
        let mut fill = Command::new(&python);
        fill.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "--requirement",
        ])
        .arg(wanted);
        install(&home, &stamp, &mut [make, fill])?;
        Ok(python)
    });
    &PYTHON
}

/// The folder with the vendor's JavaScript SDK in it, or why there is none: the committed lock says of which content, not of which registry.
pub fn modules() -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        if !is_there(program, "--version") {
            return Err(format!("no `{program}` on PATH"));
        }
    }
    let home = installed("js");
    let mut stamp = String::new();
    for name in ["package.json", "package-lock.json"] {
        let wanted = fs::read_to_string(folder("js").join(name)).unwrap();
        fs::write(home.join(name), &wanted).unwrap();
        stamp.push_str(&wanted);
    }
    let mut fill = Command::new("npm");
    fill.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&home);
    install(&home, &stamp, &mut [fill])?;
    Ok(home.join("node_modules"))
}

/// Programs of users of each SDK against a mirrored 1Password account, or why there is none: they read an item by id and by
/// title, make one, and print its id.
pub fn mirror_programs() -> [(&'static str, Result<Command, String>); 3] {
    [
        ("Go", go_program()),
        ("JavaScript", javascript_program()),
        ("Python", python_program()),
    ]
}

fn go_program() -> Result<Command, String> {
    let go = |args: &[&str]| {
        let mut go = Command::new("go");
        go.args(args)
            .current_dir(folder("go"))
            .env("GOFLAGS", "-mod=readonly -buildvcs=false")
            .env("GOWORK", "off");
        go
    };
    let program = installed("go").join("bridge");
    let fetched = go(&["mod", "download"]).output();
    if !fetched.is_ok_and(|fetched| fetched.status.success()) {
        return Err("no `go`, or no modules".into());
    }
    let built = go(&["build", "-o"]).arg(&program).arg("./bridge").output();
    let built = built.unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    Ok(Command::new(program))
}

fn javascript_program() -> Result<Command, String> {
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules()?)
        .arg(folder("js").join("bridge.js"));
    Ok(node)
}

fn python_program() -> Result<Command, String> {
    let mut python = Command::new(python().as_ref()?);
    // No compiled files in the work tree.
    python.arg("-B").arg(folder("python").join("bridge.py"));
    Ok(python)
}

/// Installs what is not installed yet, by commands run in order. What `stamp` says is what is wanted: when it changes, or
/// the last time failed, everything is made anew.
pub fn install(folder: &Path, stamp: &str, commands: &mut [Command]) -> Result<(), String> {
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|mark| mark == stamp) {
        return Ok(());
    }
    for command in commands {
        let done = command.output().map_err(|error| error.to_string())?;
        if !done.status.success() {
            return Err(format!("{command:?}: {}", said(&done)));
        }
    }
    fs::write(mark, stamp).map_err(|error| error.to_string())
}

fn said(output: &Output) -> String {
    let text =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    text.concat()
}

/// Writes both exports into a folder, and names them.
fn write_exports(folder: &Path) -> [PathBuf; 2] {
    let (rich, awkward) = (folder.join("rich.1pux"), folder.join("awkward.1pux"));
    fixture::write(&rich, &grantable(fixture::sample(&text))).unwrap();
    fixture::write(&awkward, &awkward_export()).unwrap();
    [rich, awkward]
}

/// Personal and everyone's vaults cannot be granted (connect-contract.md §6.5): here all are made by a user.
pub fn grantable(mut sample: Sample) -> Sample {
    let accounts = sample.data["accounts"].as_array_mut().unwrap();
    for account in accounts {
        for vault in account["vaults"].as_array_mut().unwrap() {
            vault["attrs"]["type"] = json!("U");
        }
    }
    sample
}

fn awkward_export() -> Sample {
    let item = |(number, title): (usize, &str)| {
        json!({
            "uuid": fixture::id(&format!("awkward {number}")), "favIndex": 0, "createdAt": 1_600_000_000, "updatedAt": 1_650_000_000,
            "state": "active", "categoryUuid": "003", "details": {"notesPlain": "a note"},
            "overview": {"title": title, "tags": []},
        })
    };
    let items: Vec<Value> = AWKWARD
        .into_iter()
        .chain([TWIN, TWIN])
        .enumerate()
        .map(item)
        .collect();
    let attrs = json!({"uuid": fixture::id("awkward"), "name": text("vault.awkward"), "desc": "", "avatar": "", "type": "U"});
    let account = json!({"accountName": "third", "name": "third", "avatar": "", "email": "", "uuid": "ACCOUNT", "domain": ""});
    Sample {
        data: json!({"accounts": [{"attrs": account, "vaults": [{"attrs": attrs, "items": items}]}]}),
        files: Vec::new(),
    }
}

/// What the main token is to be granted: ids of vaults with their rights, as the command line takes them.
fn grants() -> Vec<String> {
    let granted = VAULTS
        .iter()
        .filter_map(|vault| Some((vault, vault.rights?)));
    granted
        .map(|(vault, rights)| format!("{},{rights}", fixture::id(vault.key)))
        .collect()
}

/// What the reading token is to be granted.
fn reader_grants() -> Vec<String> {
    vec![format!("{},r", fixture::id("awkward"))]
}

/// Everything a story needs to know, for a server that holds both exports.
fn story(host: &str, main: &str, reader: &str) -> Value {
    let personal = fixture::id("personal");
    let login = fixture::id("login");
    json!({
        "host": host,
        "tokens": {"main": main, "reader": reader},
        "vaults": vaults(),
        "login": {
            "id": login, "vault": personal, "title": text("login.title"),
            "username": text("login.username"), "password": text("login.password"), "notes": text("login.notes"),
            "seed": SEED, "section": text("login.section"), "first": text("login.first"),
            "tags": [text("login.tag"), "nested/tag"],
            "urls": [
                {"label": "website", "primary": false, "href": text("login.url")},
                {"label": text("login.url_label"), "primary": true, "href": "https://example.test/primary"},
            ],
        },
        "files": [file("document", "everyone", "document.file"), file("kinds", "everyone", "kinds.file")],
        "keeper": file("kinds", "everyone", "kinds.file"),
        "awkward": awkward_ids(),
        "cut": ["Tom & Jerry", "Track #1"],
        "lost": ["50%20off"],
        "malformed": ["say \"hi\""],
        "twin": TWIN,
        "id_like": ID_LIKE,
    })
}

fn vaults() -> Value {
    let vault = |vault: &StoryVault| {
        let description = text(&format!("vault.{}.description", vault.key));
        let facts = json!({
            "id": fixture::id(vault.key), "name": text(&format!("vault.{}", vault.key)), "description": description,
            "items": vault.items, "granted": vault.rights.is_some(),
        });
        let key = if vault.rights.is_some() {
            vault.key
        } else {
            "hidden"
        };
        (key.to_owned(), facts)
    };
    Value::Object(VAULTS.iter().map(vault).collect())
}

fn awkward_ids() -> BTreeMap<&'static str, String> {
    let id = |(number, title)| (title, fixture::id(&format!("awkward {number}")));
    AWKWARD.into_iter().enumerate().map(id).collect()
}

fn file(item: &str, vault: &str, name: &str) -> Value {
    json!({
        "id": fixture::id(&format!("file {name}")), "item": fixture::id(item), "vault": fixture::id(vault),
        "name": format!("{}.txt", text(&format!("{name}.name"))), "content": text(&format!("{name}.content")),
    })
}
