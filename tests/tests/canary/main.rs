//! Invariant 7: secrets are planted everywhere, everything is asked for and refused, and afterwards no file, no log and no
//! refusal has any of them, in any form.
#![cfg(feature = "host")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

mod edges;
mod plant;
mod search;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    net::TcpStream,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use plant::Attack;
use search::{Finding, Search};
use sekisho_core::encoding;
use sekisho_host::import::fixture;
use sekisho_tests::{
    binary::{Place, Server},
    cases::RawAnswer,
    rng::labelled,
    sdk::grantable,
};
use serde_json::{Value, json};

/// Files whose contents are secret by design; what is in them must be nowhere else.
const SECRET_FILES: [&str; 2] = ["operator.key", "demo.token"];

/// The canaries of one run. All have one random stem, which is what is looked for, and a name that tells which it is.
struct Canaries {
    stem: String,
    seed: String,
    planted: RefCell<BTreeSet<String>>,
}

impl Canaries {
    fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        let mut random = [0; 36];
        rand_core::Rng::fill_bytes(
            &mut labelled(&format!("canary {} {now}", std::process::id())),
            &mut random,
        );
        let letters = |bytes: &[u8], from: u8| {
            bytes
                .iter()
                .map(|byte| char::from(from + byte % 26))
                .collect()
        };
        Self {
            stem: letters(&random[..16], b'a'),
            // A one-time password's seed must be base32.
            seed: letters(&random[16..], b'A'),
            planted: RefCell::default(),
        }
    }

    fn of(&self, name: &str) -> String {
        self.planted.borrow_mut().insert(name.to_owned());
        if name == "login.totp" {
            self.seed.clone()
        } else {
            // Fit for a title, a host's name and a file's name alike.
            format!(
                "{}-{}",
                self.stem,
                name.replace(['.', '_', ' '], "-").to_lowercase()
            )
        }
    }
}

struct Run {
    place: Place,
    canaries: Canaries,
    secrets: Vec<(String, Vec<u8>)>,
    findings: Vec<Finding>,
}

impl Run {
    /// A command as `op` users type it. Its stderr is a log like any other; its stdout is for who asked.
    fn cli(&mut self, args: &[&str], stdin: &[u8], succeeds: bool) -> Value {
        let mut child = self
            .place
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.success(),
            succeeds,
            "sekisho {args:?}: {said}"
        );
        self.look(
            &format!("stderr of sekisho {}", args[..2].join(" ")),
            &output.stderr,
        );
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn search(&self) -> Search {
        let mut secrets = self.secrets.clone();
        secrets.push(("a canary".into(), self.canaries.stem.clone().into_bytes()));
        secrets.push(("the seed".into(), self.canaries.seed.clone().into_bytes()));
        Search::new(&secrets)
    }

    fn look(&mut self, place: &str, bytes: &[u8]) {
        let found = self.search().bytes(place, bytes);
        self.findings.extend(found);
    }

