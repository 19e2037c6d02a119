//! Items in Connect's shape (connect-contract.md §2.3–§2.6), decided: what a client's words become, what is stored,
//! and what is served.
//!
//! | module | does |
//! |---|---|
//! | `words` | closed vocabularies |
//! | [`draft`] | a client's JSON, read leniently |
//! | [`build`] | a draft to an item: create and replace |
//! | [`patch`] | RFC 6902, as Connect modified it |
//! | [`generate`] | passwords from recipes; estimates of strength |
//! | [`otp`] | time-based one-time passwords |
//! | [`value`] | dates and other values with a form |
//! | [`json`] | the JSON that is stored and served |
//! | [`stored`] | the parts an item is sealed in |

use alloc::{string::String, vec::Vec};

use serde_json::{Map, Value};

use crate::{
    id::{FileId, ItemId, VaultId},
    secret::SecretText,
    time::Timestamp,
};

pub mod build;
pub mod draft;
pub mod generate;
pub mod json;
pub mod otp;
pub mod patch;
pub mod stored;
pub mod value;
mod words;

pub use words::{Category, FieldType, Purpose};

/// Members of another origin, kept and given back.
pub type Unknown = Map<String, Value>;

/// An item whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// The vault it lives in.
    pub vault: VaultId,
    /// Its title.
    pub title: String,
    /// What it is.
    pub category: Category,
    /// Where it is used.
    pub urls: Vec<Url>,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// Whether it is a favourite.
    pub favorite: bool,
    /// From 1, one more with each change.
    pub version: u64,
    /// Whether it is put away: lists leave it out.
    pub archived: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// 26 upper-case characters: a user or a Connect server.
    pub last_edited_by: String,
    /// Headings for fields.
    pub sections: Vec<Section>,
    /// What it holds.
    pub fields: Vec<Field>,
    /// What is attached.
    pub files: Vec<File>,
    /// Members of another origin.
    pub unknown: Unknown,
}

/// Where an item is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Url {
    /// The address; may be empty (connect-contract.md §2.3).
    pub href: String,
    /// Its name, exactly as it came.
    pub label: Option<String>,
    /// Whether it is the main one.
    pub primary: bool,
    /// Members of another origin.
    pub unknown: Unknown,
}

/// A heading for fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Any text of the maker's.
    pub id: String,
    /// The heading, exactly as it came.
    pub label: Option<String>,
    /// Members of another origin.
    pub unknown: Unknown,
}

/// One thing an item holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Any text of the maker's, unique in the item.
    pub id: String,
    /// The id of its section.
    pub section: Option<String>,
    /// What its value is.
    pub kind: FieldType,
    /// Which built-in field it is.
    pub purpose: Option<Purpose>,
    /// Its name, exactly as it came.
    pub label: Option<String>,
    /// Its value; `None` is absent, which is not the same as empty.
    pub value: Option<SecretText>,
    /// Whether the value was generated here.
    pub generated: bool,
    /// Earlier values of a password, newest first.
    pub history: Vec<SecretText>,
    /// Members of another origin.
    pub unknown: Unknown,
}

/// A file attached to an item, or the content of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Its name.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// The id of its section.
    pub section: Option<String>,
}

impl Item {
    /// The field that is the item's built-in one of this purpose.
    pub fn built_in(&self, purpose: Purpose) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.purpose == Some(purpose))
    }

    /// Whether an answer depends on the time.
    pub fn has_otp(&self) -> bool {
        self.fields.iter().any(|field| field.kind == FieldType::Otp)
    }
}

/// Why a client's item is not taken. Each text names the cause in the vendor's words where they are known
/// (connect-contract.md §3) and holds nothing of the item but names of members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// The body is not JSON.
    #[error("Unable to parse item: not JSON at line {line} column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A member has the wrong shape.
    #[error("Unable to parse item: {member} has the wrong type")]
    WrongType {
        /// The member, as a path of our own names.
        member: String,
    },
    /// A member stands twice.
    #[error("Unable to parse item: a member stands twice")]
    DuplicateMember,
    /// No or an unknown category.
    #[error("Invalid item category")]
    Category,
    /// A category whose items cannot be made through the API.
    #[error("Items of category {0} cannot be created")]
    NotCreatable(&'static str),
    /// Two fields for one purpose.
    #[error(
        "Logic: (Unable to parse Item), Validation: (too many \"{0}\" fields in Apply()), You can only use one \"{0}\" field."
    )]
    TooMany(&'static str),
    /// A password item without password.
    #[error(
        "Validation: (validateVaultItem failed to Validate), Couldn't validate the item: \"[ItemValidator] has found 1 errors, 0 warnings: \\nErrors: {{1. Password item requires ps value}}\""
    )]
    PasswordRequired,
    /// A field of a type that cannot be made.
    #[error(
        "Validation: (validateVaultItem failed to Validate), Couldn't validate the item: \"[ItemValidator] has found 1 errors, 0 warnings: \\nErrors: {{1. details.fields[{index}] has unsupported field type: {kind}}}\""
    )]
    FieldType {
        /// Position of the field in the request.
        index: usize,
        /// The type, if it is a plain word.
        kind: String,
    },
    /// A field's value does not have the form of its type.
    #[error(
        "Validation: (validateVaultItem failed to Validate), Couldn't validate the item: \"[ItemValidator] has found 1 errors, 0 warnings: \\nErrors: {{1. details.fields[{index}] is not a valid {kind}: {form}}}\""
    )]
    FieldValue {
        /// Position of the field in the request.
        index: usize,
        /// The type.
        kind: &'static str,
        /// The form a value must have.
        form: &'static str,
    },
    /// Two fields with one id.
    #[error("Validation: details.fields[{index}] repeats the id of another field")]
    DuplicateField {
        /// Position of the second field in the request.
        index: usize,
    },
    /// A recipe that no password can follow.
    #[error("Validation: invalid generator recipe: {0}")]
    Recipe(&'static str),
    /// The body names another item or vault than the path.
    #[error("Validation: the item's {0} does not match the path")]
    Mismatch(&'static str),
    /// More of something than an item may have.
    #[error("Validation: an item may have at most {limit} {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// A patch operation cannot be made.
    #[error("Invalid patch operation {index} ({pointer}): {reason}")]
    Patch {
        /// Position of the operation, from 0.
        index: usize,
        /// Its pointer, cut to plain characters.
        pointer: String,
        /// Why.
        reason: &'static str,
    },
}
