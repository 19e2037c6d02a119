//! Query strings as clients really send them (connect-contract.md §0.2 no. 2).

use alloc::{string::String, vec::Vec};

/// The parameters of one request, still encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Of a request's target.
    pub(super) fn of(uri: &'a http::Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// The encoded values of a parameter.
    pub(super) fn raw(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.split('&').filter(|pair| !pair.is_empty());
        pairs.filter_map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    /// A parameter's value, decoded; the first one counts.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.raw(name).next().map(|raw| text(raw, true))
    }
}

/// Decodes percent escapes and, if told to, `+` for blanks. Bytes that are not UTF-8 are replaced.
pub(super) fn text(raw: &str, plus_is_blank: bool) -> String {
    String::from_utf8_lossy(&percent_decode(raw, plus_is_blank)).into_owned()
}

/// A `%` that does not begin an escape stays a percent sign.
pub(super) fn percent_decode(raw: &str, plus_is_blank: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = match (byte, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            out.push(high << 4 | low);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            out.push(if byte == b'+' && plus_is_blank {
                b' '
            } else {
                byte
            });
            rest = tail;
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_leniently() {
        assert_eq!(text("a+b%20c%22", true), "a b c\"");
        assert_eq!(text("C++", false), "C++");
        assert_eq!(text("100%%22", true), "100%\"");
        assert_eq!(text("%", true), "%");
        assert_eq!(text("%E3%81%82%zz", true), "あ%zz");
    }

    #[test]
    fn finds_parameters() {
        let uri: http::Uri = "/v1/vaults?limit=5&filter=a%3Db&x&filter=c"
            .parse()
            .unwrap();
        let query = Query::of(&uri);
        assert_eq!(query.value("limit").as_deref(), Some("5"));
        assert_eq!(query.raw("filter").count(), 2);
        assert_eq!(query.value("none"), None);
    }
}
