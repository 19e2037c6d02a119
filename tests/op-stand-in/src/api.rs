//! The routes (op-account.md §C.4).

use sekisho_core::id::{ItemId, UserId};
use serde_json::{Value, json};

use crate::{
    Answer, Service,
    crypto::{self, Random, b64, from_b64, random, seal},
};

/// A request as it came.
pub(crate) struct Wire<'a> {
    method: &'a str,
    authority: String,
    pub(crate) path: String,
    query: String,
    headers: &'a [(String, String)],
    body: &'a [u8],
}

impl<'a> Wire<'a> {
    pub(crate) fn parse(
        method: &'a str,
        url: &str,
        headers: &'a [(String, String)],
        body: &'a [u8],
    ) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Self {
            method,
            authority: authority.to_owned(),
            path: format!("/{path}"),
            query: query.to_owned(),
            headers,
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// What the MAC covers of the place: the host without its port.
    fn place(&self) -> String {
        let host = self.authority.split(':').next().unwrap_or_default();
        format!("{host}{}?{}", self.path, self.query)
    }
}

/// What a route answers, before it is put into an envelope.
enum Reply {
    Json(Value),
    Status(u16),
    Bytes(Vec<u8>),
    Of(u16, Value),
}

impl Service {
    pub(crate) fn route(&mut self, request: &Wire<'_>) -> Answer {
        match request.path.as_str() {
            "/api/v3/auth/start" => self.start(),
            path if path.starts_with("/api/v1/device") => {
                self.device_known = true;
                Answer::json(200, &json!({"success": 1}))
            }
            _ => self
                .in_session(request)
                .unwrap_or_else(|| Answer::json(401, &json!({}))),
        }
    }

    fn start(&mut self) -> Answer {
        if self.token_revoked {
            return Answer::json(401, &json!({}));
        }
        let session = UserId::generate(&mut Random).to_string();
        self.sessions.insert(session.clone(), Default::default());
        let status = if self.device_known {
            "ok"
        } else {
            "device-not-registered"
        };
        let answer = json!({
            "status": status, "sessionID": session, "accountKeyFormat": "A3", "accountKeyUuid": self.key_id,
            "userAuth": self.user_auth(),
        });
        Answer::json(200, &answer)
    }

    /// `None` = 401.
    fn in_session(&mut self, request: &Wire<'_>) -> Option<Answer> {
        let id = request.header("x-agilebits-session-id")?.to_owned();
        let mut session = self.sessions.get(&id)?.clone();
        match request.path.as_str() {
            "/api/v2/auth" => {
                let identity = (self.key_id.as_str(), self.email.as_str());
                let body = request.json();
                let b = session.exchange(
                    &self.verifier,
                    identity,
                    &self.salt,
                    body["userA"].as_str()?,
                )?;
                self.sessions.insert(id, session);
                return Some(Answer::json(200, &json!({"userB": b})));
            }
            "/api/v2/auth/confirm-key" => {
                let body = request.json();
                let proof = from_b64(body["clientVerifyHash"].as_str()?)?;
                let proof = session.confirm(&proof)?;
                return Some(Answer::json(200, &json!({"serverVerifyHash": proof})));
            }
            _ => {}
        }
        let mac = request.header("x-agilebits-mac")?;
        let is_its = session.vouches(&id, request.method, &request.place(), mac);
        is_its.then_some(())?;
        let key = session.key()?.to_vec();
        let is_raw = request
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/octet-stream"));
        let body = if is_raw || request.body.is_empty() {
            Value::Null
        } else {
            let opened = crypto::open(&key, &request.json())?;
            // A repeated GET after a new sign-in carries nothing in its envelope.
            serde_json::from_slice(&opened).unwrap_or_default()
        };
        let (status, value) = match self.api(request, &body) {
            Reply::Bytes(bytes) => return Some(Answer::bytes(bytes)),
            Reply::Json(value) => (200, value),
            Reply::Of(status, value) => (status, value),
            Reply::Status(status) => (status, json!({})),
        };
        Some(Answer::json(status, &seal(&id, &key, &value)))
    }

    fn api(&mut self, request: &Wire<'_>, body: &Value) -> Reply {
        let path: Vec<&str> = request.path.split('/').skip(3).collect();
        let data = &mut self.data;
        match (request.method, path.as_slice()) {
            (_, ["auth", "complete"]) => {
                Reply::Json(json!({"userUuid": self.user, "accountUuid": self.account}))
            }
            ("GET", ["account", "keysets"]) => Reply::Json(data.keysets(&self.muk, &self.salt)),
            ("GET", ["vaults"]) => {
                let vaults = data.vaults.values().map(|vault| data.show_vault(vault));
                Reply::Json(vaults.collect())
            }
            ("POST", ["file"]) => {
                let id = ItemId::generate(&mut Random).to_string();
                data.files.insert(id.clone(), request.body.to_vec());
                let key = json!({"kty": "oct", "alg": "A256GCM", "ext": true, "k": b64(&random(32)), "key_ops": ["sign", "verify"], "kid": id});
                Reply::Json(json!({"fileId": id, "signingKey": key}))
            }
            ("GET", ["file", _, _, file]) => match data.files.get(&file.to_ascii_lowercase()) {
                Some(content) => Reply::Bytes(content.clone()),
                None => Reply::Status(404),
            },
            (method, ["vault", vault, rest @ ..]) => {
                let vault = (*vault).to_owned();
                self.in_vault(method, &vault, rest, body)
            }
            _ => Reply::Status(404),
        }
    }

    fn in_vault(&mut self, method: &str, vault: &str, rest: &[&str], body: &Value) -> Reply {
        let Some(held) = self.data.vaults.get(vault) else {
            return Reply::Status(404);
        };
        let version = held.content_version;
        match (method, rest) {
            ("GET", []) => Reply::Json(self.data.show_vault(held)),
            ("GET", ["items", "overviews"]) => {
                let items = held.items.values().filter(|item| item["trashed"] != "D");
                let overview = |item: &Value| {
                    let mut item = item.clone();
                    if let Some(members) = item.as_object_mut() {
                        members.remove("encDetails");
                    }
                    item
                };
                let items: Vec<Value> = items.map(overview).collect();
                Reply::Json(
                    json!({"contentVersion": version, "batchComplete": true, "deletedItemUuids": [], "items": items}),
                )
            }
            ("POST", ["items", "batch"]) => {
                let ids = body["itemUuids"].as_array().into_iter().flatten();
                let items = ids.filter_map(|id| held.items.get(id.as_str()?));
                let items: Vec<&Value> = items.filter(|item| item["trashed"] != "D").collect();
                Reply::Json(json!({"contentVersion": version, "items": items}))
            }
            ("GET", ["item", item]) => match held.items.get(*item) {
                Some(item) if item["trashed"] != "D" => {
                    Reply::Json(json!({"contentVersion": version, "item": item}))
                }
                _ => Reply::Status(404),
            },
            ("PATCH", [expect, "items"]) => {
                let items = body.as_array().cloned().unwrap_or_default();
                let expect = expect.parse().unwrap_or(u64::MAX);
                let (status, value) = self.data.patch(vault, expect, &items);
                Reply::Of(status, value)
            }
            _ => Reply::Status(404),
        }
    }
}
