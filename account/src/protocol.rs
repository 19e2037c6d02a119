//! What an operator may ask of the account, and what is answered. JSON on every carrier.
//!
//! Nothing in here is plaintext of a vault: names of users, environments and tokens are policy and stand open,
//! everything else is sealed or wrapped before it gets here (invariant 3).

use sekisho_core::{
    id::{EnvironmentId, FileId, GroupId, ItemId, KeyId, TokenId, UserId, VaultId},
    key::WrappedKey,
    records::{Expect, ItemRecord},
    seal::Sealed,
    time::Timestamp,
    vouch::{Endorsement, UserCard},
};
use serde::{Deserialize, Serialize};

mod parked;
mod shapes;
mod signed;

pub use parked::{
    MAX_PARKED_WAIT, Parked, ParkedOutcome, ParkedWrite, Reason, SettledItem, UpstreamVault,
};

pub use shapes::{
    AccountInfo, AuditEntry, DeviceInfo, EnvironmentInfo, EnvironmentKeyInfo, EnvironmentState,
    GroupInfo, KeyWrap, ListedItem, ManagerList, NewEnvironment, NewGeneration, NewToken, NewUser,
    NewVault, NextKey, Role, TokenHolder, TokenInfo, TokenStanding, TokenWrap, UsageInfo,
    UsageQuery, UsageRow, UserHolder, UserInfo, UserState, VaultHolders, VaultInfo, VaultShare,
    VaultWrap,
};
pub use signed::{REPLAY_WINDOW, SignedRequest};