    fn look_at_files(&mut self) {
        let search = self.search();
        self.findings
            .extend(search.files(&self.place.data(), &SECRET_FILES));
        for entry in fs::read_dir(self.place.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|kind| kind == "stdout" || kind == "stderr")
            {
                self.findings
                    .extend(search.bytes(&path.display().to_string(), &fs::read(&path).unwrap()));
            }
        }
    }

    /// From now on, a token's text and the secrets inside it are looked for too.
    fn hide_token(&mut self, name: &str, token: &str) {
        let payload = token.split('.').nth(1).unwrap();
        let claims: Value =
            serde_json::from_slice(&encoding::from_base64url(payload).unwrap()).unwrap();
        let secret = claims["1password.com/token"].as_str().unwrap();
        let signature = token.rsplit('.').next().unwrap();
        self.secrets.extend([
            (format!("{name}, its secret"), secret.as_bytes().to_vec()),
            (
                format!("{name}, its secret's bytes"),
                encoding::from_base64url(secret).unwrap(),
            ),
            (
                format!("{name}, its signature"),
                signature.as_bytes().to_vec(),
            ),
            (
                format!("{name}, its claims"),
                payload.as_bytes()[payload.len() - 40..].to_vec(),
            ),
        ]);
    }

    /// The operator's seed likewise.
    fn hide_operator(&mut self) {
        let file: Value =
            serde_json::from_slice(&fs::read(self.place.data().join("operator.key")).unwrap())
                .unwrap();
        let seed = file["seed"].as_str().unwrap();
        self.secrets
            .push(("the operator's seed".into(), seed.as_bytes().to_vec()));
        self.secrets.push((
            "the operator's seed's bytes".into(),
            encoding::from_base64url(seed).unwrap(),
        ));
    }

    fn attack(&mut self, server: &Server, token: &str, attack: &Attack) -> RawAnswer {
        let mut headers: Vec<(&str, &str)> = attack
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let bearer = format!("Bearer {token}");
        if !headers.iter().any(|(name, _)| *name == "Authorization") {
            headers.push(("Authorization", &bearer));
        }
        let answer = server.ask(attack.method, &attack.target, &headers, &attack.body);
        if answer.status >= 400 {
            let place = format!(
                "answer {} to {} ({})",
                answer.status, attack.method, attack.what
            );
            self.look(&place, &answer.body);
        }
        // Not the whole answer, whatever the status: headers go to logs of others.
        let headers: String = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        if !headers.contains("content-disposition") {
            self.look(
                &format!("headers of {} ({})", attack.method, attack.what),
                headers.as_bytes(),
            );
        }
        answer
    }
}

/// Made by command line: one vault with one item, and refusals.
fn plant_by_cli(run: &mut Run) -> (String, String) {
    let name = |name: &str| run.canaries.of(&format!("cli.{name}"));
    let (vault, description) = (name("vault"), name("description"));
    let assignments = [
        format!("username={}", name("username")),
        format!("password={}", name("password")),
        format!("notes={}", name("notes")),
        format!(
            "{}.{}[text]={}",
            name("section"),
            name("label"),
            name("text")
        ),
        format!("mail[email]={}", name("email")),
        format!("code[otp]={}", run.canaries.seed),
    ];
    let (title, tag, url) = (
        name("title"),
        name("tag"),
        format!("https://{}.example", name("url")),
    );
    let refused = [
        format!("a.{}.c={}", name("bad.name"), name("bad")),
        format!("x[date]={}", name("bad.date")),
        name("bad.word"),
    ];
    let template = plant::item(&|part| run.canaries.of(&format!("template.{part}")));
    let bad_template = format!("{{\"title\": \"{}", name("bad.template"));
    let wanted = name("absent");

    let id = run.cli(
        &["vault", "create", &vault, "--description", &description],
        b"",
        true,
    )["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut args = vec![
        "item", "create", "--vault", &vault, "--title", &title, "--tags", &tag, "--url", &url,
    ];
    args.extend(assignments.iter().map(String::as_str));
    let item = run.cli(&args, b"", true)["id"].as_str().unwrap().to_owned();
    run.cli(
        &["item", "create", "--vault", &id, "-"],
        template.to_string().as_bytes(),
        true,
    );
    for assignment in &refused {
        run.cli(&["item", "create", "--vault", &id, assignment], b"", false);
    }
    run.cli(
        &["item", "create", "--vault", &id, "-"],
        bad_template.as_bytes(),
        false,
    );
    // A title that is not found and the name of an option are told back: here they are no canaries.
    run.cli(
        &[
            "item",
            "get",
            "no such title",
            "--vault",
            &id,
            &format!("--nothing={wanted}"),
        ],
        b"",
        false,
    );
    (id, item)
}

