//! `sekisho account serve` under TLS, as operators and Connect servers reach it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    fs,
    path::{Path, PathBuf},
};

use cli::{Dir, Service};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certification authority, and files it made.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: PathBuf,
}

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let pem = dir.join(name);
        fs::write(&pem, certificate.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Certificate and key for a host, as `--tls-cert` and `--tls-key` have them.
    fn certify(&self, host: &str) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let beside = |ending: &str| self.pem.with_extension(format!("{host}.{ending}"));
        fs::write(beside("pem"), certificate.pem()).unwrap();
        fs::write(beside("key"), key.serialize_pem()).unwrap();
        ["pem", "key"].map(|ending| beside(ending).display().to_string())
    }
}

#[test]
fn operators_and_connect_servers_reach_it_and_trust_only_the_ca_that_was_given() {
    let dir = Dir::new();
    let key = dir.json(&["account", "init"])["key_file"].clone();
    let key = key.as_str().unwrap();
    let ours = Authority::new(dir.path(), "ours.ca");
    let other = Authority::new(dir.path(), "other.ca");
    let [certificate, secret] = ours.certify("127.0.0.1");
    let tls = ["--tls-cert", &certificate, "--tls-key", &secret];
    let account = Service::account(&dir, &tls);
    assert!(account.url.starts_with("https://127.0.0.1:"));

    let away = Dir::new();
    let at = |url: &str, ca: Option<&Path>, words: &[&str]| -> Vec<String> {
        let mut args = vec![
            "--account".to_owned(),
            url.to_owned(),
            "--key".to_owned(),
            key.to_owned(),
        ];
        args.extend(ca.map(|ca| format!("--ca={}", ca.display())));
        args.extend(words.iter().map(|word| (*word).to_owned()));
        args
    };
    let ok = |words: &[&str]| {
        let args = at(&account.url, Some(&ours.pem), words);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        away.ok(&args)
    };
    let fails = |url: &str, ca: Option<&Path>| {
        let args = at(url, ca, &["user", "whoami"]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        away.fails(&args, 1)
    };
    assert!(ok(&["user", "whoami"]).contains("owner"));

    let untrusted = "its certificate is not of a CA that is trusted here";
    let said = fails(&account.url, Some(&other.pem));
    assert!(said.contains(untrusted) && said.contains("--ca"), "{said}");
    let said = fails(&account.url, None);
    assert!(said.contains(untrusted) && said.contains("--ca"), "{said}");
    let plain = account.url.replace("https://", "http://");
    let said = fails(&plain, None);
    assert!(said.contains("https://"), "{said}");
    let said = fails(&account.url, Some(Path::new("/nonexistent/ca")));
    assert!(said.contains("/nonexistent/ca"), "{said}");
    fs::write(dir.path().join("empty.ca"), "nothing").unwrap();
    let said = fails(&account.url, Some(&dir.path().join("empty.ca")));
    assert!(said.contains("no PEM with a certificate"), "{said}");

    // What the server's own files must be.
    let serve = |certificate: &str, secret: &str| {
        let args = ["account", "serve", "--listen", "127.0.0.1:0"];
        let tls = ["--tls-cert", certificate, "--tls-key", secret];
        dir.fails(&[&args[..], &tls].concat(), 1)
    };
    assert!(serve(&secret, &secret).contains("-----BEGIN CERTIFICATE-----"));
    assert!(serve(&certificate, &certificate).contains("-----BEGIN PRIVATE KEY-----"));
    let [_, stranger] = other.certify("127.0.0.1");
    assert!(serve(&certificate, &stranger).contains("do not fit together"));
    assert!(serve("/nonexistent/cert", &secret).contains("/nonexistent/cert"));
    dir.fails(&["account", "serve", "--tls-cert", &certificate], 2);

    // For another host; and TLS spoken to a port that has none.
    let [certificate, secret] = ours.certify("account.example");
    let tls = ["--tls-cert", certificate.as_str(), "--tls-key", &secret];
    let misnamed = Service::account(&dir, &tls);
    let said = fails(&misnamed.url, Some(&ours.pem));
    assert!(said.contains("is for another host"), "{said}");
    let bare = Service::account(&dir, &[]);
    let said = fails(&bare.url.replace("http://", "https://"), Some(&ours.pem));
    assert!(said.contains("does not speak TLS"), "{said}");

    // A Connect server has address and CA in its credentials file, and nothing else to go by.
    ok(&["vault", "create", "V"]);
    ok(&[
        "item",
        "create",
        "--vault",
        "V",
        "--title",
        "Mail",
        "password=hunter2",
    ]);
    ok(&["connect", "server", "create", "s", "--vaults", "V"]);
    let token = ok(&[
        "connect", "token", "create", "t", "--server", "s", "--vault", "V,r",
    ]);
    let file = away.path().join("work/1password-credentials.json");
    let connect = Service::connect(&Dir::new(), &file, &[]);
    let (_, vaults) = connect.eventually("/v1/vaults", token.trim(), 200);
    assert!(vaults.contains("\"name\":\"V\""), "{vaults}");
}
