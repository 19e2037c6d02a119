//! The account over loopback, in the clear and under TLS.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use sekisho_account::{
    Account, AccountError, Credentials, Device, OperatorError, StoredFile, UsageReport,
    http::{
        client::{Address, RemoteAccount, RemoteDevice},
        server::{Options, serve, tls_config},
    },
    random::SystemRng,
};
use sekisho_core::{
    file::CHUNK,
    id::{FileId, ItemId},
    records::{DeleteRequest, Expect, PutRequest, VaultType},
    rest::{Action, UsageEvent},
    seal::Kind,
    sync::{FeedPage, Incoming},
    token::Rights,
};

use crate::setup::{World, now, refused};

/// A running server; it ends with this.
struct Server {
    address: Address,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(account: Account, tls: Option<(String, String)>) -> Self {
        let (end, ended) = tokio::sync::oneshot::channel();
        let (tell, told) = mpsc::channel();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let ca = tls.as_ref().map(|(chain, _)| chain.clone());
        let options = Options {
            tls: tls.map(|(chain, key)| tls_config(chain.as_bytes(), key.as_bytes()).unwrap()),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                serve(listener, account, options, async {
                    let _ = ended.await;
                })
                .await;
            });
        });
        let url = format!("{scheme}://localhost:{}", told.recv().unwrap());
        Self {
            address: Address { url, ca },
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn round_trip(world: &World, server: &Server) {
    let owner = world.owner_through(RemoteAccount::new(&server.address).unwrap());
    let vault = owner
        .create_vault("Ops", "", VaultType::UserCreated, None)
        .unwrap();
    let (id, credentials) = owner.create_environment("web", &[vault]).unwrap();
    let credentials = credentials.with_account(&server.address.url, server.address.ca.as_deref());
    let rights = [(vault, Rights::READ_WRITE)];
    let token = owner.create_token(id, "app", &rights, None).unwrap();
    let device = RemoteDevice::new(&credentials, None).unwrap();

    let item = world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "x");
    let put = PutRequest {
        token: token.record.id,
        vault,
        expect: Expect::Absent,
        item: item.clone(),
        added: Vec::new(),
        dropped: Vec::new(),
    };
    device.put(&put).unwrap();
    assert!(matches!(
        device.put(&put),
        Err(AccountError::Conflict { held: Some(1), .. })
    ));
    let page = device.changes("", 100).unwrap();
    assert_eq!((page.items.len(), page.tokens.len()), (1, 1));
    let version = page.head.version;
    let incoming = Incoming::parse(vec![page], &credentials.trust()).unwrap();
    assert!(
        incoming
            .plan(&sekisho_core::cache::Snapshot::default())
            .is_ok()
    );

    let content = vec![7; CHUNK as usize + 1];
    let file = sekisho_account::operator::NewFile {
        id: FileId::generate(&mut SystemRng),
        name: "f".into(),
        section: None,
        size: content.len() as u64,
    };
    let entry = owner
        .put_file(vault, item.id, file, &mut content.as_slice())
        .unwrap();
    let files = device.files(&vault, &item.id).unwrap();
    let stored = StoredFile {
        file: entry.id,
        chunks: 2,
    };
    assert_eq!(files, [stored]);
    let chunk = device.chunk(&vault, &item.id, &entry.id, 1).unwrap();
    let opened = entry
        .open_chunk(vault, item.id, 1, chunk.as_bytes())
        .unwrap();
    assert_eq!(opened.as_slice(), [7]);

    let event = UsageEvent {
        token: token.record.id,
        action: Action::Read,
        allowed: true,
        vault,
        item: Some(item.id),
        item_version: Some(1),
        at: now(),
        caller: Default::default(),
    };
    let reports = [UsageReport::new("1".into(), event)];
    device.report_usage(&reports).unwrap();
    device.report_usage(&reports).unwrap();
    let rows = owner.usage_report(Default::default()).unwrap();
    assert_eq!((rows.len(), rows[0].count), (1, 1));

    let started = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| device.wait(version, Duration::from_secs(20)));
        std::thread::sleep(Duration::from_millis(300));
        owner.revoke_token(token.record.id).unwrap();
        assert!(waiting.join().unwrap().unwrap() > version);
    });
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "woken, not timed out"
    );
    let at = device.wait(0, Duration::from_secs(20)).unwrap();
    assert_eq!(device.wait(at, Duration::from_secs(1)).unwrap(), at);

    let delete = DeleteRequest {
        token: token.record.id,
        vault,
        item: item.id,
        version: 1,
    };
    assert!(matches!(
        device.delete(&delete),
        Err(AccountError::TokenRefused { .. })
    ));
    let entries = owner.audit(None, 100).unwrap();
    let put = entries
        .iter()
        .find(|entry| entry.what == "item.put")
        .unwrap();
    assert_eq!(put.from, "127.0.0.1");
}

#[test]
fn everything_works_in_the_clear() {
    let world = World::new();
    let server = Server::start(world.account.clone(), None);
    round_trip(&world, &server);
}

#[test]
fn everything_works_under_tls_and_a_stranger_is_not_trusted() {
    let world = World::new();
    let server = Server::start(world.account.clone(), Some(certificate()));
    round_trip(&world, &server);
    let other = Address {
        ca: Some(certificate().0),
        ..server.address.clone()
    };
    let public = Address {
        ca: None,
        ..server.address.clone()
    };
    for address in [other, public] {
        let owner = world.owner_through(RemoteAccount::new(&address).unwrap());
        assert!(matches!(
            refused(owner.whoami()),
            AccountError::Insecure { .. }
        ));
    }
}

