//! A stand-in of the 1Password service: as much of it as the vendor's unmodified SDK core asks for (op-account.md §C).
//! It signs service accounts in, checks every request's MAC, and keeps vaults, items and files encrypted as the service
//! does. For tests only: it is answered in process ([`StandIn::answer`]) or over loopback ([`StandIn::serve`]).
//!
//! | module | holds |
//! |---|---|
//! | `crypto` | envelopes, MACs, OAEP |
//! | `srp` | the server's side of the sign-in |
//! | `data` | vaults, items, files |
//! | `api` | the routes |
//! | `fault` | what goes wrong on demand |
//! | `http` | the loopback server |
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is for tests: a panic is a failure, and it says where"
)]

mod api;
mod crypto;
mod data;
mod fault;
mod http;
mod rsa_key;
mod srp;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use fault::{Fault, When};
pub use http::Loopback;
use sekisho_core::id::{ItemId, UserId, VaultId};
use serde_json::{Value, json};

use crate::{crypto::b64, data::Data, srp::Verifier};

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path, without query.
    pub path: String,
    /// What it was answered.
    pub status: u16,
    /// Who it says it comes from.
    pub user_agent: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether the body shall break off halfway.
    pub cut: bool,
}

impl Answer {
    fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: value.to_string().into_bytes(),
            cut: false,
        }
    }

    fn bytes(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), "application/octet-stream".into())],
            body,
            cut: false,
        }
    }
}

struct Service {
    /// `https://host`, or `http://127.0.0.1:port`.
    address: String,
    email: String,
    device: String,
    user: String,
    account: String,
    key_id: String,
    secret_key: String,
    salt: Vec<u8>,
    muk: Vec<u8>,
    verifier: Verifier,
    sessions: std::collections::HashMap<String, srp::Session>,
    device_known: bool,
    token_revoked: bool,
    faults: Vec<fault::Pending>,
    seen: Vec<Seen>,
    data: Data,
}

/// The service. Handles share one.
#[derive(Clone)]
pub struct StandIn(Arc<Mutex<Service>>);

impl Default for StandIn {
    fn default() -> Self {
        Self::new("https://my.1password.com")
    }
}

impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StandIn(…)")
    }
}

