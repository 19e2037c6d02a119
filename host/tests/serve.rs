//! `sekisho serve` against an account in another process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod common;
mod stack;

use std::{fs, path::Path, process::Command, time::Duration};

use sekisho_account::http::client::{Address, RemoteDevice};
use stack::{Process, World, eventually, note};

#[test]
fn what_is_at_the_account_is_served_and_what_is_written_is_at_the_account() {
    let world = World::new(3);
    let account = world.serve_account();
    let host = world.host("serve");
    eventually("synchronised", || {
        host.get("/v1/vaults", &world.token).status == 200
    });
    let item = world.items[0];
    let answer = host.get(&world.item_path(&item), &world.token);
    assert_eq!(answer.json()["title"], "Item 0");

    // An operator's change arrives by itself.
    let added = world.add_item("Added");
    eventually("pushed", || {
        host.get(&world.item_path(&added), &world.token).status == 200
    });

    // A client's write is read by the next read, and is the account's.
    let made = host.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "Made"),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{}/{id}", world.items_path());
    assert_eq!(host.get(&path, &world.token).json()["title"], "Made");
    let held = world.operator.sealed_item(world.vault, id.parse().unwrap());
    assert_eq!(held.unwrap().version, 1);

    // A revocation too.
    world.operator.revoke_token(world.token_id).unwrap();
    eventually("revoked", || {
        host.get("/v1/vaults", &world.token).status == 401
    });
    assert!(host.terminate().success());
    drop(account);
}