#[test]
fn refusals_are_typed_and_bodies_limited() {
    let world = World::new();
    let server = Server::start(world.account.clone(), None);
    let host = world.environment(&[world.vault("A")]);
    let url = Some(server.address.url.as_str());
    let device = RemoteDevice::new(&host.credentials, url).unwrap();
    assert!(device.changes("", 1).is_ok());
    let next = world.owner.add_device(host.id()).unwrap();
    world.owner.drop_other_devices(&next).unwrap();
    assert!(matches!(
        device.changes("", 1),
        Err(AccountError::DeviceUnknown)
    ));
    let other = world.environment(&[]);
    let foreign = RemoteDevice::new(&other.credentials, url).unwrap();
    let (vault, item, file) = (
        sekisho_core::id::VaultId::generate(&mut SystemRng),
        ItemId::generate(&mut SystemRng),
        FileId::generate(&mut SystemRng),
    );
    assert!(matches!(
        foreign.chunk(&vault, &item, &file, 0),
        Err(AccountError::OutsideEnvironment { .. })
    ));
    let una = world.user("Una");
    let list = sekisho_account::Request::Environments;
    let remote = world.owner_through(RemoteAccount::new(&server.address).unwrap());
    let missing = remote.open_item(world.vault("B"), item);
    assert!(matches!(
        missing,
        Err(OperatorError::Account(AccountError::Missing { .. }))
    ));
    assert!(una.call(&list).is_err());
    let status = |path: &str, body: Vec<u8>| {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let answer = agent
            .post(format!("{}/{path}", server.address.url))
            .send(&body);
        let mut answer = answer.unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap();
        assert!(
            json["code"].is_string() && json["message"].is_string(),
            "{json}"
        );
        answer.status().as_u16()
    };
    assert_eq!(status("account/v1/submit", b"{}".to_vec()), 400);
    assert_eq!(status("account/v1/put", b"{}".to_vec()), 401);
    assert_eq!(status("account/v2/submit", b"{}".to_vec()), 404);
    assert_eq!(status("", Vec::new()), 404);
    let nowhere = Address {
        url: "http://127.0.0.1:1".into(),
        ca: None,
    };
    let lost = world.owner_through(RemoteAccount::new(&nowhere).unwrap());
    assert!(matches!(
        refused(lost.whoami()),
        AccountError::Unreachable(_)
    ));
}

#[test]
fn an_end_lets_requests_finish() {
    let world = World::new();
    let server = Server::start(world.account.clone(), None);
    let owner = world.owner_through(RemoteAccount::new(&server.address).unwrap());
    owner.whoami().unwrap();
    drop(server);
    assert!(owner.whoami().is_err());
}

/// A page as bytes, and of which kind they are.
fn feed(server: &Server, credentials: &Credentials, accept: &str, zip: &str) -> (String, Vec<u8>) {
    let device = credentials.device().to_text();
    let device = format!("Device {}.{}", credentials.environment(), device.expose());
    let mut answer = ureq::get(format!("{}/account/v1/feed", server.address.url))
        .header("Authorization", device)
        .header("Accept", accept)
        .header("Accept-Encoding", zip)
        .call()
        .unwrap();
    let kind = answer.body().mime_type().unwrap().to_owned();
    (kind, answer.body_mut().read_to_vec().unwrap())
}

#[test]
fn a_page_says_the_same_in_every_form() {
    let world = World::new();
    let server = Server::start(world.account.clone(), None);
    let vault = world.vault("A");
    let host = world.environment(&[vault]);
    world.token(&host, vault, Rights::READ_WRITE);
    world.owner.rotate_environment_key(host.id()).unwrap();
    for n in 0..50 {
        world.item(vault, &format!("Item {n}"));
    }
    let mut full = world.sealed(vault, ItemId::generate(&mut SystemRng), 1, "Full");
    let access = world.owner.write_access(vault).unwrap();
    let seal = |kind, text: &[u8]| {
        let sealed = access.seal_item(kind, full.id, 1, text, &mut SystemRng);
        Some(sealed.unwrap())
    };
    // Longer than what a reader may take for short, and almost nothing.
    let (extra, files) = (seal(Kind::Extra, &[7; 100_000]), seal(Kind::Files, &[]));
    (full.archived, full.extra, full.files) = (true, extra, files);
    world
        .owner
        .put_item(&access, full.clone(), Expect::Absent)
        .unwrap();

    let (json, plain) = feed(&server, &host.credentials, "application/json", "identity");
    let (zip, zipped) = feed(&server, &host.credentials, "*/*", "gzip");
    let (cbor, bytes) = feed(&server, &host.credentials, "application/cbor", "gzip");
    assert_eq!(
        [json.as_str(), &zip, &cbor],
        ["application/json", "application/json", "application/cbor"]
    );
    assert!(bytes.len() * 5 < plain.len() * 4, "bytes are bytes");
    let plain: FeedPage = serde_json::from_slice(&plain).unwrap();
    assert_eq!(plain.items.len(), 51);
    assert!(plain.items.iter().any(|item| item.item == full));
    assert!(!plain.signing_keys.is_empty());
    let mut others: Vec<FeedPage> = vec![
        serde_json::from_slice(&zipped).unwrap(),
        ciborium::from_reader(bytes.as_slice()).unwrap(),
        RemoteDevice::at(&server.address, &host.credentials)
            .unwrap()
            .changes("", 1000)
            .unwrap(),
    ];
    for page in &mut others {
        // Each is signed when it is made.
        page.head = plain.head.clone();
        assert_eq!(*page, plain);
    }
}
