//! Connect's closed vocabularies (connect-contract.md §2.3, §2.4), read in any case and printed in upper case.

use alloc::string::{String, ToString};

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are the vendor's and say what they are"
)]
pub enum Category {
    ApiCredential,
    BankAccount,
    CreditCard,
    Custom,
    Database,
    Document,
    DriverLicense,
    EmailAccount,
    Identity,
    Login,
    MedicalRecord,
    Membership,
    OutdoorLicense,
    Passport,
    Password,
    RewardProgram,
    SecureNote,
    Server,
    SocialSecurityNumber,
    SoftwareLicense,
    SshKey,
    WirelessRouter,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::ApiCredential,
        Self::BankAccount,
        Self::CreditCard,
        Self::Custom,
        Self::Database,
        Self::Document,
        Self::DriverLicense,
        Self::EmailAccount,
        Self::Identity,
        Self::Login,
        Self::MedicalRecord,
        Self::Membership,
        Self::OutdoorLicense,
        Self::Passport,
        Self::Password,
        Self::RewardProgram,
        Self::SecureNote,
        Self::Server,
        Self::SocialSecurityNumber,
        Self::SoftwareLicense,
        Self::SshKey,
        Self::WirelessRouter,
    ];

    /// Connect's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiCredential => "API_CREDENTIAL",
            Self::BankAccount => "BANK_ACCOUNT",
            Self::CreditCard => "CREDIT_CARD",
            Self::Custom => "CUSTOM",
            Self::Database => "DATABASE",
            Self::Document => "DOCUMENT",
            Self::DriverLicense => "DRIVER_LICENSE",
            Self::EmailAccount => "EMAIL_ACCOUNT",
            Self::Identity => "IDENTITY",
            Self::Login => "LOGIN",
            Self::MedicalRecord => "MEDICAL_RECORD",
            Self::Membership => "MEMBERSHIP",
            Self::OutdoorLicense => "OUTDOOR_LICENSE",
            Self::Passport => "PASSPORT",
            Self::Password => "PASSWORD",
            Self::RewardProgram => "REWARD_PROGRAM",
            Self::SecureNote => "SECURE_NOTE",
            Self::Server => "SERVER",
            Self::SocialSecurityNumber => "SOCIAL_SECURITY_NUMBER",
            Self::SoftwareLicense => "SOFTWARE_LICENSE",
            Self::SshKey => "SSH_KEY",
            Self::WirelessRouter => "WIRELESS_ROUTER",
        }
    }

    /// Reads a word: any case, `-` and blanks for `_`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = canonical(word);
        Self::ALL
            .into_iter()
            .find(|category| category.as_str() == word)
    }

    /// Whether its items always carry a password and notes of their own.
    pub const fn has_password(self) -> bool {
        matches!(self, Self::Login | Self::Password)
    }
}

/// What a field's value is. A type of another origin is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are the vendor's and say what they are"
)]
pub enum FieldType {
    Address,
    Concealed,
    CreditCardNumber,
    CreditCardType,
    Date,
    Email,
    File,
    Gender,
    Menu,
    MonthYear,
    Otp,
    Phone,
    Reference,
    SshKey,
    String,
    Unknown,
    Url,
    Other(String),
}

impl FieldType {
    const ALL: [Self; 17] = [
        Self::Address,
        Self::Concealed,
        Self::CreditCardNumber,
        Self::CreditCardType,
        Self::Date,
        Self::Email,
        Self::File,
        Self::Gender,
        Self::Menu,
        Self::MonthYear,
        Self::Otp,
        Self::Phone,
        Self::Reference,
        Self::SshKey,
        Self::String,
        Self::Unknown,
        Self::Url,
    ];

    /// Connect's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address => "ADDRESS",
            Self::Concealed => "CONCEALED",
            Self::CreditCardNumber => "CREDIT_CARD_NUMBER",
            Self::CreditCardType => "CREDIT_CARD_TYPE",
            Self::Date => "DATE",
            Self::Email => "EMAIL",
            Self::File => "FILE",
            Self::Gender => "GENDER",
            Self::Menu => "MENU",
            Self::MonthYear => "MONTH_YEAR",
            Self::Otp => "OTP",
            Self::Phone => "PHONE",
            Self::Reference => "REFERENCE",
            Self::SshKey => "SSHKEY",
            Self::String => "STRING",
            Self::Unknown => "UNKNOWN",
            Self::Url => "URL",
            Self::Other(word) => word,
        }
    }

    /// Reads a word; the spec's old `TOTP` is `OTP`, the Go SDK's `SSH_KEY` is `SSHKEY`.
    pub fn parse(word: &str) -> Self {
        let word_upper = canonical(word);
        let known = match word_upper.as_str() {
            "TOTP" => Some(Self::Otp),
            "SSH_KEY" => Some(Self::SshKey),
            upper => Self::ALL.into_iter().find(|kind| kind.as_str() == upper),
        };
        known.unwrap_or_else(|| Self::Other(word.to_string()))
    }

    /// The words of types that a client may bring.
    #[cfg(test)]
    pub fn creatable() -> impl Iterator<Item = &'static str> {
        static ALL: [FieldType; 17] = FieldType::ALL;
        ALL.iter()
            .filter(|kind| kind.is_creatable())
            .map(Self::as_str)
    }

    /// Whether a client may bring a new field of this type.
    pub const fn is_creatable(&self) -> bool {
        !matches!(self, Self::File | Self::Unknown | Self::Other(_))
    }
}

/// Which built-in field of its item a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are the vendor's and say what they are"
)]
pub enum Purpose {
    Username,
    Password,
    Notes,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Username, Self::Password, Self::Notes];

    /// Connect's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Username => "USERNAME",
            Self::Password => "PASSWORD",
            Self::Notes => "NOTES",
        }
    }

    /// Reads a word in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let word = canonical(word);
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == word)
    }

    /// The id of the built-in field, which is its default label too.
    pub const fn field_id(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Password => "password",
            Self::Notes => "notesPlain",
        }
    }
}

fn canonical(word: &str) -> String {
    word.trim().to_ascii_uppercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_and_case_does_not_matter() {
        for category in Category::ALL {
            assert_eq!(
                Category::parse(&category.as_str().to_ascii_lowercase()),
                Some(category)
            );
        }
        for kind in FieldType::ALL {
            assert_eq!(FieldType::parse(kind.as_str()), kind);
        }
        assert_eq!(FieldType::parse("totp"), FieldType::Otp);
        assert_eq!(
            FieldType::parse("passkey"),
            FieldType::Other("passkey".into())
        );
        assert_eq!(Category::parse("secure note"), Some(Category::SecureNote));
        assert_eq!(Category::parse("LOGGING"), None);
    }
}
