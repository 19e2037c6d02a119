//! Texts with references in them: `{{ op://vault/item/field }}`, and bare ones as far as their characters go.
//!
//! A bare reference is made of letters, digits and `-_./?=&`, and of variables; it does not follow a letter, a digit or
//! one of `-+\.`. Names with blanks stand in braces. Braces with anything else in them are left alone.

use zeroize::Zeroizing;

use super::{is_reference, variables::name_length};
use crate::cli::Failure;

/// A text in pieces.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// A reference, and how many bytes stand before it.
    Reference(&'a str, usize),
}

/// Puts values in the places of references.
pub(crate) fn fill(
    text: &str,
    mut value: impl FnMut(&str) -> Result<Zeroizing<Vec<u8>>, Failure>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Grown by hand: a vector that moves leaves its old bytes behind.
    let mut filled = Zeroizing::new(Vec::with_capacity(text.len() * 2));
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => append(&mut filled, text.as_bytes()),
            Piece::Reference(reference, at) => {
                let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
                let value =
                    value(reference).map_err(|error| error.with_cause(&format!("line {line}")))?;
                append(&mut filled, &value);
            }
        }
    }
    Ok(filled)
}

fn append(filled: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    if filled.capacity() - filled.len() < bytes.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((filled.len() + bytes.len()) * 2));
        larger.extend_from_slice(filled);
        *filled = larger;
    }
    filled.extend_from_slice(bytes);
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else {
            break;
        };
        let found = enclosed(rest).or_else(|| bare(rest, text.get(..at)?.chars().next_back()));
        match found {
            Some((reference, length)) => {
                pieces.extend(
                    text.get(begin..at)
                        .filter(|t| !t.is_empty())
                        .map(Piece::Text),
                );
                pieces.push(Piece::Reference(reference, at));
                at += length;
                begin = at;
            }
            None => at += c.len_utf8(),
        }
    }
    pieces.extend(text.get(begin..).filter(|t| !t.is_empty()).map(Piece::Text));
    pieces
}

/// A reference in braces at the beginning, and how long it is with them.
fn enclosed(rest: &str) -> Option<(&str, usize)> {
    let inner = rest.strip_prefix("{{")?;
    // `${NAME}` may end right before the closing braces.
    let mut end = inner.find("}}")?;
    let opened = inner.get(..end)?.rfind("${");
    if opened.is_some_and(|opened| !inner.get(opened..end).is_some_and(|v| v.contains('}'))) {
        end += 1;
        inner.get(end..)?.starts_with("}}").then_some(())?;
    }
    let reference = inner.get(..end)?.trim();
    (is_reference(reference) && !reference.contains('\n')).then_some((reference, end + 4))
}

/// A bare reference at the beginning.
fn bare(rest: &str, before: Option<char>) -> Option<(&str, usize)> {
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '\\' | '.')) {
        return None;
    }
    let scheme = rest.get(..5).filter(|_| is_reference(rest))?;
    let mut length = scheme.len();
    while let Some(tail) = rest.get(length..) {
        length += match tail.chars().next() {
            Some(c) if c.is_ascii_alphanumeric() || "-_./?=&".contains(c) => 1,
            Some('$') => match variable_length(tail) {
                Some(variable) => variable,
                None => break,
            },
            _ => break,
        };
    }
    rest.get(..length).map(|reference| (reference, length))
}

fn variable_length(text: &str) -> Option<usize> {
    let name = text.get(1..)?;
    match name.strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}')?;
            (!inner.get(..end)?.contains('\n')).then_some(end + 3)
        }
        None => Some(name_length(name) + 1).filter(|length| *length > 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let value = |reference: &str| Ok(Zeroizing::new(format!("<{reference}>").into_bytes()));
        let filled = fill(text, value).ok().unwrap();
        String::from_utf8(filled.to_vec()).unwrap()
    }

    #[test]
    fn references_are_found_and_the_rest_is_left() {
        let rows = [
            ("a: {{ op://v/i/f }}\n", "a: <op://v/i/f>\n"),
            ("{{op://my vault/i/f}}x", "<op://my vault/i/f>x"),
            ("{{ op://${E}/i/${F}}}", "<op://${E}/i/${F}>"),
            ("a=op://v/i/f\nb", "a=<op://v/i/f>\nb"),
            (
                "\"op://v/i/f?attribute=otp\",",
                "\"<op://v/i/f?attribute=otp>\",",
            ),
            ("op://$E/i-${F:-x y}/f g", "<op://$E/i-${F:-x y}/f> g"),
            ("xop://v/i/f \\op://v/i/f", "xop://v/i/f \\op://v/i/f"),
            ("{{ .Values.a }} {{ x", "{{ .Values.a }} {{ x"),
            ("Ünï {{op://v/i/f}} ß", "Ünï <op://v/i/f> ß"),
            ("", ""),
        ];
        for (text, wanted) in rows {
            assert_eq!(filled(text), wanted, "{text}");
        }
    }

    #[test]
    fn failures_name_the_line() {
        let fail = |_: &str| Err(Failure::new("why", "how"));
        let Err(failure) = fill("a\nb op://v/i/f", fail) else {
            panic!("filled");
        };
        assert!(failure.to_string().contains("why (line 2)"), "{failure}");
    }
}
