//! Filters: the SCIM grammar (RFC 7644 §3.4.2.2) without value paths.
//!
//! ```text
//! filter     = or
//! or         = and *( "or" and )
//! and        = term *( "and" term )
//! term       = "not" "(" or ")" / "(" or ")" / attribute "pr" / attribute operator value
//! operator   = eq / ne / co / sw / ew / gt / ge / lt / le
//! value      = string / number / "true" / "false" / "null"
//! ```
//!
//! Words are read in any case. In strings only `\"` and `\\` are escapes; any other backslash is itself. Clients paste
//! titles unescaped (connect-contract.md §0.2 no. 2), for which there is [`Filter::parse_pasted`].

use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use core::fmt;

/// Longest filter read, in bytes.
pub const MAX_FILTER: usize = 8 * 1024;
const MAX_DEPTH: usize = 32;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// One holds.
    Or(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// The attribute is there and not empty.
    Present(String),
    /// The attribute compares.
    Compare(String, Operator, Literal),
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the operators of RFC 7644")]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Eq,
        Self::Ne,
        Self::Co,
        Self::Sw,
        Self::Ew,
        Self::Gt,
        Self::Ge,
        Self::Lt,
        Self::Le,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// What an attribute is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A truth value.
    Flag(bool),
    /// Nothing.
    Null,
}

/// Why a filter cannot be read. Texts name the place in the grammar, never the input.
pub type Reason = &'static str;

