//! The parts an item is sealed in, together: what a writer opens, changes and seals again.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{File, Item, json};
use crate::{
    cipher::OpenError,
    file::FileEntry,
    records::ItemRecord,
    seal::{Kind, Sealed},
    token::{ReadAccess, WriteAccess},
    vault::TitleIndex,
};

/// An item and what Connect's shape has no room for.
#[derive(Debug)]
pub struct StoredItem {
    /// The item.
    pub item: Item,
    /// What it holds beyond Connect's shape; an object, or null.
    pub extra: Value,
    /// Its files' entries as JSON, content keys included.
    pub files: Option<Zeroizing<Vec<u8>>>,
}

impl StoredItem {
    /// An item that has only what Connect knows.
    pub const fn new(item: Item) -> Self {
        Self {
            item,
            extra: Value::Null,
            files: None,
        }
    }

    /// Opens every part of a record.
    pub fn open(access: &ReadAccess, record: &ItemRecord) -> Result<Self, OpenError> {
        let part =
            |kind, sealed: &Sealed| access.open_item(kind, record.id, record.version, sealed);
        let details = part(Kind::Details, &record.details)?;
        let item = json::static_details(&details)
            .and_then(json::parse_details)
            .ok_or(OpenError)?;
        let extra = match &record.extra {
            Some(sealed) => {
                serde_json::from_slice(&part(Kind::Extra, sealed)?).map_err(|_| OpenError)?
            }
            None => Value::Null,
        };
        let files = record
            .files
            .as_ref()
            .map(|sealed| part(Kind::Files, sealed))
            .transpose()?;
        Ok(Self { item, extra, files })
    }

    /// Its files' entries.
    pub fn file_entries(&self) -> Result<Vec<FileEntry>, OpenError> {
        let entries = self
            .files
            .as_ref()
            .map(|files| serde_json::from_slice(files).map_err(|_| OpenError));
        Ok(entries.transpose()?.unwrap_or_default())
    }

    /// Gives it these files: their entries and what the item shows of them.
    pub fn set_file_entries(&mut self, entries: &[FileEntry]) {
        let shown = |entry: &FileEntry| File {
            id: entry.id,
            name: entry.name.clone(),
            size: entry.size,
            section: entry.section.clone(),
        };
        self.item.files = entries.iter().map(shown).collect();
        let json = || Zeroizing::new(serde_json::to_vec(entries).unwrap_or_default());
        self.files = (!entries.is_empty()).then(json);
    }

    /// Seals every part at the item's version.
    pub fn seal(
        &self,
        access: &WriteAccess,
        rng: &mut dyn CryptoRng,
    ) -> Result<ItemRecord, OpenError> {
        let (id, version) = (self.item.id, self.item.version);
        let index = TitleIndex::derive(access.current().newest_key().ok_or(OpenError)?);
        let mut part = |kind, bytes: &[u8]| access.seal_item(kind, id, version, bytes, rng);
        Ok(ItemRecord {
            id,
            version,
            archived: self.item.archived,
            marks: index.marks(&self.item.title),
            overview: part(Kind::Overview, &json::sealed_overview(&self.item))?,
            details: part(Kind::Details, &json::sealed_details(&self.item))?,
            extra: match &self.extra {
                Value::Null => None,
                extra => Some(part(Kind::Extra, &json::to_bytes(extra))?),
            },
            files: self
                .files
                .as_ref()
                .map(|files| part(Kind::Files, files))
                .transpose()?,
        })
    }
}

impl Drop for StoredItem {
    fn drop(&mut self) {
        json::wipe(&mut self.extra);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        cipher::test_rng,
        id::VaultId,
        item::{build, draft::Draft},
        key::VaultKey,
        time::Timestamp,
    };

    #[test]
    fn what_is_sealed_comes_back_whole() {
        let rng = &mut test_rng(20);
        let vault = VaultId::generate(rng);
        let writing = build::Writing {
            vault,
            now: Timestamp::from_seconds(1_700_000_000),
            editor: "EEEEEEEEEEEEEEEEEEEEEEEEEE",
        };
        let body = json!({"category":"LOGIN","title":"t","tags":["b","a"],"favorite":true,"color":"red",
            "urls":[{"href":"https://a","primary":true,"label":""}],"sections":[{"id":"s","label":"S"}],
            "fields":[{"purpose":"PASSWORD","value":"p"},{"id":"o","type":"OTP","value":"JBSWY3DPEHPK3PXP","section":{"id":"s"}},
                {"type":"DATE","value":"2026-01-02","label":"d","hint":{"x":1}}]});
        let item = build::create(Draft::parse(body).unwrap(), &writing, rng).unwrap();
        let next = build::replace(
            &item,
            Draft::parse(json!({"fields":[{"purpose":"PASSWORD","value":"q"}]})).unwrap(),
            &writing,
            rng,
        )
        .unwrap();
        for item in [item, next] {
            let access =
                WriteAccess::of_operator(ReadAccess::of_maker(vault, VaultKey::generate(1, rng)));
            let stored = StoredItem {
                item,
                extra: json!({"a":[1,"x"]}),
                files: None,
            };
            let record = stored.seal(&access, rng).unwrap();
            let back = StoredItem::open(access.current(), &record).unwrap();
            assert_eq!(back.item, stored.item);
            assert_eq!(back.extra, stored.extra);
        }
    }
}
