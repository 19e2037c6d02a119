//! What the service stores: encrypted as it does it, and opened here only where a test wants to look or change.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use sekisho_core::{
    id::{ItemId, VaultId},
    time::Timestamp,
};
use serde_json::{Value, json};

use crate::crypto::{self, Random, b64, oaep, random, seal, symmetric_jwk};

/// Read, reveal, update, create, archive, delete, …
const ACL: u32 = 32 | 16 | 64 | 128 | 256 | 512 | 1024;

pub(crate) struct Vault {
    id: VaultId,
    kind: String,
    key: Vec<u8>,
    attributes: Value,
    attribute_version: u64,
    pub(crate) content_version: u64,
    created: String,
    updated: String,
    wrapped_key: Value,
    pub(crate) items: BTreeMap<String, Value>,
}

pub(crate) struct Data {
    user: String,
    keyset: String,
    keyset_key: Vec<u8>,
    pub(crate) vaults: BTreeMap<String, Vault>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// To the millisecond, as nothing is known of the real one's resolution.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis() as u64).to_rfc3339()
}

impl Data {
    pub(crate) fn new(user: String) -> Self {
        Self {
            user,
            keyset: ItemId::generate(&mut Random).to_string(),
            keyset_key: random(32),
            vaults: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// The account's keyset: the master unlock key opens the symmetric key, which opens the private key.
    pub(crate) fn keysets(&self, muk: &[u8], salt: &[u8]) -> Value {
        let (public, private) = crypto::rsa_jwks(&self.keyset);
        let mut symmetric = seal("mp", muk, &symmetric_jwk(&self.keyset, &self.keyset_key));
        symmetric["alg"] = json!("PBES2g-HS256");
        symmetric["p2c"] = json!(650_000);
        symmetric["p2s"] = json!(b64(salt));
        json!({"version": 1, "keysets": [{
            "uuid": self.keyset, "sn": 1, "encryptedBy": "mp", "encSymKey": symmetric,
            "encPriKey": seal(&self.keyset, &self.keyset_key, &private), "pubKey": public,
        }]})
    }

    pub(crate) fn add_vault(&mut self, name: &str, description: &str, kind: &str) -> VaultId {
        let (id, key) = (VaultId::generate(&mut Random), random(32));
        let jwk = symmetric_jwk(id.as_str(), &key).to_string();
        let wrapped_key = json!({"kid": self.keyset, "enc": "RSA-OAEP", "cty": "b5+jwk+json", "data": b64(&oaep(jwk.as_bytes()))});
        let attributes = json!({"uuid": id, "type": kind, "name": name, "desc": description, "avatar": "", "color": ""});
        let vault = Vault {
            id,
            kind: kind.to_owned(),
            key,
            attributes,
            attribute_version: 1,
            content_version: 1,
            created: now(),
            updated: now(),
            wrapped_key,
            items: BTreeMap::new(),
        };
        self.vaults.insert(id.to_string(), vault);
        id
    }

    fn vault(&mut self, vault: VaultId) -> &mut Vault {
        self.vaults.get_mut(vault.as_str()).expect("a known vault")
    }

    pub(crate) fn rename_vault(&mut self, vault: VaultId, name: &str) {
        let vault = self.vault(vault);
        vault.attributes["name"] = json!(name);
        vault.attribute_version += 1;
    }

    pub(crate) fn withdraw_vault(&mut self, vault: VaultId) {
        self.vaults.remove(vault.as_str());
    }

    pub(crate) fn add_item(
        &mut self,
        vault: VaultId,
        template: &str,
        overview: &Value,
        details: &Value,
    ) -> ItemId {
        let id = ItemId::generate(&mut Random);
        let user = self.user.clone();
        let vault = self.vault(vault);
        let item = json!({
            "uuid": id, "templateUuid": template, "faveIndex": 0, "trashed": "N", "createdAt": now(), "updatedAt": now(),
            "changerUuid": user, "itemVersion": 1, "encryptedBy": vault.id,
            "encOverview": seal(vault.id.as_str(), &vault.key, overview),
            "encDetails": seal(vault.id.as_str(), &vault.key, details),
        });
        vault.items.insert(id.to_string(), item);
        vault.content_version += 1;
        id
    }

    pub(crate) fn edit_item(
        &mut self,
        vault: VaultId,
        item: ItemId,
        edit: impl FnOnce(&mut Value, &mut Value),
    ) {
        let vault = self.vault(vault);
        let (id, key) = (vault.id, vault.key.clone());
        let item = vault.items.get_mut(item.as_str()).expect("a known item");
        let mut overview = crypto::open_json(&key, &item["encOverview"]).unwrap();
        let mut details = crypto::open_json(&key, &item["encDetails"]).unwrap();
        edit(&mut overview, &mut details);
        item["encOverview"] = seal(id.as_str(), &key, &overview);
        item["encDetails"] = seal(id.as_str(), &key, &details);
        touch(item);
        vault.content_version += 1;
    }

    pub(crate) fn set_state(&mut self, vault: VaultId, item: ItemId, state: &str) {
        let vault = self.vault(vault);
        let item = vault.items.get_mut(item.as_str()).expect("a known item");
        item["trashed"] = json!(state);
        touch(item);
        vault.content_version += 1;
    }

    pub(crate) fn spoil_item(&mut self, vault: VaultId, item: ItemId) {
        let vault = self.vault(vault);
        let item = vault.items.get_mut(item.as_str()).expect("a known item");
        item["encDetails"] = seal(vault.id.as_str(), &random(32), &json!({}));
        touch(item);
        vault.content_version += 1;
    }

    pub(crate) fn open_item(&self, vault: VaultId, item: ItemId) -> Option<(Value, Value, u64)> {
        let vault = self.vaults.get(vault.as_str())?;
        let item = vault.items.get(item.as_str())?;
        (item["trashed"] != "D").then_some(())?;
        let open = |part: &str| crypto::open_json(&vault.key, &item[part]);
        Some((
            open("encOverview")?,
            open("encDetails")?,
            item["itemVersion"].as_u64()?,
        ))
    }

    pub(crate) fn item_ids(&self, vault: VaultId) -> Vec<ItemId> {
        let items = self.vaults.get(vault.as_str()).map(|vault| &vault.items);
        let active = items
            .into_iter()
            .flatten()
            .filter(|(_, item)| item["trashed"] == "N");
        active.map(|(id, _)| ItemId::parse(id).unwrap()).collect()
    }

    pub(crate) fn show_vault(&self, vault: &Vault) -> Value {
        let active = vault.items.values().filter(|item| item["trashed"] == "N");
        let access = json!({
            "vaultUuid": vault.id, "accessorType": "user", "accessorUuid": self.user, "acl": ACL, "leaseTimeout": 0,
            "vaultKeySN": 1, "encryptedBy": self.keyset, "encVaultKey": vault.wrapped_key,
        });
        let mut combined = access.clone();
        combined["accessVersion"] = json!(1);
        json!({
            "uuid": vault.id, "type": vault.kind, "createdAt": vault.created, "updatedAt": vault.updated,
            "attrVersion": vault.attribute_version, "contentVersion": vault.content_version,
            "encAttrs": seal(vault.id.as_str(), &vault.key, &vault.attributes),
            "activeItemCount": active.count(), "accessorsVersion": 1, "access": [access], "clientAccess": ACL,
            "combinedAccess": combined,
        })
    }

    /// One PATCH: creates (version 0), edits, archives, deletes. Each item's version is checked for itself.
    pub(crate) fn patch(&mut self, vault: &str, expect: u64, items: &[Value]) -> (u16, Value) {
        let user = self.user.clone();
        let Some(vault) = self.vaults.get_mut(vault) else {
            return (404, json!({}));
        };
        if expect > vault.content_version {
            return (409, json!({}));
        }
        let (mut updated, mut failed) = (json!({}), json!({}));
        for new in items {
            let id = new["uuid"].as_str().unwrap_or_default();
            let held = vault.items.get(id);
            let version = held.map_or(0, |held| held["itemVersion"].as_u64().unwrap_or_default());
            if new["itemVersion"] != version {
                failed[id] = json!(104);
                continue;
            }
            let mut item = held
                .cloned()
                .unwrap_or_else(|| json!({"createdAt": now(), "trashed": "N"}));
            for (name, value) in new.as_object().into_iter().flatten() {
                item[name] = value.clone();
            }
            item["changerUuid"] = json!(user);
            touch(&mut item);
            updated[id] = item["itemVersion"].clone();
            vault.items.insert(id.to_owned(), item);
        }
        vault.content_version += 1;
        vault.updated = now();
        (
            200,
            json!({"contentVersion": vault.content_version, "updatedItems": updated, "failedItems": failed}),
        )
    }
}

/// One version more, now.
fn touch(item: &mut Value) {
    item["itemVersion"] = json!(item["itemVersion"].as_u64().unwrap_or_default() + 1);
    item["updatedAt"] = json!(now());
}
