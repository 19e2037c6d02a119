//! The SDK's shapes (op-account.md §B.2, §D), as its core of one version reads and writes them. None prints its content.

use sekisho_core::{
    id::{ItemId, VaultId},
    secret::SecretText,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VaultKind {
    /// A user's own; never granted to a service account.
    Personal,
    /// The team's default shared one; likewise.
    Everyone,
    /// Made for moving items.
    Transfer,
    /// Made by a user.
    UserCreated,
    /// An Environment, or something newer than this program.
    #[serde(other)]
    Unsupported,
}

/// A vault as lists have it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultOverview {
    /// The vault.
    pub id: VaultId,
    /// Its title; `[Encrypted]` without details.
    pub title: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it is.
    pub vault_type: VaultKind,
    /// Active items.
    #[serde(default)]
    pub active_item_count: u64,
    /// Moves with each change of its contents.
    pub content_version: u64,
    /// Moves with each change of title or description.
    pub attribute_version: u64,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub created_at: String,
    /// When anything of it last changed, RFC 3339.
    #[serde(default)]
    pub updated_at: String,
}

/// Whether an item is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ItemState {
    /// It is.
    Active,
    /// It is put away, or something newer than this program.
    #[serde(other)]
    Archived,
}

/// An item as lists have it. There is no version in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemOverview {
    /// The item.
    pub id: ItemId,
    /// When it last changed, RFC 3339.
    pub updated_at: String,
    /// Whether it is in use.
    pub state: ItemState,
}

/// An item whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SdkItem {
    /// The item.
    pub id: ItemId,
    /// Its title.
    pub title: String,
    /// One of the SDK's words.
    pub category: String,
    /// Its vault.
    pub vault_id: VaultId,
    /// What it holds.
    pub fields: Vec<SdkField>,
    /// Headings.
    pub sections: Vec<SdkSection>,
    /// Its notes.
    #[serde(with = "secret")]
    pub notes: SecretText,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// Where it is used.
    pub websites: Vec<Website>,
    /// From 1.
    pub version: u64,
    /// What is attached.
    pub files: Vec<SdkFile>,
    /// The content of a document.
    pub document: Option<FileAttributes>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

/// An item to be made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSdkItem {
    /// One of the SDK's words.
    pub category: String,
    /// Its vault.
    pub vault_id: VaultId,
    /// Its title.
    pub title: String,
    /// What it holds.
    pub fields: Vec<SdkField>,
    /// Headings.
    pub sections: Vec<SdkSection>,
    /// Its notes.
    #[serde(with = "secret")]
    pub notes: SecretText,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// Where it is used.
    pub websites: Vec<Website>,
}

/// A heading.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SdkSection {
    /// Any text; empty for a template's own fields.
    pub id: String,
    /// The heading.
    pub title: String,
}

/// One thing an item holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SdkField {
    /// Any text.
    pub id: String,
    /// Its name.
    pub title: String,
    /// The heading it stands under.
    pub section_id: Option<String>,
    /// One of the SDK's words.
    pub field_type: String,
    /// Its value.
    #[serde(with = "secret")]
    pub value: SecretText,
    /// What goes beyond the value.
    pub details: Option<FieldDetails>,
}

/// What a field has beyond its value: parts of an address, the public half of a key, a one-time code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDetails {
    /// One of the SDK's words.
    #[serde(rename = "type")]
    pub kind: String,
    /// The parts.
    pub content: Value,
}

impl Drop for FieldDetails {
    fn drop(&mut self) {
        sekisho_core::item::json::wipe(&mut self.content);
    }
}

/// Where an item is used.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Website {
    /// The address.
    pub url: String,
    /// Its name.
    pub label: String,
    /// Where it is filled in.
    pub autofill_behavior: String,
}

/// A file attached to an item.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SdkFile {
    /// Which one.
    pub attributes: FileAttributes,
    /// The heading it stands under.
    pub section_id: String,
    /// The id of its field.
    pub field_id: String,
}

/// A file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAttributes {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Bytes of its content.
    pub size: u64,
}

/// Prints what names a thing or counts it, and nothing of what it holds.
macro_rules! prints_no_content {
    ($($name:ident { $($shown:ident),* };)+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    .finish_non_exhaustive()
            }
        }
    )+};
}

prints_no_content! {
    VaultOverview { id };
    SdkItem { id, version };
    NewSdkItem { vault_id };
    SdkSection {};
    SdkField { field_type };
    FieldDetails { kind };
    Website {};
    SdkFile {};
    FileAttributes { size };
}

/// A secret text in JSON that is itself kept private.
pub(crate) mod secret {
    use sekisho_core::secret::SecretText;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(text: &SecretText, to: S) -> Result<S::Ok, S::Error> {
        // EXPOSE: into a buffer that wipes itself, for the core.
        to.serialize_str(text.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretText, D::Error> {
        String::deserialize(from).map(SecretText::new)
    }
}