impl Filter {
    /// Parses a decoded filter.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        Self::parse_with(text, true)
    }

    /// Parses one in whose strings a backslash is only ever itself, as in a pasted `\\server\share`.
    pub fn parse_pasted(text: &str) -> Result<Self, Reason> {
        Self::parse_with(text, false)
    }

    fn parse_with(text: &str, escapes: bool) -> Result<Self, Reason> {
        if text.len() > MAX_FILTER {
            return Err("it is too long");
        }
        let mut parser = Parser {
            rest: text.trim_start(),
            depth: 0,
            escapes,
        };
        let filter = parser.or()?;
        if parser.rest.is_empty() {
            Ok(filter)
        } else {
            Err("something follows its end")
        }
    }

    /// The title that every match must equal, if there is one: what the blind index can look up.
    pub fn required_title(&self) -> Option<&str> {
        match self {
            Self::Compare(attribute, Operator::Eq, Literal::Text(text)) if attribute == "title" => {
                Some(text)
            }
            Self::And(left, right) => left.required_title().or_else(|| right.required_title()),
            _ => None,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(left, right) => write!(f, "({left}) and ({right})"),
            Self::Or(left, right) => write!(f, "({left}) or ({right})"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::Compare(attribute, operator, literal) => {
                write!(f, "{attribute} {} {literal}", operator.as_str())
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Null => f.write_str("null"),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
    escapes: bool,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Filter, Reason> {
        let mut left = self.and()?;
        while self.keyword("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, Reason> {
        let mut left = self.term()?;
        while self.keyword("and") {
            left = Filter::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Filter, Reason> {
        if self.symbol('(') {
            return self.group();
        }
        let attribute = self.word().ok_or("an attribute is missing")?;
        if attribute == "not" && self.symbol('(') {
            return Ok(Filter::Not(Box::new(self.group()?)));
        }
        let operator = self.word().ok_or("an operator is missing")?;
        if operator == "pr" {
            return Ok(Filter::Present(attribute));
        }
        let operator = Operator::ALL
            .into_iter()
            .find(|o| o.as_str() == operator)
            .ok_or("the operator is unknown")?;
        Ok(Filter::Compare(attribute, operator, self.literal()?))
    }

    fn group(&mut self) -> Result<Filter, Reason> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        let inner = self.or()?;
        self.depth -= 1;
        if self.symbol(')') {
            Ok(inner)
        } else {
            Err("a closing parenthesis is missing")
        }
    }

    fn literal(&mut self) -> Result<Literal, Reason> {
        if self.rest.starts_with('"') {
            return self.string().map(Literal::Text);
        }
        let end = self
            .rest
            .find([' ', ')', '(', '"'])
            .unwrap_or(self.rest.len());
        let word = self.take(end).to_ascii_lowercase();
        match word.as_str() {
            "" => Err("a value is missing"),
            "true" => Ok(Literal::Flag(true)),
            "false" => Ok(Literal::Flag(false)),
            "null" => Ok(Literal::Null),
            // JSON's, as RFC 7644 §3.4.2.2 has them; what reads them from an item reads them here.
            number => serde_json::from_str(number)
                .map(Literal::Number)
                .map_err(|_| "a text value must stand in double quotes"),
        }
    }

    fn string(&mut self) -> Result<String, Reason> {
        let mut out = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            match (c, characters.peek()) {
                ('"', _) => {
                    self.take(at + 1);
                    return Ok(out);
                }
                ('\\', Some((_, next @ ('"' | '\\')))) if self.escapes => {
                    out.push(*next);
                    characters.next();
                }
                _ => out.push(c),
            }
        }
        Err("a closing quote is missing")
    }

    /// A word of the grammar, in lower case.
    fn word(&mut self) -> Option<String> {
        let is_part =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '$');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        (end > 0).then(|| self.take(end).to_ascii_lowercase())
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        if self.word().as_deref() == Some(keyword) {
            return true;
        }
        self.rest = before;
        false
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// Takes this many bytes off, and the blanks behind them.
    fn take(&mut self, end: usize) -> String {
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        taken.to_string()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_clients_send() {
        for (text, title) in [
            ("title eq \"Demo Vault\"", "Demo Vault"),
            ("Title EQ \"C++\"", "C++"),
            ("title eq \"DOMAIN\\user\"", "DOMAIN\\user"),
            ("title eq \"a \\\"b\\\"\"", "a \"b\""),
            ("title eq \"\"", ""),
            ("title eq \"x\" and tag eq \"y\"", "x"),
        ] {
            assert_eq!(
                Filter::parse(text).unwrap().required_title(),
                Some(title),
                "{text}"
            );
        }
        assert_eq!(
            Filter::parse("not (title eq \"x\")")
                .unwrap()
                .required_title(),
            None
        );
        assert_eq!(
            Filter::parse("title eq \"x\" or title eq \"y\"")
                .unwrap()
                .required_title(),
            None
        );
    }

    #[test]
    fn pasted_backslashes_are_themselves() {
        for title in [r"\\server\share", r"C:\"] {
            let filter = Filter::parse_pasted(&format!("title eq \"{title}\"")).unwrap();
            assert_eq!(filter.required_title(), Some(title));
        }
    }

    #[test]
    fn and_binds_tighter_than_or() {
        let filter = Filter::parse("a pr or b pr and not (c eq 1)").unwrap();
        assert_eq!(format!("{filter}"), "(a pr) or ((b pr) and (not (c eq 1)))");
    }

    #[test]
    fn numbers_are_those_of_json() {
        for (text, read) in [("7", "7"), ("-0.5", "-0.5"), ("1.5E2", "150")] {
            let filter = Filter::parse(&format!("(version eq {text})")).unwrap();
            assert_eq!(format!("{filter}"), format!("version eq {read}"));
        }
    }

    #[test]
    fn refuses_what_is_cut_off_or_wrong() {
        for bad in [
            "",
            "'",
            "title",
            "title eq",
            "title eq \"Tom ",
            "title eq \"a\"b\"",
            "title like \"x\"",
            "(a pr",
            "a pr)",
            "title eq x",
            "title eq 'x'",
            "not title pr",
            "a pr and",
            "title eq \"a\" \"b\"",
            "version eq +5",
            "version eq 05",
            "version eq 1e999",
            "version eq nan",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
        let deep = format!("{}a pr{}", "(".repeat(40), ")".repeat(40));
        assert_eq!(Filter::parse(&deep), Err("it is nested too deeply"));
    }

    fn any_filter() -> impl Strategy<Value = Filter> {
        let attribute = "[a-z][a-z0-9.]{0,8}".prop_filter("keywords", |word| {
            !matches!(word.as_str(), "not" | "and" | "or")
        });
        let literal = prop_oneof![
            any::<String>().prop_map(Literal::Text),
            any::<i32>().prop_map(|n| Literal::Number(f64::from(n))),
            any::<bool>().prop_map(Literal::Flag),
            Just(Literal::Null),
        ];
        let operator = prop::sample::select(Operator::ALL.to_vec());
        let leaf = prop_oneof![
            attribute.clone().prop_map(Filter::Present),
            (attribute, operator, literal).prop_map(|(a, o, l)| Filter::Compare(a, o, l)),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone())
                    .prop_map(|(l, r)| Filter::And(Box::new(l), Box::new(r))),
                (inner.clone(), inner.clone())
                    .prop_map(|(l, r)| Filter::Or(Box::new(l), Box::new(r))),
                inner.prop_map(|f| Filter::Not(Box::new(f))),
            ]
        })
    }

    proptest! {
        #[test]
        fn parse_after_print_is_the_identity(filter in any_filter()) {
            prop_assert_eq!(Filter::parse(&format!("{filter}")), Ok(filter));
        }

        #[test]
        fn no_input_panics(text in any::<String>()) {
            let _ = Filter::parse(&text);
        }
    }
}
