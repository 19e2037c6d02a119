//! Durations as Go programs take them, and so `OP_SYNC_TIMEOUT`: `10s`, `1m30s`, `1.5h`, `300ms`, `0`.

use std::time::Duration;

/// From the text; `None` = it is none.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(end)?;
        let (unit, tail) = unit(tail)?;
        let number: f64 = number.parse().ok()?;
        let part = Duration::try_from_secs_f64(number * unit).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

/// Seconds of the unit in front, and what comes after it.
fn unit(text: &str) -> Option<(f64, &str)> {
    // The longer ones first: `ms` is no `m`.
    const UNITS: [(&str, f64); 8] = [
        ("ms", 1e-3),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ns", 1e-9),
        ("h", 3600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    UNITS
        .iter()
        .find_map(|(word, seconds)| Some((*seconds, text.strip_prefix(word)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        let rows = [
            ("10s", 10_000),
            ("1m", 60_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("0", 0),
            ("+2s", 2000),
            (".5s", 500),
        ];
        for (text, millis) in rows {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "10", "s", "-1s", "1d", "1s ago", "1e9s", "..s"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
