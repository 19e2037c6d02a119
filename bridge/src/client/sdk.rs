//! [`OpClient`] by the vendor's core.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sekisho_core::id::{ItemId, VaultId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    FileAttributes, ItemOverview, NewSdkItem, OpClient, OpError, SdkItem, ServiceToken,
    VaultOverview,
};
use crate::{
    net::{Guard, Limited, Meter, MeterReading},
    vendor::{CallError, Core, Instance, SDK_VERSION},
};

/// Linear memory for everyday calls, in bytes.
const EVERYDAY: usize = 256 * 1024 * 1024;
/// Linear memory for a file: a 20 MB one needs 285 MiB (op-account.md §A.2).
const FOR_FILE: usize = 400 * 1024 * 1024;
/// A file above this gets an instance of its own.
const OWN_INSTANCE: u64 = 1024 * 1024;
/// Fresh instances in a row before a pause: each signs in anew, which costs requests.
const MAX_RESTARTS: u32 = 10;
/// How long the pause is.
const PAUSE: Duration = Duration::from_secs(60);
/// Failed sign-ins after which nothing is tried any more: wrong tokens use up the day of everyone on the account.
const MAX_SIGN_INS: u32 = 3;

/// What an [`SdkCore`] needs.
pub struct SdkConfig {
    /// The core.
    pub core: Arc<Core>,
    /// Carries its requests.
    pub guard: Arc<Guard>,
    /// Signs in.
    pub token: ServiceToken,
    /// Largest file that is read, in bytes.
    pub max_file: u64,
    /// The pause after too many fresh instances in a row; absent = a minute.
    pub pause: Option<Duration>,
}

/// A client of the core. It signs in when it is first asked, and again with a fresh instance after a trap.
pub struct SdkCore {
    config: SdkConfig,
    session: Option<Session>,
    restarts: u32,
    paused_until: Option<Instant>,
    failed_sign_ins: u32,
}

struct Session {
    instance: Instance,
    client: u64,
}

impl std::fmt::Debug for SdkCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdkCore")
            .field("signed_in", &self.session.is_some())
            .finish_non_exhaustive()
    }
}

impl SdkCore {
    /// One that has not signed in yet.
    pub const fn new(config: SdkConfig) -> Self {
        Self {
            config,
            session: None,
            restarts: 0,
            paused_until: None,
            failed_sign_ins: 0,
        }
    }

    /// Counts its requests.
    pub fn meter(&self) -> &Arc<Meter> {
        self.config.guard.meter()
    }

    /// Sign-ins that the service refused in a row.
    pub const fn failed_sign_ins(&self) -> u32 {
        self.failed_sign_ins
    }

    /// Begins with so many failed sign-ins: those of an earlier run count.
    #[must_use]
    pub const fn with_failed_sign_ins(mut self, failed: u32) -> Self {
        self.failed_sign_ins = failed;
        self
    }

    /// Attaches a file to an item.
    pub fn attach(
        &mut self,
        item: &SdkItem,
        name: &str,
        section: &str,
        field: &str,
        content: &[u8],
    ) -> Result<SdkItem, OpError> {
        #[derive(Serialize)]
        struct Parameters<'a> {
            item: &'a SdkItem,
            file_params: FileParams<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct FileParams<'a> {
            name: &'a str,
            content: &'a [u8],
            section_id: &'a str,
            field_id: &'a str,
        }
        let file_params = FileParams {
            name,
            content,
            section_id: section,
            field_id: field,
        };
        self.call("ItemsFilesAttach", Parameters { item, file_params })
    }

    fn sign_in(&mut self, memory: usize) -> Result<Session, OpError> {
        if self.failed_sign_ins >= MAX_SIGN_INS {
            return Err(OpError::Auth);
        }
        if self
            .paused_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(OpError::Unavailable);
        }
        let mut instance = self
            .config
            .core
            .instantiate(Arc::clone(&self.config.guard), memory)
            .map_err(|error| {
                tracing::error!(%error, "no instance of the core");
                OpError::Unavailable
            })?;
        let mut body = json!({
            // EXPOSE: for the core, which signs in with it; wiped below.
            "serviceAccountToken": self.config.token.expose(),
            "programmingLanguage": "Rust",
            "sdkVersion": SDK_VERSION,
            "integrationName": "Sekisho",
            "integrationVersion": env!("CARGO_PKG_VERSION"),
            "requestLibraryName": "ureq",
            "requestLibraryVersion": "3",
            "os": std::env::consts::OS,
            "osVersion": "0.0.0",
            "architecture": std::env::consts::ARCH,
        });
        let input = to_json(&body);
        sekisho_core::item::json::wipe(&mut body);
        let result = instance.init_client(input).map_err(|error| told(&error));
        match result {
            Ok(answer) => {
                self.failed_sign_ins = 0;
                let client = serde_json::from_slice(&answer).map_err(|_| OpError::Garbled)?;
                Ok(Session { instance, client })
            }
            Err(error) => {
                if error == OpError::Auth {
                    self.failed_sign_ins += 1;
                }
                if error == OpError::Poisoned {
                    self.restarted();
                }
                Err(error)
            }
        }
    }

    /// Counts an instance that broke; too many in a row pause everything.
    fn restarted(&mut self) {
        self.restarts += 1;
        if self.restarts >= MAX_RESTARTS {
            self.restarts = 0;
            self.paused_until = Some(Instant::now() + self.config.pause.unwrap_or(PAUSE));
        }
    }

    /// Calls a method and reads what it gives.
    fn call<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        parameters: impl Serialize,
    ) -> Result<T, OpError> {
        let answer = self.call_raw(name, parameters)?;
        // serde's error would repeat what it read.
        serde_json::from_slice(&answer).map_err(|_| OpError::Garbled)
    }

    fn call_raw(
        &mut self,
        name: &'static str,
        parameters: impl Serialize,
    ) -> Result<Zeroizing<Vec<u8>>, OpError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.sign_in(EVERYDAY)?,
        };
        let result = invoke(&mut session, name, parameters);
        if matches!(result, Err(OpError::Poisoned)) {
            tracing::warn!(call = name, "the core broke; a fresh one takes its place");
            self.restarted();
        } else if !session.instance.is_spent() {
            self.session = Some(session);
            self.restarts = 0;
        }
        result
    }
}

