//! Values with a form: dates, months, one-time password seeds (connect-contract.md §2.4 "Value formats").

use alloc::{format, string::String};

use super::{FieldType, otp::OtpSeed};
use crate::{secret::SecretText, time};

/// What a value must look like when it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadForm {
    /// The type.
    pub kind: &'static str,
    /// Its form.
    pub form: &'static str,
}

/// The stored form of a client's value of this type. Types without a form keep any text.
pub fn normalise(kind: &FieldType, value: SecretText) -> Result<SecretText, BadForm> {
    if value.is_empty() {
        return Ok(value);
    }
    // EXPOSE: checked for its form; the stored form is made from it.
    match kind {
        FieldType::Date => {
            let form = BadForm {
                kind: "date",
                form: "give YYYY-MM-DD or Unix seconds",
            };
            date(value.expose()).map(SecretText::new).ok_or(form)
        }
        FieldType::MonthYear => {
            let form = BadForm {
                kind: "monthYear",
                form: "give YYYYMM or YYYY/MM",
            };
            month_year(value.expose()).map(SecretText::new).ok_or(form)
        }
        FieldType::Otp => {
            let form = BadForm {
                kind: "one-time password",
                form: "give an otpauth:// URI or a base32 secret",
            };
            OtpSeed::parse(value.expose()).map(|_| ()).ok_or(form)?;
            Ok(value)
        }
        _ => Ok(value),
    }
}

/// Unix seconds as text. A calendar date becomes its day at 12:01:00 UTC: the same day in every time zone, and what
/// Terraform sends.
fn date(text: &str) -> Option<String> {
    if let Some(days) = time::parse_date(text) {
        return Some(format!("{}", days * 86_400 + 43_260));
    }
    let seconds: i64 = text.parse().ok()?;
    (seconds.unsigned_abs() < 1 << 40).then(|| format!("{seconds}"))
}

/// `YYYYMM`.
fn month_year(text: &str) -> Option<String> {
    let (year, month) = match (text.len(), text.find(['/', '-'])) {
        (6, None) => text.split_at_checked(4)?,
        (7, Some(4)) => (text.get(..4)?, text.get(5..)?),
        (7, Some(2)) => (text.get(3..)?, text.get(..2)?),
        _ => return None,
    };
    let digits = year
        .bytes()
        .chain(month.bytes())
        .all(|b| b.is_ascii_digit());
    let in_year = (1..=12).contains(&month.parse::<u8>().ok()?);
    (digits && in_year).then(|| format!("{year}{month}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_seconds() {
        assert_eq!(date("2026-01-02").as_deref(), Some("1767355260"));
        assert_eq!(date("1767355260").as_deref(), Some("1767355260"));
        assert_eq!(date("-86400").as_deref(), Some("-86400"));
        for bad in ["2026-13-01", "01/02/2026", "soon", "1e9", "99999999999999"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn months_become_six_digits() {
        for good in ["202603", "2026/03", "03/2026", "2026-03"] {
            assert_eq!(month_year(good).as_deref(), Some("202603"), "{good}");
        }
        for bad in [
            "202613",
            "2026",
            "2026/3",
            "20/2603",
            "aaaa03",
            "２０２６03",
        ] {
            assert_eq!(month_year(bad), None, "{bad}");
        }
    }
}
