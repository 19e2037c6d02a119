//! Assignments as `op` takes them: `[section.]field[[type]]=value`.
//!
//! Before the first free `=`, a backslash takes the meaning from `.`, `=`, `[`, `]` and itself. The value is taken as
//! it stands. Errors say what is wrong and never repeat a part of it.

use sekisho_core::{item::FieldType, secret::SecretText};

/// One field to be set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) section: Option<String>,
    pub(super) field: String,
    /// Absent = as the field is, or concealed if it is new.
    pub(super) kind: Option<FieldType>,
    pub(super) value: SecretText,
    pub(super) deed: Deed,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Set,
    /// The value is the path of a file.
    Attach,
    Delete,
}

/// What is wrong with an assignment.
pub(super) type Wrong = &'static str;

impl Assignment {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let Target {
            mut names,
            kind,
            value,
        } = Target::parse(text)?;
        let field = names.pop().unwrap_or_default();
        let section = names.pop();
        if !names.is_empty() {
            return Err(
                "it has more than one `.` before the `=`: write `\\.` for a dot that is part of a name",
            );
        }
        let deed = match kind.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("file") => Deed::Attach,
            Some("delete") => Deed::Delete,
            _ => Deed::Set,
        };
        if (field.is_empty() && deed != Deed::Attach)
            || section.as_ref().is_some_and(String::is_empty)
        {
            return Err("a name before the `=` is empty");
        }
        Ok(Self {
            section,
            field,
            kind: match deed {
                Deed::Set => kind.as_deref().map(parse_kind).transpose()?,
                Deed::Attach | Deed::Delete => None,
            },
            deed,
            value: SecretText::new(value),
        })
    }
}

struct Target<'a> {
    names: Vec<String>,
    kind: Option<String>,
    value: &'a str,
}

impl<'a> Target<'a> {
    fn parse(text: &'a str) -> Result<Self, Wrong> {
        let (mut names, mut kind) = (vec![String::new()], None);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let literal = match c {
                '=' => {
                    let value = chars.as_str();
                    return Ok(Self { names, kind, value });
                }
                '[' if kind.is_none() => {
                    kind = Some(parse_brackets(&mut chars)?);
                    continue;
                }
                '.' if kind.is_none() => {
                    names.push(String::new());
                    continue;
                }
                '\\' => escaped(&mut chars),
                c => c,
            };
            if kind.is_some() {
                return Err("nothing but `=` may follow the type");
            }
            if let Some(name) = names.last_mut() {
                name.push(literal);
            }
        }
        Err("it has no `=`: write field=value")
    }
}

/// A backslash before anything else stands for itself.
fn escaped(chars: &mut std::str::Chars<'_>) -> char {
    let mut ahead = chars.clone();
    match ahead.next() {
        Some(c @ ('.' | '=' | '[' | ']' | '\\')) => {
            *chars = ahead;
            c
        }
        _ => '\\',
    }
}

fn parse_brackets(chars: &mut std::str::Chars<'_>) -> Result<String, Wrong> {
    let (kind, rest) = chars
        .as_str()
        .split_once(']')
        .ok_or("its `[` is not closed")?;
    let kind = kind.to_owned();
    *chars = rest.chars();
    Ok(kind)
}

const KINDS: Wrong = "its type is unknown: password, text, email, url, date, monthYear, phone, otp, sshKey, file, delete or a type of Connect";

fn parse_kind(word: &str) -> Result<FieldType, Wrong> {
    let kind = match word.to_ascii_lowercase().as_str() {
        "password" | "concealed" => FieldType::Concealed,
        "text" | "string" => FieldType::String,
        "monthyear" => FieldType::MonthYear,
        "otp" | "totp" => FieldType::Otp,
        "sshkey" => FieldType::SshKey,
        "creditcardtype" => FieldType::CreditCardType,
        "creditcardnumber" => FieldType::CreditCardNumber,
        _ => FieldType::parse(word),
    };
    if kind.is_creatable() {
        Ok(kind)
    } else {
        Err(KINDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<String>, String) {
        let assignment = Assignment::parse(text).unwrap();
        (
            assignment.section,
            assignment.field,
            assignment.kind.map(|kind| kind.as_str().to_owned()),
            // EXPOSE: a test's own value.
            assignment.value.expose().to_owned(),
        )
    }

    #[test]
    fn as_op_takes_them() {
        type Row<'a> = (&'a str, Option<&'a str>, &'a str, Option<&'a str>, &'a str);
        let rows: [Row<'_>; 11] = [
            ("username=wendy", None, "username", None, "wendy"),
            (
                "db.port[text]=5432",
                Some("db"),
                "port",
                Some("STRING"),
                "5432",
            ),
            (r"a\.b.c\=d=x=y.z[q]", Some("a.b"), "c=d", None, "x=y.z[q]"),
            ("password=", None, "password", None, ""),
            ("my field[otp]=JBSW", None, "my field", Some("OTP"), "JBSW"),
            (
                "until[monthYear]=202603",
                None,
                "until",
                Some("MONTH_YEAR"),
                "202603",
            ),
            (
                "k[MONTH_YEAR]=202603",
                None,
                "k",
                Some("MONTH_YEAR"),
                "202603",
            ),
            (r"back\\slash=\n", None, r"back\slash", None, r"\n"),
            (r"C:\temp=1", None, r"C:\temp", None, "1"),
            (r"list\[0\]=1", None, "list[0]", None, "1"),
            ("Ünï.ß[url]=é", Some("Ünï"), "ß", Some("URL"), "é"),
        ];
        for (text, section, field, kind, value) in rows {
            let wanted = (
                section.map(str::to_owned),
                field.to_owned(),
                kind.map(str::to_owned),
                value.to_owned(),
            );
            assert_eq!(parsed(text), wanted, "{text}");
        }
    }

    #[test]
    fn files_and_deletions() {
        let rows = [
            ("[file]=a.txt", None, "", Deed::Attach),
            (r"S.b\.txt[FILE]=a.txt", Some("S"), "b.txt", Deed::Attach),
            ("S.pin[delete]=", Some("S"), "pin", Deed::Delete),
            ("pin=x", None, "pin", Deed::Set),
        ];
        for (text, section, field, deed) in rows {
            let found = Assignment::parse(text).unwrap();
            assert_eq!(
                (found.section.as_deref(), found.field.as_str(), found.deed),
                (section, field, deed),
                "{text}"
            );
        }
        assert!(Assignment::parse("[delete]=").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_it() {
        for bad in [
            "hunter2",
            "=hunter2",
            ".a=hunter2",
            "a.=hunter2",
            "a.b.c=hunter2",
            "a[text=hunter2",
            "a[color]=hunter2",
            "a[text]b=hunter2",
            "a[unknown]=hunter2",
            r"hunter2\=",
        ] {
            let wrong = Assignment::parse(bad).unwrap_err();
            assert!(!wrong.contains("hunter2"), "{bad}");
        }
    }
}
