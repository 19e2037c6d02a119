//! `--generate-password[=RECIPE]`: a length and character sets in any order, as `op` takes them.

use serde_json::{Value, json};

/// A recipe as typed; Connect's rules are checked where items are built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LowRecipe {
    length: Option<u64>,
    sets: Vec<&'static str>,
}

impl std::str::FromStr for LowRecipe {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut recipe = Self::default();
        for word in text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word.to_ascii_lowercase().as_str() {
                "letters" => recipe.sets.push("LETTERS"),
                "digits" => recipe.sets.push("DIGITS"),
                "symbols" => recipe.sets.push("SYMBOLS"),
                number => {
                    let number = number
                        .parse()
                        .ok()
                        .filter(|number| (1..=64).contains(number));
                    let length = number
                        .ok_or("a recipe has letters, digits, symbols and a length of 1 to 64")?;
                    if recipe.length.replace(length).is_some() {
                        return Err("a recipe has one length");
                    }
                }
            }
        }
        Ok(recipe)
    }
}

impl LowRecipe {
    /// Connect's GeneratorRecipe.
    pub(super) fn to_json(&self) -> Value {
        json!({ "length": self.length.unwrap_or(32), "characterSets": self.sets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes() {
        let json = |text: &str| text.parse::<LowRecipe>().map(|recipe| recipe.to_json());
        assert_eq!(json(""), Ok(json!({"length": 32, "characterSets": []})));
        assert_eq!(
            json("letters,digits,20"),
            Ok(json!({"length": 20, "characterSets": ["LETTERS", "DIGITS"]}))
        );
        for bad in ["words", "65", "0", "-1", "8,9"] {
            assert!(json(bad).is_err(), "{bad}");
        }
    }
}
