//! `sekisho item template`: what an item of a category usually holds, as JSON to fill.

use clap::Subcommand;
use sekisho_core::item::Category;
use serde_json::{Value, json};

use super::super::{
    Session,
    failure::{Done, Failure},
    output,
};

#[derive(Subcommand)]
pub(in super::super) enum LowTemplate {
    /// Print the skeleton of a category.
    #[command(
        after_help = "Examples:\n  sekisho item template get database > db.json\n  sekisho item create --vault Demo --template db.json"
    )]
    Get {
        /// The category, such as login or API_CREDENTIAL.
        category: String,
    },
    /// List the categories of which items can be made.
    #[command(visible_alias = "ls")]
    List,
}

impl LowTemplate {
    pub(super) fn run(self, session: &Session) -> Done {
        match self {
            // A skeleton is JSON whatever the format.
            Self::Get { category } => output::json(&skeleton(parse_category(&category)?)),
            Self::List => list(session),
        }
    }
}

fn list(session: &Session) -> Done {
    let categories = || {
        Category::ALL
            .into_iter()
            .filter(|category| is_creatable(*category))
    };
    session.print(
        || {
            categories()
                .map(|category| json!({ "category": category.as_str() }))
                .collect()
        },
        || {
            output::table(
                ["CATEGORY"],
                categories()
                    .map(|category| [category.as_str().to_owned()])
                    .collect(),
            )
        },
    )
}

fn is_creatable(category: Category) -> bool {
    !matches!(category, Category::Custom | Category::Document)
}

/// A category as typed: any case, `-` and blanks for `_`.
pub(super) fn parse_category(word: &str) -> Result<Category, Failure> {
    Category::parse(word).ok_or_else(|| {
        Failure::usage(
            "the category is unknown",
            "`sekisho item template list` shows the categories",
        )
    })
}

/// The skeleton of a category.
pub(super) fn skeleton(category: Category) -> Value {
    let mut fields = Vec::new();
    if category.has_password() {
        if category == Category::Login {
            fields.push(json!({ "id": "username", "type": "STRING", "purpose": "USERNAME", "label": "username", "value": "" }));
        }
        fields.push(json!({ "id": "password", "type": "CONCEALED", "purpose": "PASSWORD", "label": "password", "value": "" }));
    }
    fields.push(json!({ "id": "notesPlain", "type": "STRING", "purpose": "NOTES", "label": "notesPlain", "value": "" }));
    for (id, kind, label) in usual_fields(category) {
        fields.push(json!({ "id": id, "type": kind, "label": label, "value": "" }));
    }
    json!({ "title": "", "category": category.as_str(), "fields": fields })
}