/// Most items of one [`Request::PutItems`].
pub const MAX_BATCH: usize = 200;

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
    /// Every user there ever was, and why to believe them → [`Response::UserCards`].
    UserCards,
    /// Adds a user without any group, endorsed by the caller → [`Response::Done`].
    CreateUser(UserCard),
    /// Raises a user's standing, on the caller's word → [`Response::Done`].
    EndorseUser {
        /// Who.
        user: UserId,
        /// The caller's word.
        endorsement: Endorsement,
    },
    /// Takes or refuses a user's requests; at once → [`Response::Done`].
    SuspendUser {
        /// Who.
        user: UserId,
        /// Whether they are refused.
        suspended: bool,
    },
    /// Removes a user with all keys wrapped to them → the vaults they held, whose keys should be rotated:
    /// [`Response::VaultIds`].
    RemoveUser {
        /// Who.
        user: UserId,
    },
    /// Every group → [`Response::Groups`].
    Groups,
    /// Makes a group → [`Response::Done`].
    CreateGroup {
        /// The id.
        group: GroupId,
        /// The name.
        name: String,
    },
    /// Gives a group another name → [`Response::Done`].
    RenameGroup {
        /// Which.
        group: GroupId,
        /// The name.
        name: String,
    },
    /// Removes a group → [`Response::Done`].
    DeleteGroup {
        /// Which.
        group: GroupId,
    },
    /// Puts a user into a group → [`Response::Done`].
    AddMember {
        /// The group.
        group: GroupId,
        /// The user.
        user: UserId,
    },
    /// Takes a user out of a group → [`Response::Done`].
    RemoveMember {
        /// The group.
        group: GroupId,
        /// The user.
        user: UserId,
    },
    /// Who manages a Connect server, or all without a list of their own → [`Response::Managers`].
    Managers {
        /// Which.
        environment: Option<EnvironmentId>,
    },
    /// Lets a group manage a Connect server, or all without a list of their own → [`Response::Done`].
    GrantManager {
        /// Which. Its own list, if there is none yet, begins as the one of all.
        environment: Option<EnvironmentId>,
        /// The group.
        group: GroupId,
    },
    /// Takes that back → [`Response::Done`].
    RevokeManager {
        /// Which, as above.
        environment: Option<EnvironmentId>,
        /// The group.
        group: GroupId,
    },
    /// Drops a Connect server's own list: the one of all counts again → [`Response::Done`].
    ResetManagers {
        /// Which.
        environment: EnvironmentId,
    },
    /// Makes a vault → [`Response::Done`].
    CreateVault(NewVault),
    /// Makes a vault again that was deleted, under its id and with another key → [`Response::Done`].
    RestoreVault(NewVault),
    /// The vaults wrapped to the caller → [`Response::Vaults`].
    Vaults,
    /// One of them → [`Response::Vault`].
    Vault {
        /// Which.
        vault: VaultId,
    },
    /// New attributes, sealed at `version`, or at `expect + 1` → [`Response::Done`].
    EditVault {
        /// Which.
        vault: VaultId,
        /// The attribute version that shall be replaced.
        expect: u64,
        /// The one they are sealed at, if not the next: a mirrored vault's are upstream's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// The new ones.
        attributes: Sealed,
    },
    /// Says that another account is a vault's truth and that the caller mirrors it: clients' writes are refused, or
    /// parked for the caller → [`Response::Done`].
    MirrorVault {
        /// Which.
        vault: VaultId,
        /// Whether clients may write.
        writes: bool,
        /// How the vault is upstream, when all of it is here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upstream: Option<UpstreamVault>,
    },
    /// Writes parked for the caller, oldest first; waits a while if there are none → [`Response::Parked`].
    ParkedWrites {
        /// Milliseconds to wait, at most [`MAX_PARKED_WAIT`].
        wait: u32,
    },
    /// Says that a parked write is about to be done: from now on its client waits for the outcome → [`Response::Done`].
    TakeParked {
        /// Which.
        id: String,
    },
    /// Ends a parked write → [`Response::Done`].
    FinishParked {
        /// Which.
        id: String,
        /// How.
        outcome: ParkedOutcome,
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
    /// The caller's wrapped keys of several vaults → [`Response::Keyring`], in the order asked for.
    Keyring {
        /// Which.
        vaults: Vec<VaultId>,
    },
    /// Wraps a vault's keys, of all generations in use, to a user → [`Response::Done`].
    ShareVault {
        /// Which.
        vault: VaultId,
        /// The keys.
        keys: Vec<VaultWrap>,
    },
    /// The same for several vaults at once, all or none → [`Response::Done`].
    ShareVaults {
        /// Which, with their keys.
        vaults: Vec<VaultShare>,
    },
    /// Drops a user's keys of a vault → [`Response::Done`].
    UnshareVault {
        /// Which.
        vault: VaultId,
        /// Whose.
        user: UserId,
    },
    /// Everyone who holds a vault's key → [`Response::VaultHolders`].
    VaultHolders {
        /// Which.
        vault: VaultId,
    },
    /// Begins a rotation: from now on both keys open and the new one seals → [`Response::Done`].
    BeginRotation(NewGeneration),
    /// Items still sealed under a key before the newest, by ascending id → [`Response::ItemRecords`].
    StaleItems {
        /// Where.
        vault: VaultId,
        /// At most so many.
        limit: u32,
    },
    /// Puts the same items, sealed anew under the newest key, at the same versions. Those that moved on meanwhile are
    /// passed over → [`Response::Done`].
    Reseal {
        /// Where.
        vault: VaultId,
        /// The items.
        items: Vec<ItemRecord>,
    },
    /// Puts the vault's attributes, sealed anew, at the same version → [`Response::Done`].
    ResealAttributes {
        /// Which.
        vault: VaultId,
        /// Their version.
        version: u64,
        /// They.
        attributes: Sealed,
    },
    /// Ends a rotation: keys before the newest are dropped. Refused while anything is sealed under one →
    /// [`Response::Done`].
    FinishRotation {
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
    /// Writes several items of a vault and takes others out, all or nothing → [`Response::Done`]. At most
    /// [`MAX_BATCH`] of both, and as many bytes as one item may have. It counts as one change of the vault's contents;
    /// in a mirrored vault as none, until [`Request::MirrorVault`] says which version they have upstream.
    PutItems {
        /// Where.
        vault: VaultId,
        /// What must be there before, and what shall be.
        items: Vec<SettledItem>,
        /// What shall be gone; what is not there is passed over.
        gone: Vec<ItemId>,
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
    /// Adds a signing key; tokens of the older ones stay good → [`Response::Done`].
    AddEnvironmentKey(NextKey),
    /// Wraps a signing key to further managers → [`Response::Done`].
    ShareEnvironmentKey {
        /// Which.
        environment: EnvironmentId,
        /// Its key.
        key: KeyId,
        /// To whom.
        wraps: Vec<KeyWrap>,
    },
    /// Adds a device secret by its digest; older ones stay good → [`Response::Done`].
    AddDevice {
        /// Which.
        environment: EnvironmentId,
        /// The digest.
        #[serde(with = "sekisho_core::encoding::array")]
        digest: [u8; 32],
    },
    /// Drops every device secret but one → [`Response::Done`].
    KeepDevice {
        /// Which.
        environment: EnvironmentId,
        /// The digest of the one that stays.
        #[serde(with = "sekisho_core::encoding::array")]
        digest: [u8; 32],
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
    /// Accesses added up, the latest first → [`Response::UsageReport`].
    UsageReport(UsageQuery),
    /// Changes of the account, newest first → [`Response::Audit`].
    Audit {
        /// From the first one before this number.
        before: Option<u64>,
        /// At most so many.
        limit: u32,
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
    /// Users by ascending id, removed ones too.
    UserCards(Vec<UserCard>),
    /// A vault.
    Vault(Box<VaultInfo>),
    /// Vaults by ascending id.
    Vaults(Vec<VaultInfo>),
    /// Wrapped keys, newest first.
    VaultKeys(Vec<WrappedKey>),
    /// The same of several vaults.
    Keyring(Vec<Vec<WrappedKey>>),
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
    /// Groups, built-in ones first, then by name.
    Groups(Vec<GroupInfo>),
    /// Managers.
    Managers(ManagerList),
    /// Vaults by ascending id.
    VaultIds(Vec<VaultId>),
    /// Who holds a vault's key.
    VaultHolders(VaultHolders),
    /// Items, every part, by ascending id.
    ItemRecords(Vec<ItemRecord>),
    /// Accesses, newest first.
    Usage(Vec<UsageInfo>),
    /// Accesses added up, the latest first.
    UsageReport(Vec<UsageRow>),
    /// Changes, newest first.
    Audit(Vec<AuditEntry>),
    /// Parked writes, oldest first.
    Parked(Vec<ParkedWrite>),
}