/// Made by the API: an item, its second and third version, and one that is gone.
fn plant_by_api(run: &mut Run, server: &Server, token: &str, vault: &str) -> String {
    let items = format!("/v1/vaults/{vault}/items");
    let body = plant::item(&|name| run.canaries.of(name));
    let send = |run: &mut Run, method, target: &str, body: &Value| {
        let attack = Attack {
            what: "write",
            method,
            target: target.to_owned(),
            headers: vec![
                ("Content-Type", "application/json".into()),
                (
                    "Idempotency-Key",
                    format!("{}-{method}", run.canaries.of("key")),
                ),
            ],
            body: body.to_string().into_bytes(),
        };
        let answer = run.attack(server, token, &attack);
        assert!(
            answer.status < 300,
            "{method}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()
    };
    let made = send(run, "POST", &items, &body);
    let one = format!("{items}/{}", made["id"].as_str().unwrap());
    let mut next = body.clone();
    next["title"] = json!(run.canaries.of("api.title.second"));
    next["fields"] =
        json!([{"purpose": "PASSWORD", "value": run.canaries.of("api.password.second")}]);
    send(run, "PUT", &one, &next);
    let patch = json!([
        {"op": "replace", "path": "/fields/password/value", "value": run.canaries.of("api.password.third")},
        {"op": "add", "path": "/fields", "value": {"label": run.canaries.of("api.patch.label"), "value": run.canaries.of("api.patch.value")}},
    ]);
    send(run, "PATCH", &one, &patch);
    let mut gone = body;
    gone["title"] = json!(run.canaries.of("api.title.gone"));
    let items = format!("{items}/");
    let answer = run.attack(
        server,
        token,
        &Attack {
            what: "write",
            method: "POST",
            target: items.clone(),
            headers: Vec::new(),
            body: gone.to_string().into_bytes(),
        },
    );
    let gone: Value = serde_json::from_slice(&answer.body).unwrap();
    send(
        run,
        "DELETE",
        &format!("{items}{}", gone["id"].as_str().unwrap()),
        &Value::Null,
    );
    made["id"].as_str().unwrap().to_owned()
}

/// What is no HTTP at all.
fn babble(run: &mut Run, server: &Server) {
    let address = server.host().strip_prefix("http://").unwrap();
    let secret = run.canaries.of("babble");
    for text in [
        format!("{secret}\r\n\r\n"),
        format!("GET /{secret} HTTP/9.9\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\n{secret}\r\n\r\n"),
        format!("POST /v1/vaults HTTP/1.1\r\nHost: x\r\nContent-Length: {secret}\r\n\r\n"),
        format!(
            "GET http://{secret}@x/{secret} HTTP/1.1\r\nHost: {secret}\r\nConnection: close\r\n\r\n"
        ),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // It may be closed without a word.
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        run.look("answer to no HTTP", &answer);
    }
}

/// What was found where, how often, and an example of each.
fn summary(findings: &[Finding]) -> String {
    let mut kinds: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for Finding {
        place,
        secret,
        form,
        context,
    } in findings
    {
        kinds
            .entry((place, secret, form))
            .or_default()
            .push(context);
    }
    let lines = kinds.iter().map(|((place, secret, form), contexts)| {
        format!(
            "{place}: {secret}, {form}, {} times, as in {:?}",
            contexts.len(),
            contexts[0]
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_secret_is_left_anywhere() {
    let mut run = Run {
        place: Place::new(),
        canaries: Canaries::new(),
        secrets: Vec::new(),
        findings: Vec::new(),
    };
    let server = run.place.up("up", &["--log-level", "trace"]);
    run.hide_operator();
    let demo = fs::read_to_string(run.place.data().join("demo.token")).unwrap();
    run.hide_token("the demo token", demo.trim());

    let export = run.place.dir().join("export.1pux");
    let sample = grantable(fixture::sample(&|name| run.canaries.of(name)));
    fixture::write(&export, &sample).unwrap();
    run.cli(&["import", export.to_str().unwrap()], b"", true);
    // What is no export, with canaries in it.
    let broken = run.place.dir().join("broken.1pux");
    fs::write(&broken, run.canaries.of("no.export")).unwrap();
    run.cli(&["import", broken.to_str().unwrap()], b"", false);
    let (cli_vault, cli_item) = plant_by_cli(&mut run);

    let vaults = ["personal", "everyone", "user"].map(fixture::id);
    let mut grants: Vec<String> = vaults.iter().map(|vault| format!("{vault},rw")).collect();
    grants.push(format!("{cli_vault},rw"));
    let token = run.place.token("main", &grants);
    let reader = run.place.token("reader", &[format!("{},r", vaults[0])]);
    run.hide_token("the main token", &token);
    run.hide_token("the reading token", &reader);
    server.knows(&token, 4, 2 + 3 + 19 + 2);
    server.knows(&reader, 1, 2);
    let api_item = plant_by_api(&mut run, &server, &token, &vaults[0]);

    // Everything is served to who may see it: the canaries are really there.
    let mut served = Vec::new();
    let file = |name: &str| fixture::id(&format!("file {name}"));
    for (vault, item, title, file) in [
        (
            &vaults[0],
            fixture::id("login"),
            run.canaries.of("login.title"),
            None,
        ),
        (
            &vaults[0],
            api_item.clone(),
            run.canaries.of("api.title"),
            None,
        ),
        (
            &vaults[1],
            fixture::id("document"),
            run.canaries.of("document.title"),
            Some(file("document.file")),
        ),
        (
            &vaults[1],
            fixture::id("kinds"),
            run.canaries.of("kinds.title"),
            Some(file("kinds.file")),
        ),
        (
            &vaults[1],
            fixture::id("ssh"),
            run.canaries.of("ssh.title"),
            None,
        ),
        (&cli_vault, cli_item, run.canaries.of("cli.title"), None),
    ] {
        for read in plant::reads(vault, &item, &title, file.as_deref()) {
            served.extend(run.attack(&server, &token, &read).body);
        }
    }
    let served = String::from_utf8_lossy(&served).into_owned();
    for name in [
        "login.password",
        "login.notes",
        "login.tag",
        "kinds.concealed",
        "kinds.file.content",
        "document.file.name",
        "ssh.private_key",
        "vault.personal",
        "api.password.third",
        "api.CONCEALED.value",
        "cli.password",
        "cli.text",
    ] {
        let was_replaced = name == "api.CONCEALED.value";
        assert_eq!(
            served.contains(&run.canaries.of(name)),
            !was_replaced,
            "{name}"
        );
    }

    // And refused to everybody else.
    let refusals = plant::refusals(&vaults[0], &api_item, &|name| run.canaries.of(name));
    let mut refused = 0;
    for attack in &refusals {
        refused += usize::from(run.attack(&server, &token, attack).status >= 400);
        run.attack(&server, &reader, attack);
    }
    assert!(
        refused * 10 > refusals.len() * 9,
        "{refused} of {} were refused",
        refusals.len()
    );
    let tampered = format!("{}AAAA", token.split_at(token.len() - 4).0);
    for read in plant::reads(&vaults[0], &api_item, &run.canaries.of("api.title"), None) {
        run.attack(&server, &tampered, &read);
    }
    babble(&mut run, &server);

    // With everything still open, write-ahead logs and all, and after a clean end.
    run.look_at_files();
    server.stop();
    run.look_at_files();
    let log = fs::metadata(run.place.dir().join("up.stderr"))
        .unwrap()
        .len();
    assert!(
        log > 1000,
        "the log has {log} bytes: it is not at level trace"
    );
    let count = run.canaries.planted.borrow().len();
    assert!(count > 150, "{count} canaries were planted");

    // The same search finds one that is left there.
    fs::write(
        run.place.data().join("replica").join("forgotten"),
        run.canaries.of("forgotten"),
    )
    .unwrap();
    let planted = run
        .search()
        .files(&run.place.data().join("replica"), &SECRET_FILES);
    assert!(
        matches!(&planted[..], [one] if one.place.ends_with("forgotten")),
        "{}",
        summary(&planted)
    );
    assert!(run.findings.is_empty(), "{}", summary(&run.findings));
}
