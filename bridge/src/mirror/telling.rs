//! What of a refusal may be told. The vendor's sentence goes through the account, which must see nothing of an item, and
//! into a file: so what it quotes is cut, and one that repeats anything the item holds is not told at all.

use crate::client::{FieldDetails, NewSdkItem, SdkField, SdkItem, SdkSection, Website};

/// Texts shorter than this are looked for as whole words: any sentence has most letters.
const SHORT: usize = 4;
/// So many letters in a row of a value are a part of it and no accident.
const RUN: usize = 12;
/// Labels and ids that a login has anyway.
const USUAL: [&str; 3] = ["username", "password", "notesPlain"];

/// What an item holds, to be found nowhere else.
pub(super) struct Contents<'a> {
    /// Values and notes: no part of them may be told.
    values: Vec<&'a str>,
    /// Titles, tags, labels, addresses: they may not be told whole.
    words: Vec<&'a str>,
}

impl<'a> Contents<'a> {
    pub(super) fn of(item: &'a SdkItem) -> Self {
        let files = item.files.iter().map(|file| file.attributes.name.as_str());
        let words = files.chain([item.title.as_str()]);
        // EXPOSE: compared with a sentence that must not hold it.
        let notes = item.notes.expose();
        Self::new(words.collect(), notes, &item.fields).with(
            &item.sections,
            &item.tags,
            &item.websites,
        )
    }

    pub(super) fn of_new(item: &'a NewSdkItem) -> Self {
        // EXPOSE: as above.
        let notes = item.notes.expose();
        Self::new(vec![&item.title], notes, &item.fields).with(
            &item.sections,
            &item.tags,
            &item.websites,
        )
    }

    fn new(mut words: Vec<&'a str>, notes: &'a str, fields: &'a [SdkField]) -> Self {
        let mut values = vec![notes];
        for field in fields {
            // EXPOSE: as above.
            values.push(field.value.expose());
            words.extend([field.title.as_str(), &field.id]);
            words.extend(field.section_id.as_deref());
            if let Some(details) = &field.details {
                values.extend(texts(details));
            }
        }
        Self { values, words }
    }

    fn with(
        mut self,
        sections: &'a [SdkSection],
        tags: &'a [String],
        websites: &'a [Website],
    ) -> Self {
        self.words.extend(tags.iter().map(String::as_str));
        for section in sections {
            self.words.extend([section.title.as_str(), &section.id]);
        }
        for website in websites {
            self.values.push(&website.url);
            self.words.push(&website.label);
        }
        self.words.retain(|word| !USUAL.contains(word));
        self
    }

    /// The sentence as it may be told; `None` = it may not.
    pub(super) fn tellable(&self, sentence: &str) -> Option<String> {
        let plain = without_quotes(sentence);
        let lower = plain.to_lowercase();
        let whole = self.values.iter().chain(&self.words);
        let is_held = whole
            .into_iter()
            .any(|text| holds(&lower, &text.to_lowercase()))
            || self
                .values
                .iter()
                .any(|text| holds_part(&lower, &text.to_lowercase()));
        let says = plain.chars().any(char::is_alphanumeric);
        (!is_held && says).then_some(plain)
    }
}

/// Texts beside a field's value, such as parts of an address.
fn texts(details: &FieldDetails) -> impl Iterator<Item = &str> {
    let members = details.content.as_object().into_iter().flatten();
    members
        .filter_map(|(_, value)| value.as_str())
        .chain(details.content.as_str())
}

fn holds(sentence: &str, text: &str) -> bool {
    let text = text.trim();
    if text.chars().count() >= SHORT {
        return sentence.contains(text);
    }
    let mut words = sentence.split(|c: char| !c.is_alphanumeric());
    !text.is_empty()
        && (words.any(|word| word == text) || sentence.split_whitespace().any(|word| word == text))
}

fn holds_part(sentence: &str, text: &str) -> bool {
    let letters: Vec<char> = sentence.chars().collect();
    letters
        .windows(RUN)
        .any(|run| text.contains(&run.iter().collect::<String>()))
}

/// The sentence without what stands in quotes.
fn without_quotes(sentence: &str) -> String {
    let mut plain = String::new();
    let mut end = None;
    let mut before = ' ';
    for letter in sentence.chars() {
        match end {
            None => {
                end = closing(letter, before);
                if end.is_none() {
                    plain.push(letter);
                }
            }
            Some(close) if letter == close => {
                plain.push('…');
                end = None;
            }
            Some(_) => {}
        }
        before = letter;
    }
    plain.trim().to_owned()
}

/// What ends a quote that begins so. An apostrophe within a word begins none.
fn closing(letter: char, before: char) -> Option<char> {
    match letter {
        '"' | '`' => Some(letter),
        '“' => Some('”'),
        '\'' if !before.is_alphanumeric() => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sekisho_core::{id::VaultId, secret::SecretText};
    use serde_json::json;

    use super::*;

    fn item() -> NewSdkItem {
        let field = |id: &str, title: &str, value: &str| SdkField {
            id: id.into(),
            title: title.into(),
            section_id: None,
            field_type: "Concealed".into(),
            value: SecretText::new(value),
            details: Some(FieldDetails {
                kind: "Address".into(),
                content: json!({"city": "Reykjavík"}),
            }),
        };
        NewSdkItem {
            category: "Login".into(),
            vault_id: VaultId::MIN,
            title: "Payroll".into(),
            fields: vec![
                field("password", "password", "hunter2"),
                field("pin", "PIN code", "42"),
            ],
            sections: Vec::new(),
            notes: SecretText::new("the first line\nthe combination is 17-23-5, do not tell"),
            tags: vec!["räksmörgås".into()],
            websites: Vec::new(),
        }
    }

    #[test]
    fn quotes_are_left_out() {
        assert_eq!(without_quotes("tag \"secret\" is odd"), "tag … is odd");
        assert_eq!(
            without_quotes("can't update 'x y' now"),
            "can't update … now"
        );
        assert_eq!(without_quotes("broken \"end"), "broken");
    }

    #[test]
    fn what_repeats_the_item_is_not_told() {
        let item = item();
        let contents = Contents::of_new(&item);
        for told in [
            "Editing is not supported for unsupported fields",
            "can't update the item's category",
            "two password fields in section 7",
        ] {
            assert_eq!(contents.tellable(told).as_deref(), Some(told));
        }
        for kept in [
            "the value HUNTER2 is weak",
            "the number 42 is odd",
            "in payroll: refused",
            "tag Räksmörgås is not ASCII",
            "no city named Reykjavík",
            "near mbination is 17-2 something is wrong",
            "the PIN code is short",
            "\"everything quoted\"",
        ] {
            assert_eq!(contents.tellable(kept), None, "{kept}");
        }
        assert_eq!(
            contents.tellable("tag \"räksmörgås\" is odd").as_deref(),
            Some("tag … is odd")
        );
    }
}