impl StandIn {
    /// A service at this address, with one service account and no vault.
    pub fn new(address: &str) -> Self {
        let upper = || UserId::generate(&mut crypto::Random).to_string();
        let lower = || ItemId::generate(&mut crypto::Random).to_string();
        let user = upper();
        Self(Arc::new(Mutex::new(Service {
            address: address.to_owned(),
            email: format!(
                "{}@1passwordserviceaccounts.com",
                lower().chars().take(13).collect::<String>()
            ),
            device: lower(),
            account: upper(),
            key_id: "C4ZJMN".into(),
            secret_key: "A3-C4ZJMN-PQTZTL-HGL84-G64M7-KVZRN-4ZVP6".into(),
            salt: crypto::random(16),
            muk: crypto::random(32),
            verifier: Verifier::generate(),
            sessions: Default::default(),
            device_known: true,
            token_revoked: false,
            faults: Vec::new(),
            seen: Vec::new(),
            data: Data::new(user.clone()),
            user,
        })))
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service account's token.
    pub fn token(&self) -> String {
        let service = self.service();
        let token = json!({
            "signInAddress": service.address,
            "userAuth": service.user_auth(),
            "email": service.email,
            "srpX": service.verifier.x_hex(),
            "muk": {"alg": "A256GCM", "ext": true, "k": b64(&service.muk), "key_ops": ["encrypt", "decrypt"], "kid": "mp", "kty": "oct"},
            "secretKey": service.secret_key,
            "throttleSecret": {"seed": "ab".repeat(32), "uuid": service.user},
            "deviceUuid": service.device,
        });
        format!("ops_{}", b64(token.to_string().as_bytes()))
    }

    /// Where it is from now on: tokens made afterwards say so.
    pub fn set_address(&self, address: &str) {
        address.clone_into(&mut self.service().address);
    }

    /// Adds a vault; its type is a letter: `U`, `P`, `E`, `T`, `D`.
    pub fn add_vault(&self, name: &str, description: &str, kind: &str) -> VaultId {
        self.service().data.add_vault(name, description, kind)
    }

    /// Gives a vault another name.
    pub fn rename_vault(&self, vault: VaultId, name: &str) {
        self.service().data.rename_vault(vault, name);
    }

    /// Takes a vault from the service account.
    pub fn withdraw_vault(&self, vault: VaultId) {
        self.service().data.withdraw_vault(vault);
    }

    /// Adds an item as the service stores it.
    pub fn add_item(
        &self,
        vault: VaultId,
        template: &str,
        overview: &Value,
        details: &Value,
    ) -> ItemId {
        self.service()
            .data
            .add_item(vault, template, overview, details)
    }

    /// Adds a login with a password.
    pub fn add_login(&self, vault: VaultId, title: &str, password: &str) -> ItemId {
        let details = json!({"notesPlain": "", "sections": [], "fields": [
            {"type": "T", "name": "username", "value": "wendy", "designation": "username", "id": "username"},
            {"type": "P", "name": "password", "value": password, "designation": "password", "id": "password"}]});
        self.add_item(vault, "001", &json!({"title": title}), &details)
    }

    /// Changes an item as someone in the app does: its overview and details are handed over and taken back.
    pub fn edit_item(
        &self,
        vault: VaultId,
        item: ItemId,
        edit: impl FnOnce(&mut Value, &mut Value),
    ) {
        self.service().data.edit_item(vault, item, edit);
    }

    /// Sets an item's state: `N` active, `Y` archived, `D` deleted.
    pub fn set_state(&self, vault: VaultId, item: ItemId, state: &str) {
        self.service().data.set_state(vault, item, state);
    }

    /// Makes an item's details undecryptable.
    pub fn spoil_item(&self, vault: VaultId, item: ItemId) {
        self.service().data.spoil_item(vault, item);
    }

    /// An item's overview, details and version, decrypted; `None` if it is not there or deleted.
    pub fn item(&self, vault: VaultId, item: ItemId) -> Option<(Value, Value, u64)> {
        self.service().data.open_item(vault, item)
    }

    /// Ids of a vault's active items.
    pub fn item_ids(&self, vault: VaultId) -> Vec<ItemId> {
        self.service().data.item_ids(vault)
    }

    /// Ends every session: the next request of each is answered 401.
    pub fn expire_sessions(&self) {
        self.service().sessions.clear();
    }

    /// Refuses the token from now on.
    pub fn revoke_token(&self, revoked: bool) {
        let mut service = self.service();
        service.token_revoked = revoked;
        service.sessions.clear();
    }

    /// Forgets the device: the next sign-in registers it first.
    pub fn forget_device(&self) {
        self.service().device_known = false;
    }

    /// Lets matching requests go wrong.
    pub fn fail(&self, when: When, fault: Fault) {
        self.service().faults.push(fault::Pending { when, fault });
    }

    /// Takes back everything that [`StandIn::fail`] said.
    pub fn heal(&self) {
        self.service().faults.clear();
    }

    /// The requests since this was last asked.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.service().seen)
    }

    /// Answers one request. `None` = the connection breaks.
    pub fn answer(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Option<Answer> {
        let request = api::Wire::parse(method, url, headers, body);
        let mut service = self.service();
        let fault = fault::next(&mut service.faults, method, &request.path);
        if let Some(Fault::Slow(time)) = &fault {
            let time = *time;
            drop(service);
            std::thread::sleep(time);
            service = self.service();
        }
        let answer = match fault {
            Some(fault) if !fault.is_done_first() => fault.answer(None),
            None => Some(service.route(&request)),
            Some(fault) => fault.answer(Some(service.route(&request))),
        };
        service.seen.push(Seen {
            method: method.to_owned(),
            path: request.path.clone(),
            status: answer.as_ref().map_or(0, |answer| answer.status),
            user_agent: request.header("user-agent").unwrap_or_default().to_owned(),
        });
        answer
    }

    /// Serves over loopback until the returned value goes.
    pub fn serve(&self) -> Loopback {
        Loopback::start(self.clone())
    }
}

impl Service {
    fn user_auth(&self) -> Value {
        json!({"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650_000, "salt": b64(&self.salt)})
    }
}
