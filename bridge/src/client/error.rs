//! The core's error texts as decided errors (op-account.md §B.3).

use sekisho_core::secret::SecretText;

/// Longest sentence of the vendor's that is passed on.
const MAX_SENTENCE: usize = 400;

/// The vendor's words. They may quote the item, so they do not print themselves.
#[derive(Clone, PartialEq, Eq)]
pub struct Sentence(String);

impl Sentence {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Sentence {
    fn from(words: &str) -> Self {
        Self(words.to_owned())
    }
}

impl std::fmt::Debug for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sentence(…)")
    }
}

/// Why a call was not done, named by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// Too many requests: wait.
    #[error("1Password says that this account made too many requests: wait, or take a larger plan")]
    RateLimited,
    /// The token is not taken: do not try again.
    #[error(
        "1Password does not take the service account token: it is wrong, expired or revoked; make a new one"
    )]
    Auth,
    /// There is no such vault, item or file.
    #[error("1Password has no such vault, item or file, or the service account may not see it")]
    Missing,
    /// The item is archived or deleted.
    #[error("the item is archived or deleted in 1Password")]
    Inactive,
    /// The item moved on since it was read.
    #[error("the item was changed in 1Password since it was read")]
    Conflict,
    /// The service account may not.
    #[error("the service account may not do this: give it the permission when making a new one")]
    Denied,
    /// The core refuses what it was given. The sentence is the vendor's; it is for who wrote the item, not for a log.
    #[error("1Password refuses the item")]
    Refused(Sentence),
    /// No answer, or the service is in trouble: try again later.
    #[error("1Password cannot be reached or is in trouble")]
    Unavailable,
    /// The core broke on an answer. A fresh instance took its place.
    #[error("the SDK core broke on an answer of 1Password")]
    Poisoned,
    /// A file is larger than what is taken.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The core answers something that this program does not know.
    #[error("the SDK core's answer is of another form than this program knows")]
    Garbled,
}

impl OpError {
    /// Whether trying again later can help, without anything else changed.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Unavailable | Self::Poisoned | Self::Conflict
        )
    }

    /// Whether it speaks of what was asked for, so that asking for less may succeed.
    pub const fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::Inactive | Self::Missing | Self::Poisoned | Self::Garbled | Self::Refused(_)
        )
    }

    /// From the core's text: JSON with a name and a message, or serde's own words.
    pub(crate) fn parse(text: &str) -> Self {
        #[derive(serde::Deserialize)]
        struct Raw {
            name: String,
            #[serde(with = "super::types::secret")]
            message: SecretText,
        }
        let Ok(raw) = serde_json::from_str::<Raw>(text) else {
            return Self::Garbled;
        };
        // EXPOSE: compared with the vendor's phrases.
        let message = raw.message.expose();
        let has = |phrase: &str| message.contains(phrase);
        if raw.name == "RateLimitExceeded" || has("rate limit exceeded") {
            return Self::RateLimited;
        }
        match raw.name.as_str() {
            "Auth" => sign_in(message),
            "ServiceAccountTokenParsing" => Self::Auth,
            "InvalidConfiguration" if has("service account token") => Self::Auth,
            "InvalidConfiguration" if has("not up to date") => Self::Conflict,
            _ if has("not in an active state") => Self::Inactive,
            _ if has("couldn't be found") => Self::Missing,
            _ if has("data conflict") => Self::Conflict,
            _ if has("do not have the right permissions") => Self::Denied,
            _ if has("bad credentials") => Self::Auth,
            _ if has("server error") || has("unexpected status code") => Self::Unavailable,
            _ if has("Cannot convert from Deleted item state") => Self::Garbled,
            _ if has("invalid client id") => Self::Poisoned,
            _ => Self::Refused(sentence(message)),
        }
    }
}

fn sign_in(message: &str) -> OpError {
    let is_trouble = [
        "server error",
        "unexpected status code",
        "error sending",
        "timed out",
    ];
    if is_trouble.iter().any(|phrase| message.contains(phrase)) {
        OpError::Unavailable
    } else {
        OpError::Auth
    }
}

/// The vendor's words on one line, without what a terminal would obey.
fn sentence(message: &str) -> Sentence {
    let plain = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    Sentence(plain.take(MAX_SENTENCE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_phrases() {
        let parse = |name: &str, message: &str| {
            OpError::parse(&serde_json::json!({"name": name, "message": message}).to_string())
        };
        let rows = [
            (
                "RateLimitExceeded",
                "performing a vault operation: rate limit exceeded",
                OpError::RateLimited,
            ),
            ("Auth", "rate limit exceeded", OpError::RateLimited),
            ("Auth", "you are not authenticated", OpError::Auth),
            (
                "Auth",
                "unexpected status code in response: 503 Service Unavailable",
                OpError::Unavailable,
            ),
            ("Auth", "internal server error", OpError::Unavailable),
            (
                "Auth",
                "bad service account token, please rotate it",
                OpError::Auth,
            ),
            (
                "ServiceAccountTokenParsing",
                "base64 decoding failed",
                OpError::Auth,
            ),
            (
                "InvalidConfiguration",
                "service account token had invalid format",
                OpError::Auth,
            ),
            (
                "InvalidConfiguration",
                "The submitted item is not up to date. Please",
                OpError::Conflict,
            ),
            ("ItemApi", "the item couldn't be found", OpError::Missing),
            (
                "ItemApi",
                "item is not in an active state",
                OpError::Inactive,
            ),
            (
                "ItemApi",
                "you do not have the right permissions to perform this action",
                OpError::Denied,
            ),
            (
                "ItemApi",
                "data conflict occurred on the server",
                OpError::Conflict,
            ),
            ("ItemApi", "bad credentials, please retry", OpError::Auth),
            (
                "ItemApi",
                "unexpected status code in response: 503",
                OpError::Unavailable,
            ),
            ("Internal", "invalid client id", OpError::Poisoned),
        ];
        for (name, message, wanted) in rows {
            assert_eq!(parse(name, message), wanted, "{name}: {message}");
        }
        assert_eq!(
            parse(
                "InvalidConfiguration",
                "Editing is not supported\nfor unsupported fields"
            ),
            OpError::Refused("Editing is not supported for unsupported fields".into())
        );
        assert_eq!(
            OpError::parse("missing field `x` at line 1"),
            OpError::Garbled
        );
    }
}
