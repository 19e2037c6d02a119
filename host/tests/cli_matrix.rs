//! The permission matrix through the binary: every management command by everyone there is.
//!
//! `y` it is done · `m` not a manager · `o` not an owner · `n` what is named is not theirs to see · `x` not a user of
//! the account any more. Every command of the program is in [`TABLE`] or in [`ELSEWHERE`]: the man pages say which
//! there are. For the owner the members of the JSON are compared with docs/command-line.md.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

mod cli;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use cli::{Dir, Service, shape::Documented};
use sekisho_account::{
    Account, JoinCode, KeyFile, NewUser, Operator, protocol::Role, random::SystemRng,
};
use sekisho_core::{
    id::{EnvironmentId, GroupId, UserId},
    key::OperatorKey,
    records::VaultType,
    token::Rights,
    vouch::Standing,
};
use sekisho_host::import::fixture;

const WHO: [&str; 6] = [
    "owner",
    "administrator",
    "custom group, all servers",
    "custom group, this server",
    "plain user",
    "removed user",
];

/// Command, who may, arguments. `{…}` is an id of [`Stage`]; what stands after `#` is to be there, too.
const TABLE: &[(&str, &str, &str)] = &[
    ("account audit", "yymmmx", ""),
    // Users and groups
    ("user whoami", "yyyyyx", ""),
    ("user list", "yyyyyx", ""),
    ("user add", "yymmmx", "{code}"),
    ("user suspend", "yymmmx", "{user}"),
    ("user suspend", "yommmx", "{olga}"),
    ("user remove", "yymmmx", "{user}"),
    ("user remove", "yommmx", "{olga}"),
    ("group list", "yyyyyx", ""),
    ("group create", "yymmmx", "{new}"),
    ("group edit", "yymmmx", "{group} --name {new}"),
    ("group delete", "yymmmx", "{group}"),
    ("group add", "yymmmx", "{spare} {user}"),
    ("group add", "yymmmx", "Administrators {user}"),
    ("group add", "yommmx", "Owners {user}"),
    ("group remove", "yymmmx", "{group} {user}"),
    ("group remove", "yommmx", "Owners {olga}"),
    // Who manages Connect servers
    ("connect group grant", "yymmmx", "--group {spare}"),
    (
        "connect group grant",
        "yymmmx",
        "--group {spare} --all-servers",
    ),
    (
        "connect group grant",
        "yymmmx",
        "--group {spare} --server {server}",
    ),
    (
        "connect group revoke",
        "yymmmx",
        "--group {group} --server {server}",
    ),
    ("connect group reset", "yymmmx", "--server {server}"),
    // Connect servers
    ("connect server create", "yyymmx", "{new} -f"),
    ("connect server list", "yyyymx", ""),
    ("connect server get", "yyyymx", "{server}"),
    ("connect server get", "yyynmx", "{other}"),
    ("connect server edit", "yyyymx", "{server} --name {new}"),
    ("connect server edit", "yyynmx", "{other} --name {new}"),
    ("connect server rotate-key", "yyyymx", "{server}"),
    ("connect server rotate-key", "yyynmx", "{other}"),
    ("connect server rotate-device", "yyyymx", "{server} -f"),
    ("connect server rotate-device", "yyynmx", "{other} -f"),
    ("connect server delete", "yyyymx", "{server}"),
    ("connect server delete", "yyynmx", "{other}"),
    (
        "connect vault grant",
        "ynnnmx",
        "--server {server} --vault {vault}",
    ),
    (
        "connect vault grant",
        "ynnnmx",
        "--server {other} --vault {vault}",
    ),
    (
        "connect vault revoke",
        "yyyymx",
        "--server {server} --vault {vault}",
    ),
    (
        "connect vault revoke",
        "yyynmx",
        "--server {other} --vault {vault}",
    ),
    // Tokens
    (
        "connect token create",
        "ynnnmx",
        "{new} --server {server} --vault {vault},r",
    ),
    (
        "connect token create",
        "ynnnmx",
        "{new} --server {other} --vault {vault},r",
    ),
    ("connect token list", "yyyymx", "# {token}"),
    ("connect token list", "yyyymx", "--server {server}"),
    ("connect token list", "yyynmx", "--server {other}"),
    ("connect token edit", "yyyymx", "{token} --name {new}"),
    ("connect token edit", "yyynmx", "{foreign} --name {new}"),
    ("connect token delete", "yyyymx", "{token}"),
    ("connect token delete", "yyynmx", "{foreign}"),
    // Usage
    ("usage report", "yyyymx", ""),
    ("usage report", "yyyymx", "--server {server}"),
    ("usage report", "yyynmx", "--server {other}"),
    // Vaults and items: the owner made them
    ("vault create", "yyyyyx", "{new}"),
    ("vault list", "yyyyyx", "# {vault}"),
    ("vault get", "ynnnnx", "{vault}"),
    ("vault edit", "ynnnnx", "{vault} --name {new}"),
    ("vault rotate-key", "ynnnnx", "{vault}"),
    (
        "vault user grant",
        "ynnnnx",
        "--vault {vault} --user {user}",
    ),
    (
        "vault user revoke",
        "ynnnnx",
        "--vault {vault} --user {olga}",
    ),
    ("vault delete", "ynnnnx", "{vault}"),
    (
        "item create",
        "ynnnnx",
        "--vault {vault} --title {new} password=x",
    ),
    ("item list", "ynnnnx", "--vault {vault} # {item}"),
    ("item get", "ynnnnx", "{item} --vault {vault}"),
    ("item edit", "ynnnnx", "{item} --vault {vault} password=y"),
    ("item archive", "ynnnnx", "{item} --vault {vault}"),
    ("item delete", "ynnnnx", "{item} --vault {vault}"),
    ("import", "yyyyyx", "{export}"),
];

