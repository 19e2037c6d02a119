//! The words of both sides.

use sekisho_core::{
    item::{Category, FieldType},
    records::VaultType,
};

use crate::client::VaultKind;

const CATEGORIES: [(&str, Category); 24] = [
    ("Login", Category::Login),
    ("SecureNote", Category::SecureNote),
    ("CreditCard", Category::CreditCard),
    ("CryptoWallet", Category::Custom),
    ("Identity", Category::Identity),
    ("Password", Category::Password),
    ("Document", Category::Document),
    ("ApiCredentials", Category::ApiCredential),
    ("BankAccount", Category::BankAccount),
    ("Database", Category::Database),
    ("DriverLicense", Category::DriverLicense),
    ("Email", Category::EmailAccount),
    ("MedicalRecord", Category::MedicalRecord),
    ("Membership", Category::Membership),
    ("OutdoorLicense", Category::OutdoorLicense),
    ("Passport", Category::Passport),
    ("Rewards", Category::RewardProgram),
    ("Router", Category::WirelessRouter),
    ("Server", Category::Server),
    ("SshKey", Category::SshKey),
    ("SocialSecurityNumber", Category::SocialSecurityNumber),
    ("SoftwareLicense", Category::SoftwareLicense),
    ("Person", Category::Custom),
    ("Unsupported", Category::Custom),
];

const FIELDS: [(&str, FieldType); 15] = [
    ("Text", FieldType::String),
    ("Concealed", FieldType::Concealed),
    ("CreditCardType", FieldType::CreditCardType),
    ("CreditCardNumber", FieldType::CreditCardNumber),
    ("Phone", FieldType::Phone),
    ("Url", FieldType::Url),
    ("Totp", FieldType::Otp),
    ("Email", FieldType::Email),
    ("Reference", FieldType::Reference),
    ("SshKey", FieldType::SshKey),
    ("Menu", FieldType::Menu),
    ("MonthYear", FieldType::MonthYear),
    ("Address", FieldType::Address),
    ("Date", FieldType::Date),
    ("Unsupported", FieldType::Unknown),
];

/// Connect's category of the SDK's word; what nobody knows is custom.
pub(super) fn category(word: &str) -> Category {
    let found = CATEGORIES.iter().find(|(known, _)| *known == word);
    found.map_or(Category::Custom, |(_, category)| *category)
}

/// The SDK's word for a category that a client may make.
pub(super) fn category_word(category: Category) -> Option<&'static str> {
    let found = CATEGORIES
        .iter()
        .find(|(_, known)| *known == category && *known != Category::Custom);
    found.map(|(word, _)| *word)
}

/// Connect's type of the SDK's word, if it is known.
pub(super) fn field_type(word: &str) -> Option<FieldType> {
    let found = FIELDS.iter().find(|(known, _)| *known == word);
    found.map(|(_, kind)| kind.clone())
}

/// The SDK's word for a type. What it has no word for is text, as its own core does with a gender.
pub(super) fn field_word(kind: &FieldType) -> &'static str {
    let found = FIELDS.iter().find(|(_, known)| known == kind);
    found.map_or("Text", |(word, _)| *word)
}

/// Connect's type of a vault; `None` for Environments and what is newer than this program.
pub const fn vault_type(kind: VaultKind) -> Option<VaultType> {
    match kind {
        VaultKind::Personal => Some(VaultType::Personal),
        VaultKind::Everyone => Some(VaultType::Everyone),
        VaultKind::Transfer => Some(VaultType::Transfer),
        VaultKind::UserCreated => Some(VaultType::UserCreated),
        VaultKind::Unsupported => None,
    }
}
