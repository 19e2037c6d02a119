//! Time-based one-time passwords (RFC 6238 over RFC 4226), from an `otpauth://totp/…` URI or a bare base32 secret.

use alloc::{format, string::String, vec::Vec};

use base32::Alphabet;
use hmac::{Hmac, KeyInit, Mac};
use zeroize::Zeroizing;

use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// What codes are made of.
pub struct OtpSeed {
    secret: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
    digits: u32,
    period: u64,
}

impl OtpSeed {
    /// Reads a URI or a bare secret (blanks and dashes in it are passed over).
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.get(..15).map(str::to_ascii_lowercase);
        match lower.as_deref() {
            Some("otpauth://totp/" | "otpauth://totp?") => {
                Self::parse_query(text.split_once('?')?.1)
            }
            Some(other) if other.starts_with("otpauth:") => None,
            _ => Self::of_secret(text),
        }
    }

    fn of_secret(text: &str) -> Option<Self> {
        let secret = decode_secret(text)?;
        Some(Self {
            secret,
            algorithm: Algorithm::Sha1,
            digits: 6,
            period: 30,
        })
    }

    fn parse_query(query: &str) -> Option<Self> {
        let query = query.split('#').next()?;
        let find = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let mut seed = Self::of_secret(find("secret")?.1)?;
        if let Some((_, name)) = find("algorithm") {
            seed.algorithm = parse_algorithm(name)?;
        }
        if let Some((_, digits)) = find("digits") {
            seed.digits = digits
                .parse()
                .ok()
                .filter(|digits| (6..=10).contains(digits))?;
        }
        if let Some((_, period)) = find("period") {
            seed.period = period
                .parse()
                .ok()
                .filter(|period| (1..=86_400).contains(period))?;
        }
        Some(seed)
    }

    /// The code that is good at `now`.
    pub fn code(&self, now: Timestamp) -> String {
        let counter = now.seconds() / self.period;
        let mac = self.mac(&counter.to_be_bytes());
        // RFC 4226 §5.3, dynamic truncation.
        let offset = usize::from(mac.last().copied().unwrap_or_default() & 0x0f);
        let word = mac
            .get(offset..offset + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes);
        let code = u64::from(word & 0x7fff_ffff) % 10u64.pow(self.digits);
        format!("{code:0width$}", width = self.digits as usize)
    }

    fn mac(&self, message: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha1 => mac::<Hmac<sha1::Sha1>>(&self.secret, message),
            Algorithm::Sha256 => mac::<Hmac<sha2::Sha256>>(&self.secret, message),
            Algorithm::Sha512 => mac::<Hmac<sha2::Sha512>>(&self.secret, message),
        }
    }
}

impl core::fmt::Debug for OtpSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OtpSeed")
            .field("digits", &self.digits)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so this never fails (RFC 2104 §2).
    <M as KeyInit>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

fn parse_algorithm(name: &str) -> Option<Algorithm> {
    match name.to_ascii_uppercase().replace('-', "").as_str() {
        "SHA1" => Some(Algorithm::Sha1),
        "SHA256" => Some(Algorithm::Sha256),
        "SHA512" => Some(Algorithm::Sha512),
        _ => None,
    }
}

fn decode_secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(
        text.replace("%20", "")
            .replace("%3D", "")
            .replace("%3d", ""),
    );
    let letters: Zeroizing<String> = Zeroizing::new(
        text.trim_end_matches('=')
            .chars()
            .filter(|letter| !matches!(letter, ' ' | '-'))
            .map(|letter| letter.to_ascii_uppercase())
            .collect(),
    );
    let padded = match letters.len() % 8 {
        // Lengths no whole number of bytes has: seeds cut from longer ones; the vendor's apps take them too.
        1 | 3 | 6 => letters.get(..letters.len() - 1)?,
        _ => &letters,
    };
    // Bits that make no whole byte are passed over, as the vendor's apps do.
    let secret = Zeroizing::new(base32::decode(
        Alphabet::Rfc4648 { padding: false },
        padded,
    )?);
    (!secret.is_empty()).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6238 appendix B: the ASCII seeds 1234567890… of 20, 32 and 64 bytes.
    const SHA1: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const SHA256: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA";
    const SHA512: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA";

    fn code(secret: &str, algorithm: &str, seconds: u64) -> String {
        let uri =
            format!("otpauth://totp/a:b?secret={secret}&algorithm={algorithm}&digits=8&issuer=x");
        OtpSeed::parse(&uri)
            .unwrap()
            .code(Timestamp::from_seconds(seconds))
    }

    #[test]
    fn rfc_6238_vectors() {
        let rows = [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ];
        for (at, sha1, sha256, sha512) in rows {
            assert_eq!(code(SHA1, "SHA1", at), sha1);
            assert_eq!(code(SHA256, "sha256", at), sha256);
            assert_eq!(code(SHA512, "SHA-512", at), sha512);
        }
    }

    #[test]
    fn bare_seeds_are_taken_and_nonsense_is_not() {
        let bare = OtpSeed::parse("jbsw y3dp-ehpk 3pxp").unwrap();
        let uri = OtpSeed::parse("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP").unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(bare.code(now), uri.code(now));
        for bad in [
            "",
            "1189",
            "otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP",
            "otpauth://totp/x",
            "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&digits=99",
            "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=0",
        ] {
            assert!(OtpSeed::parse(bad).is_none(), "{bad}");
        }
    }
}
