//! Names or ids: which of some things is meant. What is ambiguous is refused, with the candidates' ids.

use sekisho_account::{
    Operator,
    operator::OpenVault,
    protocol::{EnvironmentInfo, GroupInfo, TokenInfo, UserInfo, UserState},
};
use sekisho_core::{
    id::VaultId,
    vault::{equal_exact, equal_folded},
};

use super::failure::Failure;

/// Something with an id and a name.
pub(super) trait Named {
    /// What it is called in errors.
    const WHAT: &'static str;
    /// Command that lists such things.
    const LIST: &'static str;
    fn id(&self) -> String;
    fn name(&self) -> &str;
}

impl Named for OpenVault {
    const WHAT: &'static str = "vault";
    const LIST: &'static str = "sekisho vault list";
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn name(&self) -> &str {
        &self.attributes.name
    }
}

impl Named for EnvironmentInfo {
    const WHAT: &'static str = "Connect server";
    const LIST: &'static str = "sekisho connect server list";
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for TokenInfo {
    const WHAT: &'static str = "token";
    const LIST: &'static str = "sekisho connect token list";
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for UserInfo {
    const WHAT: &'static str = "user";
    const LIST: &'static str = "sekisho user list";
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for GroupInfo {
    const WHAT: &'static str = "group";
    const LIST: &'static str = "sekisho group list";
    fn id(&self) -> String {
        self.id.to_string()
    }
    fn name(&self) -> &str {
        &self.name
    }
}

/// By id, then by name to the letter, then whatever the case.
pub(super) fn one<T: Named>(mut things: Vec<T>, wanted: &str) -> Result<T, Failure> {
    let at = place(&things, wanted)?;
    Ok(things.swap_remove(at))
}

/// The same, as an index: for those who choose several times.
pub(super) fn place<T: Named>(things: &[T], wanted: &str) -> Result<usize, Failure> {
    let tests: [&dyn Fn(&T) -> bool; 3] = [
        &|thing| thing.id() == wanted,
        &|thing| equal_exact(thing.name(), wanted),
        &|thing| equal_folded(thing.name(), wanted),
    ];
    let found = tests.into_iter().find_map(|test| {
        let found: Vec<usize> = (0..things.len())
            .filter(|at| things.get(*at).is_some_and(test))
            .collect();
        (!found.is_empty()).then_some(found)
    });
    match found.as_deref() {
        None | Some([]) => Err(Failure::new(
            format!("there is no {} {}", T::WHAT, quoted(wanted)),
            format!("`{}` shows what there is", T::LIST),
        )),
        Some([at]) => Ok(*at),
        Some(several) => {
            let ids = several.iter().filter_map(|at| things.get(*at));
            Err(ambiguous(T::WHAT, wanted, ids.map(Named::id)))
        }
    }
}

/// Several things of one name.
pub(crate) fn ambiguous(what: &str, wanted: &str, ids: impl Iterator<Item = String>) -> Failure {
    let ids: Vec<String> = ids.collect();
    Failure::new(
        format!("{} {what}s are called {}", ids.len(), quoted(wanted)),
        format!("give one's id: {}", ids.join(", ")),
    )
}

/// A name that was typed, cut and without what a terminal would obey.
pub(crate) fn quoted(name: &str) -> String {
    let short: String = super::output::plain(name).chars().take(64).collect();
    format!("'{short}'")
}

/// A vault by name or id.
pub(super) fn vault(operator: &Operator, wanted: &str) -> Result<OpenVault, Failure> {
    one(operator.vaults()?, wanted)
}

/// Several vaults by name or id, asked for once.
pub(super) fn vaults<'w>(
    operator: &Operator,
    wanted: impl IntoIterator<Item = &'w str>,
) -> Result<Vec<VaultId>, Failure> {
    let mut wanted = wanted.into_iter().peekable();
    if wanted.peek().is_none() {
        return Ok(Vec::new());
    }
    let known = operator.vaults()?;
    let ids = wanted.map(|wanted| {
        let at = place(&known, wanted)?;
        let found = known.get(at).map(|vault| vault.id);
        // `place` looked into the same list.
        found.ok_or_else(|| Failure::new("the list of vaults changed", "try again"))
    });
    ids.collect()
}

/// The vault that is meant when none is named: the only one.
pub(super) fn vault_or_only(
    operator: &Operator,
    wanted: Option<&str>,
) -> Result<OpenVault, Failure> {
    if let Some(wanted) = wanted {
        return vault(operator, wanted);
    }
    let mut vaults = operator.vaults()?;
    match vaults.len() {
        1 => Ok(vaults.remove(0)),
        0 => Err(Failure::new(
            "there is no vault yet",
            "make one with `sekisho vault create NAME`",
        )),
        _ => Err(Failure::usage(
            "there are several vaults",
            "say which one: --vault NAME",
        )),
    }
}

/// A Connect server by name or id.
pub(super) fn server(operator: &Operator, wanted: &str) -> Result<EnvironmentInfo, Failure> {
    one(operator.environments()?, wanted)
}

/// A user by name or id; one who was removed by id only.
pub(super) fn user(operator: &Operator, wanted: &str) -> Result<UserInfo, Failure> {
    let mut users = operator.users()?;
    users.retain(|user| user.state != UserState::Removed || user.id.as_str() == wanted);
    one(users, wanted)
}

/// A group by name or id.
pub(super) fn group(operator: &Operator, wanted: &str) -> Result<GroupInfo, Failure> {
    one(operator.groups()?, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(&'static str, &'static str);

    impl Named for Thing {
        const WHAT: &'static str = "thing";
        const LIST: &'static str = "list";
        fn id(&self) -> String {
            self.0.into()
        }
        fn name(&self) -> &str {
            self.1
        }
    }

    #[test]
    fn ids_before_names_before_cases() {
        let things = || {
            vec![
                Thing("1", "Mail"),
                Thing("2", "mail"),
                Thing("3", "1"),
                Thing("4", "Web"),
            ]
        };
        let id = |wanted| one(things(), wanted).map(|thing| thing.0).ok();
        assert_eq!(id("1"), Some("1"));
        assert_eq!(id("Mail"), Some("1"));
        assert_eq!(id("WEB"), Some("4"));
        assert_eq!(id("none"), None);
        let Err(failure) = one(things(), "MAIL") else {
            panic!("it is ambiguous");
        };
        assert!(
            failure.to_string().ends_with("give one's id: 1, 2"),
            "{failure}"
        );
    }
}