#[test]
fn it_says_what_is_missing_and_how_to_get_it() {
    let world = World::new(0);
    let fails = |change: &dyn Fn(&mut Command)| {
        let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("HOME", world.dir.path());
        change(&mut command);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = fails(&|_| {});
    assert!(said.contains("there are no credentials"), "{said}");
    let unaddressed = world.dir.path().join("unaddressed.json");
    let (_, credentials) = world.operator.create_environment("x", &[]).unwrap();
    credentials.write(&unaddressed, false).unwrap();
    let said = fails(&|command| {
        command.env("OP_SESSION", &unaddressed);
    });
    assert!(said.contains("SEKISHO_ACCOUNT_URL"), "{said}");

    // Where the vendor's containers have it, and with nothing else in the environment.
    fs::create_dir(world.dir.path().join(".op")).unwrap();
    fs::copy(
        world.credentials_file(),
        world.dir.path().join(".op/1password-credentials.json"),
    )
    .unwrap();
    let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("HOME", world.dir.path());
    let host = Process::start(command);
    assert_eq!(host.get("/heartbeat", "").body, b".");
    assert_eq!(host.get("/health", "").status, 200);
    let data = stack::files(&world.dir.path().join(".op/data/sekisho"));
    assert!(data.iter().any(|path| path.ends_with("replica.sqlite")));
}

/// Writes a certificate for this machine, and says it.
fn certificate(cert: &Path, key: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(key, made.signing_key.serialize_pem()).unwrap();
    fs::write(cert, made.cert.pem()).unwrap();
    made.cert.pem()
}

/// Whether a server shows this very certificate, asked by a client that trusts no other.
fn shows(world: &World, host: &Process, pem: &str) -> bool {
    let address = Address {
        url: format!("https://{}", host.addr),
        ca: Some(pem.to_owned()),
    };
    let client = RemoteDevice::at(&address, &world.credentials).unwrap();
    let said = sekisho_account::Device::wait(&client, 0, Duration::ZERO).unwrap_err();
    // It is no account: what matters is how far the client came.
    match said.to_string() {
        text if text.contains("makes no sense") => true,
        text if text.contains("ertificate") => false,
        text => panic!("{text}"),
    }
}

fn hang_up(host: &Process) {
    let id = host.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn tls_is_served_and_changes_with_its_files() {
    let world = World::new(0);
    let (cert, key) = (
        world.dir.path().join("tls.crt"),
        world.dir.path().join("tls.key"),
    );
    let first = certificate(&cert, &key);
    let host = world.host_with("api", |command| {
        command
            .env("OP_TLS_CERT_FILE", &cert)
            .env("OP_TLS_KEY_FILE", &key);
    });
    assert!(shows(&world, &host, &first));
    // Plain HTTP gets nothing, and does no harm.
    let plain = std::panic::catch_unwind(|| host.get("/heartbeat", ""));
    assert!(plain.is_err());
    // Half a pair is not taken; the whole one is, without a restart.
    fs::write(&key, "no key").unwrap();
    hang_up(&host);
    assert!(shows(&world, &host, &first));
    let second = certificate(&cert, &key);
    eventually("the file is looked at", || shows(&world, &host, &second));
    assert!(!shows(&world, &host, &first));

    let output = world
        .command(&["serve"])
        .env("OP_SESSION", world.credentials_file())
        .env("OP_TLS_CERT_FILE", &cert)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn credentials_rotate_without_a_restart_or_a_gap() {
    let mut world = World::new(1);
    let _account = world.serve_account();
    let host = world.host("serve");
    eventually("synchronised", || host.get("/ready", "").status == 200);
    let url = format!("http://127.0.0.1:{}", world.port);
    let next = world.operator.add_device(world.environment).unwrap();
    let next = next.with_account(&url, None);
    // Both are good now.
    let added = world.add_item("With the first");
    eventually("told by the first", || {
        host.get(&world.item_path(&added), &world.token).status == 200
    });
    // A file that is no good, or another server's, changes nothing.
    let (_, other) = world.operator.create_environment("other", &[]).unwrap();
    other.write(&world.credentials_file(), true).unwrap();
    hang_up(&host);
    fs::write(world.credentials_file(), "{\"version\":").unwrap();
    hang_up(&host);
    let added = world.add_item("Still with the first");
    eventually("told by the first", || {
        host.get(&world.item_path(&added), &world.token).status == 200
    });
    next.write(&world.credentials_file(), true).unwrap();
    hang_up(&host);
    // The second is used as soon as the file is read; then the first may end.
    std::thread::sleep(Duration::from_millis(1500));
    world.operator.drop_other_devices(&next).unwrap();
    world.credentials = next;
    let made = host.send(
        "POST",
        &world.items_path(),
        &world.token,
        &note(&world.vault, "With the second"),
    );
    assert_eq!(made.status, 200, "{made:?}");
    let added = world.add_item("With the second too");
    eventually("told by the second", || {
        host.get(&world.item_path(&added), &world.token).status == 200
    });
}

#[test]
fn credentials_come_in_every_form_through_the_variable() {
    use std::os::unix::process::CommandExt;
    let world = World::new(1);
    let _account = world.serve_account();
    let json = fs::read_to_string(world.credentials_file()).unwrap();
    let base64 = |text: &str| sekisho_core::encoding::base64url(text.as_bytes());
    for form in [json.clone(), base64(&json), base64(&base64(&json))] {
        let host = world.host_with("serve", |command| {
            command.env("OP_SESSION", &form).arg0("sekisho");
        });
        eventually("synchronised", || host.get("/ready", "").status == 200);
    }
}

/// An account behind a private CA that lets in only who shows a certificate of it.
#[test]
fn a_private_ca_and_a_client_certificate() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let world = World::new(1);
    let file = |name: &str, pem: String| {
        let path = world.dir.path().join(name);
        fs::write(&path, pem).unwrap();
        path
    };
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_file = file("ca.pem", ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    let made = |name: &str, of: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![of.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &issuer).unwrap();
        (
            file(&format!("{name}.crt"), cert.pem()),
            file(&format!("{name}.key"), key.serialize_pem()),
        )
    };
    let (server, server_key) = made("account", "127.0.0.1");
    let (edge, edge_key) = made("edge", "edge.test");
    let mut command = world.command(&["account", "serve", "--listen", "127.0.0.1:0"]);
    command
        .arg("--data-dir")
        .arg(world.dir.path().join("account"))
        .arg("--tls-cert")
        .arg(&server)
        .arg("--tls-key")
        .arg(&server_key)
        .arg("--tls-client-ca")
        .arg(&ca_file);
    let account = Process::start(command);
    let url = format!("https://{}", account.addr);
    let ca = fs::read_to_string(&ca_file).unwrap();
    let credentials = world.credentials.clone().with_account(&url, Some(&ca));
    credentials.write(&world.credentials_file(), true).unwrap();
    let stranger = world.host("serve");
    let known = world.host_with("serve", |command| {
        command
            .env("SEKISHO_DATA_DIR", world.dir.path().join("known"))
            .env("SEKISHO_ACCOUNT_CERT", &edge)
            .env("SEKISHO_ACCOUNT_KEY", &edge_key);
    });
    eventually("let in", || known.get("/ready", "").status == 200);
    assert_eq!(stranger.get("/ready", "").status, 503);
}
