//! What clap refuses, without the values that were typed: `password=…` in the wrong place must not come back.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Shows the refusal (or the help that was asked for).
pub(super) fn refuse(mut error: clap::Error) -> ExitCode {
    hide_values(&mut error);
    // Nothing can be told when even this fails.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

/// Cuts everything after a `=`, and what takes the form of a token.
fn hide_values(error: &mut clap::Error) {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        if let Some(ContextValue::String(text)) = error.get(kind)
            && let Some(hidden) = hidden(text)
        {
            error.insert(kind, ContextValue::String(hidden));
        }
    }
    // Suggestions repeat the argument.
    if error.kind() == ErrorKind::UnknownArgument {
        error.remove(ContextKind::Suggested);
    }
}

fn hidden(text: &str) -> Option<String> {
    if let Some((name, _)) = text.split_once('=') {
        return Some(format!("{name}=…"));
    }
    text.starts_with("eyJ").then(|| "eyJ…".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_misplaced_value_is_not_repeated() {
        let rows: [&[&str]; 4] = [
            &["sekisho", "vault", "list", "password=hunter2"],
            &["sekisho", "item", "get", "a", "password=hunter2"],
            &["sekisho", "item", "list", "--pasword=hunter2"],
            &["sekisho", "vault", "list", "eyJhunter2"],
        ];
        for row in rows {
            let Err(mut error) = super::super::LowArgs::try_parse_from(row) else {
                panic!("{row:?} is taken");
            };
            hide_values(&mut error);
            let text = error.to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
