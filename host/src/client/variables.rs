//! `$NAME`, `${NAME}` and `${NAME:-default}` inside references.

use crate::cli::{Failure, quoted};

/// Puts variables in. One that is not set and has no default is refused, by its name.
pub(crate) fn expand(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let (name, default, tail) = match after.strip_prefix('{') {
            Some(braced) => {
                let (inner, tail) = braced.split_once('}').ok_or_else(unclosed)?;
                match inner.split_once(":-") {
                    Some((name, default)) => (name, Some(default), tail),
                    None => (inner, None, tail),
                }
            }
            None => {
                let (name, tail) = after.split_at(name_length(after));
                (name, None, tail)
            }
        };
        rest = tail;
        if name.is_empty() || name_length(name) != name.len() {
            return Err(Failure::usage(
                "a `$` in a reference names no variable",
                "write $NAME or ${NAME}; for a name with a `$` in it, use the id",
            ));
        }
        let value = variable(name).filter(|value| !value.is_empty());
        let value = value
            .or_else(|| default.map(str::to_owned))
            .ok_or_else(|| {
                Failure::new(
                    format!(
                        "a reference names the variable {}, which is not set",
                        quoted(name)
                    ),
                    "set it, or give a default: ${NAME:-default}",
                )
            })?;
        expanded.push_str(&value);
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn unclosed() -> Failure {
    Failure::usage("a `${` in a reference is not closed", "write ${NAME}")
}

/// How much of the beginning is a variable's name.
pub(super) fn name_length(text: &str) -> usize {
    let is_in = |(position, c): &(usize, char)| {
        c.is_ascii_alphabetic() || *c == '_' || (*position > 0 && c.is_ascii_digit())
    };
    text.char_indices().take_while(is_in).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Option<String> {
        let variable = |name: &str| match name {
            "APP_ENV" => Some("prod".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        expand(text, &variable).ok()
    }

    #[test]
    fn forms() {
        let rows = [
            ("op://$APP_ENV/a/b", Some("op://prod/a/b")),
            ("op://v-${APP_ENV}x/a/b", Some("op://v-prodx/a/b")),
            ("op://${NONE:-dev}/a/b", Some("op://dev/a/b")),
            ("op://${EMPTY:-dev}/a/b", Some("op://dev/a/b")),
            ("op://v/a/b", Some("op://v/a/b")),
            ("op://$NONE/a/b", None),
            ("op://$/a/b", None),
            ("op://$1/a/b", None),
            ("op://${APP_ENV/a/b", None),
            ("op://${A B}/a/b", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(expanded(text).as_deref(), wanted, "{text}");
        }
    }
}
