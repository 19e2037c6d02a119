//! `#[serde(with = "secret_json")]`: a secret text in JSON that is itself kept private.

use sekisho_core::secret::SecretText;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(text: &SecretText, to: S) -> Result<S::Ok, S::Error> {
    // EXPOSE: written into a private file's buffer, which wipes itself.
    to.serialize_str(text.expose())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SecretText, D::Error> {
    String::deserialize(from).map(SecretText::new)
}