/// Commands that ask nothing of the account: about files of this machine, servers, and clients of these.
const ELSEWHERE: &[&str] = &[
    "account init",
    "account serve",
    "api",
    "bridge fetch-core",
    "bridge poke",
    "bridge run",
    "bridge status",
    "completions",
    "credentials check",
    "edge build",
    "edge keys",
    "edge publish",
    "health",
    "inject",
    "item template get",
    "item template list",
    "key lock",
    "key unlock",
    "man",
    "read",
    "run",
    "serve",
    "sync",
    "up",
    "user join",
];

/// Everything the rows name, made anew after each command that did something.
struct Stage(BTreeMap<&'static str, String>);

impl Stage {
    fn fill(&self, template: &str) -> Vec<String> {
        let fill = |word: &str| {
            let filled = self.0.iter().fold(word.to_owned(), |word, (name, id)| {
                word.replace(&format!("{{{name}}}"), id)
            });
            assert!(!filled.contains('{'), "{filled}");
            filled
        };
        let (words, _) = template.split_once('#').unwrap_or((template, ""));
        words.split_whitespace().map(fill).collect()
    }
}

struct World {
    dir: Dir,
    account: Account,
    owner: Operator,
    keys: Vec<PathBuf>,
    this_server: GroupId,
    cast: Vec<UserId>,
    number: u32,
}

impl World {
    fn new() -> Self {
        let dir = Dir::new();
        let made = dir.json(&["account", "init"]);
        let key = PathBuf::from(made["key_file"].as_str().unwrap());
        let account = Account::open(&dir.path().join("data/account.sqlite")).unwrap();
        let owner = Operator::read(&key, Box::new(account.clone())).unwrap();
        let group = |name| owner.create_group(name).unwrap();
        let (global, this_server) = (group("Platform"), group("Web"));
        let mut world = Self {
            keys: vec![key],
            this_server,
            cast: Vec::new(),
            number: 0,
            dir,
            account,
            owner,
        };
        let users: Vec<UserId> = WHO.iter().skip(1).map(|name| world.join(name)).collect();
        let administrators = world.built_in(Role::Administrators);
        let owner = &world.owner;
        owner.add_member(administrators, users[0]).unwrap();
        owner.add_member(global, users[1]).unwrap();
        owner.grant_manager(None, global).unwrap();
        owner.add_member(this_server, users[2]).unwrap();
        owner.remove_user(users[4]).unwrap();
        let me = owner.user();
        world.cast = users.into_iter().chain([me]).collect();
        world
    }

    fn built_in(&self, role: Role) -> GroupId {
        let groups = self.owner.groups().unwrap();
        groups.iter().find(|g| g.role == Some(role)).unwrap().id
    }

    /// A user with a key file of their own.
    fn join(&mut self, name: &str) -> UserId {
        let identity = self.identity();
        let path = self.dir.path().join(format!("{}.key", identity.user));
        identity.write(&path).unwrap();
        self.owner
            .add_user(&JoinCode::new(&identity, name))
            .unwrap();
        self.keys.push(path);
        identity.user
    }

    fn identity(&self) -> KeyFile {
        KeyFile {
            account: self.account.id(),
            user: UserId::generate(&mut SystemRng),
            key: OperatorKey::generate(&mut SystemRng),
        }
    }

    fn user(&self, name: &str) -> UserId {
        let identity = self.identity();
        let user = NewUser {
            id: identity.user,
            name: name.into(),
            public: identity.key.public(),
        };
        let card = self.owner.endorse(user, Standing::User);
        let create = sekisho_account::Request::CreateUser(card);
        self.owner.call(&create).unwrap();
        identity.user
    }

    /// Nothing but the cast, or else every stage would wrap keys to all before it.
    fn clear(&self, kept: EnvironmentId) {
        let owner = &self.owner;
        let servers = owner.environments().unwrap().into_iter();
        for server in servers.filter(|server| server.id != kept) {
            owner.delete_environment(server.id).unwrap();
        }
        for vault in owner.vaults().unwrap() {
            owner.delete_vault(vault.id).unwrap();
        }
        for user in owner.users().unwrap() {
            if !self.cast.contains(&user.id) {
                owner.remove_user(user.id).unwrap();
            }
        }
    }

    /// What the arguments name, made anew.
    fn stage(&mut self, arguments: &str) -> Stage {
        self.number += 1;
        let new = format!("n{}", self.number);
        let names = |any: &[&str]| {
            any.iter()
                .any(|name| arguments.contains(&format!("{{{name}}}")))
        };
        let owner = &self.owner;
        let mut made = BTreeMap::from([("new", format!("{new}-new"))]);
        made.insert("export", self.export().display().to_string());
        made.insert("code", JoinCode::new(&self.identity(), "Joe").to_text());
        if names(&["olga"]) {
            let olga = self.user("Olga");
            owner.add_member(self.built_in(Role::Owners), olga).unwrap();
            made.insert("olga", olga.to_string());
        }
        if names(&["spare"]) {
            let spare = owner.create_group(&format!("{new} spare")).unwrap();
            made.insert("spare", spare.to_string());
        }
        let mut vaults = Vec::new();
        if names(&["vault", "item", "token", "foreign"]) {
            let kind = VaultType::UserCreated;
            let vault = owner.create_vault(&new, "", kind, None).unwrap();
            vaults.push(vault);
            made.insert("vault", vault.to_string());
        }
        if names(&["item"]) {
            let args = ["item", "create", "--title", "T", "password=x", "--vault"];
            let vault = vaults[0].to_string();
            let item = self.dir.json(&[&args[..], &[&vault]].concat());
            made.insert("item", item["id"].as_str().unwrap().to_owned());
        }
        let server = |name: &str, token: &'static str| {
            let server = owner.create_environment(name, &vaults).unwrap().0;
            let granted: Vec<_> = vaults.iter().map(|vault| (*vault, Rights::READ)).collect();
            let issued = owner.create_token(server, "t", &granted, None).unwrap();
            (server, (token, issued.record.id.to_string()))
        };
        if names(&["server", "token", "group"]) {
            let (server, token) = server(&new, "token");
            owner.grant_manager(Some(server), self.this_server).unwrap();
            made.extend([("server", server.to_string()), token]);
            if names(&["group"]) {
                let group = owner.create_group(&format!("{new} managers")).unwrap();
                owner.grant_manager(Some(server), group).unwrap();
                made.insert("group", group.to_string());
            }
        }
        if names(&["other", "foreign"]) {
            let (other, token) = server(&format!("{new} other"), "foreign");
            made.extend([("other", other.to_string()), token]);
        }
        if names(&["user"]) {
            let user = self.user("Una");
            if let Some(group) = made.get("group") {
                owner.add_member(group.parse().unwrap(), user).unwrap();
            }
            made.insert("user", user.to_string());
        }
        Stage(made)
    }

    fn export(&self) -> PathBuf {
        let export = self.dir.path().join("export.1pux");
        if !export.exists() {
            fixture::write_sample(&export, &|name| format!("text of {name}")).unwrap();
        }
        export
    }
}

