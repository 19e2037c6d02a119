//! The few calls that a mirror needs of a 1Password account, typed.

mod double;
mod error;
mod sdk;
mod types;

pub use double::{Double, DoubleFault};
pub use error::{OpError, Sentence};
pub use sdk::{SdkConfig, SdkCore};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    secret::SecretText,
};
pub use types::{
    FieldDetails, FileAttributes, ItemOverview, ItemState, NewSdkItem, SdkField, SdkFile, SdkItem,
    SdkSection, VaultKind, VaultOverview, Website,
};
use zeroize::Zeroizing;

use crate::net::{Limited, MeterReading};

/// Most items in one [`OpClient::get_all`].
pub const BATCH: usize = 50;

/// A 1Password account as a service account sees it. All methods block; a fresh one signs in at its first call.
pub trait OpClient: Send {
    /// Every vault. Without details titles are not decrypted, which costs neither a key nor a second request, and one
    /// vault that cannot be decrypted does not fail the rest.
    fn vaults(&mut self, details: bool) -> Result<Vec<VaultOverview>, OpError>;
    /// One vault, with details.
    fn vault(&mut self, vault: VaultId) -> Result<VaultOverview, OpError>;
    /// A vault's active items.
    fn items(&mut self, vault: VaultId) -> Result<Vec<ItemOverview>, OpError>;
    /// At most [`BATCH`] items, no id twice. One that is not active fails all; one that is missing is left out.
    fn get_all(&mut self, vault: VaultId, items: &[ItemId]) -> Result<Vec<SdkItem>, OpError>;
    /// One item.
    fn get(&mut self, vault: VaultId, item: ItemId) -> Result<SdkItem, OpError>;
    /// Makes an item; its id is made upstream.
    fn create(&mut self, item: &NewSdkItem) -> Result<SdkItem, OpError>;
    /// Writes an item whose version is the current one; it comes back at the next one.
    fn put(&mut self, item: &SdkItem) -> Result<SdkItem, OpError>;
    /// Archives an item.
    fn archive(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError>;
    /// Deletes an item.
    fn delete(&mut self, vault: VaultId, item: ItemId) -> Result<(), OpError>;
    /// A file's content.
    fn read_file(
        &mut self,
        vault: VaultId,
        item: ItemId,
        file: &FileAttributes,
    ) -> Result<Zeroizing<Vec<u8>>, OpError>;
    /// What was sent so far.
    fn sent(&self) -> MeterReading;
    /// What the service last said about its limits; told once.
    fn take_limited(&mut self) -> Option<Limited> {
        None
    }
}

/// A service account token, as far as it can be read without trusting it.
#[derive(Debug, Clone)]
pub struct ServiceToken(SecretText);

impl ServiceToken {
    /// Takes a token's text. What is no service account token is refused before it costs a request.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'='));
        let fits = text.starts_with("ops_") && text.len() > 64 && text.len() < 16 * 1024;
        (fits && is_plain).then(|| Self(SecretText::new(text)))
    }

    /// The text.
    pub(crate) fn expose(&self) -> &str {
        // EXPOSE: for the core, which signs in with it, and for its digest.
        self.0.expose()
    }

    /// Tells one token from another without giving it away: the start of its SHA-256, in hex.
    pub fn mark(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut mark = base16ct::lower::encode_string(&Sha256::digest(self.expose()));
        mark.truncate(16);
        mark
    }
}

/// Reads an id of the service's that may be of either case.
pub(crate) fn file_id(text: &str) -> Option<FileId> {
    FileId::parse(&text.to_ascii_lowercase()).ok()
}
