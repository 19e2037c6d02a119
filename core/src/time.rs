//! Points in time, given and never taken (invariant 1): milliseconds since 1970-01-01T00:00:00Z, printed as RFC 3339.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

const DAY: i64 = 86_400;

impl Timestamp {
    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// In milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// In whole seconds.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This many seconds later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Whole seconds cut off: what item dates carry.
    #[must_use]
    pub const fn truncated(self) -> Self {
        Self(self.0 / 1000 * 1000)
    }

    /// RFC 3339 in UTC with `Z`, a fraction only where there is one.
    pub fn to_rfc3339(self) -> String {
        alloc::format!("{self}")
    }

    /// Reads RFC 3339 with any offset and fraction; finer than a millisecond is cut off.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't', ' '])?;
        let days = parse_date(date)?;
        let zone_at = rest.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = rest.split_at_checked(zone_at)?;
        let seconds = days.checked_mul(DAY)? + parse_clock(clock)? / 1000 - parse_offset(zone)?;
        let millis = seconds.checked_mul(1000)? + parse_clock(clock)? % 1000;
        u64::try_from(millis).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.seconds() / DAY as u64, self.seconds() % DAY as u64);
        let (year, month, day) = civil_from_days(days as i64);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        match self.0 % 1000 {
            0 => f.write_str("Z"),
            millis => write!(f, ".{millis:03}Z"),
        }
    }
}

/// Days since the epoch of a calendar date `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let valid = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    valid.then(|| days_from_civil(year, month, day))
}

/// The calendar date of a day since the epoch.
pub fn format_date(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    alloc::format!("{year:04}-{month:02}-{day:02}")
}

/// Milliseconds since midnight.
fn parse_clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.splitn(3, ':');
    let (hour, minute, second) = (
        number(parts.next()?)?,
        number(parts.next()?)?,
        number(parts.next()?)?,
    );
    if hour > 23
        || minute > 59
        || second > 60
        || fraction.is_empty()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let millis = fraction
        .bytes()
        .chain(*b"00")
        .take(3)
        .fold(0, |sum, b| sum * 10 + i64::from(b - b'0'));
    Some(((hour * 60 + minute) * 60 + second) * 1000 + millis)
}

/// Seconds east of UTC.
fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// The two conversions below are Howard Hinnant's proleptic Gregorian algorithms: eras of 400 years, years from March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc3339() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2021-04-10T17:20:05Z", 1_618_075_205_000),
            ("2000-02-29T23:59:59.500Z", 951_868_799_500),
        ];
        for (text, millis) in cases {
            assert_eq!(Timestamp::from_millis(millis).to_rfc3339(), text);
            assert_eq!(
                Timestamp::parse_rfc3339(text),
                Some(Timestamp::from_millis(millis))
            );
        }
        let nanos = Timestamp::parse_rfc3339("2021-04-10T17:20:05.98944527Z");
        assert_eq!(nanos.map(Timestamp::millis), Some(1_618_075_205_989));
        assert_eq!(
            Timestamp::parse_rfc3339("1970-01-01T02:00:00+02:00"),
            Some(Timestamp::from_millis(0))
        );
    }

    #[test]
    fn refuses_what_is_no_date() {
        for bad in [
            "",
            "2021-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-01-01",
            "2021-01-01T24:00:00Z",
            "0001-01-01T00:00:00Z",
            "2021-01-01T00:00:00+2:x",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_round_trip_over_four_centuries() {
        for days in (-10_000..140_000).step_by(13) {
            assert_eq!(parse_date(&format_date(days)), Some(days));
        }
    }
}