fn letter(code: Option<i32>, said: &str) -> char {
    let refusals = [
        ("may not manage this", 'm'),
        ("is not an owner", 'o'),
        ("there is no ", 'n'),
        ("is not signed by an active user", 'x'),
    ];
    match code {
        Some(0) => 'y',
        _ => {
            let found = refusals.iter().find(|(text, _)| said.contains(text));
            found.map_or_else(|| panic!("{said}"), |(_, letter)| *letter)
        }
    }
}

#[test]
fn everyone_may_do_what_the_table_says_and_nothing_else() {
    let mut world = World::new();
    let service = Service::account(&world.dir, &[]);
    let documented = Documented::read();
    let mut wrong = Vec::new();
    // Somebody must manage the one server of those that are not there for all.
    let server = world.owner.create_environment("always", &[]).unwrap().0;
    let group = world.this_server;
    for (command, expected, template) in TABLE {
        world.clear(server);
        world.owner.grant_manager(Some(server), group).unwrap();
        let mut found = String::new();
        let mut stage = world.stage(template);
        for key in world.keys.clone() {
            let words: Vec<&str> = command.split(' ').collect();
            let mut run = world.dir.command(&words);
            let output = run
                .args(stage.fill(template))
                .args(["--format", "json", "--account", &service.url, "--key"])
                .arg(&key)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let letter = letter(
                output.status.code(),
                &format!("{command} {template}: {said}"),
            );
            if letter == 'y' && found.is_empty() {
                let printed = serde_json::from_slice(&output.stdout).unwrap();
                wrong.extend(documented.misses(command, &printed));
            }
            if letter == 'y' {
                stage = world.stage(template);
            }
            found.push(letter);
        }
        if found != *expected {
            wrong.push(format!(
                "{command} {template}: expected {expected}, found {found}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        WHO.join(" | "),
        wrong.join("\n")
    );
}

#[test]
fn no_command_is_without_a_row() {
    let dir = Dir::new();
    let pages = dir.path().join("man");
    dir.ok(&["man", pages.to_str().unwrap()]);
    let mut pages: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".1").unwrap().to_owned())
        .collect();
    pages.sort();
    // A page that others begin with is of a group of commands.
    let is_leaf = |page: &&String| {
        let group = format!("{page}-");
        // `rotate-key` has a hyphen of its own, and nothing below it.
        !pages.iter().any(|other| other.starts_with(&group))
    };
    let hyphened: BTreeMap<String, &str> = TABLE
        .iter()
        .map(|(command, ..)| *command)
        .chain(ELSEWHERE.iter().copied())
        .map(|command| (format!("sekisho-{}", command.replace(' ', "-")), command))
        .collect();
    let there: BTreeSet<&String> = pages.iter().filter(is_leaf).collect();
    let known: BTreeSet<&String> = hyphened.keys().collect();
    let unknown: Vec<_> = there.difference(&known).collect();
    assert!(unknown.is_empty(), "without a row: {unknown:?}");
    let gone: Vec<_> = known.difference(&there).collect();
    assert!(gone.is_empty(), "rows without a command: {gone:?}");
}
