//! References to values. What was asked once is not asked again: many references mean few items.

use std::{collections::HashMap, rc::Rc};

use sekisho_core::{
    id::{ItemId, VaultId},
    reference::{self, Attribute, Reference, ReferenceError, Target},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    connect::{Answer, Connect, Opened},
    openssh,
};
use crate::cli::{Failure, ambiguous, quoted};

/// A value; wipes itself.
pub(crate) struct Resolved {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Whether it is a file's content, to be given as it is.
    pub(crate) is_file: bool,
}

impl Resolved {
    fn text(text: String) -> Self {
        Self {
            bytes: Zeroizing::new(text.into_bytes()),
            is_file: false,
        }
    }
}

/// Resolves references against one Connect server.
pub(crate) struct Resolver {
    connect: Connect,
    vaults: HashMap<String, String>,
    items: HashMap<(String, String), Rc<Opened>>,
}

impl Resolver {
    pub(crate) fn new(connect: Connect) -> Self {
        Self {
            connect,
            vaults: HashMap::new(),
            items: HashMap::new(),
        }
    }

    /// The value of a reference as it was written; refusals do not repeat it.
    pub(crate) fn read(&mut self, text: &str) -> Result<Resolved, Failure> {
        let reference = Reference::parse(text).map_err(|error| malformed(&error))?;
        let vault = self.vault(&reference.vault)?;
        let item = self.item_of(&vault, &reference.item)?;
        let found =
            reference::find(&item.0, &reference).map_err(|error| lost(&error, &reference))?;
        match found {
            Target::Field(field) => field_text(field, &reference).map(Resolved::text),
            Target::File(file) => self.file(&vault, &item.0, file, &reference),
        }
    }

    /// A FullItem by names or ids.
    pub(crate) fn item(&mut self, vault: &str, item: &str) -> Result<Rc<Opened>, Failure> {
        let vault = self.vault(vault)?;
        self.item_of(&vault, item)
    }

    /// A vault's id.
    fn vault(&mut self, wanted: &str) -> Result<String, Failure> {
        if let Some(id) = self.vaults.get(wanted) {
            return Ok(id.clone());
        }
        let id = self.find_vault(wanted)?;
        self.vaults.insert(wanted.to_owned(), id.clone());
        Ok(id)
    }

    fn find_vault(&self, wanted: &str) -> Result<String, Failure> {
        if VaultId::parse(wanted).is_ok()
            && let Answer::Here(vault) = self.connect.vault(wanted)?
            && let Some(id) = id_of(&vault.0)
        {
            return Ok(id.to_owned());
        }
        let missing = || {
            Failure::new(
                format!("the token opens no vault {}", quoted(wanted)),
                "check the name and the vaults of OP_CONNECT_TOKEN",
            )
        };
        let found = named(wanted, "name", "vault", |name| self.connect.vaults(name))?;
        let id = found.ok_or_else(missing)?;
        // It becomes part of a path.
        VaultId::parse(&id).map_err(|_| self.connect.garbled())?;
        Ok(id)
    }

    fn item_of(&mut self, vault: &str, wanted: &str) -> Result<Rc<Opened>, Failure> {
        let key = (vault.to_owned(), wanted.to_owned());
        if let Some(item) = self.items.get(&key) {
            return Ok(Rc::clone(item));
        }
        let item = Rc::new(self.find_item(vault, wanted)?);
        self.items.insert(key, Rc::clone(&item));
        Ok(item)
    }

    fn find_item(&self, vault: &str, wanted: &str) -> Result<Opened, Failure> {
        if ItemId::parse(wanted).is_ok()
            && let Answer::Here(item) = self.connect.item(vault, wanted)?
        {
            return Ok(item);
        }
        let found = named(wanted, "title", "item", |title| {
            self.connect.items(vault, title)
        })?;
        let id = found.ok_or_else(|| {
            Failure::new(
                format!("there is no item {} in that vault", quoted(wanted)),
                "check the title; an id works too",
            )
        })?;
        ItemId::parse(&id).map_err(|_| self.connect.garbled())?;
        match self.connect.item(vault, &id)? {
            Answer::Here(item) => Ok(item),
            Answer::Absent(failure) => Err(failure),
        }
    }

    fn file(
        &self,
        vault: &str,
        item: &Value,
        file: &Value,
        reference: &Reference,
    ) -> Result<Resolved, Failure> {
        let member = match reference.attribute {
            Attribute::Value | Attribute::Content => {
                let (Some(item), Some(file)) = (id_of(item), id_of(file)) else {
                    return Err(self.connect.garbled());
                };
                return Ok(Resolved {
                    bytes: self.connect.content(vault, item, file)?,
                    is_file: true,
                });
            }
            Attribute::Id => "id",
            Attribute::Name | Attribute::Title => "name",
            Attribute::Size => "size",
            Attribute::Type => return Ok(Resolved::text("file".into())),
            Attribute::Purpose | Attribute::Otp => "",
        };
        match file.get(member) {
            Some(Value::String(text)) => Ok(Resolved::text(text.clone())),
            Some(Value::Number(number)) => Ok(Resolved::text(number.to_string())),
            _ => Err(lost(&ReferenceError::NoAttribute, reference)),
        }
    }
}

/// The id of the one thing that a name means: among those the server finds, else among all, for servers compare
/// titles to the letter and references do not.
fn named(
    wanted: &str,
    member: &str,
    what: &str,
    list: impl Fn(Option<&str>) -> Result<Opened, Failure>,
) -> Result<Option<String>, Failure> {
    // No client can escape a quotation mark in a filter.
    let filters = if wanted.contains(['"', '\\']) {
        &[None][..]
    } else {
        &[Some(wanted), None][..]
    };
    for filter in filters {
        let found = list(*filter)?;
        let things: Vec<&Value> = found.0.as_array().into_iter().flatten().collect();
        match reference::pick(&things, member, wanted) {
            Ok(thing) => return Ok(id_of(thing).map(str::to_owned)),
            Err(ReferenceError::Ambiguous { candidates }) => {
                return Err(ambiguous(what, wanted, candidates.into_iter()));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

fn id_of(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

fn field_text(field: &Value, reference: &Reference) -> Result<String, Failure> {
    let text = reference::field_attribute(field, reference.attribute)
        .map_err(|error| lost(&error, reference))?;
    if !reference.openssh {
        return Ok(text);
    }
    let text = Zeroizing::new(text);
    openssh::of_pem(&text).ok_or_else(|| {
        Failure::new(
            "ssh-format=openssh is for private keys of kind Ed25519 or RSA in PKCS #8",
            "leave ssh-format out to have the value as it is",
        )
    })
}

fn malformed(error: &ReferenceError) -> Failure {
    Failure::usage(
        error.to_string(),
        "for example op://Demo/Mail/password, op://Demo/Mail/Admin/port or op://Demo/Mail/code?attribute=otp",
    )
}

/// Names were typed and may be told; values are not in it.
fn lost(error: &ReferenceError, reference: &Reference) -> Failure {
    Failure::new(
        format!("{error} ({})", quoted(&reference.field)),
        format!(
            "`sekisho item get {} --vault {} --format json` shows its fields and files",
            quoted(&reference.item),
            quoted(&reference.vault)
        ),
    )
}