fn invoke(
    session: &mut Session,
    name: &'static str,
    parameters: impl Serialize,
) -> Result<Zeroizing<Vec<u8>>, OpError> {
    #[derive(Serialize)]
    struct Call<P> {
        invocation: Invocation<P>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Invocation<P> {
        client_id: u64,
        parameters: Method<P>,
    }
    #[derive(Serialize)]
    struct Method<P> {
        name: &'static str,
        parameters: P,
    }
    let input = to_json(&Call {
        invocation: Invocation {
            client_id: session.client,
            parameters: Method { name, parameters },
        },
    });
    session.instance.invoke(input).map_err(|error| {
        if let CallError::Trapped(how) = &error {
            tracing::debug!(call = name, how, "the core trapped");
        }
        told(&error)
    })
}

fn told(error: &CallError) -> OpError {
    match error {
        CallError::Refused(text) => OpError::parse(text),
        _ => OpError::Poisoned,
    }
}

/// In one go into a buffer that wipes itself: a buffer that grows leaves copies behind.
fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    struct Length(usize);
    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    let _ = serde_json::to_writer(&mut length, value);
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    // Writing plain structs into memory does not fail; if it did, the core would refuse what is missing.
    let _ = serde_json::to_writer(&mut *bytes, value);
    bytes
}

impl OpClient for SdkCore {
    fn vaults(&mut self, details: bool) -> Result<Vec<VaultOverview>, OpError> {
        let parameters = json!({ "params": { "decryptDetails": details } });
        self.call("VaultsList", parameters)
    }

    fn vault(&mut self, vault: VaultId) -> Result<VaultOverview, OpError> {
        self.call("VaultsGetOverview", json!({ "vault_id": vault }))
    }

    fn items(&mut self, vault: VaultId) -> Result<Vec<ItemOverview>, OpError> {
        self.call("ItemsList", json!({ "vault_id": vault, "filters": [] }))
    }

    fn get_all(&mut self, vault: VaultId, items: &[ItemId]) -> Result<Vec<SdkItem>, OpError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Responses {
            individual_responses: Vec<One>,
        }
        #[derive(serde::Deserialize)]
        struct One {
            #[serde(default)]
            content: Option<SdkItem>,
        }
        let parameters = json!({ "vault_id": vault, "item_ids": items });
        let responses: Responses = self.call("ItemsGetAll", parameters)?;
        let found = responses.individual_responses.into_iter();
        // By id, never by position: what the service leaves out is silently missing.
        Ok(found.filter_map(|one| one.content).collect())
    }

    fn get(&mut self, vault: VaultId, item: ItemId) -> Result<SdkItem, OpError> {
        self.call("ItemsGet", json!({ "vault_id": vault, "item_id": item }))
    }

    fn create(&mut self, item: &NewSdkItem) -> Result<SdkItem, OpError> {
        #[derive(Serialize)]
        struct Parameters<'a> {
            params: &'a NewSdkItem,
        }
        self.call("ItemsCreate", Parameters { params: item })
    }

    fn put(&mut self, item: &SdkItem) -> Result<SdkItem, OpError> {
        #[derive(Serialize)]
        struct Parameters<'a> {
            item: &'a SdkItem,
        }
        self.call("ItemsPut", Parameters { item })
    }

    fn archive(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError> {
        let parameters = json!({ "vault_id": vault, "item_id": item });
        self.call_raw("ItemsArchive", parameters).map(drop)
    }

    fn delete(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError> {
        let parameters = json!({ "vault_id": vault, "item_id": item });
        self.call_raw("ItemsDelete", parameters).map(drop)
    }

    fn read_file(
        &mut self,
        vault: VaultId,
        item: ItemId,
        file: &FileAttributes,
    ) -> Result<Zeroizing<Vec<u8>>, OpError> {
        if file.size > self.config.max_file {
            return Err(OpError::TooLarge(self.config.max_file));
        }
        let parameters: Value = json!({ "vault_id": vault, "item_id": item, "attr": file });
        let answer = if file.size > OWN_INSTANCE {
            let mut own = self.sign_in(FOR_FILE)?;
            invoke(&mut own, "ItemsFilesRead", parameters)?
        } else {
            self.call_raw("ItemsFilesRead", parameters)?
        };
        let content: Vec<u8> = serde_json::from_slice(&answer).map_err(|_| OpError::Garbled)?;
        let content = Zeroizing::new(content);
        if content.len() as u64 == file.size {
            Ok(content)
        } else {
            Err(OpError::Garbled)
        }
    }

    fn sent(&self) -> MeterReading {
        self.meter().reading()
    }

    fn take_limited(&mut self) -> Option<Limited> {
        self.meter().take_limited()
    }
}
