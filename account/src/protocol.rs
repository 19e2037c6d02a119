//! What an operator may ask of the account, and what is answered. JSON on every carrier.
//!
//! Nothing in here is plaintext of a vault: names of users, environments and tokens are policy and stand open,
//! everything else is sealed or wrapped before it gets here (invariant 3).

use sekisho_core::{
    id::{EnvironmentId, FileId, ItemId, TokenId, VaultId},
    key::WrappedKey,
    records::{Expect, ItemRecord},
    seal::Sealed,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

mod shapes;
mod signed;

pub use shapes::{
    AccountInfo, EnvironmentInfo, EnvironmentKeyInfo, EnvironmentState, KeyWrap, ListedItem,
    NewEnvironment, NewToken, NewUser, NewVault, Role, TokenInfo, UsageInfo, UserInfo, VaultInfo,
};
pub use signed::{REPLAY_WINDOW, SignedRequest};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Request {
    /// The account's public face → [`Response::Account`].
    Account,
    /// The caller → [`Response::User`].
    WhoAmI,
    /// Every user → [`Response::Users`].
    Users,
    /// Adds a user without any group → [`Response::Done`].
    CreateUser(NewUser),
    /// Makes a vault → [`Response::Done`].
    CreateVault(NewVault),
    /// The vaults wrapped to the caller → [`Response::Vaults`].
    Vaults,
    /// One of them → [`Response::Vault`].
    Vault {
        /// Which.
        vault: VaultId,
    },
    /// New attributes, sealed at `expect + 1` → [`Response::Done`].
    EditVault {
        /// Which.
        vault: VaultId,
        /// The attribute version that shall be replaced.
        expect: u64,
        /// The new ones.
        attributes: Sealed,
    },
    /// Removes a vault for good, with all that is in it → [`Response::Done`].
    DeleteVault {
        /// Which.
        vault: VaultId,
    },
    /// The caller's wrapped keys of a vault, newest first → [`Response::VaultKeys`].
    VaultKeys {
        /// Which.
        vault: VaultId,
    },
    /// Writes an item → [`Response::Done`].
    PutItem {
        /// Where.
        vault: VaultId,
        /// What must be there before.
        expect: Expect,
        /// What shall be there.
        item: Box<ItemRecord>,
    },
    /// One item, every part → [`Response::Item`].
    Item {
        /// Where.
        vault: VaultId,
        /// Which.
        item: ItemId,
    },
    /// Overviews by ascending id, archived ones included → [`Response::Items`].
    Items {
        /// Where.
        vault: VaultId,
        /// From the first one after this.
        after: Option<ItemId>,
        /// At most so many.
        limit: u32,
    },
    /// Deletes an item → [`Response::Done`].
    DeleteItem {
        /// Where.
        vault: VaultId,
        /// Which.
        item: ItemId,
        /// The version that shall go; absent = whichever is there.
        version: Option<u64>,
    },
    /// Archives an item, or takes it back → [`Response::Done`].
    ArchiveItem {
        /// Where.
        vault: VaultId,
        /// Which.
        item: ItemId,
        /// Whether lists leave it out.
        archived: bool,
    },
    /// Stores a sealed chunk of a file's content; chunks come before the item that names the file → [`Response::Done`].
    PutChunk {
        /// Where.
        vault: VaultId,
        /// The item.
        item: ItemId,
        /// The file.
        file: FileId,
        /// From 0.
        index: u32,
        /// See [`sekisho_core::file`].
        content: Sealed,
    },
    /// A sealed chunk → [`Response::Chunk`].
    Chunk {
        /// Where.
        vault: VaultId,
        /// The item.
        item: ItemId,
        /// The file.
        file: FileId,
        /// From 0.
        index: u32,
    },
    /// Makes an environment → [`Response::Done`].
    CreateEnvironment(NewEnvironment),
    /// Every environment → [`Response::Environments`].
    Environments,
    /// One of them → [`Response::Environment`].
    Environment {
        /// Which.
        environment: EnvironmentId,
    },
    /// Gives it another name → [`Response::Done`].
    RenameEnvironment {
        /// Which.
        environment: EnvironmentId,
        /// The name.
        name: String,
    },
    /// Ends it: no vault, no write, every token revoked → [`Response::Done`].
    DeleteEnvironment {
        /// Which.
        environment: EnvironmentId,
    },
    /// Gives an environment a vault → [`Response::Done`].
    GrantVault {
        /// Which.
        environment: EnvironmentId,
        /// The vault.
        vault: VaultId,
    },
    /// Takes it back, from the environment's tokens too → [`Response::Done`].
    RevokeVault {
        /// Which.
        environment: EnvironmentId,
        /// The vault.
        vault: VaultId,
    },
    /// Records a token that the operator issued → [`Response::Done`].
    CreateToken(NewToken),
    /// Tokens of one environment or of all → [`Response::Tokens`].
    Tokens {
        /// Which.
        environment: Option<EnvironmentId>,
    },
    /// Gives a token another name → [`Response::Done`].
    RenameToken {
        /// Which.
        token: TokenId,
        /// The name.
        name: String,
    },
    /// Ends a token → [`Response::Done`].
    RevokeToken {
        /// Which.
        token: TokenId,
    },
    /// Accesses that hosts reported, newest first → [`Response::Usage`].
    Usage {
        /// Of one environment or of all.
        environment: Option<EnvironmentId>,
        /// From when on.
        since: Timestamp,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Response {
    /// It is done and durable.
    Done,
    /// The account.
    Account(AccountInfo),
    /// A user.
    User(UserInfo),
    /// Users by ascending id.
    Users(Vec<UserInfo>),
    /// A vault.
    Vault(Box<VaultInfo>),
    /// Vaults by ascending id.
    Vaults(Vec<VaultInfo>),
    /// Wrapped keys, newest first.
    VaultKeys(Vec<WrappedKey>),
    /// An item.
    Item(Box<ItemRecord>),
    /// Items by ascending id.
    Items(Vec<ListedItem>),
    /// A sealed chunk.
    Chunk(Sealed),
    /// An environment.
    Environment(Box<EnvironmentInfo>),
    /// Environments, oldest first.
    Environments(Vec<EnvironmentInfo>),
    /// Tokens, oldest first.
    Tokens(Vec<TokenInfo>),
    /// Accesses, newest first.
    Usage(Vec<UsageInfo>),
}