type Usual = (&'static str, &'static str, &'static str);

/// Ids, types and labels as 1Password gives them.
const fn usual_fields(category: Category) -> &'static [Usual] {
    match category {
        Category::ApiCredential => &[
            ("username", "STRING", "username"),
            ("credential", "CONCEALED", "credential"),
            ("type", "MENU", "type"),
            ("filename", "STRING", "filename"),
            ("validFrom", "DATE", "valid from"),
            ("expires", "DATE", "expires"),
            ("hostname", "STRING", "hostname"),
        ],
        Category::BankAccount => &[
            ("bankName", "STRING", "bank name"),
            ("owner", "STRING", "name on account"),
            ("accountType", "MENU", "type"),
            ("routingNo", "STRING", "routing number"),
            ("accountNo", "STRING", "account number"),
            ("swift", "STRING", "SWIFT"),
            ("iban", "STRING", "IBAN"),
            ("telephonePin", "CONCEALED", "PIN"),
        ],
        Category::CreditCard => &[
            ("cardholder", "STRING", "cardholder name"),
            ("type", "CREDIT_CARD_TYPE", "type"),
            ("ccnum", "CREDIT_CARD_NUMBER", "number"),
            ("cvv", "CONCEALED", "verification number"),
            ("expiry", "MONTH_YEAR", "expiry date"),
            ("validFrom", "MONTH_YEAR", "valid from"),
        ],
        Category::Database => &[
            ("database_type", "MENU", "type"),
            ("hostname", "STRING", "server"),
            ("port", "STRING", "port"),
            ("database", "STRING", "database"),
            ("username", "STRING", "username"),
            ("password", "CONCEALED", "password"),
            ("sid", "STRING", "SID"),
            ("alias", "STRING", "alias"),
            ("options", "STRING", "connection options"),
        ],
        Category::DriverLicense => &[
            ("fullname", "STRING", "full name"),
            ("birthdate", "DATE", "date of birth"),
            ("number", "STRING", "number"),
            ("class", "STRING", "license class"),
            ("state", "STRING", "state"),
            ("country", "STRING", "country"),
            ("expiry_date", "MONTH_YEAR", "expiry date"),
        ],
        Category::EmailAccount => &[
            ("pop_type", "MENU", "type"),
            ("pop_username", "STRING", "username"),
            ("pop_server", "STRING", "server"),
            ("pop_port", "STRING", "port number"),
            ("pop_password", "CONCEALED", "password"),
            ("smtp_server", "STRING", "SMTP server"),
            ("smtp_port", "STRING", "SMTP port number"),
            ("smtp_username", "STRING", "SMTP username"),
            ("smtp_password", "CONCEALED", "SMTP password"),
        ],
        Category::Identity => &[
            ("firstname", "STRING", "first name"),
            ("lastname", "STRING", "last name"),
            ("birthdate", "DATE", "birth date"),
            ("address", "ADDRESS", "address"),
            ("defphone", "PHONE", "default phone"),
            ("email", "STRING", "email"),
        ],
        Category::MedicalRecord => &[
            ("date", "DATE", "date"),
            ("location", "STRING", "location"),
            (
                "healthcareprofessional",
                "STRING",
                "healthcare professional",
            ),
            ("patient", "STRING", "patient"),
            ("reason", "STRING", "reason for visit"),
        ],
        Category::Membership => &[
            ("org_name", "STRING", "group"),
            ("website", "URL", "website"),
            ("member_name", "STRING", "member name"),
            ("membership_no", "STRING", "member ID"),
            ("pin", "CONCEALED", "PIN"),
        ],
        Category::OutdoorLicense => &[
            ("name", "STRING", "full name"),
            ("valid_from", "DATE", "valid from"),
            ("expires", "DATE", "expires"),
            ("game", "STRING", "approved wildlife"),
            ("state", "STRING", "state"),
        ],
        Category::Passport => &[
            ("type", "STRING", "type"),
            ("issuing_country", "STRING", "issuing country"),
            ("number", "STRING", "number"),
            ("fullname", "STRING", "full name"),
            ("nationality", "STRING", "nationality"),
            ("birthdate", "DATE", "date of birth"),
            ("expiry_date", "DATE", "expiry date"),
        ],
        Category::RewardProgram => &[
            ("company_name", "STRING", "company name"),
            ("member_name", "STRING", "member name"),
            ("membership_no", "STRING", "member ID"),
            ("pin", "CONCEALED", "PIN"),
        ],
        Category::Server => &[
            ("url", "STRING", "URL"),
            ("username", "STRING", "username"),
            ("password", "CONCEALED", "password"),
        ],
        Category::SocialSecurityNumber => &[
            ("name", "STRING", "name"),
            ("number", "CONCEALED", "number"),
        ],
        Category::SoftwareLicense => &[
            ("product_version", "STRING", "version"),
            ("reg_code", "STRING", "license key"),
            ("reg_name", "STRING", "licensed to"),
            ("reg_email", "EMAIL", "registered email"),
        ],
        Category::SshKey => &[("private_key", "SSHKEY", "private key")],
        Category::WirelessRouter => &[
            ("name", "STRING", "base station name"),
            ("password", "CONCEALED", "base station password"),
            ("server", "STRING", "server / IP address"),
            ("network_name", "STRING", "network name"),
            ("wireless_security", "MENU", "wireless security"),
            (
                "wireless_password",
                "CONCEALED",
                "wireless network password",
            ),
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use sekisho_core::item::draft::Draft;

    use super::*;

    #[test]
    fn every_skeleton_is_a_draft_and_names_no_field_twice() {
        for category in Category::ALL {
            let skeleton = skeleton(category);
            let ids: Vec<&Value> = skeleton["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|field| &field["id"])
                .collect();
            for (position, id) in ids.iter().enumerate() {
                assert!(!ids[..position].contains(id), "{} {id}", category.as_str());
            }
            assert!(Draft::parse(skeleton).is_ok());
        }
    }
}
