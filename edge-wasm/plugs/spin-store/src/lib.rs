//! A published set in Spin's key-value store, and the settings of an application in its variables: what the plug that
//! reads and the component that publishes share.
//!
//! | key | value |
//! |---|---|
//! | `sekisho/pointer` | the pointer |
//! | `sekisho/o/<name>` | an object |
//! | `sekisho/n` | about how many requests were noted since the publisher took all of them |
//! | `sekisho/u/<nanoseconds>-<random>` | accesses of one request, as JSON |

#[allow(unsafe_code, reason = "generated")]
mod bindings;

use std::time::SystemTime;

use bindings::fermyon::spin::{key_value::Store, variables};
use sekisho_core::{
    published::{Digest, EdgeKeys, Objects},
    records::Fault,
};

const POINTER: &str = "sekisho/pointer";
const OBJECT: &str = "sekisho/o/";
const COUNT: &str = "sekisho/n";
const NOTE: &str = "sekisho/u/";
/// About so many requests' accesses are kept until the publisher takes them; beyond that the newest are lost.
const MOST_NOTES: u32 = 50_000;
/// One request in so many counts for all of them: a store may wait for a disk with each value.
const COUNTED: u32 = 16;

/// The variable of the keys: what `sekisho edge keys` prints.
const KEYS: &str = "sekisho_edge_keys";
/// The variable of the store's label, which has a default.
const LABEL: &str = "sekisho_store";

/// A variable of the component, if it is set to something.
pub fn variable(name: &str) -> Option<String> {
    variables::get(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
}

/// The keys of this edge, or what is wrong with the settings. The text names variables, never what is in them.
pub fn keys() -> Result<EdgeKeys, &'static str> {
    let text = variable(KEYS).ok_or(
        "the variable sekisho_edge_keys is not set: SPIN_VARIABLE_SEKISHO_EDGE_KEYS, with what `sekisho edge keys` prints",
    )?;
    EdgeKeys::parse(&text)
        .map_err(|_| "the variable sekisho_edge_keys is damaged: it is one line, as `sekisho edge keys` prints it")
}

/// The application's store.
#[derive(Debug)]
pub struct KeyValue(Store);

impl KeyValue {
    /// Opens it.
    pub fn open() -> Result<Self, &'static str> {
        let label = variable(LABEL).unwrap_or_else(|| "default".to_owned());
        Store::open(&label).map(Self).map_err(
            |_| "the key-value store cannot be opened: does key_value_stores in spin.toml name it?",
        )
    }

    /// The pointer; `None` = nothing was published yet.
    pub fn find_pointer(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.get(POINTER)
    }

    /// Replaces the pointer.
    pub fn point(&self, pointer: &[u8]) -> Result<(), Fault> {
        self.set(POINTER, pointer)
    }

    /// Every object that is there.
    pub fn names(&self) -> Result<Vec<Digest>, Fault> {
        let keys = self.keys()?;
        let names = keys.iter().filter_map(|key| key.strip_prefix(OBJECT));
        Ok(names.filter_map(Digest::parse).collect())
    }

    /// An object, unproven.
    pub fn find(&self, name: &Digest) -> Result<Option<Vec<u8>>, Fault> {
        self.get(&format!("{OBJECT}{name}"))
    }

    /// Adds an object, under the digest of its bytes.
    pub fn put(&self, bytes: &[u8]) -> Result<(), Fault> {
        self.set(&format!("{OBJECT}{}", Digest::of(bytes)), bytes)
    }

    /// Drops an object.
    pub fn remove(&self, name: &Digest) -> Result<(), Fault> {
        self.delete(&format!("{OBJECT}{name}"))
    }

    /// Keeps accesses for the publisher, as JSON made under a name that sorts as they came; `random` tells requests of one
    /// moment apart. They are lost when there are too many already.
    pub fn note(&self, random: u64, json: impl FnOnce(&str) -> Vec<u8>) -> Result<(), Fault> {
        let count = self.get(COUNT)?;
        let count = count
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        if count >= MOST_NOTES {
            return Ok(());
        }
        if random.is_multiple_of(u64::from(COUNTED)) {
            self.set(COUNT, &(count + COUNTED).to_be_bytes())?;
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let name = format!("{:016x}-{random:016x}", now.as_nanos());
        self.set(&format!("{NOTE}{name}"), &json(&name))
    }

    /// Names of noted accesses, as they came.
    pub fn notes(&self) -> Result<Vec<String>, Fault> {
        let keys = self.keys()?.into_iter();
        let mut names: Vec<String> = keys
            .filter_map(|key| key.strip_prefix(NOTE).map(str::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Noted accesses, as JSON.
    pub fn find_note(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.get(&format!("{NOTE}{name}"))
    }

    /// Drops noted accesses that were taken. When none are left, counting begins anew.
    pub fn forget_notes<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), Fault> {
        for name in names {
            self.delete(&format!("{NOTE}{name}"))?;
        }
        if self.notes()?.is_empty() {
            self.delete(COUNT)
        } else {
            Ok(())
        }
    }

    fn keys(&self) -> Result<Vec<String>, Fault> {
        self.0.get_keys().map_err(|_| Fault::Unavailable)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        self.0.get(key).map_err(|_| Fault::Unavailable)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Fault> {
        self.0.set(key, value).map_err(|_| Fault::Unavailable)
    }

    fn delete(&self, key: &str) -> Result<(), Fault> {
        self.0.delete(key).map_err(|_| Fault::Unavailable)
    }
}

impl Objects for KeyValue {
    fn pointer(&self) -> Result<Vec<u8>, Fault> {
        self.find_pointer()?.ok_or(Fault::NotSynchronised)
    }

    fn object(&self, name: &Digest) -> Result<Vec<u8>, Fault> {
        self.find(name)?.ok_or(Fault::Unavailable)
    }
}
