//! Durations as they are typed: `30d`, `12h`, `1h30m`, `0`.

use super::failure::Failure;

/// Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u64);

/// Until when a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// For so long.
    For(Seconds),
    /// Without end.
    Endless,
}

const FORM: &str = "give numbers with units w, d, h, m, s, such as 30d, 12h or 1h30m";

impl std::str::FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "0" {
            return Ok(Self(0));
        }
        let (mut total, mut rest) = (0u64, text);
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at_checked(digits).ok_or(FORM)?;
            let mut tail = tail.chars();
            let unit = match tail.next() {
                Some('w') => 7 * 86_400,
                Some('d') => 86_400,
                Some('h') => 3600,
                Some('m') => 60,
                Some('s') => 1,
                _ => return Err(FORM),
            };
            let number: u64 = number.parse().map_err(|_| FORM)?;
            let part = number.checked_mul(unit).ok_or("it is too long")?;
            total = total.checked_add(part).ok_or("it is too long")?;
            rest = tail.as_str();
        }
        // A thousand years: later dates have five digits, which no JWT library expects.
        match total {
            0 if text.is_empty() => Err(FORM),
            total if total > 1000 * 366 * 86_400 => Err("it is too long"),
            total => Ok(Self(total)),
        }
    }
}

impl std::str::FromStr for Lifetime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "never" {
            return Ok(Self::Endless);
        }
        match text.parse()? {
            Seconds(0) => Err("a token that has expired is of no use"),
            seconds => Ok(Self::For(seconds)),
        }
    }
}

impl Lifetime {
    /// The end, counted from now.
    pub(super) fn end(
        self,
        now: sekisho_core::time::Timestamp,
    ) -> Option<sekisho_core::time::Timestamp> {
        match self {
            Self::For(Seconds(seconds)) => Some(now.plus_seconds(seconds)),
            Self::Endless => None,
        }
    }
}

/// A typed address to listen on: `127.0.0.1:8080`, `:8080`, `8080`, `localhost:8080`.
pub(super) fn parse_listen(flag: &str, text: &str) -> Result<std::net::SocketAddr, Failure> {
    let text = match text {
        text if text.parse::<u16>().is_ok() => format!("127.0.0.1:{text}"),
        text if text.starts_with(':') => format!("0.0.0.0{text}"),
        text => match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        },
    };
    text.parse().map_err(|_| {
        Failure::usage(
            format!("{flag} takes an address and a port"),
            format!("for example {flag} 127.0.0.1:8080, or :8080 for every address"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let rows = [
            ("30d", 2_592_000),
            ("12h", 43_200),
            ("1h30m", 5400),
            ("2w", 1_209_600),
            ("90s", 90),
            ("0", 0),
            ("0s", 0),
        ];
        for (text, wanted) in rows {
            assert_eq!(text.parse(), Ok(Seconds(wanted)), "{text}");
        }
        for bad in [
            "",
            "d",
            "30",
            "30 d",
            "-1d",
            "1.5h",
            "1y",
            "99999999999999999999d",
            "9999999d",
            "١d",
        ] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lifetimes() {
        assert_eq!("never".parse(), Ok(Lifetime::Endless));
        assert_eq!("1m".parse(), Ok(Lifetime::For(Seconds(60))));
        assert!("0".parse::<Lifetime>().is_err());
    }

    #[test]
    fn addresses() {
        let rows = [
            ("8081", "127.0.0.1:8081"),
            (":80", "0.0.0.0:80"),
            ("localhost:1", "127.0.0.1:1"),
            ("[::1]:8080", "[::1]:8080"),
        ];
        for (text, wanted) in rows {
            assert_eq!(
                parse_listen("--listen", text).ok(),
                wanted.parse().ok(),
                "{text}"
            );
        }
        assert!(parse_listen("--listen", "example.com").is_err());
    }
}
