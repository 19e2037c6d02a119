//! Files of `NAME=value`, as shells and containers write them.
//!
//! `export ` may stand before a name, `#` begins a comment at the start of a line or after a blank. In double quotes
//! `\n`, `\r`, `\t`, `\"`, `\\` and `\$` mean what they mean in C; in single quotes everything is itself. Quoted values
//! may have several lines.

use sekisho_core::secret::SecretText;

/// What is wrong, and in which line.
pub(crate) type Wrong = (usize, &'static str);

/// Names and values in their order.
pub(crate) fn parse(text: &str) -> Result<Vec<(String, SecretText)>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut pairs, mut rest, mut line) = (Vec::new(), text, 1);
    while !rest.is_empty() {
        let before = rest;
        let trimmed = rest.trim_start_matches([' ', '\t', '\r']);
        rest = match trimmed.chars().next() {
            None => "",
            Some('\n') => trimmed.strip_prefix('\n').unwrap_or_default(),
            Some('#') => after_line(trimmed),
            Some(_) => {
                let (name, value, rest) = pair(trimmed).map_err(|wrong| (line, wrong))?;
                pairs.push((name, value));
                rest
            }
        };
        let taken = before.len() - rest.len();
        line += before
            .bytes()
            .take(taken)
            .filter(|byte| *byte == b'\n')
            .count();
    }
    Ok(pairs)
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

fn pair(text: &str) -> Result<(String, SecretText, &str), &'static str> {
    let text = match text.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start_matches([' ', '\t']),
        _ => text,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it does not begin with a name");
    }
    let value = rest
        .trim_start_matches([' ', '\t'])
        .strip_prefix('=')
        .ok_or("there is no `=` after the name")?
        .trim_start_matches([' ', '\t']);
    let (value, rest) = match value.chars().next() {
        Some('\'') => single(value)?,
        Some('"') => double(value)?,
        _ => return Ok((name.to_owned(), plain(value), after_line(value))),
    };
    let tail = rest.split('\n').next().unwrap_or_default().trim();
    if !tail.is_empty() && !tail.starts_with('#') {
        return Err("something follows the closing quotation mark");
    }
    Ok((name.to_owned(), value, after_line(rest)))
}

fn plain(text: &str) -> SecretText {
    let line = text.split('\n').next().unwrap_or_default();
    let mut previous_is_blank = true;
    let end = line.char_indices().find(|(_, c)| {
        let is_comment = *c == '#' && previous_is_blank;
        previous_is_blank = c.is_whitespace();
        is_comment
    });
    let value = end.and_then(|(at, _)| line.get(..at)).unwrap_or(line);
    SecretText::new(value.trim())
}

const OPEN: &str = "a quotation mark is not closed";

fn single(text: &str) -> Result<(SecretText, &str), &'static str> {
    let inner = text.strip_prefix('\'').ok_or(OPEN)?;
    let (value, rest) = inner.split_once('\'').ok_or(OPEN)?;
    Ok((SecretText::new(value), rest))
}

fn double(text: &str) -> Result<(SecretText, &str), &'static str> {
    // Never longer than what it is made from: it does not move.
    let mut value = zeroize::Zeroizing::new(String::with_capacity(text.len()));
    let mut chars = text.strip_prefix('"').ok_or(OPEN)?.chars();
    loop {
        match chars.next().ok_or(OPEN)? {
            '"' => return Ok((SecretText::new(value.as_str()), chars.as_str())),
            '\\' => match chars.next().ok_or(OPEN)? {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$' | '`') => value.push(c),
                c => {
                    value.push('\\');
                    value.push(c);
                }
            },
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let text = "# comment\n\nA=1\n export B = two words # c\nC=\"a\\n\\\"b\\\"\nline\" # c\nD='$x #'\r\nE=\nF=a#b\nG=op://v/my item/f";
        let pairs = parse(text).unwrap();
        // EXPOSE: a test's own values.
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("A", "1"),
                ("B", "two words"),
                ("C", "a\n\"b\"\nline"),
                ("D", "$x #"),
                ("E", ""),
                ("F", "a#b"),
                ("G", "op://v/my item/f"),
            ]
        );
    }

    #[test]
    fn what_is_wrong_names_the_line() {
        for (text, line) in [
            ("A=1\nhunter2", 2),
            ("=x", 1),
            ("A='x", 1),
            ("\nA=\"x\" y", 2),
            ("1A=x", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
